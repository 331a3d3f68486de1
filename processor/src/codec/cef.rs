//! Codec `cef`: ArcSight's Common Event Format, `CEF:0|vendor|product|version|class|name|severity|key=value ...`, with or
//! without a syslog header before it.

use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use super::plain::{message, original};
use super::{Codec, CodecDefinition, Framing, charset};
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plan::text::ruby_to_s;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "cef", summary: "Reads and writes the Common Event Format.", build };

/// The fields of the header.
const HEADER: [&str; 7] =
    ["cefVersion", "deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name", "severity"];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    charset(&mut options);
    if options.ecs().enabled() && options.is_set("ecs_compatibility") {
        options.error_at("ecs_compatibility", "the extension's ECS names are not supported; use 'disabled'");
    }
    let template = |options: &mut Options<'_>, name: &'static str, default: &str| {
        options.template(name).unwrap_or_else(|| Template::parse(default))
    };
    let header = [
        template(&mut options, "vendor", "Elasticsearch"),
        template(&mut options, "product", "Logstash"),
        template(&mut options, "version", "1.0"),
        template(&mut options, "signature", "Logstash"),
        template(&mut options, "name", "Logstash"),
        template(&mut options, "severity", "6"),
    ];
    let mut fields = Vec::new();
    for text in options.strings("fields") {
        if let Some(path) = options.path("fields", &text) {
            fields.push((text, path));
        }
    }
    let delimiter = options.string("delimiter");
    options.ignored("deprecated_v1_fields", "names are those of the format");
    options.ignored("reverse_mapping", "names are written as they are");
    options.ignored("raw_data_field", "see [event][original]");
    options.ignored("default_timezone", "times stay text");
    options.ignored("locale", "times stay text");
    options.ignored("device", "there is one set of names");
    options.finish()?;
    Ok(Box::new(Cef { header, fields, delimiter }))
}

struct Cef {
    /// Vendor to severity of events that are written.
    header: [Template; 6],
    /// Fields that are written as extensions.
    fields: Vec<(String, FieldPath)>,
    delimiter: Option<String>,
}

impl Codec for Cef {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        let text = text.slice_ref(text.as_str().trim_end_matches(['\r', '\n']));
        match parse(text.as_str()) {
            Some(fields) => {
                let mut event = Event::from_object(fields, now);
                original(&mut event, text);
                events.push(event);
            }
            None => {
                let mut event = message(text, now, true);
                event.tag("_cefparsefailure");
                events.push(event);
            }
        }
    }

    fn framing(&self) -> Framing {
        Framing::Lines(self.delimiter.clone().unwrap_or_else(|| "\n".into()))
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        out.extend_from_slice(b"CEF:0");
        for template in &self.header {
            out.push(b'|');
            escape(&template.render_lenient(event), "|", out);
        }
        out.push(b'|');
        let mut first = true;
        for (name, path) in &self.fields {
            let Some(value) = event.get(path) else { continue };
            if !std::mem::take(&mut first) {
                out.push(b' ');
            }
            out.extend(name.bytes().filter(u8::is_ascii_alphanumeric));
            out.push(b'=');
            escape(&value_text(value), "=", out);
        }
        if let Some(delimiter) = &self.delimiter {
            out.extend_from_slice(delimiter.as_bytes());
        }
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Timestamp(moment) => moment.as_millis().to_string(),
        other => ruby_to_s(other),
    }
}

/// Escapes backslashes and `special`; line ends become `\n` in extensions and a blank in the header.
fn escape(text: &str, special: &str, out: &mut Vec<u8>) {
    for character in text.chars() {
        match character {
            '\r' => {}
            '\n' => out.extend_from_slice(if special == "=" { b"\\n" } else { b" " }),
            _ => {
                if character == '\\' || special.contains(character) {
                    out.push(b'\\');
                }
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

/// The fields of a line; `None` when it is no CEF.
fn parse(line: &str) -> Option<Object> {
    let start = line.find("CEF:")?;
    let mut fields = Object::new();
    if start > 0 {
        fields.insert("syslog", line[..start].trim_end());
    }
    let mut rest = &line[start + 4..];
    for name in HEADER {
        let (part, after) = header_part(rest)?;
        fields.insert(name, unescaped(part, "|"));
        rest = after;
    }
    for (name, value) in extensions(rest.trim()) {
        fields.insert(name, unescaped(value, "="));
    }
    Some(fields)
}

/// The text up to the next `|` that is not escaped, and what follows it.
fn header_part(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '|' if !escaped => return Some((&text[..at], &text[at + 1..])),
            _ => escaped = false,
        }
    }
    None
}

/// `key=value key=value`: a value ends before the last word in front of the next `=` that is not escaped.
fn extensions(text: &str) -> Vec<(&str, &str)> {
    let mut equals = Vec::new();
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '\\' if !escaped => escaped = true,
            '=' if !escaped => {
                let key = text[..at].rfind(' ').map_or(0, |blank| blank + 1);
                let is_key = key < at
                    && text[key..at].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.[]-".contains(&byte));
                if is_key {
                    equals.push((key, at));
                }
                escaped = false;
            }
            _ => escaped = false,
        }
    }
    let ends = equals.iter().skip(1).map(|(key, _)| *key).chain([text.len()]);
    equals.iter().zip(ends).map(|((key, at), end)| (&text[*key..*at], text[at + 1..end].trim_end())).collect()
}

/// Takes the backslashes off.
fn unescaped(text: &str, special: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') if special == "=" => out.push('\n'),
                Some('r') if special == "=" => out.push('\r'),
                Some(next) if next == '\\' || special.contains(next) => out.push(next),
                Some(next) => out.extend(['\\', next]),
                None => out.push('\\'),
            },
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn header_and_extensions() {
        let line =
            r"<13>Jan 1 h CEF:0|Sec|Thr\|eat|1.0|100|worm stopped|10|src=10.0.0.1 msg=a b \= c\nd dst=2.1.2.2 empty=";
        let fields = parse(line).unwrap();
        for (name, wanted) in [
            ("syslog", "<13>Jan 1 h"),
            ("deviceProduct", "Thr|eat"),
            ("name", "worm stopped"),
            ("severity", "10"),
            ("src", "10.0.0.1"),
            ("msg", "a b = c\nd"),
            ("dst", "2.1.2.2"),
            ("empty", ""),
        ] {
            assert_eq!(fields.get(name).and_then(Value::as_str), Some(wanted), "{name}");
        }
        assert!(parse("CEF:0|too|short").is_none());
    }
}
