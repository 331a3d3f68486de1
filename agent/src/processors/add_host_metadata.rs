//! `add_host_metadata`: `host.*`, and with `geo` where it stands.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tailrace_common::{Event, Object, Value};

use super::{Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::config::value::value;
use crate::document::deep_merge;
use crate::enrich::host;
use crate::pipeline::FileMeta;

/// Facts about this machine under a field of that name.
#[derive(Debug)]
pub(super) struct HostMetadata {
    field: &'static str,
    geo: Object,
    name: Option<String>,
    addresses: bool,
    /// Keys that the facts must keep to themselves; all of them where there are none.
    only: &'static [&'static str],
    replace: bool,
    cache: Duration,
    /// What was found when last asked, for chains that run for every event.
    found: Mutex<Option<(Instant, Object)>>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.duration("expire_update_timeout");
    Some(Arc::new(HostMetadata {
        name: section.text("name").map(str::to_owned),
        replace: section.boolean("replace_fields", true),
        ..HostMetadata::new(section, "host", true, &[])
    }))
}

impl HostMetadata {
    /// What the processors of hosts and observers have in common.
    pub(super) fn new(
        section: &Section<'_>,
        field: &'static str,
        addresses: bool,
        only: &'static [&'static str],
    ) -> HostMetadata {
        HostMetadata {
            field,
            geo: geo(&section.section("geo")),
            name: None,
            addresses: section.section("netinfo").boolean("enabled", addresses),
            only,
            replace: true,
            cache: section.section("cache").duration("ttl").unwrap_or(Duration::from_secs(300)),
            found: Mutex::default(),
        }
    }

    /// Leaves events alone that have the field already.
    pub(super) fn unless_there(self) -> HostMetadata {
        HostMetadata { replace: false, ..self }
    }

    fn facts(&self) -> Object {
        let now = Instant::now();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match &*found {
            Some((until, facts)) if now < *until => facts.clone(),
            _ => {
                let facts = self.ask();
                *found = Some((now + self.cache, facts.clone()));
                facts
            }
        }
    }

    fn ask(&self) -> Object {
        let mut facts = host::facts();
        facts.retain(|name, _| self.only.is_empty() || self.only.contains(&name.as_str()));
        if self.addresses {
            host::add_addresses(&mut facts);
        }
        if let Some(name) = &self.name {
            facts.insert("name", name.as_str());
        }
        if !self.geo.is_empty() {
            facts.insert("geo", self.geo.clone());
        }
        facts
    }

    /// Whether the event has more of the field than the name, which all events have.
    fn is_there(&self, event: &Event) -> bool {
        match event.fields().get(self.field) {
            Some(Value::Object(held)) => held.len() > 1 || held.keys().any(|name| name != "name"),
            held => held.is_some(),
        }
    }
}

/// `geo`: where the machine stands, in the names of ECS.
fn geo(section: &Section<'_>) -> Object {
    let names = [
        ("name", "name"),
        ("continent_name", "continent_name"),
        ("country_name", "country_name"),
        ("country_iso_code", "country_iso_code"),
        ("region_name", "region_name"),
        ("region_iso_code", "region_iso_code"),
        ("city_name", "city_name"),
    ];
    let mut geo = Object::new();
    for (key, field) in names {
        if let Some(node) = section.get(key) {
            geo.insert(field, value(node));
        }
    }
    if let Some(text) = section.text("location") {
        let parts: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
        match parts.as_deref() {
            Some([_, _]) => drop(geo.insert("location", text)),
            _ => section.error(
                "location",
                format!("'{text}' is no latitude and longitude"),
                Some("for example: 40.7, -74.0".into()),
            ),
        }
    }
    geo
}

impl Processor for HostMetadata {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        if self.replace || !self.is_there(event) {
            let facts: Object = [(self.field, self.facts())].into_iter().collect();
            deep_merge(event.fields_mut(), facts, true);
        }
        Ok(Verdict::Keep)
    }

    fn is_per_file(&self) -> bool {
        true
    }

    fn valid_for(&self, _file: &FileMeta) -> Option<Duration> {
        Some(self.cache)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::{changed, problems};

    #[test]
    fn the_host_is_described() {
        let host = &changed("- add_host_metadata: {geo: {name: dc1, location: '1.5, 2'}, name: web1}", "{}")["host"];
        assert_eq!((&host["name"], &host["geo"]), (&json!("web1"), &json!({"name": "dc1", "location": "1.5, 2"})));
        assert!(host["os"]["kernel"].is_string() && host["hostname"].is_string());
        let kept = changed("- add_host_metadata: {replace_fields: false}", r#"{"host":{"name":"a","id":"b"}}"#);
        assert_eq!(kept, json!({"host": {"name": "a", "id": "b"}}));
        assert_eq!(problems("- add_host_metadata: {geo.location: here}").len(), 1);
    }
}
