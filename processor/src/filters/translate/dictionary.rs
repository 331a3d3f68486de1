//! Words and what they are translated to.

use aho_corasick::{AhoCorasick, MatchKind};
use hashbrown::HashMap;
use tailrace_common::{Str, Value};
use tailrace_grok::{Budget, Options, Regex, Scratch};

use crate::plan::text::ruby_to_s;

/// How keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// With the whole text.
    Exact,
    /// As regular expressions, the first that matches wins.
    Regex,
    /// With every part of the text; what is found is replaced (`exact => false`).
    Substrings,
}

/// A dictionary, made ready for its mode.
#[derive(Debug)]
pub(super) struct Dictionary {
    entries: Vec<(Str, Value)>,
    index: HashMap<Str, usize, foldhash::fast::RandomState>,
    matcher: Matcher,
}

#[derive(Debug)]
enum Matcher {
    Index,
    Regexes(Vec<Regex>),
    Substrings(Option<AhoCorasick>),
}

/// What a dictionary says.
pub(super) enum Found {
    Value(Value),
    Nothing,
    /// A regular expression took too long.
    OutOfBudget,
}

/// A key that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadKey {
    #[error("the key '{key}' is no regular expression: {error}")]
    Regex { key: Str, error: tailrace_grok::Error },
    #[error("the keys are too many or too long to be looked for in texts: {0}")]
    Substrings(aho_corasick::BuildError),
}

impl Dictionary {
    /// Of a key that comes twice the last value counts, at the place of the first.
    pub(super) fn new(given: Vec<(Str, Value)>, mode: Mode) -> Result<Dictionary, BadKey> {
        let mut entries: Vec<(Str, Value)> = Vec::with_capacity(given.len());
        let mut index = HashMap::with_capacity_and_hasher(given.len(), Default::default());
        for (key, value) in given {
            match index.get(&key) {
                Some(&place) => {
                    let held: &mut (Str, Value) = &mut entries[place];
                    held.1 = value;
                }
                None => {
                    index.insert(key.clone(), entries.len());
                    entries.push((key, value));
                }
            }
        }
        let keys = || entries.iter().map(|(key, _)| key.as_str());
        let matcher = match mode {
            Mode::Exact => Matcher::Index,
            Mode::Regex => {
                let regexes = keys().map(|key| {
                    Regex::new(key, Options::default()).map_err(|error| BadKey::Regex { key: Str::from(key), error })
                });
                Matcher::Regexes(regexes.collect::<Result<_, _>>()?)
            }
            Mode::Substrings if entries.is_empty() => Matcher::Substrings(None),
            Mode::Substrings => {
                let found = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(keys());
                Matcher::Substrings(Some(found.map_err(BadKey::Substrings)?))
            }
        };
        Ok(Dictionary { entries, index, matcher })
    }

    /// These entries and those that come over them.
    pub(super) fn merged(&self, over: Vec<(Str, Value)>) -> Vec<(Str, Value)> {
        let mut entries = self.entries.clone();
        entries.extend(over);
        entries
    }

    pub(super) fn look_up(&self, text: &Str, scratch: &mut Scratch) -> Found {
        match &self.matcher {
            Matcher::Index => match self.index.get(text) {
                Some(&place) => Found::Value(self.entries[place].1.clone()),
                None => Found::Nothing,
            },
            Matcher::Regexes(regexes) => {
                for (regex, (_, value)) in regexes.iter().zip(&self.entries) {
                    match regex.is_match(text.as_bytes(), scratch, Budget::millis(super::REGEX_MILLIS)) {
                        Ok(true) => return Found::Value(value.clone()),
                        Ok(false) => {}
                        Err(_) => return Found::OutOfBudget,
                    }
                }
                Found::Nothing
            }
            Matcher::Substrings(None) => Found::Nothing,
            Matcher::Substrings(Some(keys)) => {
                let mut out = String::new();
                keys.replace_all_with(text, &mut out, |found, _, out| {
                    match &self.entries[found.pattern().as_usize()].1 {
                        Value::String(value) => out.push_str(value),
                        other => out.push_str(&ruby_to_s(other)),
                    }
                    true
                });
                if out == text.as_str() { Found::Nothing } else { Found::Value(Value::from(out)) }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn dictionary(entries: &[(&'static str, Value)], mode: Mode) -> Dictionary {
        let entries = entries.iter().map(|(key, value)| (Str::borrowed(key), value.clone())).collect();
        Dictionary::new(entries, mode).unwrap()
    }

    fn found(dictionary: &Dictionary, text: &'static str) -> Option<Value> {
        match dictionary.look_up(&Str::borrowed(text), &mut Scratch::default()) {
            Found::Value(value) => Some(value),
            Found::Nothing => None,
            Found::OutOfBudget => panic!("out of budget"),
        }
    }

    #[test]
    fn the_modes() {
        let words: &[(&str, Value)] = &[("^4", 4.into()), ("4..", "four".into()), ("foo", Value::Null)];
        let exact = dictionary(words, Mode::Exact);
        assert_eq!((found(&exact, "^4"), found(&exact, "404")), (Some(4.into()), None));
        let regex = dictionary(words, Mode::Regex);
        assert_eq!((found(&regex, "404"), found(&regex, "x405")), (Some(4.into()), Some("four".into())));
        let substrings = dictionary(words, Mode::Substrings);
        assert_eq!(found(&substrings, "foobar ^4"), Some("bar 4".into()));
        assert_eq!(found(&substrings, "404"), None, "keys are texts, not patterns");
        assert_eq!(found(&dictionary(&[], Mode::Substrings), "x"), None);
    }

    #[test]
    fn later_entries_come_over_earlier_ones_and_keep_their_place() {
        let words = dictionary(&[("a", 1.into()), ("b", 2.into())], Mode::Exact);
        let merged = words.merged(vec![("a".into(), 3.into()), ("c".into(), 4.into())]);
        let words = Dictionary::new(merged, Mode::Exact).unwrap();
        let shown: Vec<_> = words.entries.iter().map(|(key, value)| (key.as_str(), value.as_i64().unwrap())).collect();
        assert_eq!(shown, [("a", 3), ("b", 2), ("c", 4)]);
    }
}
