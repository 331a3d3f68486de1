//! Filter `memcached`: gets fields from memcached and sets values there.
//!
//! The commands of all events of a batch go to a server in one piece, in the order of the events.

mod client;
mod marshal;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use tailrace_common::{Event, FieldPath, Str, Timestamp, Value};
use tokio::runtime::Runtime;

use self::client::{Answer, Client, Command};
use crate::lookup::{Cache, runtime};
use crate::options::{Invalid, Options, value_text};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Fetched, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "memcached",
    summary: "Gets fields from memcached and sets values there.",
    example: "filter { memcached { hosts => [\"localhost:11211\"] namespace => \"threats\" get => { \"ip:%{[source][ip]}\" => \"[threat][name]\" } } }",
    build,
};

const PORT: u16 = 11_211;
/// A longer time is taken for a moment by the server.
const LONGEST_RELATIVE: u64 = 30 * 86_400;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let mut hosts = options.strings("hosts");
    if options.is_set("hosts") && hosts.is_empty() {
        options.error_at("hosts", "'hosts' must name a server");
    }
    if hosts.is_empty() {
        hosts.push("localhost".into());
    }
    let prefix = options.string("namespace").filter(|name| !name.is_empty()).map(|name| format!("{name}:"));
    let prefix = prefix.unwrap_or_default();
    let key = |template: &str| Template::parse(&format!("{prefix}{template}"));
    let get = options.hash("get");
    let get =
        get.iter().filter_map(|(template, field)| Some((key(template), options.path("get", &value_text(field))?)));
    let get: Vec<_> = get.collect();
    let set = options.hash("set");
    let set =
        set.iter().filter_map(|(field, template)| Some((options.path("set", field)?, key(&value_text(template)))));
    let set: Vec<_> = set.collect();
    let ttl = options.integer("ttl").unwrap_or(0);
    let ttl = u64::try_from(ttl).unwrap_or_else(|_| {
        options.error_at("ttl", "'ttl' must not be negative");
        0
    });
    let ttl = match ttl {
        0..=LONGEST_RELATIVE => ttl,
        _ => ttl.saturating_add(u64::try_from(build.clock.now().secs).unwrap_or(0)),
    };
    let tag = options.string("tag_on_failure").unwrap_or_else(|| "_memcached_failure".into());
    let cache_ttl = options.number("lru_cache_ttl").unwrap_or(0.0).ceil() as i64;
    let cache_size = options.integer("lru_cache_max_size").unwrap_or(1024);
    let cache_size = if cache_ttl > 0 { usize::try_from(cache_size).unwrap_or(0) } else { 0 };
    let runtime = runtime().map_err(|message| options.error_at("memcached", message));
    options.finish()?;
    Ok(Box::new(Memcached {
        client: Client::new(hosts.iter().map(|host| with_port(host)).collect(), ttl),
        get,
        set,
        tag,
        cache: Cache::new(cache_size),
        cache_ttl,
        runtime: runtime.map_err(|()| Invalid)?,
        counts: Counts::default(),
    }))
}

/// `host`, `host:port`, `::1`, `[::1]:port`.
fn with_port(host: &str) -> String {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && (!name.contains(':') || name.ends_with(']')) => {
            host.into()
        }
        Some((name, _)) if name.contains(':') && !host.ends_with(']') => format!("[{host}]:{PORT}"),
        _ => format!("{host}:{PORT}"),
    }
}

struct Memcached {
    client: Client,
    /// Keys and the fields that their values go to.
    get: Vec<(Template, FieldPath)>,
    /// Fields and the keys that their values go to.
    set: Vec<(FieldPath, Template)>,
    tag: String,
    /// What was got lately, also that there is nothing.
    cache: Cache<Option<Value>>,
    cache_ttl: i64,
    runtime: &'static Runtime,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    failures: AtomicU64,
}

/// What came of the commands of one event.
#[derive(Default)]
struct Found {
    /// Per entry of `get`.
    values: Vec<Option<Value>>,
    set: bool,
    failed: bool,
}

impl Filter for Memcached {
    fn prefetch(&self, events: &[Event], now: Timestamp) -> Fetched {
        Fetched::new(self.ask(events, now))
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let Some(found) = context.fetched::<VecDeque<Found>>().and_then(VecDeque::pop_front) else { return };
        if found.failed {
            context.failed(event, &[&self.tag]);
            return;
        }
        let mut any = found.set;
        for ((_, field), value) in self.get.iter().zip(found.values) {
            let Some(value) = value else { continue };
            any = true;
            if event.set(field, value).is_err() {
                context.failed(event, &[&self.tag]);
                return;
            }
        }
        if any {
            context.matched(event);
        }
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("hits", count(&self.counts.hits)),
            ("misses", count(&self.counts.misses)),
            ("failed_commands", count(&self.counts.failures)),
        ]
    }
}

/// A command on the way, and whose answer it is: the event, and which of its gets.
type Place = (usize, Option<usize>);

impl Memcached {
    /// Runs the commands of all events.
    fn ask(&self, events: &[Event], now: Timestamp) -> VecDeque<Found> {
        let mut all: VecDeque<Found> = events.iter().map(|_| self.nothing()).collect();
        let mut commands = Vec::new();
        let mut places: Vec<Place> = Vec::new();
        let mut keys: Vec<Str> = Vec::new();
        for (number, (event, found)) in events.iter().zip(&mut all).enumerate() {
            for (field, template) in &self.set {
                match (event.get(field), template.render(event)) {
                    (None | Some(Value::Null), _) => {}
                    (Some(_), Err(_)) => found.failed = true,
                    (Some(value), Ok(key)) => {
                        found.set = true;
                        places.push((number, None));
                        keys.push(key.clone());
                        commands.push(Command::Set(key, value.clone()));
                    }
                }
            }
            for (at, (template, _)) in self.get.iter().enumerate() {
                let Ok(key) = template.render(event) else {
                    found.failed = true;
                    continue;
                };
                match self.cache.get(&key, now) {
                    Some(known) => found.values[at] = known,
                    None => {
                        places.push((number, Some(at)));
                        keys.push(key.clone());
                        commands.push(Command::Get(key));
                    }
                }
            }
        }
        if commands.is_empty() {
            return all;
        }
        let answers = self.runtime.block_on(self.client.run(commands));
        for ((place, key), answer) in places.into_iter().zip(keys).zip(answers) {
            self.place(place, &key, answer, &mut all, now);
        }
        all
    }

    fn nothing(&self) -> Found {
        Found { values: vec![None; self.get.len()], ..Found::default() }
    }

    fn place(&self, (number, get): Place, key: &str, answer: Answer, all: &mut VecDeque<Found>, now: Timestamp) {
        let Some(found) = all.get_mut(number) else { return };
        match (answer, get) {
            (Err(error), _) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, "memcached");
                found.failed = true;
            }
            (Ok(_), None) => {}
            (Ok(value), Some(at)) => {
                let counter = if value.is_some() { &self.counts.hits } else { &self.counts.misses };
                counter.fetch_add(1, Ordering::Relaxed);
                self.cache.insert_until(key, value.clone(), now.secs.saturating_add(self.cache_ttl));
                found.values[at] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests;
