//! Codec `cef`: ArcSight's Common Event Format, `CEF:0|vendor|product|version|class|name|severity|key=value ...`, with or
//! without a syslog header before it.

use std::collections::HashMap;

use tailrace_common::datetime::{Locale, Zone};
use tailrace_common::{Event, FieldPath, Str, Timestamp, Value, json};

use super::plain::message;
use super::{Codec, CodecDefinition, Framing};
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plan::text::ruby_to_s;
use crate::plugin::BuildContext;

mod fields;
mod moment;

use fields::{Device, HEADER, MOMENTS};
use moment::Moments;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "cef", summary: "Reads and writes the Common Event Format.", text: false, build };

/// What the header says when the options fill in nothing.
const DEFAULTS: [(&str, &str); 6] = [
    ("vendor", "Elasticsearch"),
    ("product", "Logstash"),
    ("version", "1.0"),
    ("signature", "Logstash"),
    ("name", "Logstash"),
    ("severity", "6"),
];

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let ecs = options.ecs().enabled();
    let header = DEFAULTS.map(|(option, default)| options.template(option).unwrap_or_else(|| Template::parse(default)));
    let keys = options.boolean("reverse_mapping", false);
    let names = fields::written_names(ecs, keys);
    let mut written = Vec::new();
    for text in options.strings("fields") {
        let name = names.get(&text).cloned().unwrap_or_else(|| text.clone());
        let name = name.chars().filter(char::is_ascii_alphanumeric).collect();
        written.extend(options.path("fields", &text).map(|path| (name, path)));
    }
    // Configurations have no escapes by default, so the codec brings its own.
    let delimiter = options.string("delimiter").map(|text| text.replace("\\r", "\r").replace("\\n", "\n"));
    let raw = options.field("raw_data_field");
    let device = match options.one_of("device", &["observer", "host"], "observer") {
        "host" => Device::Host,
        _ => Device::Observer,
    };
    let moments = moments(&mut options, build);
    options.finish()?;
    let path = |text: &str| FieldPath::parse(text).map_err(|_| Invalid);
    let header_fields = HEADER.iter().map(|(flat, nested)| path(if ecs { nested } else { flat }));
    Ok(Box::new(Cef {
        header,
        header_fields: header_fields.collect::<Result<_, _>>()?,
        syslog: path(if ecs { "[log][syslog][header]" } else { "syslog" })?,
        places: fields::places(ecs, device),
        moments: if ecs { Some(moments.ok_or(Invalid)?) } else { None },
        zone: path("[event][timezone]")?,
        moment_fields: MOMENTS.iter().map(|field| path(field)).collect::<Result<_, _>>()?,
        written,
        delimiter,
        raw,
    }))
}

fn moments(options: &mut Options<'_>, build: &BuildContext<'_>) -> Option<Moments> {
    let name = options.string("default_timezone").unwrap_or_else(|| build.timezone.clone());
    let zone = Zone::named(&name).map_err(|error| options.error_at("default_timezone", error.to_string())).ok()?;
    let tag = options.string("locale");
    let locale = tag.map(|tag| {
        let known = Locale::parse(&tag);
        if known.is_none() {
            options.error_at("locale", format!("the names of months in '{tag}' are not known"));
        }
        known.unwrap_or_default()
    });
    Moments::new(locale.unwrap_or_default(), zone)
}

struct Cef {
    /// Vendor to severity of events that are written.
    header: [Template; 6],
    header_fields: Vec<FieldPath>,
    /// Where the text before the header goes.
    syslog: FieldPath,
    /// Where extensions go, by name and by key.
    places: HashMap<String, FieldPath>,
    /// Under ECS moments are read.
    moments: Option<Moments>,
    zone: FieldPath,
    moment_fields: Vec<FieldPath>,
    /// Names and fields of the extensions that are written.
    written: Vec<(String, FieldPath)>,
    delimiter: Option<String>,
    /// Where the whole line goes.
    raw: Option<FieldPath>,
}

/// A line that is no CEF.
struct Malformed;

