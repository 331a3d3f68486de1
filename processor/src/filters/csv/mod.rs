//! Filter `csv`: comma-separated values into fields.

use std::borrow::Cow;
use std::sync::OnceLock;

use tailrace_common::datetime::Zone;
use tailrace_common::{Event, FieldPath, Str, Value};

use crate::options::{Invalid, Options, value_text};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

mod convert;
mod line;

pub(crate) use convert::Conversion;
pub(crate) use line::Dialect;
use line::Row;

pub(in crate::filters) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "csv",
    summary: "Reads comma-separated values into fields.",
    example: "filter { csv { columns => [\"time\", \"user\", \"bytes\"] convert => { \"bytes\" => \"integer\" } } }",
    build,
};

const FAILURE: &str = "_csvparsefailure";
const EMPTY_ROW: &str = "_csvskippedemptyfield";

/// So many columns without a name are prepared.
const PREPARED: usize = 64;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let source = options.field("source").unwrap_or_else(|| FieldPath::field("message"));
    let names: Vec<Option<Str>> = options.strings("columns").iter().map(|name| Some(name.as_str().into())).collect();
    let separator = options.string("separator").unwrap_or_else(|| ",".into());
    let quote = options.string("quote_char").unwrap_or_else(|| "\"".into());
    let quote = if quote == "\\x00" { "\0".into() } else { quote };
    let target = options.string("target").inspect(|target| drop(options.path("target", target)));
    let prefix = match target {
        None => String::new(),
        Some(bracketed) if bracketed.starts_with('[') => bracketed,
        Some(name) => format!("[{name}]"),
    };
    let conversions = conversions(&mut options, build);
    let naming = Naming { prefix, conversions, autogenerate: options.boolean("autogenerate_column_names", true) };
    let flags = Flags {
        autodetect: options.boolean("autodetect_column_names", false),
        skip_header: options.boolean("skip_header", false),
        skip_empty_columns: options.boolean("skip_empty_columns", false),
        skip_empty_rows: options.boolean("skip_empty_rows", false),
    };
    // ECS changes no names here; Logstash only logs a hint about `target`.
    options.ecs();
    options.finish()?;
    let columns = OnceLock::new();
    if !names.is_empty() || !flags.autodetect {
        drop(columns.set(naming.columns(names)));
    }
    Ok(Box::new(Csv { source, dialect: Dialect::new(&separator, &quote), naming, columns, flags }))
}

fn conversions(options: &mut Options<'_>, build: &BuildContext<'_>) -> Vec<(String, Conversion)> {
    let zone = Zone::named(&build.timezone).unwrap_or(Zone::Utc);
    let mut read = Vec::new();
    for (name, kind) in options.hash("convert") {
        let kind = value_text(&kind);
        match Conversion::named(&kind, &zone) {
            Some(conversion) => read.push((name, conversion)),
            None => {
                let message = format!("'{kind}' is no type; use one of {}", Conversion::NAMES);
                options.error_at("convert", message);
            }
        }
    }
    read
}

struct Csv {
    source: FieldPath,
    /// Nothing when no row can be read with the options: every event fails, as in Logstash.
    dialect: Option<Dialect>,
    naming: Naming,
    /// Set at load, or by the first event.
    columns: OnceLock<Columns>,
    flags: Flags,
}

struct Flags {
    /// Whether the first row names the columns.
    autodetect: bool,
    skip_header: bool,
    skip_empty_columns: bool,
    skip_empty_rows: bool,
}

/// How columns get their names.
struct Naming {
    /// The target in brackets.
    prefix: String,
    conversions: Vec<(String, Conversion)>,
    /// Whether columns without a name are called `column3`.
    autogenerate: bool,
}

struct Columns {
    names: Vec<Option<Str>>,
    columns: Vec<Option<Column>>,
}

/// Where the values of a column go.
#[derive(Clone)]
struct Column {
    /// Nothing when the name is no reference.
    path: Option<FieldPath>,
    conversion: Option<Conversion>,
}

/// What cannot be read or stored; fields before it stay.
struct Failed;

enum Outcome {
    Stored,
    /// It was the header.
    Header,
    EmptyRow,
}

impl Filter for Csv {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let text = match event.get(&self.source) {
            None | Some(Value::Null | Value::Bool(false)) => return,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => None,
        };
        match text.ok_or(Failed).and_then(|text| self.store(&text, event)) {
            Ok(Outcome::Stored) => context.matched(event),
            Ok(Outcome::Header) => event.cancel(),
            Ok(Outcome::EmptyRow) => event.tag(EMPTY_ROW),
            Err(Failed) => context.failed(event, &[FAILURE]),
        }
    }
}

