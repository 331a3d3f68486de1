//! Filter `kv`: keys and values in a text.

use std::borrow::Cow;

use hashbrown::HashSet;
use tailrace_common::{Event, FieldPath, Object, Str, Value};
use tailrace_grok::Scratch;

use crate::options::{Invalid, Options, shared};
use crate::plan::template::{Template, TemplateError};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

mod class;
mod clean;
mod scan;

use clean::Cleaning;
use scan::{Scanner, TimedOut};

pub(in crate::filters) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "kv",
    summary: "Finds keys and values in a text, such as 'user=bob took=5ms'.",
    example: "filter { kv { source => \"message\" field_split => \"&?\" target => \"query\" } }",
    build,
};

/// Values are searched for keys and values of their own so many levels deep.
const DEPTH_LIMIT: usize = 64;

/// Room for so many keys is made at once.
const USUAL_KEYS: usize = 16;

/// A text has at most so many keys.
const KEYS_LIMIT: usize = 100_000;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let source = options.field("source").unwrap_or_else(|| FieldPath::field("message"));
    let target = options.field("target");
    let scanner = Scanner::read(&mut options);
    let templates = |texts: Vec<String>| texts.iter().map(|text| Template::parse(text)).collect();
    let include = templates(options.strings("include_keys"));
    let exclude = templates(options.strings("exclude_keys"));
    let prefix = options.template("prefix").filter(|prefix| prefix.as_constant().is_none_or(|text| !text.is_empty()));
    let default_keys = options.hash("default_keys");
    let key = Cleaning::read(&mut options, ["trim_key", "remove_char_key", "transform_key"]);
    let value = Cleaning::read(&mut options, ["trim_value", "remove_char_value", "transform_value"]);
    let flags = Flags {
        duplicates: options.boolean("allow_duplicate_values", true),
        empty: options.boolean("allow_empty_values", false),
        recursive: options.boolean("recursive", false),
    };
    let tag_on_timeout = options.string("tag_on_timeout").unwrap_or_else(|| "_kv_filter_timeout".into());
    let tags = options.tags("tag_on_failure", "_kv_filter_error");
    // ECS changes no names here; Logstash only logs a hint about `target`.
    options.ecs();
    options.finish()?;
    let default_keys = default_keys.into_iter().map(|(key, value)| (shared(&key), value)).collect();
    let scanner = scanner.ok_or(Invalid)?;
    Ok(Box::new(Kv {
        source,
        target,
        scanner,
        include,
        exclude,
        prefix,
        default_keys,
        key,
        value,
        flags,
        tag_on_timeout,
        tags,
    }))
}

struct Kv {
    source: FieldPath,
    target: Option<FieldPath>,
    scanner: Scanner,
    /// Only these keys are taken, unless there are none.
    include: Vec<Template>,
    exclude: Vec<Template>,
    prefix: Option<Template>,
    default_keys: Vec<(Str, Value)>,
    key: Cleaning,
    value: Cleaning,
    flags: Flags,
    tag_on_timeout: String,
    tags: Vec<String>,
}

struct Flags {
    /// Whether a value may stand twice under its key.
    duplicates: bool,
    /// Whether a key without a value is taken.
    empty: bool,
    /// Whether values are searched for keys and values.
    recursive: bool,
}

/// Why a text could not be taken apart.
enum Failed {
    TimedOut,
    /// A template or a key is malformed, values lie too deep in one another, or there are too many keys.
    Malformed,
}

impl From<TimedOut> for Failed {
    fn from(_: TimedOut) -> Failed {
        Failed::TimedOut
    }
}

impl From<TemplateError> for Failed {
    fn from(_: TemplateError) -> Failed {
        Failed::Malformed
    }
}

/// What is the same for all texts of an event.
struct Filled {
    include: Vec<Str>,
    exclude: Vec<Str>,
    prefix: Option<Str>,
}

/// Keys and values found so far.
#[derive(Default)]
struct Found {
    pairs: Object,
    /// Keys with their values, where no value may stand twice.
    seen: HashSet<(Str, Str), foldhash::fast::RandomState>,
}

impl Filter for Kv {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let outcome = match self.found_in_place(event, context.scratch) {
            Some(outcome) => outcome,
            None => self.found(event, context.scratch).and_then(|pairs| {
                let any = !pairs.is_empty();
                self.store(pairs, event).map(|()| any)
            }),
        };
        match outcome {
            Ok(true) => context.matched(event),
            Ok(false) => {}
            Err(Failed::TimedOut) => context.failed(event, &[&self.tag_on_timeout]),
            Err(Failed::Malformed) => context.failed(event, &self.tags),
        }
    }
}

