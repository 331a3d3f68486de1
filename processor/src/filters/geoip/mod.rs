//! Filter `geoip`: where an address is, from a MaxMind database.

mod database;
mod field;
#[cfg(test)]
mod mmdb;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tailrace_common::nearest::nearest;
use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use self::database::{Database, DatabaseError};
use self::field::Field;
use crate::lang::diagnostic::Diagnostic;
use crate::lookup::{Cache, Refreshed, put_leaves, runtime, side_by_side};
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Fetched, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "geoip",
    summary: "Adds where an address is, from a MaxMind database.",
    example: "filter { geoip { source => \"[client][ip]\" database => \"/usr/share/GeoIP/GeoLite2-City.mmdb\" } }",
    build,
};

/// Where `geoipupdate` and distributions put databases.
const FOLDERS: [&str; 3] = ["/usr/share/GeoIP", "/var/lib/GeoIP", "/usr/local/share/GeoIP"];
/// Names of hosts that are asked for at once, how long a batch waits for them, and how many seconds they are kept.
const AT_ONCE: usize = 32;
const NAME_TIME: Duration = Duration::from_secs(5);
const NAME_SECONDS: i64 = 300;
/// Logstash's tag of events that no database could be asked about.
const NO_DATABASE: &str = "_geoip_expired_database";
/// How often the database is looked at, in seconds.
const REFRESH: f64 = 60.0;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("source");
    let ecs = options.ecs().enabled();
    let source = options.field("source");
    let target = match options.field("target") {
        Some(target) => Some(target),
        None if ecs => source.as_ref().and_then(|source| parent_of_ip(source, &mut options)),
        None => Some(FieldPath::field("geoip")),
    };
    let kind = options.one_of("default_database_type", &["City", "ASN"], "City");
    let wanted = fields(&mut options);
    let size = options.integer("cache_size").unwrap_or(1000);
    if size < 1 {
        options.error_at("cache_size", "'cache_size' must be more than 0");
    }
    let tags = options.tags("tag_on_failure", "_geoip_lookup_failure");
    let path = match options.existing_path("database") {
        Some(path) => Some(build.directory.join(path)),
        None if options.is_set("database") => None,
        None => default_database(kind, &mut options),
    };
    let settings = Settings { wanted, ecs, size: usize::try_from(size).unwrap_or(1) };
    let open = |path| Refreshed::open(path, REFRESH, build.clock.now(), |path| settings.open(path));
    let held = path.map(open).transpose().map_err(|error| options.error_at("database", error.to_string()));
    options.finish()?;
    let held = held.map_err(|()| Invalid)?;
    Ok(Box::new(GeoIp { source: source.ok_or(Invalid)?, target: target.ok_or(Invalid)?, settings, held, tags }))
}

/// Under ECS the target of `[client][ip]` is `[client]`.
fn parent_of_ip(source: &FieldPath, options: &mut Options<'_>) -> Option<FieldPath> {
    let keys: Vec<_> = source.keys().collect();
    match keys.as_slice() {
        [parents @ .., last] if !parents.is_empty() && last.as_str() == "ip" => {
            let text: String = parents.iter().map(|key| format!("[{key}]")).collect();
            FieldPath::parse(&text).ok()
        }
        _ => {
            options.error_at("source", "'geoip' needs a 'target' when 'source' is no field 'ip' such as [client][ip]");
            None
        }
    }
}

fn fields(options: &mut Options<'_>) -> Vec<Field> {
    let mut fields = Vec::new();
    for name in options.strings("fields") {
        match Field::parse(&name) {
            Some(field) => fields.push(field),
            None => {
                let span = options.span_of("fields");
                let mut finding = Diagnostic::error("invalid-option", &span, format!("'{name}' is no field of geoip"));
                if let Some(near) = nearest(&name.to_lowercase(), Field::names()) {
                    finding = finding.with_hint(format!("did you mean '{near}'?"));
                }
                options.report(finding);
            }
        }
    }
    fields
}

