//! Filter `dns`: addresses of names and names of addresses.
//!
//! What the events of a batch need is asked for side by side, so that a slow server costs a batch one time-out.

mod message;
mod resolver;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tailrace_common::{Event, FieldPath, Str, Timestamp, Value};
use tokio::runtime::Runtime;

use self::resolver::{Hosts, Outcome, Resolver};
use crate::lookup::{Cache, runtime, side_by_side};
use crate::options::{Invalid, Options, value_text};
use crate::plugin::{BuildContext, Fetched, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "dns",
    summary: "Looks up addresses of names and names of addresses.",
    example: "filter { dns { reverse => [\"[source][domain]\"] action => \"replace\" nameserver => [\"127.0.0.1\"] hit_cache_size => 8000 hit_cache_ttl => 300 failed_cache_size => 1000 failed_cache_ttl => 10 } }",
    build,
};

/// Questions on the way at once.
const AT_ONCE: usize = 256;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let resolve = options.fields("resolve");
    let reverse = options.fields("reverse");
    let replace = options.one_of("action", &["append", "replace"], "append") == "replace";
    let resolver = resolver(&mut options, build);
    let size = |value: Option<i64>| usize::try_from(value.unwrap_or(0)).unwrap_or(0);
    let hits = Cache::new(size(options.integer("hit_cache_size")));
    let failures = Cache::new(size(options.integer("failed_cache_size")));
    let hit_ttl = options.number("hit_cache_ttl").unwrap_or(60.0);
    let failed_ttl = options.number("failed_cache_ttl").unwrap_or(5.0);
    let tags = options.tags("tag_on_timeout", "_dnstimeout");
    let runtime = runtime().map_err(|message| options.error_at("dns", message));
    options.finish()?;
    Ok(Box::new(Dns {
        resolve,
        reverse,
        replace,
        resolver: Arc::new(resolver),
        hits,
        failures,
        ttl: (hit_ttl.ceil() as i64, failed_ttl.ceil() as i64),
        tags,
        runtime: runtime.map_err(|()| Invalid)?,
        counts: Counts::default(),
    }))
}

fn resolver(options: &mut Options<'_>, build: &BuildContext<'_>) -> Resolver {
    let (mut servers, mut search, mut dots) = resolver::system(Path::new("/etc/resolv.conf"));
    if options.is_set("nameserver") {
        (servers, search, dots) = (Vec::new(), Vec::new(), 1);
        let given = options.list("nameserver");
        let addresses: Vec<Value> = match given.as_slice() {
            [Value::Object(settings)] => {
                let list = |name: &str| match settings.get(name) {
                    Some(Value::Array(values)) => values.clone(),
                    Some(single) => vec![single.clone()],
                    None => Vec::new(),
                };
                search = list("search").iter().map(value_text).collect();
                dots = settings.get("ndots").and_then(|value| value_text(value).parse().ok()).unwrap_or(1);
                list("address")
            }
            _ => given,
        };
        for address in addresses.iter().map(value_text) {
            match resolver::server(&address) {
                Some(server) => servers.push(server),
                None => options.error_at("nameserver", format!("'{address}' is no address of a name server")),
            }
        }
    }
    let mut hosts = Hosts::default();
    let files = match options.existing_paths("hostsfile") {
        files if options.is_set("hostsfile") => files,
        _ => vec!["/etc/hosts".into()],
    };
    for file in files {
        // Without a hosts file there are no hosts.
        hosts.add(&std::fs::read_to_string(build.directory.join(file)).unwrap_or_default());
    }
    let timeout = options.number("timeout").unwrap_or(0.5);
    let retries = options.integer("max_retries").unwrap_or(2);
    Resolver {
        servers,
        search,
        dots,
        hosts,
        timeout: Duration::from_secs_f64(timeout.clamp(0.001, 60.0)),
        retries: u32::try_from(retries.clamp(0, 100)).unwrap_or(0),
    }
}

struct Dns {
    resolve: Vec<FieldPath>,
    reverse: Vec<FieldPath>,
    replace: bool,
    resolver: Arc<Resolver>,
    hits: Cache<Str>,
    failures: Cache<()>,
    /// Seconds that a hit and a failure are kept.
    ttl: (i64, i64),
    tags: Vec<String>,
    runtime: &'static Runtime,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    asked: AtomicU64,
    cached: AtomicU64,
    timed_out: AtomicU64,
}

/// What is looked up: a name, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Direction {
    Resolve,
    Reverse,
}

/// What came of the look-ups of a batch.
type Outcomes = HashMap<(Direction, Str), Outcome>;

/// Why a field is left as it is.
enum Left {
    /// Nothing to look up; the next field may have something.
    Missing,
    /// The filter is done with the event.
    Failed,
    TimedOut,
}