impl Kv {
    /// Finds the pairs and makes them fields of the event where they stay, which costs less than to move them there; whether
    /// there were any. Nothing, and the event is as it was, where more than that must be done.
    fn found_in_place(&self, event: &mut Event, scratch: &mut Scratch) -> Option<Result<bool, Failed>> {
        let simple =
            self.target.is_none() && self.default_keys.is_empty() && self.flags.duplicates && !self.flags.recursive;
        let text = match event.get(&self.source) {
            Some(Value::String(text)) if simple => text.clone(),
            _ => return None,
        };
        let filled = self.filled(event).ok()?;
        let mut fields = event.fields_mut().add()?;
        let mut plain = true;
        let outcome = self.each_pair(&text, &filled, scratch, |key, value| {
            plain = FieldPath::is_plain_name(key);
            if !plain {
                return Err(Failed::Malformed);
            }
            collect(fields.place(&text, key), |place| place.set_slice(&text, value));
            if fields.len() > KEYS_LIMIT { Err(Failed::Malformed) } else { Ok(()) }
        });
        let any = !fields.is_empty();
        if outcome.is_err() {
            fields.undo();
        }
        plain.then(|| outcome.map(|()| any))
    }

    /// The pairs of the source, with defaults for the keys that are not there.
    fn found(&self, event: &Event, scratch: &mut Scratch) -> Result<Object, Failed> {
        let texts = match event.get(&self.source) {
            Some(Value::Array(values)) => values.as_slice(),
            Some(single @ Value::String(_)) => std::slice::from_ref(single),
            _ => &[],
        };
        let mut found = Found::default();
        let mut filled = None;
        for text in texts {
            let Value::String(text) = text else { continue };
            if filled.is_none() {
                filled = Some(self.filled(event)?);
            }
            if let Some(filled) = &filled {
                self.search(text, filled, &mut found, scratch, 0)?;
            }
        }
        if self.default_keys.is_empty() {
            return Ok(found.pairs);
        }
        let mut all: Object = self.default_keys.iter().cloned().collect();
        all.extend(found.pairs);
        Ok(all)
    }

    fn filled(&self, event: &Event) -> Result<Filled, Failed> {
        let render = |templates: &[Template]| -> Result<Vec<Str>, TemplateError> {
            templates.iter().map(|template| template.render(event)).collect()
        };
        Ok(Filled {
            include: render(&self.include)?,
            exclude: render(&self.exclude)?,
            prefix: self.prefix.as_ref().map(|prefix| prefix.render(event)).transpose()?,
        })
    }

    fn search(
        &self,
        text: &Str,
        filled: &Filled,
        found: &mut Found,
        scratch: &mut Scratch,
        depth: usize,
    ) -> Result<(), Failed> {
        if depth == DEPTH_LIMIT {
            return Err(Failed::Malformed);
        }
        // Only a recursive search keeps its finds.
        let mut nested = Vec::new();
        self.each_pair(text, filled, scratch, |key, value| {
            if self.flags.recursive {
                nested.push((Str::from(key), Str::from(value)));
                return Ok(());
            }
            self.add(text, key, value, None, found)
        })?;
        for (key, value) in nested {
            let mut inner = Found::default();
            self.search(&value, filled, &mut inner, scratch, depth + 1)?;
            let inner = (!inner.pairs.is_empty()).then_some(inner.pairs);
            self.add(&value, &key, &value, inner, found)?;
        }
        Ok(())
    }

    /// Calls `found` with each key and its value as they are taken.
    #[inline]
    fn each_pair(
        &self,
        text: &str,
        filled: &Filled,
        scratch: &mut Scratch,
        mut found: impl FnMut(&str, &str) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        // Both the search and what comes of a find need the scratch space.
        let mut cleaning = Scratch::default();
        self.scanner.scan::<Failed>(text, scratch, |pair| {
            let part = |range| text.get(range).unwrap_or_default();
            let value = match pair.value {
                Some(range) => part(range),
                None if self.flags.empty => "",
                None => return Ok(()),
            };
            let mut key = self.key.of(part(pair.key), &mut cleaning)?;
            let is_key = |name: &Str| name.as_str() == key;
            if !filled.include.is_empty() && !filled.include.iter().any(is_key) || filled.exclude.iter().any(is_key) {
                return Ok(());
            }
            if let Some(prefix) = &filled.prefix {
                key = Cow::Owned(format!("{prefix}{key}"));
            }
            let value = self.value.of(value, &mut cleaning)?;
            found(&key, &value)
        })
    }

    /// Takes a value of a text, or the pairs found in it; a key that is there already collects its values in a list.
    fn add(&self, text: &Str, key: &str, value: &str, inner: Option<Object>, found: &mut Found) -> Result<(), Failed> {
        if !self.flags.duplicates {
            let pair = || (Str::from(key), Str::from(value));
            let stands = match found.pairs.get(key) {
                None => false,
                // Ruby looks for the one in the other.
                Some(Value::String(held)) => held.contains(value),
                Some(Value::Object(held)) => held.contains(value),
                Some(_) => found.seen.contains(&pair()),
            };
            if stands {
                return Ok(());
            }
            if inner.is_none() {
                found.seen.insert(pair());
            }
        }
        if found.pairs.is_empty() {
            // One allocation for what texts usually hold.
            found.pairs = Object::with_capacity(USUAL_KEYS);
        }
        collect(found.pairs.place(text, key), |place| match inner {
            None => place.set_slice(text, value),
            Some(pairs) => *place = Value::Object(pairs),
        });
        if found.pairs.len() > KEYS_LIMIT { Err(Failed::Malformed) } else { Ok(()) }
    }

