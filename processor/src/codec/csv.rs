//! Codec `csv`: comma-separated values, one row an event.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tailrace_common::datetime::Zone;
use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use super::plain::message;
use super::{Codec, CodecDefinition};
use crate::filters::csv::{Conversion, Dialect};
use crate::options::{Invalid, Options, value_text};
use crate::plan::text::interpolate;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "csv", summary: "Reads and writes comma-separated values.", text: true, build };

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    let keep_original = options.ecs().enabled();
    let separator = options.string("separator").unwrap_or_else(|| ",".into());
    let quote = options.string("quote_char").unwrap_or_else(|| "\"".into());
    let dialect = Dialect::new(&separator, &quote);
    if dialect.is_none() {
        options.error_at("quote_char", "'separator' must not be empty, and 'quote_char' must be one character");
    }
    let zone = Zone::named(&build.timezone).unwrap_or(Zone::Utc);
    let mut conversions = Vec::new();
    for (name, kind) in options.hash("convert") {
        let kind = value_text(&kind);
        match Conversion::named(&kind, &zone) {
            Some(conversion) => conversions.push((Str::from(name), conversion)),
            None => {
                let message = format!("'{kind}' is no type; use one of {}", Conversion::NAMES);
                options.error_at("convert", message);
            }
        }
    }
    let columns: Vec<Str> = options.strings("columns").iter().map(|name| Str::from(name.as_str())).collect();
    let autodetect = options.boolean("autodetect_column_names", false);
    let codec = Csv {
        separator,
        quote,
        dialect: dialect.ok_or(Invalid),
        conversions,
        detected: OnceLock::new(),
        autodetect: autodetect && columns.is_empty(),
        columns,
        autogenerate: options.boolean("autogenerate_column_names", true),
        skip_empty: options.boolean("skip_empty_columns", false),
        header: AtomicBool::new(options.boolean("include_headers", false)),
        target: options.field("target"),
        keep_original,
    };
    options.finish()?;
    codec.dialect.as_ref().map_err(|invalid| *invalid)?;
    Ok(Box::new(codec))
}

struct Csv {
    separator: String,
    quote: String,
    dialect: Result<Dialect, Invalid>,
    conversions: Vec<(Str, Conversion)>,
    columns: Vec<Str>,
    /// Whether the first row names the columns.
    autodetect: bool,
    detected: OnceLock<Vec<Str>>,
    /// Whether columns without a name are called `column3`.
    autogenerate: bool,
    skip_empty: bool,
    /// Whether the names are still to be written.
    header: AtomicBool,
    target: Option<FieldPath>,
    keep_original: bool,
}

impl Codec for Csv {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        let row = match &self.dialect {
            Ok(dialect) => dialect.row(&text),
            Err(Invalid) => return,
        };
        match row {
            Ok(None) => {}
            Ok(Some(row)) if self.autodetect && self.detected.get().is_none() => {
                let names = row.into_iter().map(Option::unwrap_or_default).collect();
                // Another stream may have been faster; its header is this codec's.
                let _known = self.detected.set(names);
            }
            Ok(Some(row)) => events.push(self.event(row, text, now)),
            Err(_) => {
                let mut event = message(text, now, self.keep_original);
                event.tag("_csvparsefailure");
                events.push(event);
            }
        }
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        if self.header.swap(false, Ordering::Relaxed) {
            let names: Vec<Str> = match self.columns.as_slice() {
                [] => event.fields().keys().cloned().collect(),
                columns => columns.to_vec(),
            };
            self.write_row(names.into_iter(), out);
        }
        if self.columns.is_empty() {
            self.write_row(event.fields().values().map(text_of), out);
            return;
        }
        let values = self.columns.iter().map(|name| {
            let path = FieldPath::parse(name).unwrap_or_else(|_| FieldPath::field(name));
            event.get(&path).map(text_of).unwrap_or_default()
        });
        self.write_row(values, out);
    }
}

impl Csv {
    fn event(&self, row: Vec<Option<Str>>, text: Str, now: Timestamp) -> Event {
        let names = self.detected.get().unwrap_or(&self.columns);
        let mut fields = Object::with_capacity(row.len() + 2);
        for (at, value) in row.into_iter().enumerate() {
            let name = match names.get(at) {
                Some(name) => name.clone(),
                None if self.autogenerate => Str::from(format!("column{}", at + 1)),
                None => continue,
            };
            if self.skip_empty && value.as_ref().is_none_or(|value| value.is_empty()) {
                continue;
            }
            let conversion =
                self.conversions.iter().find(|(known, _)| *known == name).map(|(_, conversion)| conversion);
            let value = match conversion {
                Some(conversion) => conversion.of(value).unwrap_or_default(),
                None => value.map_or(Value::Null, Value::String),
            };
            fields.insert(name, value);
        }
        let mut event = super::event_of(fields, self.target.as_ref(), now);
        if self.keep_original {
            super::plain::original(&mut event, text);
        }
        event
    }

    fn write_row(&self, values: impl Iterator<Item = Str>, out: &mut Vec<u8>) {
        for (at, value) in values.enumerate() {
            if at > 0 {
                out.extend_from_slice(self.separator.as_bytes());
            }
            let special = value.contains(&self.separator)
                || value.contains(&self.quote)
                || value.contains(['\n', '\r'])
                || value.starts_with([' ', '\t']);
            if special {
                let doubled = value.as_str().replace(&self.quote, &self.quote.repeat(2));
                out.extend_from_slice(format!("{0}{doubled}{0}", self.quote).as_bytes());
            } else {
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.push(b'\n');
    }
}

fn text_of(value: &Value) -> Str {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut out = Vec::new();
            interpolate(other, &mut out);
            Str::from(String::from_utf8_lossy(&out).as_ref())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_common::json;

    use super::*;
    use crate::codec::testing::{codec, decode, encode};

    #[test]
    fn rows_are_events() {
        let csv = codec("csv { columns => [\"a\", \"b\"] convert => { \"b\" => \"integer\" } }").unwrap();
        let events = decode(&*csv, &["1,2,\"x,y\"", "", "\"broken"]);
        assert_eq!(events[0], json_value(r#"{"a":"1","b":2,"column3":"x,y"}"#));
        assert_eq!(events[1], json_value(r#"{"message":"\"broken","tags":["_csvparsefailure"]}"#));
        let csv =
            codec("csv { autodetect_column_names => true skip_empty_columns => true target => \"[t]\" }").unwrap();
        assert_eq!(decode(&*csv, &["a,b", "1,"]), [json_value(r#"{"t":{"a":"1"}}"#)]);
    }

    #[test]
    fn events_are_rows() {
        let csv = codec("csv { columns => [\"a\", \"[b][c]\", \"d\"] include_headers => true }").unwrap();
        let events = [r#"{"a":"x, \"y\"","b":{"c":1.5}}"#, r#"{"a":[1,2],"d":""}"#];
        assert_eq!(encode(&*csv, &events), "a,[b][c],d\n\"x, \"\"y\"\"\",1.5,\n\"1,2\",,\n");
    }

    #[test]
    fn wrong_options_are_refused() {
        assert!(
            codec("csv { convert => { \"a\" => \"int\" } }").is_err_and(|found| found.contains("'int' is no type"))
        );
        assert!(codec("csv { quote_char => \"ab\" }").is_err_and(|found| found.contains("must be one character")));
    }

    fn json_value(text: &'static str) -> Value {
        json::parse(&Str::borrowed(text), json::Numbers::Float).unwrap()
    }
}
