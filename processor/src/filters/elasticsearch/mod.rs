//! Filter `elasticsearch`: takes fields from documents that Elasticsearch finds for an event.
//!
//! The searches of a batch are sent side by side, so that a slow cluster costs a batch one time-out.

mod search;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};
use tokio::runtime::Runtime;

use self::search::{Cluster, Search};
use crate::lookup::{runtime, side_by_side};
use crate::options::{Invalid, Options, value_text};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Fetched, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "elasticsearch",
    summary: "Takes fields from documents that Elasticsearch finds for an event.",
    example: "filter { elasticsearch { hosts => [\"localhost:9200\"] index => \"orders-*\" query => \"type:start AND id:%{[order][id]}\" fields => { \"@timestamp\" => \"[order][started]\" } } }",
    build,
};

/// Searches on the way at once.
const AT_ONCE: usize = 32;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    // ECS changes nothing but a hint that Logstash logs.
    options.ecs();
    let cluster = Cluster::read(&mut options);
    let index = options.template("index");
    let query = options.template("query");
    let template = options.existing_path("query_template");
    if query.is_some() && template.is_some() {
        options.error_at("query", "set either 'query' or 'query_template'");
    }
    if query.is_none() && template.is_none() && !options.is_set("query_template") {
        options.error_at("query", "set 'query' or 'query_template'");
    }
    if options.one_of("query_type", &["dsl", "esql"], "dsl") == "esql" {
        options.error_at("query_type", "ES|QL is not supported; write the query as 'query' or 'query_template'");
    }
    let dsl = template.and_then(|path| {
        let path = build.directory.join(path);
        let read = std::fs::read_to_string(&path);
        let read = read
            .map_err(|error| options.error_at("query_template", format!("cannot read '{}': {error}", path.display())));
        read.ok().map(|text| Template::parse(&text))
    });
    let sort = options.string("sort").unwrap_or_else(|| "@timestamp:desc".into());
    let sort = options.boolean("enable_sort", true).then_some(sort);
    let size = options.integer("result_size").unwrap_or(1);
    let target = options.field("target");
    let fields = copies(&mut options, "fields", target.as_ref());
    let docinfo = copies(&mut options, "docinfo_fields", None);
    let aggregations = copies(&mut options, "aggregation_fields", target.as_ref());
    let tags = options.tags("tag_on_failure", "_elasticsearch_lookup_failure");
    let runtime = runtime().map_err(|message| options.error_at("hosts", message));
    options.finish()?;
    let kind = match (dsl, query) {
        (Some(dsl), _) => Query::Dsl(dsl),
        (None, Some(text)) => Query::Text { text, size, sort },
        (None, None) => return Err(Invalid),
    };
    Ok(Box::new(Elasticsearch {
        cluster: Arc::new(cluster.ok_or(Invalid)?),
        index,
        kind,
        fields,
        docinfo,
        aggregations,
        tags,
        runtime: runtime.map_err(|()| Invalid)?,
    }))
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

enum Query {
    /// In the query DSL, as JSON with fields filled in.
    Dsl(Template),
    /// As a query string.
    Text { text: Template, size: i64, sort: Option<String> },
}

struct Elasticsearch {
    cluster: Arc<Cluster>,
    index: Option<Template>,
    kind: Query,
    fields: Copies,
    docinfo: Copies,
    aggregations: Copies,
    tags: Vec<String>,
    runtime: &'static Runtime,
}

/// What was found; the error is a message.
type Answers = VecDeque<Result<Value, String>>;

impl Filter for Elasticsearch {
    fn prefetch(&self, events: &[Event], _now: Timestamp) -> Fetched {
        let searches = events.iter().map(|event| self.search(event)).collect();
        let time = self.cluster.longest() + Duration::from_millis(100);
        let answers = side_by_side(self.runtime, searches, AT_ONCE, time, |search: Result<Search, String>| {
            let cluster = self.cluster.clone();
            async move { cluster.search(search?).await }
        });
        let late = || Err("no answer in time".to_string());
        let answers: Answers = answers.into_iter().map(|answer| answer.unwrap_or_else(late)).collect();
        Fetched::new(answers)
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let Some(answer) = context.fetched::<Answers>().and_then(VecDeque::pop_front) else { return };
        match answer.and_then(|found| self.keep(&found, event)) {
            Ok(true) => context.matched(event),
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%error, "elasticsearch filter");
                context.failed(event, &self.tags);
            }
        }
    }
}

impl Elasticsearch {
    fn search(&self, event: &Event) -> Result<Search, String> {
        let fill = |template: &Template| template.render(event).map_err(|error| error.to_string());
        let index = self.index.as_ref().map(fill).transpose()?.filter(|index| !index.is_empty());
        Ok(match &self.kind {
            Query::Dsl(template) => Search { index, query: Vec::new(), body: Some(fill(template)?) },
            Query::Text { text, size, sort } => {
                let mut query = vec![("q", fill(text)?), ("size", Str::from(size.to_string()))];
                query.extend(sort.as_ref().map(|sort| ("sort", Str::from(sort.as_str()))));
                Search { index, query, body: None }
            }
        })
    }

    /// Takes the fields over; whether anything was found.
    fn keep(&self, found: &Value, event: &mut Event) -> Result<bool, String> {
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

/// The value in each document, as a list; of one document by itself.
fn of_all<'d>(documents: &'d [Value], find: impl Fn(&'d Value) -> Option<&'d Value>) -> Value {
    let mut values: Vec<Value> = documents.iter().map(|document| find(document).cloned().unwrap_or_default()).collect();
    if values.len() == 1 { values.swap_remove(0) } else { Value::Array(values) }
}

fn at<'d, 'k>(value: &'d Value, keys: impl IntoIterator<Item = &'k Str>) -> Option<&'d Value> {
    keys.into_iter().try_fold(value, |value, key| value.as_object().and_then(|object: &Object| object.get(key)))
}

#[cfg(test)]
mod tests;
