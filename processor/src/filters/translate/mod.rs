//! Filter `translate`: looks a field's value up in a dictionary.

mod dictionary;
mod file;

use std::path::PathBuf;

use tailrace_common::{Event, FieldPath, Str, Timestamp, Value};
use tailrace_grok::Scratch;

use self::dictionary::{Dictionary, Found, Mode};
use self::file::{FileError, Limits};
use crate::lookup::Refreshed;
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Fetched, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "translate",
    summary: "Looks a field's value up in a dictionary.",
    example: "filter { translate { source => \"[http][status]\" target => \"[http][phrase]\" dictionary => { \"200\" => \"OK\" \"404\" => \"Not Found\" } fallback => \"other\" } }",
    build,
};

/// What a match of a regular expression may take.
const REGEX_MILLIS: u64 = 1000;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let ecs = options.ecs().enabled();
    let source = renamed(&mut options, "source", "field");
    if source.is_none() {
        options.require("source");
    }
    let source = source.unwrap_or_default();
    let target = renamed(&mut options, "target", "destination");
    let target = target.unwrap_or_else(|| if ecs { source.clone() } else { "translation".into() });
    let in_place = source == target;
    let over = options.boolean("override", in_place);
    let shape = match options.string("iterate_on") {
        None => Shape::Single,
        Some(list) if list == source => Shape::Values,
        Some(list) => Shape::Maps(options.path("iterate_on", &list).ok_or(Invalid)?),
    };
    let exact = options.boolean("exact", true);
    let regex = options.boolean("regex", false);
    let mode = match (exact, regex) {
        (true, false) => Mode::Exact,
        (true, true) => Mode::Regex,
        // `regex` means nothing without `exact`.
        (false, _) => Mode::Substrings,
    };
    let words = words(&mut options, build, mode)?;
    let fallback = options.template("fallback");
    let (source_path, target_path) = (options.path("source", &source), options.path("target", &target));
    options.finish()?;
    Ok(Box::new(Translate {
        source: source_path.ok_or(Invalid)?,
        target: target_path.ok_or(Invalid)?,
        in_place,
        over,
        shape,
        words,
        fallback,
    }))
}

/// An option and the name it used to have, of which one may be set.
fn renamed(options: &mut Options<'_>, name: &'static str, old: &'static str) -> Option<String> {
    options.deprecated(old, &format!("use '{name}'"));
    let (new_value, old_value) = (options.string(name), options.string(old));
    if new_value.is_some() && old_value.is_some() {
        options.error_at(old, format!("remove '{old}' and set '{name}' only"));
    }
    new_value.or(old_value)
}

fn words(options: &mut Options<'_>, build: &BuildContext<'_>, mode: Mode) -> Result<Words, Invalid> {
    let interval = options.number("refresh_interval").unwrap_or(300.0);
    let replace = options.one_of("refresh_behaviour", &["merge", "replace"], "merge") == "replace";
    let limits = limits(options);
    let inline = options.hash("dictionary");
    let path = options.existing_path("dictionary_path");
    if path.is_some() && !inline.is_empty() {
        options.error_at("dictionary", "'dictionary' and 'dictionary_path' exclude each other");
    }
    let Some(path) = path else {
        let entries = inline.into_iter().map(|(key, value)| (Str::from(key), value)).collect();
        let inline = Dictionary::new(entries, mode).map_err(|error| options.error_at("dictionary", error.to_string()));
        return inline.map(Words::Inline).map_err(|()| Invalid);
    };
    let path: PathBuf = build.directory.join(path);
    let read = |path: &std::path::Path| Dictionary::new(file::read(path, limits)?, mode).map_err(FileError::from);
    match Refreshed::open(path, interval, build.clock.now(), read) {
        Ok(file) => Ok(Words::File { file, mode, replace, limits }),
        Err(error) => {
            options.error_at("dictionary_path", error.to_string());
            Err(Invalid)
        }
    }
}

fn limits(options: &mut Options<'_>) -> Limits {
    // Both ways give the same dictionary.
    options.one_of("yaml_load_strategy", &["one_shot", "streaming"], "one_shot");
    let given = options.integer("yaml_dictionary_code_point_limit");
    if given.is_some_and(|limit| limit <= 0) {
        options.error_at("yaml_dictionary_code_point_limit", "'yaml_dictionary_code_point_limit' must be positive");
    }
    let yaml = options.string("dictionary_path").is_some_and(|path| path.ends_with(".yml") || path.ends_with(".yaml"));
    if given.is_some() && !yaml {
        options.error_at(
            "yaml_dictionary_code_point_limit",
            "'yaml_dictionary_code_point_limit' is for YAML dictionaries only",
        );
    }
    Limits { code_points: given.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(128 << 20) }
}

struct Translate {
    source: FieldPath,
    target: FieldPath,
    in_place: bool,
    /// `override`.
    over: bool,
    shape: Shape,
    words: Words,
    fallback: Option<Template>,
}

/// What is looked up.
enum Shape {
    /// The value of `source`, of a list the first.
    Single,
    /// Each value of the list `source`.
    Values,
    /// `source` in each map of this list.
    Maps(FieldPath),
}

