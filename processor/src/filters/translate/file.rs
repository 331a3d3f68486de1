//! Dictionaries in files: YAML, JSON, CSV.

use std::fs;
use std::path::Path;

use tailrace_common::json::{self, Numbers};
use tailrace_common::yaml::{self, Kind, Node, Position, Scalar};
use tailrace_common::{Object, Str, Value};

use super::dictionary::BadKey;

/// How large a dictionary may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// `yaml_dictionary_code_point_limit`.
    pub(super) code_points: usize,
}

/// A dictionary that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("cannot read '{path}': {source}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("'{0}' is none of .yml, .yaml, .json and .csv")]
    UnknownFormat(String),
    #[error("{path}:{position}: {message}")]
    Broken { path: String, position: Position, message: String },
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// Reads all entries in the order of the file.
pub(super) fn read(path: &Path, limits: Limits) -> Result<Vec<(Str, Value)>, FileError> {
    let shown = path.display().to_string();
    let format = path.extension().and_then(|extension| extension.to_str());
    let parse = match format {
        Some("yml" | "yaml") => of_yaml,
        Some("json") => of_json,
        Some("csv") => of_csv,
        _ => return Err(FileError::UnknownFormat(shown)),
    };
    let bytes = fs::read(path).map_err(|source| FileError::Unreadable { path: shown.clone(), source })?;
    let broken = |(position, message)| FileError::Broken { path: shown.clone(), position, message };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
            return Err(broken((position_at(&before, before.len()), "is not UTF-8".into())));
        }
    };
    let limit = limits.code_points;
    if matches!(format, Some("yml" | "yaml")) && text.len() > limit && text.chars().count() > limit {
        let message = format!("is longer than the {limit} characters of 'yaml_dictionary_code_point_limit'");
        return Err(broken((Position { line: 1, column: 1 }, message)));
    }
    parse(text).map_err(broken)
}

type Entries = Result<Vec<(Str, Value)>, (Position, String)>;

fn of_yaml(text: String) -> Entries {
    let root = yaml::parse(&text).map_err(|error| (error.position, error.message))?;
    match root.kind {
        Kind::Map(entries) => {
            Ok(entries.into_iter().map(|(key, node)| (Str::from(key.text), yaml_value(node))).collect())
        }
        _ if root.is_null() => Ok(Vec::new()),
        _ => Err((root.position, format!("must be a map, this is {}", root.type_name()))),
    }
}

/// As Ruby reads YAML: `yes` and `off` are booleans.
fn yaml_value(node: Node) -> Value {
    match node.kind {
        // The depth of documents is limited.
        Kind::List(items) => Value::Array(items.into_iter().map(yaml_value).collect()),
        Kind::Map(entries) => {
            let entries = entries.into_iter().map(|(key, node)| (Str::from(key.text), yaml_value(node)));
            Value::Object(entries.collect::<Object>())
        }
        Kind::Scalar { plain: false, text } => Value::from(text),
        Kind::Scalar { ref text, .. } => match node.scalar() {
            Some(Scalar::Null) | None => Value::Null,
            Some(Scalar::Bool(flag)) => Value::Bool(flag),
            Some(Scalar::Int(number)) => Value::Int(number),
            Some(Scalar::Float(number)) => Value::Float(number),
            Some(Scalar::Text(_)) => match text.to_ascii_lowercase().as_str() {
                "yes" | "on" => Value::Bool(true),
                "no" | "off" => Value::Bool(false),
                _ => Value::from(text.as_str()),
            },
        },
    }
}

fn of_json(text: String) -> Entries {
    let text = Str::from(text);
    match json::parse(&text, Numbers::Decimal) {
        Ok(Value::Object(entries)) => Ok(entries.into_iter().collect()),
        Ok(other) => {
            Err((Position { line: 1, column: 1 }, format!("must be an object, this is {}", other.type_name())))
        }
        Err(error) => Err((position_at(&text, error.offset), error.message.into())),
    }
}

fn position_at(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line..].chars().count() + 1 }
}

