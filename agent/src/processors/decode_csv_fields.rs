//! `decode_csv_fields`: a line of CSV becomes a list of texts.

use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::edit::Strictness;
use super::field::go_type;
use super::{Failure, Field, Outcome, Processor};
use crate::config::section::{Section, fold_dots};
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct DecodeCsv {
    fields: Vec<(Field, Field)>,
    separator: char,
    overwrite_keys: bool,
    trim_leading_space: bool,
    strictness: Strictness,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let fields = section.get("fields").map(fold_dots).unwrap_or_default();
    let fields = fields.into_iter().filter_map(|(from, to)| {
        let to = to.as_text();
        if to.is_none() {
            section.error("fields", format!("'{}.{from}' must name a field", section.name("fields")), None);
        }
        Some((Field::new(&from), Field::new(to?)))
    });
    let mut separator = section.text("separator").unwrap_or(",").chars();
    let (one, more) = (separator.next(), separator.next());
    if one.is_none() || more.is_some() || one == Some('"') {
        section.error("separator", "'separator' must be one character, and not a double quote", None);
    }
    Some(Arc::new(DecodeCsv {
        fields: fields.collect(),
        separator: one.unwrap_or(','),
        overwrite_keys: section.boolean("overwrite_keys", false),
        trim_leading_space: section.boolean("trim_leading_space", false),
        strictness: Strictness::read(section),
    }))
}

/// The columns of the first record. Quotes within plain columns stand for themselves.
fn columns(text: &str, separator: char, trim: bool) -> Vec<String> {
    let mut columns = Vec::new();
    let mut rest = text;
    loop {
        if trim {
            rest = rest.trim_start();
        }
        let (column, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_column(quoted, separator),
            None => {
                let end = rest.find([separator, '\n']).unwrap_or(rest.len());
                (rest[..end].trim_end_matches('\r').to_owned(), &rest[end..])
            }
        };
        columns.push(column);
        match behind.strip_prefix(separator) {
            Some(next) => rest = next,
            None => return columns,
        }
    }
}

/// A column behind its opening quote, and what follows it.
fn quoted_column(text: &str, separator: char) -> (String, &str) {
    let mut column = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        column.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('"') {
            column.push('"');
            rest = behind;
        } else if rest.is_empty() || rest.starts_with([separator, '\n', '\r']) {
            return (column, rest);
        } else {
            // A quote in the middle of a quoted column stands for itself.
            column.push('"');
        }
    }
    column.push_str(rest);
    (column, "")
}

impl Processor for DecodeCsv {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &self.fields, "failed to decode csv fields", |event, (from, to)| {
            let Some(value) = self.strictness.value(from, event)? else { return Ok(()) };
            let Some(text) = value.as_str() else {
                return Err(Failure(format!("field {} is not of string type but {}", from.name(), go_type(value))));
            };
            let columns = columns(text, self.separator, self.trim_leading_space);
            if from.name() != to.name() && !self.overwrite_keys && to.get(event).is_some() {
                let name = to.name();
                return Err(Failure(format!(
                    "target field {name} already has a value. Set the overwrite_keys flag or drop/rename the field first"
                )));
            }
            to.put(event, columns.into_iter().map(Value::from).collect::<Vec<_>>())
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::columns;
    use crate::processors::read::tests::changed;

    #[test]
    fn columns_are_cut_at_separators() {
        for (text, wanted) in [
            ("a,b,,d", vec!["a", "b", "", "d"]),
            (r#""a,1","b""c",d"#, vec!["a,1", "b\"c", "d"]),
            (r#"a"b,"c"d",e"#, vec!["a\"b", "c\"d", "e"]),
            ("\"open, to the end", vec!["open, to the end"]),
            ("first\nsecond", vec!["first"]),
            ("", vec![""]),
        ] {
            assert_eq!(columns(text, ',', false), wanted, "{text}");
        }
        assert_eq!(columns("a; \"b\"", ';', true), ["a", "b"]);
    }

    #[test]
    fn columns_become_a_list() {
        let decode = "- decode_csv_fields: {fields: {message: csv.columns}}";
        assert_eq!(changed(decode, r#"{"message":"x,1"}"#)["csv"], json!({"columns": ["x", "1"]}));
    }
}