impl Filter for Dns {
    fn prefetch(&self, events: &[Event], now: Timestamp) -> Fetched {
        let mut wanted = Vec::new();
        let mut seen = Outcomes::new();
        for (direction, fields) in [(Direction::Resolve, &self.resolve), (Direction::Reverse, &self.reverse)] {
            for (event, field) in events.iter().flat_map(|event| fields.iter().map(move |field| (event, field))) {
                let Some(Ok(text)) = event.get(field).map(single) else { continue };
                let key = (direction, text.clone());
                if direction == Direction::Reverse && text.parse::<IpAddr>().is_err() || seen.contains_key(&key) {
                    continue;
                }
                // Stands for the answer that is to come.
                seen.insert(key.clone(), Outcome::Failed);
                wanted.push(key);
            }
        }
        Fetched::new(self.look_up(wanted, now))
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let now = context.now;
        for (direction, fields) in [(Direction::Resolve, &self.resolve), (Direction::Reverse, &self.reverse)] {
            for field in fields {
                let found = match context.fetched::<Outcomes>() {
                    Some(outcomes) => self.field(direction, field, event, outcomes, now),
                    None => self.field(direction, field, event, &mut Outcomes::new(), now),
                };
                match found {
                    Ok(()) | Err(Left::Missing) => {}
                    Err(Left::Failed) => return context.failed(event, &[""; 0]),
                    Err(Left::TimedOut) => return context.failed(event, &self.tags),
                }
            }
        }
        context.matched(event);
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("lookups", count(&self.counts.asked)),
            ("cache_hits", count(&self.counts.cached)),
            ("timeouts", count(&self.counts.timed_out)),
        ]
    }
}

/// The text of a field, or the only one of its list.
fn single(value: &Value) -> Result<&Str, Left> {
    match value {
        Value::String(text) => Ok(text),
        Value::Array(values) => match values.as_slice() {
            [Value::String(text)] => Ok(text),
            _ => Err(Left::Failed),
        },
        Value::Null => Err(Left::Missing),
        _ => Err(Left::Failed),
    }
}

impl Dns {
    fn field(
        &self,
        direction: Direction,
        field: &FieldPath,
        event: &mut Event,
        outcomes: &mut Outcomes,
        now: Timestamp,
    ) -> Result<(), Left> {
        let value = event.get_mut(field).ok_or(Left::Missing)?;
        let key = (direction, single(value)?.clone());
        if direction == Direction::Reverse && key.1.parse::<IpAddr>().is_err() {
            return Err(Left::Failed);
        }
        if !outcomes.contains_key(&key) {
            // What an earlier field or filter of this event made of it was not known before.
            outcomes.extend(self.look_up(vec![key.clone()], now));
        }
        let found = match outcomes.get(&key) {
            Some(Outcome::Found(found)) => Value::from(found.as_str()),
            Some(Outcome::TimedOut) => return Err(Left::TimedOut),
            Some(Outcome::Failed) | None => return Err(Left::Failed),
        };
        match (self.replace, value) {
            (true, Value::Array(values)) => *values = vec![found],
            (true, value) => *value = found,
            (false, Value::Array(values)) => values.push(found),
            (false, value) => *value = Value::Array(vec![std::mem::take(value), found]),
        }
        Ok(())
    }

    /// Looks up what the caches do not hold.
    fn look_up(&self, keys: Vec<(Direction, Str)>, now: Timestamp) -> Outcomes {
        let mut outcomes = Outcomes::with_capacity(keys.len());
        let mut asked = Vec::new();
        for key in keys {
            if self.failures.get(&key.1, now).is_some() {
                self.counts.cached.fetch_add(1, Ordering::Relaxed);
                outcomes.insert(key, Outcome::Failed);
            } else if let Some(found) = self.hits.get(&key.1, now) {
                self.counts.cached.fetch_add(1, Ordering::Relaxed);
                outcomes.insert(key, Outcome::Found(found.to_string()));
            } else {
                asked.push(key);
            }
        }
        self.counts.asked.fetch_add(asked.len() as u64, Ordering::Relaxed);
        let time = self.resolver.longest() + Duration::from_millis(50);
        let answers = side_by_side(self.runtime, asked.clone(), AT_ONCE, time, |(direction, text)| {
            let resolver = self.resolver.clone();
            async move {
                match (direction, text.parse()) {
                    (Direction::Reverse, Ok(address)) => resolver.name_of(address).await,
                    _ => resolver.address_of(&text).await,
                }
            }
        });
        for (key, answer) in asked.into_iter().zip(answers) {
            let outcome = answer.unwrap_or(Outcome::TimedOut);
            match &outcome {
                Outcome::Found(found) => {
                    self.hits.insert_until(&key.1, Str::from(found.as_str()), now.secs.saturating_add(self.ttl.0))
                }
                Outcome::Failed => self.failures.insert_until(&key.1, (), now.secs.saturating_add(self.ttl.1)),
                Outcome::TimedOut => {
                    self.counts.timed_out.fetch_add(1, Ordering::Relaxed);
                    self.failures.insert_until(&key.1, (), now.secs.saturating_add(self.ttl.1));
                }
            }
            outcomes.insert(key, outcome);
        }
        outcomes
    }
}

#[cfg(test)]
mod tests;
