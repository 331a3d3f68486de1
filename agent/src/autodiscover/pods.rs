//! The provider `kubernetes`: the containers of pods.

use std::sync::Arc;

use tailrace_common::{Object, Value};

use super::Target;
use super::hints::HintSettings;
use super::settings::with_address;
use crate::config::section::Section;
use crate::metadata::kubernetes::{self, Cluster, FieldSettings, Kind, Pod, PodContainer, Subject};
use crate::metadata::{Changes, put};

#[derive(Debug)]
pub(super) struct Pods {
    cluster: Arc<Cluster>,
    fields: FieldSettings,
}

impl Pods {
    pub(super) fn read(section: &Section<'_>) -> Pods {
        if let Some(resource) = section.text("resource").filter(|resource| *resource != "pod") {
            let hint = "containers of pods alone have logs: use pod";
            section.error("resource", format!("'resource: {resource}' is not supported"), Some(hint.into()));
        }
        let fields = kubernetes::fields(section);
        let mut settings = kubernetes::cluster(section, &fields);
        // Their annotations are hints for all their pods.
        if !settings.kinds.contains(&Kind::Namespaces) {
            settings.kinds.push(Kind::Namespaces);
            settings.kinds.sort_unstable();
        }
        Pods { cluster: Cluster::of(&settings), fields }
    }

    pub(super) fn start(&self, changes: &Arc<Changes>) {
        self.cluster.changes().tell(changes);
        self.cluster.start();
    }

    pub(super) fn is_complete(&self) -> bool {
        self.cluster.is_complete()
    }

    pub(super) fn targets(&self, hints: &HintSettings) -> Vec<Target> {
        let mut targets = Vec::new();
        for pod in self.cluster.pods() {
            let containers = pod.containers();
            let ended = pod.is_terminating() && !containers.iter().any(|container| container.running);
            let defaults = self.cluster.namespace_annotations(&pod.meta.namespace);
            // What was not made yet has no lines.
            for container in containers.into_iter().filter(|container| !container.id.is_empty()) {
                targets.push(self.target(&pod, container, !ended, &defaults, hints));
            }
        }
        targets
    }

    fn target(
        &self,
        pod: &Arc<Pod>,
        container: PodContainer,
        active: bool,
        defaults: &[(String, String)],
        hints: &HintSettings,
    ) -> Target {
        let container = Arc::new(container);
        let subject = Subject { pod: pod.clone(), container: Some(container.clone()) };
        let meta = self.cluster.fields(&subject, &self.fields);
        let mut kubernetes = match meta.get("kubernetes") {
            Some(Value::Object(fields)) => fields.clone(),
            _ => Object::new(),
        };
        let about: Object = [
            ("id", container.id.as_str()),
            ("name", container.name.as_str()),
            ("image", container.image.as_str()),
            ("runtime", container.runtime.as_str()),
        ]
        .into_iter()
        .collect();
        kubernetes.insert("container", about.clone());
        for (field, pairs) in
            [("annotations", pod.meta.annotations.iter().collect()), ("namespace_annotations", of(defaults))]
        {
            let mut object = Object::new();
            let pairs: Vec<(&String, &String)> = pairs;
            pairs.into_iter().for_each(|(name, value)| put(&mut object, name, value.as_str()));
            if !object.is_empty() {
                kubernetes.insert(field, object);
            }
        }
        let mut data = Object::new();
        data.insert("kubernetes", kubernetes);
        data.insert("container", about);
        let ports: Vec<Option<u16>> = container.ports.iter().map(|port| Some(port.container_port)).collect();
        let ports = if ports.is_empty() { vec![None] } else { ports };
        let address = if container.running { pod.address() } else { "" };
        Target {
            id: format!("{}.{}.{}", pod.meta.uid, container.name, container.id),
            active,
            data: ports.into_iter().map(|port| with_address(&data, address, port)).collect(),
            meta,
            hints: hints.find(defaults, &pod.meta.annotations, &container.name),
        }
    }
}

fn of(pairs: &[(String, String)]) -> Vec<(&String, &String)> {
    pairs.iter().map(|(name, value)| (name, value)).collect()
}
