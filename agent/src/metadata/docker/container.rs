//! One container, and its fields.

use std::sync::OnceLock;

use serde::Deserialize;
use tailrace_common::Object;

use crate::metadata::{dedot, put};

/// What is known of a container.
#[derive(Debug, Default)]
pub(crate) struct Container {
    /// 64 hexadecimal digits.
    pub(crate) id: String,
    /// Without the slash that Docker puts before it.
    pub(crate) name: String,
    /// As it was named when the container was made.
    pub(crate) image: String,
    pub(crate) labels: Vec<(String, String)>,
    /// In its networks; the host's name where it has none of its own.
    pub(crate) addresses: Vec<String>,
    /// Ports that it listens on.
    pub(crate) ports: Vec<u16>,
    pub(crate) running: bool,
    /// The fields that events get, with dots in the names of labels and without.
    pub(super) fields: [OnceLock<Object>; 2],
}

impl Container {
    /// The fields that events get: `container`.
    pub(crate) fn fields(&self, dedotted: bool) -> &Object {
        self.fields[usize::from(dedotted)].get_or_init(|| {
            let mut fields = Object::new();
            if !self.labels.is_empty() {
                fields.insert("labels", self.labels(dedotted));
            }
            fields.insert("id", self.id.as_str());
            put(&mut fields, "image.name", self.image.as_str());
            fields.insert("name", self.name.as_str());
            [("container", fields)].into_iter().collect()
        })
    }

    /// Its labels as fields.
    pub(crate) fn labels(&self, dedotted: bool) -> Object {
        let mut labels = Object::new();
        for (name, value) in &self.labels {
            if dedotted {
                labels.insert(dedot(name), value.as_str());
            } else {
                put(&mut labels, name, value.as_str());
            }
        }
        labels
    }
}

/// A map of texts in the order in which it is written.
pub(super) type Texts = serde_json::Map<String, serde_json::Value>;

/// The pairs of a map whose values are texts.
pub(super) fn texts(map: Option<Texts>) -> Vec<(String, String)> {
    let text = |(name, value)| match value {
        serde_json::Value::String(text) => Some((name, text)),
        _ => None,
    };
    map.unwrap_or_default().into_iter().filter_map(text).collect()
}

/// The networks that a container is in.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct NetworkSettings {
    networks: Option<std::collections::BTreeMap<String, Option<Network>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Network {
    #[serde(rename = "IPAddress")]
    address: String,
}

impl NetworkSettings {
    /// The addresses that it has there.
    pub(super) fn addresses(self) -> Vec<String> {
        let networks = self.networks.unwrap_or_default().into_values().flatten();
        networks.map(|network| network.address).filter(|address| !address.is_empty()).collect()
    }
}
