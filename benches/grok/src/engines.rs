//! The engines, all behind one question: which of the patterns matches the line, and where are its groups.

use tailrace_grok::{Budget, Grok, GrokOptions, GrokSet, PatternSet, Scratch};

use super::dialect::{Dialect, translate};

/// The places of the groups that took part.
pub(crate) type Spans = Vec<Option<(usize, usize)>>;

/// An engine that has a row's patterns compiled.
pub(crate) trait Engine {
    /// Tries the patterns in their order. The number of the one that matches, and its groups in `spans`.
    fn captures(&mut self, line: &str, spans: &mut Spans) -> Option<usize>;
}

/// A way to compile a row's patterns; `None` when the engine cannot.
type Compile = fn(&PatternSet, &[String]) -> Option<Box<dyn Engine>>;

/// All engines, ours first.
pub(crate) const ENGINES: &[(&str, Compile)] = &[
    ("tailrace", tailrace),
    ("onig", onig),
    ("pcre2-jit", pcre2_jit),
    ("regex", regex),
    ("fancy-regex", fancy_regex),
    ("grok", grok),
];

fn expanded(patterns: &PatternSet, pattern: &str, dialect: Dialect) -> Option<String> {
    let grok = Grok::compile(patterns, pattern, &GrokOptions::default()).ok()?;
    Some(translate(grok.expanded(), dialect))
}

/// Compiles each pattern, or none.
fn each<R>(
    patterns: &PatternSet,
    given: &[String],
    dialect: Dialect,
    compile: impl Fn(&str) -> Option<R>,
) -> Option<Vec<R>> {
    given.iter().map(|pattern| compile(&expanded(patterns, pattern, dialect)?)).collect()
}

struct Tailrace {
    set: GrokSet,
    scratch: Scratch,
}

fn tailrace(patterns: &PatternSet, given: &[String]) -> Option<Box<dyn Engine>> {
    let options = GrokOptions::default();
    let groks: Option<Vec<_>> = given.iter().map(|pattern| Grok::compile(patterns, pattern, &options).ok()).collect();
    Some(Box::new(Tailrace { set: GrokSet::new(groks?), scratch: Scratch::default() }))
}

impl Engine for Tailrace {
    fn captures(&mut self, line: &str, spans: &mut Spans) -> Option<usize> {
        self.set.captures(line.as_bytes(), &mut self.scratch, Budget::UNLIMITED, spans).unwrap_or(None)
    }
}

struct Onig(Vec<onig::Regex>, onig::Region);

fn onig(patterns: &PatternSet, given: &[String]) -> Option<Box<dyn Engine>> {
    let options = onig::RegexOptions::REGEX_OPTION_MULTILINE;
    let regexes = each(patterns, given, Dialect::Ruby, |pattern| {
        onig::Regex::with_options(pattern, options, onig::Syntax::ruby()).ok()
    })?;
    Some(Box::new(Onig(regexes, onig::Region::new())))
}

impl Engine for Onig {
    fn captures(&mut self, line: &str, spans: &mut Spans) -> Option<usize> {
        let none = onig::SearchOptions::SEARCH_OPTION_NONE;
        let region = &mut self.1;
        let found = self.0.iter().position(|regex| {
            let found = regex.search_with_param(line, 0, line.len(), none, Some(region), onig::MatchParam::default());
            found.unwrap_or(None).is_some()
        })?;
        spans.extend((1..self.1.len()).map(|group| self.1.pos(group)));
        Some(found)
    }
}

struct Pcre2(Vec<(pcre2::bytes::Regex, pcre2::bytes::CaptureLocations)>);

fn pcre2_jit(patterns: &PatternSet, given: &[String]) -> Option<Box<dyn Engine>> {
    let regexes = each(patterns, given, Dialect::Perl, |pattern| {
        let mut builder = pcre2::bytes::RegexBuilder::new();
        let regex = builder.jit(true).dotall(true).multi_line(true).build(pattern).ok()?;
        let locations = regex.capture_locations();
        Some((regex, locations))
    })?;
    Some(Box::new(Pcre2(regexes)))
}

impl Engine for Pcre2 {
    fn captures(&mut self, line: &str, spans: &mut Spans) -> Option<usize> {
        let found = self
            .0
            .iter_mut()
            .position(|(regex, locations)| regex.captures_read(locations, line.as_bytes()).unwrap_or(None).is_some())?;
        let locations = &self.0[found].1;
        spans.extend((1..locations.len()).map(|group| locations.get(group)));
        Some(found)
    }
}

struct Rust(Vec<(regex::bytes::Regex, regex::bytes::CaptureLocations)>);

fn regex(patterns: &PatternSet, given: &[String]) -> Option<Box<dyn Engine>> {
    let regexes = each(patterns, given, Dialect::Automata, |pattern| {
        let mut builder = regex::bytes::RegexBuilder::new(pattern);
        let regex = builder.unicode(false).dot_matches_new_line(true).multi_line(true).build().ok()?;
        let locations = regex.capture_locations();
        Some((regex, locations))
    })?;
    Some(Box::new(Rust(regexes)))
}

impl Engine for Rust {
    fn captures(&mut self, line: &str, spans: &mut Spans) -> Option<usize> {
        let found = self
            .0
            .iter_mut()
            .position(|(regex, locations)| regex.captures_read(locations, line.as_bytes()).is_some())?;
        let locations = &self.0[found].1;
        spans.extend((1..locations.len()).map(|group| locations.get(group)));
        Some(found)
    }
}

struct Fancy(Vec<fancy_regex::Regex>);

fn fancy_regex(patterns: &PatternSet, given: &[String]) -> Option<Box<dyn Engine>> {
    let regexes = each(patterns, given, Dialect::Perl, |pattern| {
        let mut builder = fancy_regex::RegexBuilder::new(pattern);
        builder.dot_matches_new_line(true).multi_line(true).build().ok()
    })?;
    Some(Box::new(Fancy(regexes)))
}

impl Engine for Fancy {
    fn captures(&mut self, line: &str, spans: &mut Spans) -> Option<usize> {
        for (number, regex) in self.0.iter().enumerate() {
            // Too much backtracking counts as a miss.
            if let Ok(Some(captures)) = regex.captures(line) {
                spans.extend(captures.iter().skip(1).map(|group| group.map(|group| (group.start(), group.end()))));
                return Some(number);
            }
        }
        None
    }
}

struct GrokCrate(Vec<grok::Pattern>);

fn grok(patterns: &PatternSet, given: &[String]) -> Option<Box<dyn Engine>> {
    let mut grok = grok::Grok::empty();
    for name in patterns.names() {
        grok.add_pattern(name, patterns.get(name).unwrap_or_default());
    }
    let compiled: Option<Vec<_>> = given.iter().map(|pattern| grok.compile(pattern, true).ok()).collect();
    Some(Box::new(GrokCrate(compiled?)))
}

impl Engine for GrokCrate {
    fn captures(&mut self, line: &str, spans: &mut Spans) -> Option<usize> {
        for (number, pattern) in self.0.iter().enumerate() {
            if let Some(matches) = pattern.match_against(line) {
                spans.extend(matches.iter().map(|(_, value)| {
                    let start = value.as_ptr() as usize - line.as_ptr() as usize;
                    Some((start, start + value.len()))
                }));
                return Some(number);
            }
        }
        None
    }
}
