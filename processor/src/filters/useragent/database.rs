//! The patterns of uap-core's `regexes.yaml`, tried in order; the first that matches tells.
//!
//! There are more than a thousand, so only those are tried whose fixed texts are all in the agent's text, and a pattern
//! is compiled when it is first tried.

use std::sync::OnceLock;

use tailrace_common::Str;
use tailrace_common::yaml::{self, Node, Position};
use tailrace_grok::{Budget, Options, Regex, Scratch};

use super::prefilter::{Literals, Needs, Prefilter};

/// What one pattern may take.
const MILLIS: u64 = 100;

/// A file of patterns that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{position}: {message}")]
pub(super) struct DatabaseError {
    position: Position,
    message: String,
}

/// What a text says of its sender.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) browser: Versioned,
    pub(super) system: Versioned,
    pub(super) device: Str,
}

/// A name with up to four parts of a version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Versioned {
    pub(super) family: Str,
    pub(super) parts: [Option<Str>; 4],
}

impl Versioned {
    /// The parts, joined as far as they are known.
    pub(super) fn version(&self) -> Option<Str> {
        let parts: Vec<&str> = self.parts.iter().map_while(Option::as_deref).collect();
        (!parts.is_empty()).then(|| Str::from(parts.join(".")))
    }

    /// Name and version.
    pub(super) fn full(&self) -> Str {
        match self.version() {
            Some(version) => Str::from(format!("{} {version}", self.family)),
            None => self.family.clone(),
        }
    }
}

/// All patterns.
#[derive(Default)]
pub(super) struct Database {
    browsers: Parsers,
    systems: Parsers,
    devices: Parsers,
    prefilter: Prefilter,
}

#[derive(Default)]
struct Parsers(Vec<Pattern>);

struct Pattern {
    text: String,
    position: Position,
    ignore_case: bool,
    regex: OnceLock<Option<Regex>>,
    needs: Needs,
    /// What takes the place of the groups: the name, then the parts of the version.
    replacements: [Option<String>; 5],
}

const LISTS: [(&str, [&str; 5]); 3] = [
    (
        "user_agent_parsers",
        ["family_replacement", "v1_replacement", "v2_replacement", "v3_replacement", "v4_replacement"],
    ),
    (
        "os_parsers",
        ["os_replacement", "os_v1_replacement", "os_v2_replacement", "os_v3_replacement", "os_v4_replacement"],
    ),
    ("device_parsers", ["device_replacement", "", "", "", ""]),
];

impl Database {
    /// Reads patterns; whether they are right is not known before [`Database::compile_all`].
    pub(super) fn parse(text: &str) -> Result<Database, DatabaseError> {
        let root =
            yaml::parse(text).map_err(|error| DatabaseError { position: error.position, message: error.message })?;
        let mut literals = Literals::default();
        let mut lists = [const { Vec::new() }; 3];
        let mut any = false;
        for ((name, replacements), list) in LISTS.iter().zip(&mut lists) {
            let Some(node) = root.get(name) else { continue };
            any = true;
            let Some(items) = node.as_list() else {
                return Err(wrong(node, format!("'{name}' must be a list, this is {}", node.type_name())));
            };
            for item in items {
                list.push(Pattern::read(item, replacements, &mut literals)?);
            }
        }
        if !any {
            let names = LISTS.map(|(name, _)| name);
            let message = format!("none of '{}', '{}' and '{}' is here", names[0], names[1], names[2]);
            return Err(wrong(&root, message));
        }
        let [browsers, systems, devices] = lists.map(Parsers);
        Ok(Database { browsers, systems, devices, prefilter: Prefilter::new(literals) })
    }

    fn all(&self) -> impl Iterator<Item = &Pattern> {
        [&self.browsers, &self.systems, &self.devices].into_iter().flat_map(|list| &list.0)
    }

    /// Compiles every pattern now, to find those that are wrong.
    pub(super) fn compile_all(&self) -> Result<(), DatabaseError> {
        self.all().try_for_each(|pattern| {
            let compiled = pattern.compile();
            let error = compiled.as_ref().err().map(ToString::to_string);
            let _compiled_before = pattern.regex.set(compiled.ok());
            match error {
                None => Ok(()),
                Some(error) => {
                    let message = format!("'{}' is no regular expression: {error}", pattern.text);
                    Err(DatabaseError { position: pattern.position, message })
                }
            }
        })
    }

