//! Text with `%{...}` in it (`StringInterpolation.java`), cut up once and filled in per event.

use std::cell::Cell;

use tailrace_common::datetime::Pattern;
use tailrace_common::{Event, FieldPath, Str, Value};

use super::text::interpolate;

/// Text in which references and dates are filled in.
#[derive(Debug)]
pub struct Template {
    parts: Vec<Part>,
    /// The reference that the whole text is when nothing is filled in.
    constant_path: Option<Option<FieldPath>>,
}

#[derive(Debug)]
enum Part {
    Literal(Str),
    /// The reference, and how it was written, for when the field is missing.
    Field(FieldPath, Str),
    /// `%{+%s}`, `%{}` and `%{+}`: seconds since the epoch.
    EpochSeconds,
    /// `%{+YYYY.MM.dd}` (Joda) and `%{{yyyy}}` (java.time), in UTC.
    Date(Pattern),
    /// `%{{TIME_NOW}}`.
    Now,
    /// A malformed reference or pattern: using it is an error.
    Broken(String),
}

/// A template that cannot be filled in: a malformed reference or date pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(pub String);

/// More than this is not kept for the next text.
const KEPT: usize = 1 << 20;

thread_local! {
    /// Where texts are put together before they are as long as they get.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Template {
    /// Cuts a text up. Never fails: what is malformed fails when it is used, as in Logstash.
    pub fn parse(text: &str) -> Template {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, expression, end)) = next_expression(rest) {
            push_literal(&mut parts, literal);
            parts.push(Part::parse(expression, &rest[literal.len()..end]));
            rest = &rest[end..];
        }
        push_literal(&mut parts, rest);
        let constant = parts.iter().all(|part| matches!(part, Part::Literal(_)));
        Template { parts, constant_path: constant.then(|| FieldPath::parse(text).ok()) }
    }

    /// The text, when nothing in it is filled in.
    pub fn as_constant(&self) -> Option<&Str> {
        static EMPTY: Str = Str::new();
        match self.parts.as_slice() {
            [] => Some(&EMPTY),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The reference that a text without `%{...}` is; `Some(None)` when it is none.
    pub fn as_constant_path(&self) -> Option<&Option<FieldPath>> {
        self.constant_path.as_ref()
    }

    /// The references it reads.
    pub fn fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(path, _) => Some(path),
            _ => None,
        })
    }

    /// What is malformed in it, if anything is.
    pub fn problem(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Broken(message) => Some(message.as_str()),
            _ => None,
        })
    }

    /// Fills it in. A field that is missing or null leaves its `%{...}` standing.
    pub fn render(&self, event: &Event) -> Result<Str, TemplateError> {
        if let Some(constant) = self.as_constant() {
            return Ok(constant.clone());
        }
        if let [Part::Field(path, _)] = self.parts.as_slice()
            && let Some(Value::String(text)) = event.get(path)
        {
            return Ok(text.clone());
        }
        if let Some(short) = self.render_short(event) {
            return Ok(short);
        }
        let mut out = SCRATCH.take();
        out.clear();
        let rendered = self.render_into(event, &mut out).map(|()| Str::from(String::from_utf8_lossy(&out).as_ref()));
        if out.capacity() <= KEPT {
            SCRATCH.set(out);
        }
        rendered
    }

    /// The text, where it is put together of few bytes: those are written where they stay.
    fn render_short(&self, event: &Event) -> Option<Str> {
        let mut out = Str::new();
        for part in &self.parts {
            let text = match part {
                Part::Literal(text) => text,
                Part::Field(path, _) => match event.get(path) {
                    Some(Value::String(text)) => text,
                    _ => return None,
                },
                _ => return None,
            };
            if out.len() + text.len() > Str::inline_capacity() {
                return None;
            }
            out.push_str(text);
        }
        Some(out)
    }

    /// Fills it in at the end of `out`.
    pub fn render_into(&self, event: &Event, out: &mut Vec<u8>) -> Result<(), TemplateError> {
        self.parts.iter().try_for_each(|part| part.render(event, out))
    }

    /// Fills it in; what is malformed is left out.
    pub fn render_lenient(&self, event: &Event) -> Str {
        self.render(event).unwrap_or_default()
    }
}

impl Part {
    fn parse(expression: &str, written: &str) -> Part {
        if let Some(java) = expression.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')) {
            return if java == "TIME_NOW" { Part::Now } else { Part::date(Pattern::java(java)) };
        }
        match expression.strip_prefix('+') {
            Some("" | "%s") => Part::EpochSeconds,
            Some(joda) => Part::date(Pattern::joda(joda)),
            None if expression.is_empty() => Part::EpochSeconds,
            None => match FieldPath::parse(expression) {
                Ok(path) => Part::Field(path, Str::from(written)),
                Err(error) => Part::Broken(error.to_string()),
            },
        }
    }

    fn date<E: std::fmt::Display>(pattern: Result<Pattern, E>) -> Part {
        pattern.map_or_else(|error| Part::Broken(error.to_string()), Part::Date)
    }

    fn render(&self, event: &Event, out: &mut Vec<u8>) -> Result<(), TemplateError> {
        match self {
            Part::Literal(text) => out.extend_from_slice(text.as_bytes()),
            Part::Field(path, written) => match event.get(path) {
                None | Some(Value::Null) => out.extend_from_slice(written.as_bytes()),
                Some(value) => interpolate(value, out),
            },
            Part::EpochSeconds => {
                if let Some(moment) = event.timestamp() {
                    out.extend_from_slice(itoa::Buffer::new().format(moment.secs).as_bytes());
                }
            }
            Part::Date(pattern) => {
                if let Some(moment) = event.timestamp() {
                    pattern.print(&moment, out);
                }
            }
            Part::Now => super::now().write_iso8601(out),
            Part::Broken(message) => return Err(TemplateError(message.clone())),
        }
        Ok(())
    }
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Literal(Str::from(text)));
    }
}

/// The text before the next `%{...}`, what stands inside the braces, and where it ends.
fn next_expression(text: &str) -> Option<(&str, &str, usize)> {
    let open = text.find("%{")?;
    let inside = &text[open + 2..];
    let length = if inside.starts_with('{') { inside.find("}}")? + 1 } else { inside.find('}')? };
    Some((&text[..open], &inside[..length], open + 2 + length + 1))
}
