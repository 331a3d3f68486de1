//! Filter `grok`: takes text apart by named patterns.

use std::collections::BTreeSet;

use tailrace_common::nearest::nearest;
use tailrace_common::{Event, FieldPath, Str, Value};
use tailrace_grok::{Budget, Conversion, Grok, GrokError, GrokOptions, GrokSet, Origin, PatternSet};

use super::ruby;
use crate::lang::diagnostic::Diagnostic;
use crate::lang::lint::backtracking::nested_repetition;
use crate::options::{Diagnosis, Invalid, Options, value_text};
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};
use crate::settings::files;

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "grok",
    summary: "Takes text apart by named patterns.",
    example: "filter { grok { match => { \"message\" => \"%{IP:client} %{WORD:method} %{URIPATHPARAM:path}\" } } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let ecs = options.ecs().enabled();
    let mut patterns = if ecs { PatternSet::ecs_v1() } else { PatternSet::legacy() };
    read_pattern_files(&mut options, &mut patterns);
    for (name, definition) in options.hash("pattern_definitions") {
        patterns.add(&name, &value_text(&definition));
    }
    let grok_options = GrokOptions { named_captures_only: options.boolean("named_captures_only", true) };
    let target = options.field("target");
    let overwrite = options.fields("overwrite");
    let mut sources = Vec::new();
    for (field, given) in options.hash("match") {
        let texts = match given {
            Value::Array(values) => values.iter().map(value_text).collect(),
            single => vec![value_text(&single)],
        };
        let groks = compile(&mut options, &patterns, &texts, &grok_options);
        let Some(path) = options.path("match", &field) else { continue };
        let fields = groks.iter().map(|grok| fields(grok, target.as_ref(), &overwrite)).collect();
        sources.push(Source { path, set: GrokSet::new(groks), fields });
    }
    let break_on_match = options.boolean("break_on_match", true);
    let keep_empty = options.boolean("keep_empty_captures", false);
    let tags = options.tags("tag_on_failure", "_grokparsefailure");
    let timeout_tag = options.string("tag_on_timeout").unwrap_or_else(|| "_groktimeout".into());
    let millis = options.integer("timeout_millis").unwrap_or(30_000);
    options.one_of("timeout_scope", &["pattern", "event"], "pattern");
    options.finish()?;
    let budget = u64::try_from(millis).ok().filter(|millis| *millis > 0).map_or(Budget::UNLIMITED, Budget::millis);
    Ok(Box::new(GrokFilter { sources, break_on_match, keep_empty, tags, timeout_tag, budget }))
}

/// `patterns_dir`, a folder or a file each, with `patterns_files_glob`.
pub(crate) fn read_pattern_files(options: &mut Options<'_>, patterns: &mut PatternSet) {
    let glob = options.string("patterns_files_glob").unwrap_or_else(|| "*".into());
    for folder in options.strings("patterns_dir") {
        let address = if std::path::Path::new(&folder).is_dir() { format!("{folder}/{glob}") } else { folder.clone() };
        let found = files::find(&address)
            .and_then(|files| files.iter().map(|file| files::read(file)).collect::<Result<Vec<_>, _>>());
        match found {
            Ok(sources) => sources.iter().for_each(|source| patterns.add_text(&source.name, &source.text)),
            Err(error) => options.error_at("patterns_dir", error.to_string()),
        }
    }
}

fn compile(
    options: &mut Options<'_>,
    patterns: &PatternSet,
    texts: &[String],
    grok_options: &GrokOptions,
) -> Vec<Grok> {
    let mut groks = Vec::with_capacity(texts.len());
    for text in texts {
        if let Some(part) = nested_repetition(text) {
            warn_of_backtracking(options, text, part);
        }
        match Grok::compile(patterns, text, grok_options) {
            Ok(grok) => groks.push(grok),
            Err(error) => report(options, patterns, text, &error),
        }
    }
    groks
}

