//! The options of one plugin: typed getters with Logstash's coercions, collecting every error instead of stopping at
//! the first (`LogStash::Config::Mixin`).
//!
//! A builder asks for every option that its plugin knows, then calls [`Options::finish`], which reports what is left
//! over. Getters hand back the default when the value is wrong: the error is in the diagnostics by then, and building
//! goes on so that all errors are found at once.

use std::path::PathBuf;

use tailrace_common::nearest::nearest;
use tailrace_common::{FieldPath, Str, Value};

use crate::javahash::sort_as_hash_map;
use crate::lang::ast::{Literal, LiteralKind, Plugin, Span};
use crate::lang::diagnostic::Diagnostic;
use crate::plan::template::Template;
use crate::plugin::BuildContext;

/// Marker: what went wrong stands in the diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Expands `${NAME}` and `${NAME:default}`; the error is a message.
pub type Expand<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// ECS compatibility of a plugin (`pipeline.ecs_compatibility`, `ecs_compatibility`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ecs {
    /// `disabled`: the flat names of old.
    Disabled,
    /// `v1`.
    V1,
    /// `v8`, Logstash 8's default.
    #[default]
    V8,
}

impl Ecs {
    /// Whether names are those of ECS (v1 or v8).
    pub fn enabled(self) -> bool {
        self != Ecs::Disabled
    }

    /// `disabled`, `v1` or `v8`.
    pub fn parse(text: &str) -> Option<Ecs> {
        match text {
            "disabled" => Some(Ecs::Disabled),
            "v1" => Some(Ecs::V1),
            "v8" => Some(Ecs::V8),
            _ => None,
        }
    }
}

/// What one attribute says after repeated ones are merged and variables are expanded.
struct Given {
    name: String,
    value: Value,
    /// The codec or other plugin given as value.
    plugin: Option<Plugin>,
    span: Span,
    name_span: Span,
    asked: bool,
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// An option that a plugin has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// What it must be: `a string`, `true or false`.
    pub expected: String,
}

/// The options of one plugin.
pub struct Options<'a> {
    /// The plugin as written.
    pub plugin: &'a Plugin,
    given: Vec<Given>,
    known: Vec<Known>,
    /// Where the known options go instead of being held against those given: somebody wants to read of them.
    asked_for: Option<&'a mut Vec<Known>>,
    diagnostics: &'a mut Vec<Diagnostic>,
    default_ecs: Ecs,
    /// How many errors stood in the diagnostics before.
    errors: usize,
}