impl Codec for Cef {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        let whole = text.as_str();
        // Some connectors quote the whole line.
        let line = match whole.strip_prefix('"') {
            Some(quoted) => &quoted[..quoted.char_indices().next_back().map_or(0, |(at, _)| at)],
            None => whole,
        };
        let mut event = Event::new(now);
        let read = match &self.raw {
            Some(raw) => event.set(raw, text.clone()).map_err(|_| Malformed),
            None => Ok(()),
        };
        match read.and_then(|()| self.read(line, now, &mut event)) {
            Ok(()) => events.push(event),
            Err(Malformed) => {
                let mut event = message(text.slice_ref(line), now, false);
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
        for (template, (option, default)) in self.header.iter().zip(DEFAULTS) {
            let text = template.render_lenient(event);
            let text = if option == "severity" { severity(&text) } else { text.to_string() };
            out.push(b'|');
            escape(if text.is_empty() { default } else { &text }, '|', b" ", out);
        }
        out.push(b'|');
        let mut first = true;
        for (name, path) in &self.written {
            let Some(value) = event.get(path).filter(|value| !value.is_null()) else { continue };
            if !std::mem::take(&mut first) {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            escape(&value_text(value), '=', b"\\n", out);
        }
        if let Some(delimiter) = &self.delimiter {
            out.extend_from_slice(delimiter.as_bytes());
        }
    }
}

impl Cef {
    fn read(&self, line: &str, now: Timestamp, event: &mut Event) -> Result<(), Malformed> {
        let mut rest = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        let mut set = |path: &FieldPath, value: Value| event.set(path, value).map_err(|_| Malformed);
        for (at, path) in self.header_fields.iter().enumerate() {
            let (part, after) = header_part(rest).ok_or(Malformed)?;
            let mut text = unescaped(part, |escape| matches!(escape, '\\' | '|').then_some(escape));
            if at == 0 {
                if let Some((syslog, version)) = text.rsplit_once(' ') {
                    set(&self.syslog, syslog.into())?;
                    text = version.into();
                }
                text = text.strip_prefix("CEF:").map_or(text.clone(), str::to_string);
            }
            set(path, text.into())?;
            rest = after;
        }
        let extensions = self.extensions(rest)?;
        let zone = extensions.iter().rev().find(|(path, _)| *path == self.zone).map(|(_, name)| name.clone());
        for (path, text) in extensions {
            match &self.moments {
                Some(moments) if self.moment_fields.contains(&path) => {
                    if !text.trim().is_empty() {
                        let moment = moments.read(&text, zone.as_deref(), now).ok_or(Malformed)?;
                        set(&path, moment.into())?;
                    }
                }
                _ => set(&path, text.into())?,
            }
        }
        Ok(())
    }

    /// The fields of the extensions; of a field that is named twice the last counts.
    fn extensions(&self, text: &str) -> Result<Vec<(FieldPath, String)>, Malformed> {
        let whole = text.trim();
        let mut rest = whole;
        let mut found: Vec<(FieldPath, String)> = Vec::new();
        // Where the last key may end.
        let last = whole.rfind('=').unwrap_or_default();
        while !rest.is_empty() {
            let length = key_length(rest).ok_or(Malformed)?;
            let (key, after) = (&rest[..length], &rest[length + 1..]);
            let end = value_length(after, last.saturating_sub(whole.len() - after.len()));
            let path = match self.places.get(key) {
                Some(path) => path.clone(),
                None => FieldPath::parse(&reference(key)).map_err(|_| Malformed)?,
            };
            let value = unescaped(&after[..end], |escape| match escape {
                'n' => Some('\n'),
                'r' => Some('\r'),
                '\\' | '=' => Some(escape),
                _ => None,
            });
            found.push((path, value));
            rest = after[end..].trim_start();
        }
        Ok(found)
    }
}

/// The text up to the next `|` that is not escaped, and what follows it.
fn header_part(text: &str) -> Option<(&str, &str)> {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '|' if !escaped => return Some((&text[..at], &text[at + 1..])),
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    None
}

/// How long the key is that a text begins with, an equals sign behind it: a word, names behind dots, an index.
fn key_length(text: &str) -> Option<usize> {
    let end = text.find('=')?;
    let key = &text[..end];
    let key = match key.strip_suffix(']').and_then(|head| head.rsplit_once('[')) {
        Some((head, index)) if !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit()) => head,
        _ => key,
    };
    let mut parts = key.split('.');
    let word = parts.next()?;
    let is_word = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_name = |name: &str| {
        let ends = |character: char| character.is_ascii_whitespace() || matches!(character, '|' | '\\' | '[' | ']');
        !name.is_empty() && !name.contains(ends)
    };
    (is_word && parts.all(is_name)).then_some(end)
}

/// How long the value is that a text begins with: up to blanks before the next key, which ends at `last` at the latest.
fn value_length(text: &str, last: usize) -> usize {
    let mut from = 0;
    while from < last
        && let Some(blank) = text[from..last].find(|character: char| character.is_ascii_whitespace())
    {
        let blank = from + blank;
        let after = text[blank..].trim_ascii_start();
        let word = after.split(|character: char| character.is_ascii_whitespace()).next().unwrap_or_default();
        if key_length(word).is_some() {
            return blank;
        }
        from = text.len() - after.len();
    }
    text.len()
}

/// `name[0]` as a reference.
fn reference(key: &str) -> String {
    match key.split_once('[') {
        Some((name, index)) => format!("[{name}][{index}"),
        None => key.to_string(),
    }
}

/// Takes the backslashes off before what `meant` knows.
fn unescaped(text: &str, meant: impl Fn(char) -> Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let mut ahead = characters.clone();
        match ahead.next().filter(|_| character == '\\').and_then(&meant) {
            Some(meant) => {
                out.push(meant);
                characters = ahead;
            }
            None => out.push(character),
        }
    }
    out
}

/// A whole number from 0 to 10; nothing else is a severity.
fn severity(text: &str) -> String {
    let number: Option<f64> = text.trim().parse().ok();
    let number = number.filter(|number| number.fract() == 0.0 && (0.0..=10.0).contains(number));
    number.map(|number| format!("{number:.0}")).unwrap_or_default()
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Array(_) | Value::Object(_) => {
            let mut out = Vec::new();
            json::write(value, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
        other => ruby_to_s(other),
    }
}

/// Escapes backslashes and `special`; `line_end` takes the place of line ends.
fn escape(text: &str, special: char, line_end: &[u8], out: &mut Vec<u8>) {
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' if characters.peek() == Some(&'\n') => {}
            '\r' | '\n' => out.extend_from_slice(line_end),
            _ => {
                if character == '\\' || character == special {
                    out.push(b'\\');
                }
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests;
