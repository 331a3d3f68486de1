//! The provider `docker`.

use std::sync::Arc;
use std::time::Duration;

use tailrace_common::{Object, Value};

use super::Target;
use super::hints::HintSettings;
use super::settings::with_address;
use crate::config::section::Section;
use crate::config::trust;
use crate::metadata::docker::{Container, Docker, Lookup, Settings};
use crate::metadata::{Changes, put};

#[derive(Debug)]
pub(super) struct Containers {
    docker: Arc<Docker>,
    dedot: bool,
}

impl Containers {
    pub(super) fn read(section: &Section<'_>) -> Containers {
        let settings = Settings {
            host: section.text("host").unwrap_or("unix:///var/run/docker.sock").to_owned(),
            trust: trust(section, "certificate_authority"),
            cleanup: Duration::from_secs(60),
        };
        Containers { docker: Docker::of(&settings), dedot: section.section("labels").boolean("dedot", true) }
    }

    pub(super) fn start(&self, changes: &Arc<Changes>) {
        self.docker.changes().tell(changes);
        self.docker.start();
    }

    pub(super) fn is_complete(&self) -> bool {
        !matches!(self.docker.find("", false), Lookup::Pending)
    }

    pub(super) fn targets(&self, hints: &HintSettings) -> Vec<Target> {
        self.docker.containers().iter().map(|container| self.target(container, hints)).collect()
    }

    fn target(&self, container: &Container, hints: &HintSettings) -> Target {
        let labels = container.labels(false);
        let mut seen: Object = [("id", container.id.as_str()), ("name", container.name.as_str())].into_iter().collect();
        put(&mut seen, "image.name", container.image.as_str());
        let mut meta = Object::new();
        meta.insert("container", seen.clone());
        if !container.labels.is_empty() {
            put(&mut meta, "docker.container.labels", Value::Object(container.labels(self.dedot)));
        }
        let mut old = seen.clone();
        old.insert("image", container.image.as_str());
        for object in [&mut seen, &mut old] {
            object.insert("labels", labels.clone());
        }
        let mut data = Object::new();
        data.insert("container", seen);
        put(&mut data, "docker.container", Value::Object(old));
        let address = container.addresses.first().map_or("", String::as_str);
        let ports: Vec<Option<u16>> = container.ports.iter().copied().map(Some).collect();
        let ports = if ports.is_empty() { vec![None] } else { ports };
        Target {
            id: container.id.clone(),
            active: container.running,
            data: ports.into_iter().map(|port| with_address(&data, address, port)).collect(),
            meta,
            hints: hints.find(&[], container.labels.iter().map(|(name, value)| (name, value)), ""),
        }
    }
}
