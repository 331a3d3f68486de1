//! Filter `prune`: takes fields out by lists of what may stay and what must go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tailrace_common::{Event, Str, Value};
use tailrace_grok::{Budget, Options as RegexOptions, Regex, Scratch};

use crate::options::{Invalid, Options, shared, value_text};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "prune",
    summary: "Takes top-level fields out by regular expressions on their names and values.",
    example: "filter { prune { whitelist_names => [\"^@timestamp$\", \"^message$\", \"^log\"] } }",
    build,
};

/// A text may take a regular expression this long, in milliseconds.
const BUDGET: Budget = Budget::millis(30_000);

/// So many expressions that were filled in are kept compiled.
const CACHE_LIMIT: usize = 1024;

/// `%{field}` that nothing filled in.
const UNFILLED: &str = "%\\{[^}]+\\}";

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let interpolate = options.boolean("interpolate", false);
    let blacklist_is_set = options.is_set("blacklist_names");
    let mut names = |option: &'static str| -> Vec<Pattern> {
        let texts = options.strings(option);
        texts.iter().filter_map(|text| pattern(&mut options, option, text, interpolate)).collect()
    };
    let keep_names = names("whitelist_names");
    let mut drop_names = names("blacklist_names");
    if !blacklist_is_set {
        drop_names.extend(pattern(&mut options, "blacklist_names", UNFILLED, interpolate));
    }
    let mut values = |option: &'static str| -> Vec<(Name, Pattern)> {
        let entries = options.hash(option);
        let mut read = Vec::new();
        for (name, value) in entries {
            let Value::String(text) = &value else {
                let message = format!("'{}' is no regular expression; quote it", value_text(&value));
                options.error_at(option, message);
                continue;
            };
            let name = if interpolate { Name::Filled(Template::parse(&name)) } else { Name::Fixed(shared(&name)) };
            read.extend(pattern(&mut options, option, text, interpolate).map(|pattern| (name, pattern)));
        }
        read
    };
    let (keep_values, drop_values) = (values("whitelist_values"), values("blacklist_values"));
    options.finish()?;
    Ok(Box::new(Prune { keep_names, drop_names, keep_values, drop_values, compiled: Mutex::default() }))
}

fn pattern(options: &mut Options<'_>, option: &str, text: &str, interpolate: bool) -> Option<Pattern> {
    if interpolate && text.contains("%{") {
        return Some(Pattern::Filled(Template::parse(text)));
    }
    let compiled = Regex::new(text, RegexOptions::default());
    let report = |error| options.error_at(option, format!("invalid regular expression '{text}': {error}"));
    compiled.map_err(report).ok().map(|regex| Pattern::Fixed(Arc::new(regex)))
}

struct Prune {
    keep_names: Vec<Pattern>,
    drop_names: Vec<Pattern>,
    keep_values: Vec<(Name, Pattern)>,
    drop_values: Vec<(Name, Pattern)>,
    compiled: Mutex<HashMap<Str, Arc<Regex>>>,
}

enum Pattern {
    Fixed(Arc<Regex>),
    /// `%{...}` in it: filled in and compiled for each event.
    Filled(Template),
}

/// The name of a top-level field.
enum Name {
    Fixed(Str),
    Filled(Template),
}

/// What becomes of a field.
enum Fate {
    Gone,
    /// A list keeps these of its elements.
    Keeps(Vec<Value>),
}

/// Why an event cannot be pruned.
struct Failed(String);

impl Filter for Prune {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match self.fates(event, context.scratch) {
            Ok(fates) => {
                let fields = event.fields_mut();
                for (name, fate) in fates {
                    match fate {
                        Fate::Gone => drop(fields.remove(&name)),
                        Fate::Keeps(values) if fields.contains(&name) => {
                            fields.insert(name, Value::Array(values));
                        }
                        Fate::Keeps(_) => {}
                    }
                }
                context.matched(event);
            }
            Err(Failed(reason)) => context.reject(event, reason),
        }
    }
}

impl Prune {
    /// What becomes of the fields; decided over the whole event before anything goes, for names and patterns are filled
    /// in from it.
    fn fates(&self, event: &Event, scratch: &mut Scratch) -> Result<Vec<(Str, Fate)>, Failed> {
        let mut fates = Vec::new();
        for (patterns, matching_goes) in [(&self.keep_names, false), (&self.drop_names, true)] {
            if patterns.is_empty() {
                continue;
            }
            let regexes = patterns.iter().map(|pattern| self.regex(pattern, event)).collect::<Result<Vec<_>, _>>()?;
            for name in event.fields().keys() {
                let mut found = false;
                for regex in &regexes {
                    found = found || is_match(regex, name, scratch)?;
                }
                if found == matching_goes {
                    fates.push((name.clone(), Fate::Gone));
                }
            }
        }
        for (tests, matching_goes) in [(&self.keep_values, false), (&self.drop_values, true)] {
            for (name, pattern) in tests {
                let name = match name {
                    Name::Fixed(name) => name.clone(),
                    Name::Filled(template) => template.render(event).map_err(|error| Failed(error.to_string()))?,
                };
                let regex = self.regex(pattern, event)?;
                let value = event.fields().get(&name);
                let fate = value.map(|value| fate(value, &regex, matching_goes, scratch)).transpose()?.flatten();
                fates.extend(fate.map(|fate| (name, fate)));
            }
        }
        Ok(fates)
    }

