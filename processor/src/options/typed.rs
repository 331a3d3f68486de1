//! What options are read as: text, numbers, sizes, lists, hashes, references, paths.

use std::path::PathBuf;

use tailrace_common::nearest::nearest;
use tailrace_common::{FieldPath, Value};

use super::written::pairs;
use super::{Options, value_text};
use crate::lang::diagnostic::Diagnostic;
use crate::plan::template::Template;

impl Options<'_> {
    /// Notes what an option must be, where nobody has noted it.
    pub(super) fn describe(&mut self, option: &str, expected: impl Into<String>) {
        if self.asked_for.is_some()
            && let Some(known) = self.known.iter_mut().find(|known| known.name == option)
            && known.expected.is_empty()
        {
            known.expected = expected.into();
        }
    }

    fn coerce<T>(
        &mut self,
        option: &'static str,
        expected: &str,
        coerce: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.raw(option);
        self.describe(option, expected);
        let value = value?;
        let coerced = coerce(&value);
        if coerced.is_none() {
            let message = format!("'{option}' must be {expected}, this is {}", shown(&value));
            self.error_at(option, message);
        }
        coerced
    }

    /// Text; a number is taken as its text, a list of one as its element.
    pub fn string(&mut self, option: &'static str) -> Option<String> {
        self.coerce(option, "a string", |value| match value {
            Value::Array(values) if values.len() == 1 => scalar_text(&values[0]),
            other => scalar_text(other),
        })
    }

    /// Text that must be set.
    pub fn required_string(&mut self, option: &'static str) -> String {
        self.require(option);
        self.string(option).unwrap_or_default()
    }

    /// Reports when the option is not set.
    pub fn require(&mut self, option: &'static str) {
        if !self.is_set(option) {
            let span = self.plugin.name_span.clone();
            let message = format!("missing required option '{option}' for '{}'", self.plugin.name);
            self.error("missing-option", &span, message);
        }
    }

    /// `true` or `false`, quoted or not.
    pub fn boolean(&mut self, option: &'static str, default: bool) -> bool {
        let flag = self.coerce(option, "true or false", |value| match value.as_str() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        });
        flag.unwrap_or(default)
    }

    /// A number, also as text.
    pub fn number(&mut self, option: &'static str) -> Option<f64> {
        self.coerce(option, "a number", |value| match value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        })
    }

    /// A whole number, also as text.
    pub fn integer(&mut self, option: &'static str) -> Option<i64> {
        self.coerce(option, "a whole number", |value| match value {
            Value::Int(number) => Some(*number),
            Value::Float(number) if number.fract() == 0.0 => Some(*number as i64),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// A size in bytes: a number, or `10MiB`, `10mb` (Logstash's `bytes`, by filesize: `kb` is 1000, `kib` 1024).
    pub fn bytes(&mut self, option: &'static str) -> Option<u64> {
        self.coerce(option, "a size such as 10485760 or \"10MiB\"", |value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::String(text) => parse_bytes(text),
            _ => None,
        })
    }

    /// One of several words.
    pub fn one_of(&mut self, option: &'static str, choices: &[&'static str], default: &'static str) -> &'static str {
        let text = self.raw(option).is_some().then(|| self.string(option)).flatten();
        self.describe(option, format!("one of {}; {default} by default", choices.join(", ")));
        let Some(text) = text else { return default };
        if let Some(choice) = choices.iter().copied().find(|choice| *choice == text) {
            return choice;
        }
        let span = self.span_of(option);
        let message = format!("'{option}' must be one of {}, this is '{text}'", choices.join(", "));
        let mut diagnostic = Diagnostic::error("invalid-option", &span, message);
        if let Some(near) = nearest(&text, choices.iter().copied()) {
            diagnostic = diagnostic.with_hint(format!("did you mean '{near}'?"));
        }
        self.report(diagnostic);
        default
    }

    /// A list of text; a single value counts as a list of one. Empty when not set.
    pub fn strings(&mut self, option: &'static str) -> Vec<String> {
        self.list(option).into_iter().map(|value| value_text(&value)).collect()
    }

    /// A list; a single value counts as a list of one. Empty when not set.
    pub fn list(&mut self, option: &'static str) -> Vec<Value> {
        let value = self.raw(option);
        self.describe(option, "a list");
        match value {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            // Ruby's Array() makes a list of pairs of a hash.
            Some(Value::Object(object)) => {
                object.into_iter().map(|(key, value)| Value::Array(vec![key.into(), value])).collect()
            }
            Some(single) => vec![single],
        }
    }

    /// The tags of a failure: those given, which may be none, else `default`.
    pub fn tags(&mut self, option: &'static str, default: &str) -> Vec<String> {
        let given = self.strings(option);
        if self.is_set(option) { given } else { vec![default.into()] }
    }

    /// A hash in the order in which Logstash iterates it; also from a flat list of keys and values, in its own order.
    /// Empty when not set.
    pub fn hash(&mut self, option: &'static str) -> Vec<(String, Value)> {
        let value = self.raw(option);
        self.describe(option, "a hash");
        let entries = match value {
            None => return Vec::new(),
            Some(Value::Object(object)) => {
                return object.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
            }
            Some(Value::Array(flat)) => pairs(flat),
            Some(_) => None,
        };
        entries.unwrap_or_else(|| {
            self.error_at(option, format!("'{option}' must be a hash or a list of keys and values of even length"));
            Vec::new()
        })
    }

    /// A reference to a field.
    pub fn field(&mut self, option: &'static str) -> Option<FieldPath> {
        let text = self.string(option)?;
        self.path(option, &text)
    }

    /// A list of references to fields.
    pub fn fields(&mut self, option: &'static str) -> Vec<FieldPath> {
        let names = self.strings(option);
        names.iter().filter_map(|name| self.path(option, name)).collect()
    }

    /// Reads a reference that stands somewhere in an option, and reports a malformed one.
    pub fn path(&mut self, option: &str, text: &str) -> Option<FieldPath> {
        FieldPath::parse(text).map_err(|error| self.error_at(option, error.to_string())).ok()
    }

    /// Text in which `%{...}` is filled in per event.
    pub fn template(&mut self, option: &'static str) -> Option<Template> {
        self.string(option).map(|text| Template::parse(&text))
    }

    /// A path of the file system that must exist.
    pub fn existing_path(&mut self, option: &'static str) -> Option<PathBuf> {
        let path = PathBuf::from(self.string(option)?);
        if path.try_exists().unwrap_or(false) {
            return Some(path);
        }
        self.error_at(option, format!("'{}' does not exist", path.display()));
        None
    }

    /// Paths of the file system that must exist: those that do.
    pub fn existing_paths(&mut self, option: &'static str) -> Vec<PathBuf> {
        let paths = self.strings(option).into_iter().map(PathBuf::from);
        let (existing, missing): (Vec<_>, Vec<_>) = paths.partition(|path| path.try_exists().unwrap_or(false));
        for path in missing {
            self.error_at(option, format!("'{}' does not exist", path.display()));
        }
        existing
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_) => Some(value_text(value)),
        _ => None,
    }
}

fn shown(value: &Value) -> String {
    let text = value_text(value);
    if text.chars().count() > 60 {
        format!("{} …", text.chars().take(60).collect::<String>())
    } else {
        format!("'{text}'")
    }
}

pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let split = text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let number: f64 = digits.parse().ok()?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "kb" => 1e3,
        "m" | "mib" => 1024_f64.powi(2),
        "mb" => 1e6,
        "g" | "gib" => 1024_f64.powi(3),
        "gb" => 1e9,
        "t" | "tib" => 1024_f64.powi(4),
        "tb" => 1e12,
        _ => return None,
    };
    Some((number * factor) as u64)
}