fn warn_of_backtracking(options: &mut Options<'_>, text: &str, part: &str) {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    let span = options.span_within("match", text, start..start + part.len());
    let span = span.unwrap_or_else(|| options.span_of("match"));
    let message =
        format!("'{part}' repeats what repeats itself: Logstash takes time without measure when it does not match");
    let hint = "write an atomic group, (?>...), or put something that must be there between two rounds";
    options.report(Diagnostic::warning("catastrophic-backtracking", &span, message).with_hint(hint));
}

/// Reports a pattern that does not compile, at the place that is wrong, whether it stands in `match` or in
/// `pattern_definitions`.
fn report(options: &mut Options<'_>, patterns: &PatternSet, text: &str, error: &GrokError) {
    let (origin, length, hint) = match error {
        GrokError::Undefined { name, origin } => {
            let near = nearest(name, patterns.names());
            (Some(origin), name.len() + 2, near.map(|near| format!("did you mean %{{{near}}}?")))
        }
        GrokError::Recursive { name, origin } => (Some(origin), name.len() + 2, None),
        GrokError::Syntax { origin, .. } => (Some(origin), 1, None),
        GrokError::TooLarge => (None, 0, None),
    };
    let what = match error {
        GrokError::Undefined { name, origin: Origin { pattern: None, .. } } => format!("unknown grok pattern '{name}'"),
        GrokError::Undefined { name, origin } => format!("unknown grok pattern '{name}' (in {origin})"),
        GrokError::Syntax { message, origin: Origin { pattern: None, .. } } => message.clone(),
        other => other.to_string(),
    };
    let diagnosis = Diagnosis { what, hint };
    match origin {
        Some(Origin { pattern: None, position, .. }) => {
            options.error_within("match", text, *position..position + length, diagnosis);
        }
        Some(Origin { pattern: Some(name), file: None, position }) => {
            let definition = patterns.get(name).unwrap_or_default();
            options.error_within("pattern_definitions", definition, *position..position + length, diagnosis);
        }
        _ => options.error_within("match", text, 0..text.len(), diagnosis),
    }
}

/// Where the captures of one pattern go.
fn fields(grok: &Grok, target: Option<&FieldPath>, overwrite: &[FieldPath]) -> Vec<Field> {
    // Groups of one name collect into one field.
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let fields = grok.fields().iter().map(|field| {
        let path = match target {
            Some(target) => FieldPath::parse(&nested(target, &field.name)),
            None => FieldPath::parse(&field.name),
        };
        let path = path.unwrap_or_else(|_| FieldPath::field(&field.name));
        let replaces = seen.insert(&field.name) && overwrite.contains(&path);
        Field { path, conversion: field.conversion, replaces }
    });
    fields.collect()
}

fn nested(target: &FieldPath, name: &str) -> String {
    let bracketed = |text: String| if text.starts_with('[') { text } else { format!("[{text}]") };
    format!("{}{}", bracketed(target.to_string()), bracketed(name.to_string()))
}

struct GrokFilter {
    sources: Vec<Source>,
    break_on_match: bool,
    keep_empty: bool,
    tags: Vec<String>,
    timeout_tag: String,
    budget: Budget,
}

/// A field and the patterns that it is matched against.
struct Source {
    path: FieldPath,
    set: GrokSet,
    /// Per pattern, per capture.
    fields: Vec<Vec<Field>>,
}

struct Field {
    path: FieldPath,
    conversion: Conversion,
    /// Whether it takes the place of what is there (`overwrite`); of captures of one name the first does.
    replaces: bool,
}

/// What came of matching.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Matched,
    Missed,
    TimedOut,
}

impl Filter for GrokFilter {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let mut matched = false;
        for source in &self.sources {
            match self.source(source, event, context) {
                Outcome::Matched => {
                    matched = true;
                    if self.break_on_match {
                        break;
                    }
                }
                Outcome::Missed => {}
                Outcome::TimedOut => {
                    context.failed(event, &[&self.timeout_tag]);
                    return;
                }
            }
        }
        if matched {
            context.matched(event);
        } else {
            context.failed(event, &self.tags);
        }
    }
}

