//! Who the agent is: the names that stand in every document.

use std::io;
use std::path::Path;

use tailrace_common::{Object, Timestamp, Value};
use uuid::Uuid;

use crate::registry::is_full;

/// The version of Filebeat whose documents we write: `agent.version`, `@metadata.version`.
pub const COMPATIBLE_VERSION: &str = "9.5.1";
const BEAT: &str = "filebeat";
/// `ecs.version`, as Filebeat 9 writes it.
pub const ECS_VERSION: &str = "8.0.0";

/// `agent.*` and `host.name`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `@metadata.beat`: `filebeat`, or what `output.logstash.index` says.
    pub beat: String,
    /// `name` of the configuration, else the host's name: `agent.name`, `host.name`.
    pub name: String,
    /// `agent.id`: made at the first start, kept in the data folder.
    pub id: String,
    /// `agent.ephemeral_id`: made at each start.
    pub ephemeral_id: String,
    /// When the agent was started for the first time; kept in the data folder too.
    pub first_start: Timestamp,
}

impl Identity {
    /// The identity kept in `data/meta.json`, Filebeat's file; made there at the first start.
    ///
    /// # Errors
    /// When the file cannot be read, or not be written at the first start.
    pub fn load(name: String, data: &Path) -> io::Result<Identity> {
        let path = data.join("meta.json");
        let known = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Meta::default(),
            Err(error) => return Err(error),
        };
        let started = known.first_start.as_deref().and_then(Timestamp::parse_rfc3339);
        let (id, first_start) = match (known.uuid, started) {
            (Some(id), Some(started)) => (id, started),
            (id, started) => {
                let id = id.unwrap_or_else(|| Uuid::new_v4().to_string());
                let started = started.unwrap_or_else(Timestamp::now);
                let mut text = Vec::new();
                started.write_iso8601(&mut text);
                let first_start = String::from_utf8_lossy(&text).into_owned();
                let meta = Meta { uuid: Some(id.clone()), first_start: Some(first_start) };
                std::fs::create_dir_all(data)?;
                match crate::output::write_private(&path, &serde_json::to_vec(&meta)?) {
                    Err(error) if is_full(&error) => {
                        tracing::error!(path = %path.display(), %error, "cannot keep the agent's id: this run has its own");
                    }
                    result => result?,
                }
                (id, started)
            }
        };
        Ok(Identity { beat: BEAT.to_owned(), name, id, ephemeral_id: Uuid::new_v4().to_string(), first_start })
    }

    /// The field `agent`.
    pub fn agent(&self) -> Object {
        let mut build = Object::new();
        build.insert("original", concat!("tailrace ", env!("CARGO_PKG_VERSION")));
        let mut agent = Object::new();
        agent.insert("ephemeral_id", self.ephemeral_id.as_str());
        agent.insert("id", self.id.as_str());
        agent.insert("name", self.name.as_str());
        agent.insert("type", BEAT);
        agent.insert("version", COMPATIBLE_VERSION);
        agent.insert("build", build);
        agent
    }

    /// The field `ecs`.
    pub fn ecs() -> Object {
        [("version", ECS_VERSION)].into_iter().collect()
    }

    /// The field `host` without any further processor.
    pub fn host(&self) -> Object {
        [("name", self.name.as_str())].into_iter().collect()
    }

    /// What stands in every `@metadata`.
    pub fn metadata(&self) -> Object {
        [("beat", self.beat.as_str()), ("type", "_doc"), ("version", COMPATIBLE_VERSION)].into_iter().collect()
    }
}

/// `meta.json`
#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Meta {
    uuid: Option<String>,
    first_start: Option<String>,
}

/// Merges `from` into `into`, maps into maps; `overwrite` says who wins elsewhere.
pub(crate) fn deep_merge(into: &mut Object, from: Object, overwrite: bool) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(into)), Value::Object(from)) => deep_merge(into, from, overwrite),
            (Some(held), value) if overwrite => *held = value,
            (Some(_), _) => {}
            (None, value) => drop(into.insert(name, value)),
        }
    }
}