/// Where the dictionary comes from.
enum Words {
    Inline(Dictionary),
    File { file: Refreshed<Dictionary>, mode: Mode, replace: bool, limits: Limits },
}

/// A value that cannot be stored or made; Logstash logs it and leaves the event as it is by then.
struct Failed;

impl Filter for Translate {
    fn prefetch(&self, _events: &[Event], now: Timestamp) -> Fetched {
        if let Words::File { file, mode, replace, limits } = &self.words {
            file.refresh(now, |path, old| -> Result<Dictionary, FileError> {
                let entries = file::read(path, *limits)?;
                let entries = if *replace { entries } else { old.merged(entries) };
                Ok(Dictionary::new(entries, *mode)?)
            });
        }
        Fetched::default()
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let translated = match &self.words {
            Words::Inline(words) => self.translate(words, event, context.scratch),
            Words::File { file, .. } => self.translate(&file.get(), event, context.scratch),
        };
        match translated {
            Ok(Some(true)) => context.matched(event),
            Ok(Some(false)) if self.in_place => context.matched(event),
            Ok(_) => {}
            Err(Failed) => context.failed(event, &[""; 0]),
        }
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        match &self.words {
            Words::Inline(_) => Vec::new(),
            Words::File { file, .. } => file.numbers(),
        }
    }
}

impl Translate {
    /// Whether something was found; nothing when the event is not to be looked at.
    fn translate(&self, words: &Dictionary, event: &mut Event, scratch: &mut Scratch) -> Result<Option<bool>, Failed> {
        if let Shape::Maps(list) = &self.shape {
            return self.maps(list, words, event, scratch);
        }
        if event.get(&self.target).is_some() && !self.over {
            return Ok(None);
        }
        let Some(value) = event.get(&self.source) else { return Ok(None) };
        match self.shape {
            Shape::Values => self.values(words, event, scratch).map(Some),
            _ => {
                let text = match value {
                    Value::Array(values) => text_of(values.first().unwrap_or(&Value::Null)),
                    other => text_of(other),
                };
                let found = match words.look_up(&text, scratch) {
                    Found::Value(value) => Some(value),
                    Found::Nothing => self.fallback(event)?,
                    Found::OutOfBudget => return Err(Failed),
                };
                let Some(value) = found else { return Ok(Some(false)) };
                event.set(&self.target, value).map_err(|_| Failed)?;
                Ok(Some(true))
            }
        }
    }

    fn fallback(&self, event: &Event) -> Result<Option<Value>, Failed> {
        let Some(fallback) = &self.fallback else { return Ok(None) };
        fallback.render(event).map(|text| Some(text.into())).map_err(|_| Failed)
    }

    /// A list of what was found for each value, with null or the fallback for what was not.
    fn values(&self, words: &Dictionary, event: &mut Event, scratch: &mut Scratch) -> Result<bool, Failed> {
        let fallback = self.fallback(event)?.unwrap_or_default();
        let sources: Vec<Str> = match event.get(&self.source) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values.iter().map(text_of).collect(),
            // Ruby's `Array({"a" => 1})` is a list of pairs.
            Some(Value::Object(map)) => {
                let pair = |(key, value): &(Str, Value)| Value::Array(vec![key.clone().into(), value.clone()]);
                map.iter().map(|entry| text_of(&pair(entry))).collect()
            }
            Some(single) => vec![text_of(single)],
        };
        let mut values = Vec::with_capacity(sources.len());
        for source in &sources {
            values.push(match words.look_up(source, scratch) {
                Found::Value(value) => value,
                Found::Nothing => fallback.clone(),
                Found::OutOfBudget => return Err(Failed),
            });
        }
        let any = values.iter().any(|value| !matches!(value, Value::Null | Value::Bool(false)));
        event.set(&self.target, Value::Array(values)).map_err(|_| Failed)?;
        Ok(any)
    }

    /// Sets the target in each map of the list; `override` is not asked.
    fn maps(
        &self,
        list: &FieldPath,
        words: &Dictionary,
        event: &mut Event,
        scratch: &mut Scratch,
    ) -> Result<Option<bool>, Failed> {
        if event.get(list).is_none() {
            return Ok(None);
        }
        let fallback = self.fallback(event)?;
        let Some(Value::Array(items)) = event.get_mut(list) else { return Ok(Some(false)) };
        let mut any = false;
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            let text = match self.source.get_in(item) {
                None | Some(Value::Null) => continue,
                Some(value) => text_of(value),
            };
            let found = match words.look_up(&text, scratch) {
                Found::Value(value) => Some(value),
                Found::Nothing => fallback.clone(),
                Found::OutOfBudget => return Err(Failed),
            };
            if let Some(value) = found {
                self.target.set_in(item, value).map_err(|_| Failed)?;
                any = true;
            }
        }
        Ok(Some(any))
    }
}

fn text_of(value: &Value) -> Str {
    match value {
        Value::String(text) => text.clone(),
        other => Str::from(ruby_to_s(other)),
    }
}