    fn store(&self, pairs: Object, event: &mut Event) -> Result<(), Failed> {
        if pairs.is_empty() {
            return Ok(());
        }
        if let Some(target) = &self.target {
            return event.set(target, pairs).map_err(|_| Failed::Malformed);
        }
        for (key, value) in pairs {
            set(event, key, value)?;
        }
        Ok(())
    }
}

/// Puts a value beside those which a key has already.
#[inline]
fn collect(place: &mut Value, fill: impl FnOnce(&mut Value)) {
    match place {
        new @ Value::Null => fill(new),
        Value::Array(values) => {
            let mut another = Value::Null;
            fill(&mut another);
            values.push(another);
        }
        held => {
            let mut another = Value::Null;
            fill(&mut another);
            *held = Value::Array(vec![std::mem::take(held), another]);
        }
    }
}

/// Sets a field that is called by a key; keys are field references.
fn set(event: &mut Event, key: Str, value: Value) -> Result<(), Failed> {
    if FieldPath::is_plain_name(&key) {
        event.fields_mut().insert(key, value);
        return Ok(());
    }
    let path = FieldPath::parse(&key).map_err(|_| Failed::Malformed)?;
    event.set(&path, value).map_err(|_| Failed::Malformed)
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run, run_with};

    #[test]
    fn keys_are_references_and_one_that_is_none_ends_the_setting() {
        for (event, expected) in [
            (r#"{"message":"[o][p]=1 q=2"}"#, r#"{"message":"[o][p]=1 q=2","o":{"p":"1"},"q":"2"}"#),
            (r#"{"message":"a=1 b[=2 c=3"}"#, r#"{"message":"a=1 b[=2 c=3","a":"1","tags":["_kv_filter_error"]}"#),
            (
                r#"{"message":"a=1 @timestamp=2"}"#,
                r#"{"message":"a=1 @timestamp=2","a":"1","tags":["_kv_filter_error"]}"#,
            ),
        ] {
            check("kv { }", event, &[expected]);
        }
        check("kv { target => \"kv\" }", r#"{"message":"b[=2"}"#, &[r#"{"message":"b[=2","kv":{"b[":"2"}}"#]);
    }

    #[test]
    fn no_value_twice_means_none_in_another() {
        let config = "kv { allow_duplicate_values => false remove_field => \"message\" }";
        check(config, r#"{"message":"a=12 a=1 a=3 a=3 a=1"}"#, &[r#"{"a":["12","3","1"]}"#]);
    }

    #[test]
    fn values_in_values() {
        let config = "kv { recursive => true remove_field => \"message\" }";
        check(config, r#"{"message":"a=\"b=1 c='d=2'\" e=f"}"#, &[r#"{"a":{"b":"1","c":{"d":"2"}},"e":"f"}"#]);
        let deep = "a=".repeat(10_000);
        let got = run(config, &[&format!("{{\"message\":\"{deep}\"}}")]).concat();
        assert!(got.contains("_kv_filter_error"), "{}", &got[..100]);
    }

    #[test]
    fn keys_are_bounded() {
        let many: String = (0..=super::KEYS_LIMIT).map(|at| format!("k{at}=1 ")).collect();
        let got = run("kv { target => \"t\" }", &[&format!("{{\"message\":\"{many}\"}}")]).concat();
        assert!(got.contains("_kv_filter_error") && !got.contains("\"k1\""));
    }

    #[test]
    fn escaped_separators_are_part_of_the_key_and_the_value() {
        check(
            "kv { remove_field => \"message\" }",
            r#"{"message":"a\\ b=c\\ d e=\"f\\\"g\" h=1"}"#,
            &[r#"{"a\\ b":"c\\ d","e":"f\\\"g","h":"1"}"#],
        );
    }

    #[test]
    fn expressions_that_take_too_long_are_tagged() {
        let text = format!("{}!", "a".repeat(40_000));
        let config =
            "kv { timeout_millis => 1 field_split_pattern => \"(a|aa)+\\1$\" value_split_pattern => \"(a+)+\\1=\" }";
        let got = run(config, &[&format!("{{\"message\":\"{text}=\"}}")]).concat();
        assert!(got.contains("_kv_filter_timeout"), "{}", &got[got.len() - 200..]);
    }

    #[test]
    fn broken_options_are_found_at_load() {
        for options in [
            "value_split => \"\"",
            "field_split => \"\"",
            "field_split_pattern => \"(\"",
            "trim_key => \"\"",
            "transform_key => \"reverse\"",
            "timeout => 5",
        ] {
            assert!(run_with("v8", &format!("kv {{ {options} }}"), &[]).is_err(), "{options}");
        }
    }
}
