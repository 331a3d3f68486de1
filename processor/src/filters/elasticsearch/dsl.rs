//! `query_type => dsl`: searches in the query DSL or by a query string, of whose documents fields are taken.

use tailrace_common::{Event, FieldPath, Object, Str, Value};

use super::search::Search;
use crate::options::{Options, value_text};
use crate::plan::template::Template;
use crate::plugin::BuildContext;

/// What is searched for, and what is taken of the documents found.
pub(super) struct Dsl {
    index: Option<Template>,
    query: Query,
    fields: Copies,
    docinfo: Copies,
    aggregations: Copies,
}

enum Query {
    /// In the query DSL, as JSON with fields filled in.
    Template(Template),
    /// As a query string.
    Text { text: Template, size: i64, sort: Option<String> },
}

impl Dsl {
    pub(super) fn read(options: &mut Options<'_>, build: &BuildContext<'_>) -> Dsl {
        if !options.list("query_params").is_empty() {
            options.error_at("query_params", "'query_params' needs query_type => esql");
        }
        let index = options.template("index");
        let text = options.template("query");
        let template = options.existing_path("query_template");
        if text.is_some() && template.is_some() {
            options.error_at("query", "set either 'query' or 'query_template'");
        }
        if text.is_none() && template.is_none() && !options.is_set("query_template") {
            options.error_at("query", "set 'query' or 'query_template'");
        }
        let template = template.and_then(|path| {
            let path = build.directory.join(path);
            let read = std::fs::read_to_string(&path).map_err(|error| {
                options.error_at("query_template", format!("cannot read '{}': {error}", path.display()));
            });
            read.ok().map(|text| Template::parse(&text))
        });
        let sort = options.string("sort").unwrap_or_else(|| "@timestamp:desc".into());
        let sort = options.boolean("enable_sort", true).then_some(sort);
        let size = options.integer("result_size").unwrap_or(1);
        let target = options.field("target");
        let query = match template {
            Some(template) => Query::Template(template),
            None => Query::Text { text: text.unwrap_or_else(|| Template::parse("")), size, sort },
        };
        Dsl {
            index,
            query,
            fields: copies(options, "fields", target.as_ref()),
            docinfo: copies(options, "docinfo_fields", None),
            aggregations: copies(options, "aggregation_fields", target.as_ref()),
        }
    }

    pub(super) fn search(&self, event: &Event) -> Result<Search, String> {
        let fill = |template: &Template| template.render(event).map_err(|error| error.to_string());
        let index = self.index.as_ref().map(fill).transpose()?.filter(|index| !index.is_empty());
        let path = index.into_iter().chain(["_search".into()]).collect();
        Ok(match &self.query {
            Query::Template(template) => {
                Search { path, query: Vec::new(), body: Some(fill(template)?.as_bytes().to_vec()) }
            }
            Query::Text { text, size, sort } => {
                let mut query = vec![("q", fill(text)?), ("size", Str::from(size.to_string()))];
                query.extend(sort.as_ref().map(|sort| ("sort", Str::from(sort.as_str()))));
                Search { path, query, body: None }
            }
        })
    }

    /// Takes the fields over; whether anything was found.
    ///
    /// # Errors
    /// A message for the log, when a field cannot be set.
    pub(super) fn keep(&self, found: &Value, event: &mut Event) -> Result<bool, String> {
        let hits = found.as_object().and_then(|found| found.get("hits")).and_then(Value::as_object);
        let total = hits.and_then(|hits| hits.get("total"));
        let total = match total {
            Some(Value::Object(total)) => total.get("value").cloned(),
            other => other.cloned(),
        };
        if let Some(total) = total {
            event.metadata_mut().insert("total_hits", total);
        }
        let mut set = |path: &FieldPath, value: Value| event.set(path, value).map_err(|error| error.to_string());
        let documents = hits.and_then(|hits| hits.get("hits")).and_then(Value::as_array).unwrap_or_default();
        if !documents.is_empty() {
            let source = Str::borrowed("_source");
            for (keys, path) in &self.fields {
                set(path, of_all(documents, |document| at(at(document, [&source])?, keys)))?;
            }
            for (keys, path) in &self.docinfo {
                set(path, of_all(documents, |document| at(document, keys)))?;
            }
        }
        let aggregations = found.as_object().and_then(|found| found.get("aggregations"));
        let aggregations = aggregations.and_then(Value::as_object).filter(|found| !found.is_empty());
        if let Some(aggregations) = aggregations {
            for (keys, path) in &self.aggregations {
                let name = keys.iter().map(Str::as_str).collect::<Vec<_>>().join("][");
                set(path, aggregations.get(&name).cloned().unwrap_or_default())?;
            }
        }
        Ok(!documents.is_empty() || aggregations.is_some())
    }
}

/// What is taken from where: the path in the document, and the field that it goes to.
type Copies = Vec<(Vec<Str>, FieldPath)>;

fn copies(options: &mut Options<'_>, option: &'static str, target: Option<&FieldPath>) -> Copies {
    let given = options.hash(option);
    let mut copies = Vec::with_capacity(given.len());
    for (from, to) in given {
        let to = value_text(&to);
        let to = match target {
            Some(target) if to.starts_with('[') => format!("{}{to}", bracketed(target)),
            Some(target) => format!("{}[{to}]", bracketed(target)),
            None => to,
        };
        if let Some(path) = options.path(option, &to) {
            copies.push((keys(&from), path));
        }
    }
    copies
}

fn bracketed(path: &FieldPath) -> String {
    let text = path.to_string();
    if text.starts_with('[') { text } else { format!("[{text}]") }
}

/// `[a][b]` as its keys; anything else is one key.
fn keys(text: &str) -> Vec<Str> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(inner) => inner.split("][").map(Str::from).collect(),
        None => vec![Str::from(text)],
    }
}

/// The value in each document, as a list; of one document by itself.
fn of_all<'d>(documents: &'d [Value], find: impl Fn(&'d Value) -> Option<&'d Value>) -> Value {
    let mut values: Vec<Value> = documents.iter().map(|document| find(document).cloned().unwrap_or_default()).collect();
    if values.len() == 1 { values.swap_remove(0) } else { Value::Array(values) }
}

fn at<'d, 'k>(value: &'d Value, keys: impl IntoIterator<Item = &'k Str>) -> Option<&'d Value> {
    keys.into_iter().try_fold(value, |value, key| value.as_object().and_then(|object: &Object| object.get(key)))
}
