//! Filter `useragent`: what a browser says of itself, as fields.

mod database;
mod prefilter;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tailrace_common::{Event, FieldPath, Object, Str, Value};

use self::database::{Agent, Database};
use crate::lookup::{Cache, merge_leaves, put_leaves};
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};
use crate::settings::files;

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "useragent",
    summary: "Takes the name of a browser, its system and device out of its user agent text.",
    example: "filter { useragent { source => \"[user_agent][original]\" target => \"[user_agent]\" } }",
    build,
};

/// The start of a text that is looked at.
const LONGEST: usize = 16 << 10;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("source");
    let ecs = options.ecs().enabled();
    let source = options.field("source");
    let target = options.field("target").or_else(|| ecs.then(|| FieldPath::field("user_agent")));
    let prefix = options.string("prefix").unwrap_or_default();
    let size = options.integer("lru_cache_size").unwrap_or(100_000);
    if size < 1 {
        options.error_at("lru_cache_size", "'lru_cache_size' must be more than 0");
    }
    let database = match options.existing_path("regexes") {
        None => Ok(built_in()),
        Some(path) => read(&build.directory.join(path)).map(Arc::new),
    };
    let database = database.map_err(|message| options.error_at("regexes", message));
    options.finish()?;
    Ok(Box::new(UserAgent {
        source: source.ok_or(Invalid)?,
        target,
        prefix,
        ecs,
        database: database.map_err(|()| Invalid)?,
        cache: Cache::new(usize::try_from(size).unwrap_or(1)),
        hits: AtomicU64::new(0),
        misses: AtomicU64::new(0),
    }))
}

/// The patterns that come with the program, shared by all filters.
fn built_in() -> Arc<Database> {
    static BUILT_IN: OnceLock<Arc<Database>> = OnceLock::new();
    let text = include_str!("../../../data/uap-core/regexes.yaml");
    // That it can be read is tested.
    BUILT_IN.get_or_init(|| Arc::new(Database::parse(text).unwrap_or_default())).clone()
}

fn read(path: &Path) -> Result<Database, String> {
    let source = files::read(path).map_err(|error| error.to_string())?;
    let database = Database::parse(&source.text).map_err(|error| format!("{}:{error}", path.display()))?;
    database.compile_all().map_err(|error| format!("{}:{error}", path.display()))?;
    Ok(database)
}

struct UserAgent {
    source: FieldPath,
    /// The root where there is none.
    target: Option<FieldPath>,
    prefix: String,
    ecs: bool,
    database: Arc<Database>,
    cache: Cache<Arc<Fields>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What is set in an event; the same for all with one text, so it is frozen.
struct Fields {
    /// Under the target.
    document: Object,
    /// Under `@metadata`.
    metadata: Object,
}

impl Filter for UserAgent {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let text = match event.get(&self.source) {
            Some(Value::String(text)) => text,
            Some(Value::Array(values)) => match values.first() {
                Some(Value::String(text)) => text,
                _ => return,
            },
            _ => return,
        };
        if text.is_empty() {
            return;
        }
        let fields = match self.cache.get(text, context.now) {
            Some(fields) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                fields
            }
            None => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                let agent = self.database.parse_agent(start_of(text), context.scratch);
                let fields = Arc::new(self.fields(&agent));
                self.cache.insert(text, fields.clone());
                fields
            }
        };
        if self.target.as_ref() == Some(&self.source) {
            event.remove(&self.source);
        }
        if self.put(&fields, event) {
            context.matched(event);
        } else {
            context.failed(event, &[""; 0]);
        }
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        vec![("cache_hits", self.hits.load(Ordering::Relaxed)), ("cache_misses", self.misses.load(Ordering::Relaxed))]
    }
}