    /// How many patterns there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all().count()
    }

    pub(super) fn parse_agent(&self, text: &str, scratch: &mut Scratch) -> Agent {
        let found = self.prefilter.scan(text);
        self.agent(text, scratch, &|pattern| pattern.needs.met(&found))
    }

    /// The same without leaving patterns out.
    #[cfg(test)]
    pub(super) fn parse_agent_slowly(&self, text: &str, scratch: &mut Scratch) -> Agent {
        self.agent(text, scratch, &|_| true)
    }

    fn agent(&self, text: &str, scratch: &mut Scratch, candidate: &dyn Fn(&Pattern) -> bool) -> Agent {
        let browser = self.browsers.first(text, scratch, candidate);
        let system = self.systems.first(text, scratch, candidate);
        let device = self.devices.first(text, scratch, candidate);
        Agent { browser, system, device: device.family }
    }
}

fn wrong(node: &Node, message: String) -> DatabaseError {
    DatabaseError { position: node.position, message }
}

impl Parsers {
    fn first(&self, text: &str, scratch: &mut Scratch, candidate: &dyn Fn(&Pattern) -> bool) -> Versioned {
        let mut groups = Vec::new();
        for pattern in self.0.iter().filter(|pattern| candidate(pattern)) {
            let Some(regex) = pattern.regex.get_or_init(|| pattern.compile().ok()) else { continue };
            let matched = regex.captures_at(text.as_bytes(), 0, &mut groups, scratch, Budget::millis(MILLIS));
            if matched.unwrap_or(false)
                && let Some(found) = pattern.told(text, &groups)
            {
                return found;
            }
        }
        Versioned { family: Str::borrowed("Other"), parts: Default::default() }
    }
}

impl Pattern {
    fn read(item: &Node, replacements: &[&str; 5], literals: &mut Literals) -> Result<Pattern, DatabaseError> {
        let regex = item.get("regex").ok_or_else(|| wrong(item, "'regex' is missing".into()))?;
        let text = regex.as_text().unwrap_or_default().to_string();
        let replacement = |name: &str| item.get(name).and_then(Node::as_text).map(str::to_string);
        Ok(Pattern {
            needs: Needs::of(&text, literals),
            position: regex.position,
            ignore_case: item.get("regex_flag").and_then(Node::as_text) == Some("i"),
            regex: OnceLock::new(),
            replacements: replacements.map(replacement),
            text,
        })
    }

    fn compile(&self) -> Result<Regex, tailrace_grok::Error> {
        if self.ignore_case {
            Regex::new(&format!("(?i:{})", self.text), Options::default())
        } else {
            Regex::new(&self.text, Options::default())
        }
    }

    /// Name and version of a match; nothing when it has no name.
    fn told(&self, text: &str, groups: &[Option<(usize, usize)>]) -> Option<Versioned> {
        let group = |number: usize| {
            let (start, end) = groups.get(number).copied().flatten()?;
            text.get(start..end)
        };
        let part = |at: usize| match &self.replacements[at] {
            Some(replacement) => Some(filled(replacement, &group)),
            None => group(at + 1).map(Str::from),
        };
        let family = part(0)?;
        let parts = [1, 2, 3, 4].map(|at| part(at).filter(|part| !part.is_empty()));
        Some(Versioned { family, parts })
    }
}

/// Puts groups in the place of `$1` to `$9`.
fn filled<'t>(replacement: &str, group: &impl Fn(usize) -> Option<&'t str>) -> Str {
    if !replacement.contains('$') {
        return Str::from(replacement);
    }
    let mut out = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.bytes().next().filter(u8::is_ascii_digit) {
            Some(digit) => {
                out.push_str(group(usize::from(digit - b'0')).unwrap_or_default());
                rest = &rest[1..];
            }
            None => out.push('$'),
        }
    }
    out.push_str(rest);
    Str::from(out.trim())
}
