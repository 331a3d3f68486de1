//! Who the agent is: the names that stand in every document.

use std::io;
use std::path::Path;

use tailrace_common::{Object, Value};
use uuid::Uuid;

/// The version of Filebeat whose documents we write: `agent.version`, `@metadata.version`.
pub const COMPATIBLE_VERSION: &str = "9.5.1";
/// `ecs.version`, as Filebeat 9 writes it.
pub const ECS_VERSION: &str = "8.0.0";

/// `agent.*` and `host.name`.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `name` of the configuration, else the host's name: `agent.name`, `host.name`.
    pub name: String,
    /// `agent.id`: made at the first start, kept in the data folder.
    pub id: String,
    /// `agent.ephemeral_id`: made at each start.
    pub ephemeral_id: String,
}

impl Identity {
    /// The identity kept in `data/meta.json`, Filebeat's file; made there at the first start.
    ///
    /// # Errors
    /// When the file cannot be read, or not be written at the first start.
    pub fn load(name: String, data: &Path) -> io::Result<Identity> {
        let path = data.join("meta.json");
        let known = match std::fs::read(&path) {
            Ok(bytes) => id_in(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let id = match known {
            Some(id) => id,
            None => {
                let id = Uuid::new_v4().to_string();
                std::fs::create_dir_all(data)?;
                crate::output::write_private(&path, format!("{{\"uuid\":\"{id}\"}}\n").as_bytes())?;
                id
            }
        };
        Ok(Identity { name, id, ephemeral_id: Uuid::new_v4().to_string() })
    }

    /// The field `agent`.
    pub fn agent(&self) -> Object {
        let mut build = Object::new();
        build.insert("original", concat!("tailrace ", env!("CARGO_PKG_VERSION")));
        let mut agent = Object::new();
        agent.insert("ephemeral_id", self.ephemeral_id.as_str());
        agent.insert("id", self.id.as_str());
        agent.insert("name", self.name.as_str());
        agent.insert("type", "filebeat");
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
    pub fn metadata() -> Object {
        [("beat", "filebeat"), ("type", "_doc"), ("version", COMPATIBLE_VERSION)].into_iter().collect()
    }
}

fn id_in(bytes: &[u8]) -> Option<String> {
    let meta: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    Some(meta.get("uuid")?.as_str()?.to_owned())
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