/// Two columns a row: the key and its value; what follows them is not read.
fn of_csv(text: String) -> Entries {
    let mut entries = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut line = 1;
    while !rest.is_empty() {
        let at = Position { line, column: 1 };
        let (row, after) = row(rest).map_err(|message| (at, message.to_string()))?;
        line += rest[..rest.len() - after.len()].matches('\n').count();
        rest = after;
        let mut columns = row.into_iter();
        if let Some(Some(key)) = columns.next() {
            let value = columns.next().flatten().map_or(Value::Null, Value::from);
            entries.push((Str::from(key), value));
        }
    }
    Ok(entries)
}

/// The columns of the first row, and what follows it. Columns that are empty and not quoted are none.
fn row(text: &str) -> Result<(Vec<Option<String>>, &str), &'static str> {
    let mut columns = Vec::new();
    let mut rest = text;
    loop {
        let (column, after) = column(rest)?;
        columns.push(column);
        rest = match after.as_bytes().first() {
            Some(b',') => &after[1..],
            Some(b'\r') => return Ok((columns, after[1..].strip_prefix('\n').unwrap_or(&after[1..]))),
            Some(_) => return Ok((columns, &after[1..])),
            None => return Ok((columns, after)),
        };
    }
}

fn column(text: &str) -> Result<(Option<String>, &str), &'static str> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n', '\r']).unwrap_or(text.len());
        if text[..end].contains('"') {
            return Err("a quote in a column that does not begin with one");
        }
        return Ok(((end > 0).then(|| text[..end].to_string()), &text[end..]));
    };
    let mut column = String::new();
    loop {
        let end = rest.find('"').ok_or("a quoted column without an end")?;
        column.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                column.push('"');
                rest = after;
            }
            None if rest.is_empty() || rest.starts_with([',', '\n', '\r']) => return Ok((Some(column), rest)),
            None => return Err("text after the closing quote of a column"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read_as(name: &str, text: &str) -> Result<Vec<(Str, Value)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let read = read(&path, Limits { code_points: 1000 });
        read.map_err(|error| error.to_string().replace(&folder.path().display().to_string(), ""))
    }

    #[test]
    fn the_three_formats() {
        let map: Object = [("k", 1)].into_iter().collect();
        let wanted: Vec<(Str, Value)> = vec![
            ("100".into(), "Continue".into()),
            ("n".into(), 5.into()),
            ("b".into(), true.into()),
            ("m".into(), map.into()),
            ("z".into(), Value::Null),
        ];
        assert_eq!(read_as("d.yml", "\"100\": Continue\nn: 5\nb: yes\nm: {k: 1}\nz:\n").unwrap(), wanted);
        let json = r#"{"100":"Continue","n":5,"b":true,"m":{"k":1},"z":null}"#;
        assert_eq!(read_as("d.json", json).unwrap(), wanted);
        let csv = "100,Continue\r\n\n\"a \"\"b\"\"\",\"two\nlines\"\nlone\nx,y,ignored\n,no key";
        let wanted: Vec<(Str, Value)> = vec![
            ("100".into(), "Continue".into()),
            ("a \"b\"".into(), "two\nlines".into()),
            ("lone".into(), Value::Null),
            ("x".into(), "y".into()),
        ];
        assert_eq!(read_as("d.csv", csv).unwrap(), wanted);
    }

    #[test]
    fn broken_files_are_told_with_their_place() {
        for (name, text, message) in [
            ("d.yaml", "a: 1\na: 2", "/d.yaml:2:1: the key 'a' is given twice"),
            ("d.yml", "- a", "/d.yml:1:1: must be a map, this is a list"),
            ("d.json", "{\"a\":\n 1,}", "/d.json:2:4: "),
            ("d.json", "[1]", "/d.json:1:1: must be an object, this is array"),
            ("d.csv", "a,b\nc,d\"e\n", "/d.csv:2:1: a quote in a column that does not begin with one"),
            ("d.csv", "a,b\n\"c", "/d.csv:2:1: a quoted column without an end"),
            ("d.csv", "\"a\"b", "/d.csv:1:1: text after the closing quote of a column"),
            ("d.txt", "a", "'/d.txt' is none of .yml, .yaml, .json and .csv"),
        ] {
            let error = read_as(name, text).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
        let long = format!("a: {}", "x".repeat(2000));
        assert!(read_as("d.yml", &long).unwrap_err().contains("yaml_dictionary_code_point_limit"));
    }
}