fn start_of(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

impl UserAgent {
    /// Whether there was a place for the fields.
    fn put(&self, fields: &Fields, event: &mut Event) -> bool {
        if !fields.metadata.is_empty() {
            merge_leaves(event.metadata_mut(), &fields.metadata);
        }
        put_leaves(event, self.target.as_ref(), &fields.document)
    }

    fn fields(&self, agent: &Agent) -> Fields {
        if self.ecs { self.ecs_fields(agent) } else { self.legacy_fields(agent) }
    }

    fn legacy_fields(&self, agent: &Agent) -> Fields {
        let mut document = Object::with_capacity(13);
        let mut put = |name: &str, value: Option<&Str>| {
            if let Some(value) = value {
                document.insert(format!("{}{name}", self.prefix), value.clone());
            }
        };
        put("name", Some(&agent.browser.family));
        put("version", agent.browser.version().as_ref());
        let [major, minor, patch, _] = &agent.browser.parts;
        put("major", major.as_ref());
        put("minor", minor.as_ref());
        put("patch", patch.as_ref());
        put("os", Some(&agent.system.family));
        put("os_name", Some(&agent.system.family));
        put("os_version", agent.system.version().as_ref());
        put("os_full", Some(&agent.system.full()));
        let [major, minor, patch, _] = &agent.system.parts;
        put("os_major", major.as_ref());
        put("os_minor", minor.as_ref());
        put("os_patch", patch.as_ref());
        put("device", Some(&agent.device));
        Fields { document: document.frozen(), metadata: Object::new() }
    }

    fn ecs_fields(&self, agent: &Agent) -> Fields {
        let named = |name: &str| Str::from(format!("{}{name}", self.prefix));
        let mut document = Object::with_capacity(4);
        document.insert(named("name"), agent.browser.family.clone());
        if let Some(version) = agent.browser.version() {
            document.insert(named("version"), version);
        }
        let mut system = Object::with_capacity(3);
        system.insert("name", agent.system.family.clone());
        if let Some(version) = agent.system.version() {
            system.insert("version", version);
        }
        system.insert("full", agent.system.full());
        document.insert(named("os"), system);
        document.insert(named("device"), [("name", agent.device.clone())].into_iter().collect::<Object>());
        let mut details = Object::new();
        if let Some(parts) = version_parts(&agent.browser.parts) {
            details.insert("version", parts);
        }
        if let Some(parts) = version_parts(&agent.system.parts) {
            details.insert("os", [("version", parts)].into_iter().collect::<Object>());
        }
        let mut metadata = Object::new();
        if !details.is_empty() {
            let filter: Object = [("user_agent", details)].into_iter().collect();
            metadata.insert("filter", filter.frozen());
        }
        Fields { document: document.frozen(), metadata }
    }
}

/// `major`, `minor` and `patch`, as far as they are known.
fn version_parts(parts: &[Option<Str>; 4]) -> Option<Object> {
    let named = ["major", "minor", "patch"].into_iter().zip(parts);
    let parts: Object = named.filter_map(|(name, part)| Some((name, part.clone()?))).collect();
    (!parts.is_empty()).then_some(parts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_grok::Scratch;

    use super::*;

    #[test]
    fn the_built_in_patterns_can_all_be_compiled() {
        let database = Database::parse(include_str!("../../../data/uap-core/regexes.yaml")).unwrap();
        assert!(database.len() > 1000);
        database.compile_all().unwrap();
    }

    #[test]
    fn every_pattern_that_matches_is_a_candidate() {
        let database = built_in();
        let mut scratch = Scratch::default();
        for text in [
            "Mozilla/5.0 (Linux; Android 10; SM-G960F Build/QP1A.190711.020) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.3987.99 Mobile Safari/537.36",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko",
            "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80 (S60; SymbOS; Opera Mobi/23.348; U; en) Presto/2.5.25 Version/10.54",
            "python-requests/2.25.1",
            "Wget/1.20.3 (linux-gnu)",
            "Dalvik/2.1.0 (Linux; U; Android 9; Redmi Note 8 Pro MIUI/V11.0.6.0.PGGMIXM)",
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/5.0 NativeTVAds Safari/538.1",
            "",
            "ünïcödé \u{fffd}",
        ] {
            assert_eq!(
                database.parse_agent(text, &mut scratch),
                database.parse_agent_slowly(text, &mut scratch),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_of_patterns_is_told_with_its_place() {
        for (text, message) in [
            ("user_agent_parsers: 1", "1:21: 'user_agent_parsers' must be a list, this is a number"),
            ("os_parsers:\n  - regex: '(a'\n", "2:12: '(a' is no regular expression: "),
            ("device_parsers:\n  - device_replacement: x\n", "2:5: 'regex' is missing"),
            ("other: []", "1:1: none of 'user_agent_parsers', 'os_parsers' and 'device_parsers' is here"),
        ] {
            let error = Database::parse(text).and_then(|database| database.compile_all()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
