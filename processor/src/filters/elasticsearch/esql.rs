//! `query_type => esql`, as `esql_executor.rb` of logstash-filter-elasticsearch 4.3 has it: columns become fields, and
//! rows a list of maps in `target`; without one the first row goes to the event itself.

use std::collections::HashSet;

use tailrace_common::json;
use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use super::search::Search;
use crate::options::{Options, value_text};

/// Options that go with searches only.
const OF_SEARCHES: [&str; 8] =
    ["index", "query_template", "sort", "fields", "docinfo_fields", "aggregation_fields", "enable_sort", "result_size"];

/// A query with its named parameters.
pub(super) struct Esql {
    query: Str,
    parameters: Vec<(Str, Parameter)>,
    target: Option<FieldPath>,
}

/// What is given as a parameter.
enum Parameter {
    /// What an event has there.
    Field(FieldPath),
    Fixed(Value),
}

impl Esql {
    pub(super) fn read(options: &mut Options<'_>) -> Esql {
        for option in OF_SEARCHES {
            if options.raw(option).is_some() {
                options.error_at(option, format!("'{option}' cannot be used with query_type => esql"));
            }
        }
        let query = options.required_string("query");
        let parameters = parameters(options);
        for name in placeholders(&query) {
            if !parameters.iter().any(|(known, _)| known == name) {
                options.error_at("query", format!("the query has '?{name}', which 'query_params' does not give"));
            }
        }
        Esql { query: query.into(), parameters, target: options.field("target") }
    }

    pub(super) fn search(&self, event: &Event) -> Search {
        let parameters = self.parameters.iter().map(|(name, parameter)| {
            let value = match parameter {
                Parameter::Field(path) => event.get(path).cloned().unwrap_or_default(),
                Parameter::Fixed(value) => value.clone(),
            };
            let mut entry = Object::new();
            entry.insert(name.clone(), value);
            Value::Object(entry)
        });
        let mut asked = Object::new();
        asked.insert("query", self.query.clone());
        asked.insert("params", Value::Array(parameters.collect()));
        let mut body = Vec::new();
        json::write_object(&asked, &mut body);
        let query = vec![("format", "json".into()), ("drop_null_columns", "true".into())];
        Search { path: vec!["_query".into()], query, body: Some(body) }
    }

    /// Takes the table over. Values that are null make no field.
    ///
    /// # Errors
    /// A message for the log, when a field cannot be set.
    pub(super) fn keep(&self, found: &Value, event: &mut Event) -> Result<(), String> {
        let list = |name: &str| found.as_object().and_then(|found| found.get(name)?.as_array()).unwrap_or_default();
        let (columns, rows) = (columns(list("columns"))?, list("values"));
        let Some(first) = rows.first() else { return Ok(()) };
        event.metadata_mut().insert("total_values", Value::Int(i64::try_from(rows.len()).unwrap_or(i64::MAX)));
        let Some(target) = &self.target else {
            for (path, value) in fields(&columns, first) {
                event.set(path, value?).map_err(|error| error.to_string())?;
            }
            return Ok(());
        };
        let maps = rows.iter().map(|row| {
            let mut map = Object::new();
            for (path, value) in fields(&columns, row) {
                path.set_in(&mut map, value?).map_err(|error| error.to_string())?;
            }
            Ok(if map.is_empty() { Value::Null } else { Value::Object(map) })
        });
        let maps = maps.collect::<Result<Vec<_>, String>>()?;
        event.set(target, maps).map_err(|error| error.to_string())
    }
}

/// Where a column goes: `a.b` to `[a][b]`.
struct Column {
    path: FieldPath,
    date: bool,
}

/// The columns in their order; nothing for those that lie below another one (`name.keyword` beside `name`), because an
/// event cannot have both.
fn columns(described: &[Value]) -> Result<Vec<Option<Column>>, String> {
    let text = |column: &Value, key: &str| Some(column.as_object()?.get(key)?.as_str()?.to_string());
    let names: Vec<String> = described.iter().map(|column| text(column, "name").unwrap_or_default()).collect();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let mut columns = Vec::with_capacity(names.len());
    for (name, column) in names.iter().zip(described) {
        let below = name.match_indices('.').any(|(dot, _)| known.contains(&name[..dot]));
        columns.push(if below {
            None
        } else {
            let path =
                FieldPath::parse(&format!("[{}]", name.replace('.', "]["))).map_err(|error| error.to_string())?;
            Some(Column { path, date: text(column, "type").as_deref() == Some("date") })
        });
    }
    Ok(columns)
}

/// What a row has for the columns that are taken over.
fn fields<'c>(
    columns: &'c [Option<Column>],
    row: &'c Value,
) -> impl Iterator<Item = (&'c FieldPath, Result<Value, String>)> {
    let values = row.as_array().unwrap_or_default();
    columns.iter().zip(values).filter_map(|(column, value)| {
        let column = column.as_ref().filter(|_| !value.is_null())?;
        Some((&column.path, if column.date { date(value) } else { Ok(value.clone()) }))
    })
}

/// A moment; each of several, of which Logstash makes a failure.
fn date(value: &Value) -> Result<Value, String> {
    match value {
        Value::Array(values) => values.iter().map(date).collect::<Result<_, _>>().map(Value::Array),
        other => {
            let moment = other.as_str().and_then(Timestamp::parse_rfc3339);
            moment.map(Value::Timestamp).ok_or_else(|| format!("'{}' is no moment", value_text(other)))
        }
    }
}

/// `query_params`: a hash, or a list of hashes with one entry each. `[field]` is what the event has there.
fn parameters(options: &mut Options<'_>) -> Vec<(Str, Parameter)> {
    let mut parameters = Vec::new();
    for item in options.list("query_params") {
        let entry = match &item {
            Value::Object(entry) if entry.len() == 1 => entry.iter().next().map(|(key, value)| (key, value)),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(key), value] => Some((key, value)),
                _ => None,
            },
            _ => None,
        };
        let Some((name, value)) = entry else {
            options.error_at("query_params", "'query_params' must be a hash, or a list of hashes with one entry each");
            continue;
        };
        if !is_name(name) {
            let message =
                format!("'{name}' is no name of a parameter: those are of letters in lower case, digits and _");
            options.error_at("query_params", message);
        }
        let parameter = match value.as_str().filter(|text| text.starts_with('[') && text.ends_with(']')) {
            Some(reference) => options.path("query_params", reference).map(Parameter::Field),
            None => Some(Parameter::Fixed(value.clone())),
        };
        parameters.extend(parameter.map(|parameter| (name.clone(), parameter)));
    }
    parameters
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// The names after question marks.
fn placeholders(query: &str) -> impl Iterator<Item = &str> {
    query.split('?').skip(1).filter_map(|after| {
        let end = after.find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        let name = &after[..end.unwrap_or(after.len())];
        (!name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())).then_some(name)
    })
}