impl Csv {
    fn store(&self, text: &Str, event: &mut Event) -> Result<Outcome, Failed> {
        let row = self.dialect.as_ref().ok_or(Failed)?.row(text).map_err(|_| Failed)?;
        let Some(row) = row else {
            return if self.flags.skip_empty_rows { Ok(Outcome::EmptyRow) } else { Err(Failed) };
        };
        let mut is_header = false;
        let columns = self.columns.get_or_init(|| {
            is_header = true;
            self.naming.columns(owned(&row))
        });
        if is_header || self.flags.skip_header && !columns.names.is_empty() && columns.names == row {
            return Ok(Outcome::Header);
        }
        for (at, value) in row.into_iter().enumerate() {
            if self.flags.skip_empty_columns && value.as_ref().is_none_or(|value| value.is_empty()) {
                continue;
            }
            let column = match columns.columns.get(at) {
                Some(column) => column.as_ref().map(Cow::Borrowed),
                None => self.naming.column(at, None).map(Cow::Owned),
            };
            let Some(column) = column else { continue };
            let value = match &column.conversion {
                Some(conversion) => conversion.of(value).map_err(|_| Failed)?,
                None => value.map_or(Value::Null, Value::String),
            };
            event.set(column.path.as_ref().ok_or(Failed)?, value).map_err(|_| Failed)?;
        }
        Ok(Outcome::Stored)
    }
}

/// Names of their own: slices would keep the record of the header alive.
fn owned(row: &Row) -> Vec<Option<Str>> {
    row.iter().map(|name| name.as_ref().map(|name| Str::from(name.as_str().to_string()))).collect()
}

impl Naming {
    fn columns(&self, names: Vec<Option<Str>>) -> Columns {
        let columns = (0..names.len() + PREPARED).map(|at| self.column(at, names.get(at).and_then(Option::as_deref)));
        Columns { columns: columns.collect(), names }
    }

    /// The column at a position; nothing when it has no name and gets none.
    fn column(&self, at: usize, name: Option<&str>) -> Option<Column> {
        let made;
        let name = match name {
            Some(name) => name,
            None if self.autogenerate => {
                made = format!("column{}", at + 1);
                &made
            }
            None => return None,
        };
        let path = FieldPath::parse(&format!("{}[{name}]", self.prefix)).ok();
        let conversion = self.conversions.iter().find(|(column, _)| column == name);
        Some(Column { path, conversion: conversion.map(|(_, conversion)| conversion.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, check_all, run_with};

    #[test]
    fn the_first_row_may_name_the_columns() {
        check_all(
            "csv { autodetect_column_names => true skip_header => true remove_field => \"message\" }",
            &[r#"{"message":"a,[o][p],"}"#, r#"{"message":"1,2,3,4"}"#, r#"{"message":"a,[o][p],"}"#],
            &[r#"{"a":"1","o":{"p":"2"},"column3":"3","column4":"4"}"#],
        );
    }

    #[test]
    fn values_get_their_types_or_stay() {
        check_all(
            "csv { columns => [\"i\",\"f\",\"b\",\"d\"] \
             convert => { \"i\" => \"integer\" \"f\" => \"float\" \"b\" => \"boolean\" \"column5\" => \"integer\" } \
             remove_field => \"message\" }",
            &[
                r#"{"message":"0x1F,1_0.5, TRUE ,x,7"}"#,
                r#"{"message":"1e3,abc,YES,\"\",1.5"}"#,
                r#"{"message":",,false,,"}"#,
            ],
            &[
                r#"{"i":31,"f":10.5,"b":true,"d":"x","column5":7}"#,
                r#"{"i":"1e3","f":"abc","b":"yes","d":"","column5":"1.5"}"#,
                r#"{"i":null,"f":null,"b":false,"d":null,"column5":null}"#,
            ],
        );
    }

    #[test]
    fn what_cannot_be_read_or_stored_is_tagged() {
        for event in [r#"{"message":5}"#, r#"{"message":["a"]}"#, r#"{"message":""}"#, r#"{"message":"a\"b"}"#] {
            let expected = event.replace('}', ",\"tags\":[\"_csvparsefailure\"]}");
            check("csv { }", event, &[&expected]);
        }
        check(
            "csv { columns => [\"a\", \"b[\", \"c\"] }",
            r#"{"message":"1,2,3"}"#,
            &[r#"{"message":"1,2,3","a":"1","tags":["_csvparsefailure"]}"#],
        );
    }

    #[test]
    fn many_columns_are_no_trouble() {
        let text = "x,".repeat(10_000);
        let got = run_with("v8", "csv { target => \"t\" }", &[&format!("{{\"message\":\"{text}\"}}")]);
        assert!(got.unwrap_or_default().concat().contains("\"column10001\":null"));
    }

    #[test]
    fn unknown_types_are_found_at_load() {
        assert!(run_with("v8", "csv { convert => { \"a\" => \"decimal\" } }", &[]).is_err());
    }
}
