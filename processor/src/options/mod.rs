//! The options of one plugin: typed getters with Logstash's coercions, collecting every error instead of stopping at
//! the first (`LogStash::Config::Mixin`).
//!
//! A builder asks for every option that its plugin knows, then calls [`Options::finish`], which reports what is left
//! over. Getters hand back the default when the value is wrong: the error is in the diagnostics by then, and building
//! goes on so that all errors are found at once.

use tailrace_common::nearest::nearest;
use tailrace_common::{Str, Value};

use crate::lang::ast::{Literal, LiteralKind, Plugin, Span};
use crate::lang::diagnostic::Diagnostic;
use crate::plugin::BuildContext;

#[cfg(all(test, feature = "edges"))]
pub(crate) mod testing;
mod typed;
mod written;

#[cfg(feature = "edges")]
pub(crate) use typed::parse_bytes;
use written::merge;
pub use written::number;

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
}

/// Text of a configuration value as Ruby's `to_s` gives it: `["a", "b"]` for a list.
pub fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => crate::plan::text::ruby_inspect(other),
    }
}

/// Shared text from an option, to be cloned into events.
pub fn shared(text: &str) -> Str {
    Str::from(text)
}