impl<'a> Options<'a> {
    /// Reads the attributes of a plugin: expands variables, merges repeated attributes as Logstash does.
    pub fn new(
        plugin: &'a Plugin,
        default_ecs: Ecs,
        expand: &Expand<'_>,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Options<'a> {
        let mut options = Options {
            plugin,
            given: Vec::new(),
            known: Vec::new(),
            asked_for: None,
            diagnostics,
            default_ecs,
            errors: 0,
        };
        for attribute in &plugin.attributes {
            let inner = match &attribute.value.kind {
                LiteralKind::Plugin(inner) => Some((**inner).clone()),
                _ => None,
            };
            let value = options.literal(&attribute.value, expand);
            match options.given.iter_mut().find(|given| given.name == attribute.name) {
                Some(given) if inner.is_none() => merge(&mut given.value, value),
                Some(_) => {
                    options.error("repeated-codec", &attribute.name_span, format!("'{}' is set twice", attribute.name));
                }
                None => options.given.push(Given {
                    name: attribute.name.clone(),
                    value,
                    plugin: inner,
                    span: attribute.value.span.clone(),
                    name_span: attribute.name_span.clone(),
                    asked: false,
                }),
            }
        }
        options
    }

    /// Has [`Options::finish`] put the options that the plugin knows here.
    pub fn listing(mut self, known: &'a mut Vec<Known>) -> Options<'a> {
        self.asked_for = Some(known);
        self
    }

    /// Records an error.
    pub fn error(&mut self, code: &'static str, span: &Span, message: impl Into<String>) {
        self.report(Diagnostic::error(code, span, message));
    }

    /// Records an error or a warning.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity == crate::lang::diagnostic::Severity::Error);
        self.diagnostics.push(diagnostic);
    }

    /// Records an error about an option, at its value, or at the plugin's name when the option is not set.
    pub fn error_at(&mut self, option: &str, message: impl Into<String>) {
        let span = self.span_of(option);
        self.error("invalid-option", &span, message);
    }

    /// Records an error at a place inside of a text of an option, such as a byte of a pattern.
    pub fn error_within(&mut self, option: &str, text: &str, place: std::ops::Range<usize>, message: Diagnosis) {
        let span = self.span_within(option, text, place).unwrap_or_else(|| self.span_of(option));
        let diagnostic = Diagnostic::error("invalid-pattern", &span, message.what);
        self.report(match message.hint {
            Some(hint) => diagnostic.with_hint(hint),
            None => diagnostic,
        });
    }

    /// Where a part of a text of an option stands; nothing when the text is not written there as it is.
    pub fn span_within(&self, option: &str, text: &str, place: std::ops::Range<usize>) -> Option<Span> {
        let attributes = self.plugin.attributes.iter().filter(|attribute| attribute.name == option);
        let mut open: Vec<&Literal> = attributes.map(|attribute| &attribute.value).collect();
        while let Some(literal) = open.pop() {
            match &literal.kind {
                LiteralKind::String(written) if written == text => {
                    let start = literal.span.start + 1;
                    let whole = Span { start, end: start + text.len(), ..literal.span.clone() };
                    let from = text.is_char_boundary(place.start).then_some(place.start.min(text.len()))?;
                    let to = if text.is_char_boundary(place.end) { place.end.min(text.len()) } else { text.len() };
                    let part = Span { start: start + from, end: (start + to).max(start + from), ..whole.clone() };
                    return (whole.text() == text).then_some(part);
                }
                LiteralKind::Array(items) => open.extend(items),
                LiteralKind::Hash(entries) => open.extend(entries.iter().flat_map(|(key, value)| [key, value])),
                _ => {}
            }
        }
        None
    }

    /// Where the value of an option stands; the plugin's name when it is not set.
    pub fn span_of(&self, option: &str) -> Span {
        let given = self.given.iter().find(|given| given.name == option);
        given.map_or_else(|| self.plugin.name_span.clone(), |given| given.span.clone())
    }

    /// `id`, where it is set.
    pub fn id(&self) -> Option<String> {
        self.given.iter().find(|given| given.name == "id").map(|given| value_text(&given.value))
    }

    /// Whether the option is set.
    pub fn is_set(&self, option: &str) -> bool {
        self.given.iter().any(|given| given.name == option)
    }

    /// Reports options nobody asked for; hands back whether no error was found.
    pub fn finish(mut self) -> Result<(), Invalid> {
        let known = std::mem::take(&mut self.known);
        if let Some(listed) = self.asked_for.take() {
            listed.extend(known);
            return Err(Invalid);
        }
        for given in std::mem::take(&mut self.given) {
            if !given.asked {
                let message = format!("unknown option '{}' for '{}'", given.name, self.plugin.name);
                let mut diagnostic = Diagnostic::error("unknown-option", &given.name_span, message);
                if let Some(near) = nearest(&given.name, known.iter().map(|known| known.name)) {
                    diagnostic = diagnostic.with_hint(format!("did you mean '{near}'?"));
                }
                self.report(diagnostic);
            }
        }
        if self.errors == 0 { Ok(()) } else { Err(Invalid) }
    }

    /// The value of an option after merging and expansion, uncoerced: barewords are strings.
    pub fn raw(&mut self, option: &'static str) -> Option<Value> {
        if !self.known.iter().any(|known| known.name == option) {
            self.known.push(Known { name: option, expected: String::new() });
        }
        let given = self.given.iter_mut().find(|given| given.name == option)?;
        given.asked = true;
        Some(given.value.clone())
    }

    /// The value of an option that is itself a plugin: `codec => json { }`; a bare name counts as one without options.
    pub fn plugin(&mut self, option: &'static str) -> Option<Plugin> {
        let name = self.raw(option)?;
        let given = self.given.iter().find(|given| given.name == option)?;
        given.plugin.clone().or_else(|| {
            Some(Plugin {
                name: name.as_str()?.to_string(),
                name_span: given.span.clone(),
                attributes: Vec::new(),
                span: given.span.clone(),
            })
        })
    }

    /// Notes what an option must be, where nobody has noted it.
    fn describe(&mut self, option: &str, expected: impl Into<String>) {
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

    /// Paths of the file system that must exist.
    pub fn existing_paths(&mut self, option: &'static str) -> Vec<PathBuf> {
        let paths: Vec<PathBuf> = self.strings(option).into_iter().map(PathBuf::from).collect();
        for path in paths.iter().filter(|path| !path.try_exists().unwrap_or(false)) {
            self.error_at(option, format!("'{}' does not exist", path.display()));
        }
        paths
    }

    /// The options of a plugin that is a value among these, such as a codec.
    pub fn nested<'b>(&'b mut self, plugin: &'b Plugin, build: &BuildContext<'_>) -> Options<'b> {
        Options::new(plugin, self.default_ecs, build.expand, self.diagnostics)
    }

    /// `ecs_compatibility` of this plugin, else that of its pipeline.
    pub fn ecs(&mut self) -> Ecs {
        let default = match self.default_ecs {
            Ecs::Disabled => "disabled",
            Ecs::V1 => "v1",
            Ecs::V8 => "v8",
        };
        Ecs::parse(self.one_of("ecs_compatibility", &["disabled", "v1", "v8"], default)).unwrap_or_default()
    }

    /// Accepts an option that changes nothing here; `why` is given as a warning when it is set.
    pub fn ignored(&mut self, option: &'static str, why: &str) {
        let set = self.raw(option).is_some();
        self.describe(option, format!("without effect: {why}"));
        if set {
            let span = self.span_of(option);
            self.report(Diagnostic::warning("ignored-option", &span, format!("'{option}' has no effect: {why}")));
        }
    }