fn default_database(kind: &str, options: &mut Options<'_>) -> Option<PathBuf> {
    let name = format!("GeoLite2-{kind}.mmdb");
    let found = FOLDERS.iter().map(|folder| Path::new(folder).join(&name)).find(|path| path.exists());
    if found.is_none() {
        let message = format!("no {name} is there: events get the tag {NO_DATABASE} and nothing else");
        let span = options.plugin.name_span.clone();
        let hint = format!("set 'database', or put {name} into one of {}", FOLDERS.join(", "));
        options.report(Diagnostic::warning("no-database", &span, message).with_hint(hint));
    }
    found
}

/// How a database is used.
struct Settings {
    /// The fields asked for; those of the database's kind when there are none.
    wanted: Vec<Field>,
    ecs: bool,
    size: usize,
}

/// A database and what was found in it lately.
struct Held {
    database: Database,
    cache: Cache<Option<Object>>,
}

impl Settings {
    fn open(&self, path: &Path) -> Result<Held, DatabaseError> {
        let database = Database::open(path, &self.wanted, self.ecs)?;
        Ok(Held { database, cache: Cache::new(self.size) })
    }
}

struct GeoIp {
    source: FieldPath,
    target: FieldPath,
    settings: Settings,
    /// Nothing where no database was found.
    held: Option<Refreshed<Held>>,
    tags: Vec<String>,
}

impl Filter for GeoIp {
    fn prefetch(&self, events: &[Event], now: Timestamp) -> Fetched {
        let Some(held) = &self.held else { return Fetched::default() };
        held.refresh(now, |path, _| self.settings.open(path));
        let held = held.get();
        let mut names: Vec<&Str> = Vec::new();
        for text in events.iter().filter_map(|event| self.text(event)) {
            if is_host_name(text) && held.cache.get(text, now).is_none() && !names.contains(&text) {
                names.push(text);
            }
        }
        for (name, address) in names.iter().zip(addresses(&names)) {
            let located = address.and_then(|address| held.database.look_up(address)).map(Object::frozen);
            held.cache.insert_until(name, located, now.secs.saturating_add(NAME_SECONDS));
        }
        Fetched::default()
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let Some(held) = &self.held else {
            context.failed(event, &[NO_DATABASE]);
            return;
        };
        let Some(text) = self.text(event) else {
            context.failed(event, &self.tags);
            return;
        };
        let located = held.get().locate(text, context.now);
        let done = match &located {
            Some(fields) => put_leaves(event, Some(&self.target), fields),
            None => {
                // An empty target stands for an address that is not known, as the filter always did.
                if event.get(&self.target).is_none_or(Value::is_null) {
                    let _no_place = event.set(&self.target, Object::new());
                }
                false
            }
        };
        if done {
            context.matched(event);
        } else {
            context.failed(event, &self.tags);
        }
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        self.held.as_ref().map(Refreshed::numbers).unwrap_or_default()
    }
}

impl GeoIp {
    /// The text of the source, or the first of its list.
    fn text<'e>(&self, event: &'e Event) -> Option<&'e Str> {
        let value = match event.get(&self.source)? {
            Value::Array(values) => values.first()?,
            value => value,
        };
        match value {
            Value::String(text) if !text.trim().is_empty() => Some(text),
            _ => None,
        }
    }
}

/// Whether a text may be the name of a host, which the resolver knows.
fn is_host_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.len() <= 253 && text.bytes().all(legal) && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// The addresses of hosts, asked for side by side; IPv4 first, as Java has it.
fn addresses(names: &[&Str]) -> Vec<Option<IpAddr>> {
    let Ok(runtime) = runtime() else { return vec![None; names.len()] };
    let questions = names.iter().map(|name| name.to_string()).collect();
    let answers = side_by_side(runtime, questions, AT_ONCE, NAME_TIME, |name: String| async move {
        let found: Vec<IpAddr> = tokio::net::lookup_host((name, 0)).await.ok()?.map(|address| address.ip()).collect();
        found.iter().find(|address| address.is_ipv4()).or(found.first()).copied()
    });
    answers.into_iter().map(Option::flatten).collect()
}

impl Held {
    /// What is known of an address; nothing for what is none.
    fn locate(&self, text: &str, now: Timestamp) -> Option<Object> {
        if let Some(known) = self.cache.get(text, now) {
            return known;
        }
        let located = text.parse().ok().and_then(|address| self.database.look_up(address)).map(Object::frozen);
        self.cache.insert(text, located.clone());
        located
    }
}

#[cfg(test)]
mod tests;