    fn regex(&self, pattern: &Pattern, event: &Event) -> Result<Arc<Regex>, Failed> {
        let template = match pattern {
            Pattern::Fixed(regex) => return Ok(Arc::clone(regex)),
            Pattern::Filled(template) => template,
        };
        let text = template.render(event).map_err(|error| Failed(error.to_string()))?;
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = compiled.get(&text) {
            return Ok(Arc::clone(regex));
        }
        let regex = Regex::new(&text, RegexOptions::default());
        let regex = Arc::new(regex.map_err(|error| Failed(format!("invalid regular expression '{text}': {error}")))?);
        if compiled.len() >= CACHE_LIMIT {
            compiled.clear();
        }
        // A text of its own: a slice would keep its record alive.
        compiled.insert(Str::from(text.as_str().to_string()), Arc::clone(&regex));
        Ok(regex)
    }
}

fn is_match(regex: &Regex, text: &str, scratch: &mut Scratch) -> Result<bool, Failed> {
    regex.is_match(text.as_bytes(), scratch, BUDGET).map_err(|error| Failed(error.to_string()))
}

/// Nothing when the field stays as it is. Only texts can be matched: Logstash ends at a number.
fn fate(value: &Value, regex: &Regex, matching_goes: bool, scratch: &mut Scratch) -> Result<Option<Fate>, Failed> {
    let mut goes = |value: &Value| match value {
        Value::String(text) => Ok(is_match(regex, text, scratch)? == matching_goes),
        other => Err(Failed(format!("a {} cannot be matched", other.type_name()))),
    };
    match value {
        Value::Null | Value::Bool(false) => Ok(None),
        Value::Array(values) => {
            let mut kept = Vec::with_capacity(values.len());
            for value in values {
                if !goes(value)? {
                    kept.push(value.clone());
                }
            }
            Ok(match kept.len() {
                length if length == values.len() => None,
                0 => Some(Fate::Gone),
                _ => Some(Fate::Keeps(kept)),
            })
        }
        single => Ok(goes(single)?.then_some(Fate::Gone)),
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, check_all, run_with};

    #[test]
    fn names_stay_or_go() {
        check("prune { whitelist_names => [\"^a\"] }", r#"{"a":1,"ba":2}"#, &[r#"{"a":1}"#]);
        check("prune { blacklist_names => [\"^a\"] }", r#"{"a":1,"%{x}":2}"#, &[r#"{"%{x}":2}"#]);
        check("prune { whitelist_names => [\"b\"] }", r#"{"%{b}":1,"b":2}"#, &[r#"{"b":2}"#]);
    }

    #[test]
    fn lists_keep_the_elements_that_may_stay() {
        let config = "prune { whitelist_values => { \"l\" => \"^a\" } blacklist_values => { \"m\" => \"x\" } }";
        check_all(
            config,
            &[r#"{"l":["ab","b"],"m":["x"]}"#, r#"{"l":"b","m":"y"}"#, r#"{"l":5}"#, r#"{"l":[],"m":false}"#],
            &[r#"{"l":["ab"]}"#, r#"{"m":"y"}"#, r#"{"l":[],"m":false}"#],
        );
    }

    #[test]
    fn patterns_are_filled_in() {
        let config = "prune { interpolate => true whitelist_values => { \"%{n}_x\" => \"%{p}\" } }";
        check_all(
            config,
            &[r#"{"n":"a","p":"^1","a_x":"12"}"#, r#"{"n":"a","p":"^1","a_x":"2"}"#, r#"{"n":"a","p":"(","a_x":"2"}"#],
            &[r#"{"n":"a","p":"^1","a_x":"12"}"#, r#"{"n":"a","p":"^1"}"#],
        );
    }

    #[test]
    fn broken_patterns_are_found_at_load() {
        for config in ["prune { whitelist_names => [\"(\"] }", "prune { blacklist_values => { \"a\" => 5 } }"] {
            assert!(run_with("v8", config, &[]).is_err(), "{config}");
        }
    }
}