impl GrokFilter {
    fn source(&self, source: &Source, event: &mut Event, context: &mut FilterContext<'_>) -> Outcome {
        let text = match event.get(&source.path) {
            Some(Value::String(text)) => text.clone(),
            // A field that is missing is matched as an empty text.
            None | Some(Value::Null) => Str::new(),
            Some(Value::Array(values)) => {
                let texts: Vec<Str> = values.iter().map(text_of).collect();
                let mut outcome = Outcome::Missed;
                for text in &texts {
                    match self.text(source, text, event, context) {
                        Outcome::Matched => outcome = Outcome::Matched,
                        Outcome::Missed => {}
                        Outcome::TimedOut => return Outcome::TimedOut,
                    }
                }
                return outcome;
            }
            Some(other) => text_of(other),
        };
        self.text(source, &text, event, context)
    }

    /// Matches one text; with `break_on_match` up to the first pattern, else against all, of which the last decides.
    fn text(&self, source: &Source, text: &Str, event: &mut Event, context: &mut FilterContext<'_>) -> Outcome {
        let candidates = source.set.candidates(text.as_bytes());
        let mut outcome = Outcome::Missed;
        for (at, grok) in source.set.groks().iter().enumerate() {
            if !candidates.may_match(at) {
                outcome = Outcome::Missed;
                continue;
            }
            match grok.find(text.as_bytes(), context.scratch, self.budget) {
                Err(_) => return Outcome::TimedOut,
                Ok(false) => outcome = Outcome::Missed,
                Ok(true) => {
                    let spans = |field: usize| grok.span(field, context.scratch);
                    outcome = self.store(&source.fields[at], spans, text, event);
                    if self.break_on_match && outcome == Outcome::Matched {
                        break;
                    }
                }
            }
        }
        outcome
    }

    /// Sets the fields; it is a miss when one of them cannot be set.
    fn store(
        &self,
        fields: &[Field],
        spans: impl Fn(usize) -> Option<(usize, usize)>,
        text: &Str,
        event: &mut Event,
    ) -> Outcome {
        let mut outcome = Outcome::Matched;
        for (at, field) in fields.iter().enumerate() {
            let span = spans(at);
            if !self.keep_empty && span.is_none_or(|(start, end)| start == end) {
                continue;
            }
            let captured = span.map(|(start, end)| &text[start..end]);
            if !field.put(captured, text, event) {
                outcome = Outcome::Missed;
            }
        }
        outcome
    }
}

impl Field {
    /// A field that is not there or null is set; texts and lists collect; anything else keeps what it is.
    /// False when there is no place for it.
    fn put(&self, captured: Option<&str>, text: &Str, event: &mut Event) -> bool {
        let Ok(place) = event.place(&self.path) else { return event.get(&self.path).is_some() };
        match place {
            held if self.replaces => self.fill(held, captured, text),
            Value::Null => self.fill(place, captured, text),
            Value::String(_) => {
                let value = self.value(captured, text);
                if matches!(value, Value::String(_)) {
                    *place = Value::Array(vec![std::mem::take(place), value]);
                }
            }
            Value::Array(values) => values.push(self.value(captured, text)),
            _ => {}
        }
        true
    }

    #[inline]
    fn fill(&self, place: &mut Value, captured: Option<&str>, text: &Str) {
        match (captured, self.conversion) {
            (Some(captured), Conversion::None) => place.set_slice(text, captured),
            (Some(captured), conversion) => *place = convert(captured, conversion),
            (None, _) => *place = Value::Null,
        }
    }

    fn value(&self, captured: Option<&str>, text: &Str) -> Value {
        let mut value = Value::Null;
        self.fill(&mut value, captured, text);
        value
    }
}

fn text_of(value: &Value) -> Str {
    match value {
        Value::String(text) => text.clone(),
        other => Str::from(ruby_to_s(other)),
    }
}

/// `:int` and `:float` are Ruby's `to_i` and `to_f`: the number that the text begins with, else zero.
pub(crate) fn convert(text: &str, conversion: Conversion) -> Value {
    match conversion {
        Conversion::None => Value::String(Str::from(text)),
        Conversion::Int => ruby::to_i(text),
        Conversion::Float => Value::Float(ruby::to_f(text)),
    }
}
