//! Filter `elasticsearch`: takes fields from documents that Elasticsearch finds for an event.
//!
//! The searches of a batch are sent side by side, so that a slow cluster costs a batch one time-out.

mod dsl;
mod esql;
mod search;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::{Event, Timestamp, Value};
use tokio::runtime::Runtime;

use self::dsl::Dsl;
use self::esql::Esql;
use self::search::{Cluster, Search};
use crate::lookup::{runtime, side_by_side};
use crate::options::{Invalid, Options};
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
    let query = match options.one_of("query_type", &["dsl", "esql"], "dsl") {
        "esql" => Query::Esql(Esql::read(&mut options)),
        _ => Query::Dsl(Box::new(Dsl::read(&mut options, build))),
    };
    let tags = options.tags("tag_on_failure", "_elasticsearch_lookup_failure");
    let runtime = runtime().map_err(|message| options.error_at("hosts", message));
    options.finish()?;
    let cluster = Arc::new(cluster.ok_or(Invalid)?);
    Ok(Box::new(Elasticsearch { cluster, query, tags, runtime: runtime.map_err(|()| Invalid)? }))
}

enum Query {
    Dsl(Box<Dsl>),
    Esql(Esql),
}

struct Elasticsearch {
    cluster: Arc<Cluster>,
    query: Query,
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
        match &self.query {
            Query::Dsl(dsl) => dsl.search(event),
            Query::Esql(esql) => Ok(esql.search(event)),
        }
    }

    /// Takes over what was found; whether the event matched. A table without rows is a match, as in Logstash.
    fn keep(&self, found: &Value, event: &mut Event) -> Result<bool, String> {
        match &self.query {
            Query::Dsl(dsl) => dsl.keep(found, event),
            Query::Esql(esql) => esql.keep(found, event).map(|()| true),
        }
    }
}

#[cfg(test)]
mod tests;
