//! How far a line goes along with a pattern that does not match it.

use std::collections::HashMap;
use std::ops::Range;

use tailrace_grok::{Budget, Grok, GrokOptions, PatternSet, Scratch};

use super::elements::{Element, Kind, split, split_range};

/// How many parts of patterns are compiled for one answer.
const MAX_COMPILED: usize = 400;
/// How deep patterns are looked into.
const MAX_DEPTH: usize = 16;
/// How long one part may take to match, in milliseconds.
const BUDGET: Budget = Budget::millis(200);

/// Where a line and a pattern part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The text that the longest part of the pattern from its start matches; nothing when no part does.
    pub matched: Option<Range<usize>>,
    /// The element after that part, as it is written.
    pub element: String,
    /// The references to named patterns that the element is in, as they are written, from the outside.
    pub within: Vec<String>,
}

/// Finds out how far lines go; keeps the parts of patterns that it has compiled.
pub struct Explorer<'p> {
    patterns: &'p PatternSet,
    parts: HashMap<String, Option<Grok>>,
    scratch: Scratch,
    left: usize,
}

/// The pattern text before the elements that are looked at, and what closes it.
#[derive(Clone)]
struct Before {
    open: String,
    close: String,
}

impl<'p> Explorer<'p> {
    /// With these named patterns.
    pub fn new(patterns: &'p PatternSet) -> Explorer<'p> {
        Explorer { patterns, parts: HashMap::new(), scratch: Scratch::default(), left: MAX_COMPILED }
    }

    /// How far the line goes along with the pattern, which does not match it.
    pub fn reached(&mut self, pattern: &str, line: &str) -> Reached {
        self.left = MAX_COMPILED;
        let before = Before { open: String::new(), close: String::new() };
        let mut within = Vec::new();
        self.in_text(pattern, split(pattern), &before, line, &mut within).unwrap_or_else(|| Reached {
            matched: None,
            element: pattern.to_owned(),
            within: Vec::new(),
        })
    }

    /// Of the alternatives the one that gets furthest.
    fn in_text(
        &mut self,
        text: &str,
        branches: Vec<Vec<Element>>,
        before: &Before,
        line: &str,
        within: &mut Vec<String>,
    ) -> Option<Reached> {
        let mut best: Option<Reached> = None;
        for branch in branches {
            if let Some(found) = self.in_branch(text, &branch, before, line, within)
                && best.as_ref().is_none_or(|best| end_of(&found) > end_of(best))
            {
                best = Some(found);
            }
        }
        best
    }

    /// The first element that the line does not go along with, looked into; nothing when it goes along with all of them.
    fn in_branch(
        &mut self,
        text: &str,
        branch: &[Element],
        before: &Before,
        line: &str,
        within: &mut Vec<String>,
    ) -> Option<Reached> {
        // More elements match less: the longest part that matches is found by halving.
        let start = branch.first()?.place.start;
        let part = |count: usize| {
            let end = branch[..count].last().map_or(start, |element| element.place.end);
            format!("{}{}{}", before.open, &text[start..end], before.close)
        };
        let (mut matches, mut fails) = (0, branch.len() + 1);
        while fails - matches > 1 {
            let middle = matches + (fails - matches) / 2;
            if self.place(&part(middle), line).is_some() { matches = middle } else { fails = middle }
        }
        let element = branch.get(matches)?;
        let head = part(matches);
        let open = head.strip_suffix(before.close.as_str()).unwrap_or(&head);
        let nothing = matches == 0 && before.open.is_empty();
        let matched = if nothing { None } else { self.place(&head, line) };
        let here = Reached { matched, element: text[element.place.clone()].to_owned(), within: within.clone() };
        // What is inside of the element is worth naming when the line goes along with some of it.
        let inside = self.inside(text, element, open, before, line, within);
        Some(inside.filter(|inside| end_of(inside) > end_of(&here)).unwrap_or(here))
    }

    /// Looks into an element for the part of it that fails.
    fn inside(
        &mut self,
        text: &str,
        element: &Element,
        open: &str,
        before: &Before,
        line: &str,
        within: &mut Vec<String>,
    ) -> Option<Reached> {
        if within.len() >= MAX_DEPTH || self.left == 0 {
            return None;
        }
        let inner = Before { open: format!("{open}(?:"), close: format!("){}", before.close) };
        match &element.kind {
            Kind::Reference(name) => {
                let name = &text[name.clone()];
                let definition = self.patterns.get(name)?.to_owned();
                within.push(text[element.place.clone()].to_owned());
                let found = self.in_text(&definition, split(&definition), &inner, line, within);
                within.pop();
                found
            }
            Kind::Group(place) => {
                // Groups inside of groups count as depth too.
                within.push(String::new());
                let found = self.in_text(text, split_range(text, place.clone()), &inner, line, within);
                within.pop();
                found.map(|found| Reached {
                    within: found.within.into_iter().filter(|name| !name.is_empty()).collect(),
                    ..found
                })
            }
            Kind::Other => None,
        }
    }

    /// Where a part of a pattern matches.
    fn place(&mut self, part: &str, line: &str) -> Option<Range<usize>> {
        if !self.parts.contains_key(part) {
            if self.left == 0 {
                return None;
            }
            self.left -= 1;
            let compiled = Grok::compile(self.patterns, part, &GrokOptions::default()).ok();
            self.parts.insert(part.to_owned(), compiled);
        }
        let grok = self.parts.get(part)?.as_ref()?;
        let mut captures = Vec::new();
        let found = grok.regex().captures_at(line.as_bytes(), 0, &mut captures, &mut self.scratch, BUDGET);
        let (start, end) = captures.first().copied().flatten().filter(|_| found == Ok(true))?;
        Some(start..end)
    }
}

fn end_of(reached: &Reached) -> usize {
    reached.matched.as_ref().map_or(0, |matched| matched.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(pattern: &str, line: &str) -> (Option<String>, String, String) {
        let patterns = PatternSet::legacy();
        let found = Explorer::new(&patterns).reached(pattern, line);
        (found.matched.map(|place| line[place].to_owned()), found.element, found.within.join(" > "))
    }

    #[test]
    fn names_the_element_where_a_line_parts_from_its_pattern() {
        let line = r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 5 "-" agent"#;
        let (matched, element, within) = reached("%{COMBINEDAPACHELOG}", line);
        assert_eq!(matched.as_deref(), line.strip_suffix("agent"));
        assert_eq!(within, "%{COMBINEDAPACHELOG} > %{HTTPD_COMBINEDLOG}");
        assert_eq!(element, "%{QS:agent}");
    }

    #[test]
    fn looks_into_groups_and_takes_the_alternative_that_gets_furthest() {
        let (matched, element, _) = reached("a(?:x|(?<n>b%{INT:i}c)|b ?e)d", "--ab12d");
        assert_eq!((matched.as_deref(), element.as_str()), (Some("ab12"), "c"));
    }

    #[test]
    fn says_when_not_even_the_first_element_matches() {
        assert_eq!(reached("%{INT:a} b", "none"), (None, "%{INT:a}".to_owned(), String::new()));
    }

    #[test]
    fn a_pattern_that_cannot_be_taken_apart_is_its_own_element() {
        assert_eq!(reached("(?!)", "x").1, "(?!)");
        assert_eq!(reached("", "x").1, "");
    }
}