    /// An option that Logstash has taken out; `instead` says what to write.
    pub fn obsolete(&mut self, option: &'static str, instead: &str) {
        let set = self.raw(option).is_some();
        self.describe(option, format!("obsolete: {instead}"));
        if set {
            let span = self.span_of(option);
            let message = format!("option '{option}' of '{}' is obsolete", self.plugin.name);
            self.report(Diagnostic::error("obsolete-option", &span, message).with_hint(instead));
        }
    }

    /// Warns when an option is set that Logstash is about to take out.
    pub fn deprecated(&mut self, option: &'static str, instead: &str) {
        if self.is_set(option) {
            let span = self.span_of(option);
            let message = format!("option '{option}' of '{}' is deprecated", self.plugin.name);
            self.report(Diagnostic::warning("deprecated-option", &span, message).with_hint(instead));
        }
    }

    fn literal(&mut self, literal: &Literal, expand: &Expand<'_>) -> Value {
        match &literal.kind {
            LiteralKind::Bareword(word) => Value::from(word.as_str()),
            LiteralKind::String(text) => self.expanded(text, &literal.span, expand),
            LiteralKind::Number(text) => number(text),
            LiteralKind::Array(items) => Value::Array(items.iter().map(|item| self.literal(item, expand)).collect()),
            LiteralKind::Hash(entries) => self.hash_literal(entries, expand),
            LiteralKind::Plugin(plugin) => Value::from(plugin.name.as_str()),
        }
    }

    fn expanded(&mut self, text: &str, span: &Span, expand: &Expand<'_>) -> Value {
        if !text.contains("${") {
            return Value::from(text);
        }
        match expand(text) {
            Ok(expanded) => Value::from(expanded),
            Err(message) => {
                self.error("unset-variable", span, message);
                Value::from(text)
            }
        }
    }

    fn hash_literal(&mut self, entries: &[(Literal, Literal)], expand: &Expand<'_>) -> Value {
        let mut read: Vec<(String, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = match &key.kind {
                LiteralKind::Bareword(text) | LiteralKind::String(text) => text.clone(),
                LiteralKind::Number(text) => {
                    // Logstash parses it and then fails to cast a Long to a String.
                    let message = format!("the key {text} of a hash must be quoted");
                    self.report(
                        Diagnostic::error("number-key", &key.span, message).with_hint(format!("write \"{text}\"")),
                    );
                    text.clone()
                }
                _ => continue,
            };
            let value = self.literal(value, expand);
            read.push((name, value));
        }
        hash_value(read)
    }
}

/// A map in the iteration order of Java's HashMap.
fn hash_value(mut entries: Vec<(String, Value)>) -> Value {
    sort_as_hash_map(&mut entries);
    Value::Object(entries.into_iter().collect())
}

/// What a repeated attribute does (`map_expr_attributes` in `lscl.rb`).
fn merge(first: &mut Value, second: Value) {
    match (&mut *first, second) {
        (Value::Object(held), Value::Object(added)) => {
            let mut merged = std::mem::take(held);
            for (key, value) in added {
                match merged.get_mut(&key) {
                    Some(existing) => merge(existing, value),
                    None => drop(merged.insert(key, value)),
                }
            }
            *first = hash_value(merged.into_iter().map(|(key, value)| (key.to_string(), value)).collect());
        }
        (Value::Array(held), Value::Array(added)) => held.extend(added),
        (Value::Array(held), single) => held.push(single),
        (held, second) if *held == second => {}
        (held, second) => {
            let single = std::mem::take(held);
            *held = Value::Array(vec![single, second]);
        }
    }
}

/// Keys and values that alternate; a repeated key collects its values into a list. `None` when the length is odd.
fn pairs(flat: Vec<Value>) -> Option<Vec<(String, Value)>> {
    if !flat.len().is_multiple_of(2) {
        return None;
    }
    let mut entries: Vec<(String, Value)> = Vec::new();
    let mut items = flat.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let key = value_text(&key);
        match entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, Value::Array(values))) => values.push(value),
            Some((_, held)) => *held = Value::Array(vec![std::mem::take(held), value]),
            None => entries.push((key, value)),
        }
    }
    Some(entries)
}

/// A number as the language writes it; `5.` is a float.
pub fn number(text: &str) -> Value {
    if !text.contains('.') {
        return text.parse::<num_bigint::BigInt>().map_or(Value::Null, Value::from_bigint);
    }
    Value::Float(text.parse().unwrap_or(f64::NAN))
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(_) | Value::Int(_) | Value::BigInt(_) | Value::Float(_) => Some(value_text(value)),
        _ => None,
    }
}

/// Text of a configuration value as Ruby's `to_s` gives it: `["a", "b"]` for a list.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => crate::plan::text::ruby_inspect(other),
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

/// Shared text from an option, to be cloned into events.
pub fn shared(text: &str) -> Str {
    Str::from(text)
}
