//! The fields of a pod and its container: `kubernetes`, `container`, `orchestrator`, as Filebeat writes them.

use std::collections::BTreeMap;

use tailrace_common::{Object, Value};

use super::Kind;
use super::resources::Meta;
use super::store::{Store, Subject};
use crate::decode::Pattern;
use crate::metadata::{dedot, put};

/// Which labels and annotations become fields, and how.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// `include_labels`; all where there are none.
    pub(crate) include_labels: Vec<Name>,
    /// `exclude_labels`
    pub(crate) exclude_labels: Vec<Name>,
    /// `include_annotations`
    pub(crate) include_annotations: Vec<Name>,
    /// `labels.dedot`
    pub(crate) dedot_labels: bool,
    /// `annotations.dedot`
    pub(crate) dedot_annotations: bool,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            include_labels: Vec::new(),
            exclude_labels: Vec::new(),
            include_annotations: Vec::new(),
            dedot_labels: true,
            dedot_annotations: true,
        }
    }
}

/// The name of a label, or with `use_regex` a pattern of names.
#[derive(Clone, Debug)]
pub(crate) enum Name {
    /// It itself.
    Text(String),
    /// A pattern.
    Pattern(Pattern),
}

impl Name {
    fn matches(&self, name: &str) -> bool {
        match self {
            // Filebeat takes names without dots for names with dots, because it looks where they were replaced.
            Name::Text(text) => text == name || *text == dedot(name),
            Name::Pattern(pattern) => pattern.is_match(name.as_bytes()),
        }
    }
}

/// What of a pod becomes fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldSettings {
    /// Of the pod itself.
    pub(crate) pod: Filter,
    /// `add_resource_metadata.node`, unless it is off.
    pub(crate) node: Option<Filter>,
    /// `add_resource_metadata.namespace`, unless it is off.
    pub(crate) namespace: Option<Filter>,
    /// `add_resource_metadata.deployment`
    pub(crate) deployment: bool,
    /// `add_resource_metadata.cronjob`
    pub(crate) cronjob: bool,
}

/// Owners that have a name in the fields.
const OWNERS: [&str; 6] = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"];

/// All fields of a pod and, where one is meant, of its container.
pub(super) fn pod_fields(store: &Store, subject: &Subject, settings: &FieldSettings) -> Object {
    let Subject { pod, container } = subject;
    let meta = &pod.meta;
    let mut kubernetes = Object::new();
    let mut own: Object = [("name", meta.name.as_str()), ("uid", meta.uid.as_str())].into_iter().collect();
    if !pod.address().is_empty() {
        own.insert("ip", pod.address());
    }
    kubernetes.insert("pod", own);
    kubernetes.insert("namespace", meta.namespace.as_str());
    if let Some(filter) = &settings.namespace {
        add_namespace(&mut kubernetes, store, &meta.namespace, filter);
    }
    for owner in meta.controllers().filter(|owner| OWNERS.contains(&owner.kind.as_str())) {
        put(&mut kubernetes, &format!("{}.name", owner.kind.to_lowercase()), owner.name.as_str());
        let above = match owner.kind.as_str() {
            "ReplicaSet" if settings.deployment => Some((Kind::ReplicaSets, "Deployment", "deployment.name")),
            "Job" if settings.cronjob => Some((Kind::Jobs, "CronJob", "cronjob.name")),
            _ => None,
        };
        if let Some((kind, wanted, field)) = above
            && let Some(held) = store.other(kind, &format!("{}/{}", meta.namespace, owner.name))
            && let Some(above) = held.meta.controllers().find(|above| above.kind == wanted)
        {
            put(&mut kubernetes, field, above.name.as_str());
        }
    }
    add_maps(&mut kubernetes, meta, &settings.pod, ["labels", "annotations"]);
    add_node(&mut kubernetes, store, pod.node(), settings.node.as_ref());
    let mut fields = Object::new();
    if let Some(container) = container {
        put(&mut kubernetes, "container.name", container.name.as_str());
        for (field, value) in [
            ("container.id", &container.id),
            ("container.runtime", &container.runtime),
            ("container.image.name", &container.image),
        ] {
            if !value.is_empty() {
                put(&mut fields, field, value.as_str());
            }
        }
    }
    fields.insert("kubernetes", kubernetes);
    let (name, url) = store.cluster();
    for (field, value) in [("orchestrator.cluster.url", url), ("orchestrator.cluster.name", name)] {
        if !value.is_empty() {
            put(&mut fields, field, value);
        }
    }
    fields
}

/// `namespace_uid`, `namespace_labels`, `namespace_annotations`
fn add_namespace(kubernetes: &mut Object, store: &Store, name: &str, filter: &Filter) {
    if let Some(namespace) = store.other(Kind::Namespaces, name) {
        kubernetes.insert("namespace_uid", namespace.meta.uid.as_str());
        add_maps(kubernetes, &namespace.meta, filter, ["namespace_labels", "namespace_annotations"]);
    }
}

fn add_node(kubernetes: &mut Object, store: &Store, name: &str, filter: Option<&Filter>) {
    let mut node: Object = [("name", name)].into_iter().collect();
    if let Some(filter) = filter
        && let Some(held) = store.other(Kind::Nodes, name)
    {
        node.insert("uid", held.meta.uid.as_str());
        if let Some(hostname) = held.hostname() {
            node.insert("hostname", hostname);
        }
        add_maps(&mut node, &held.meta, filter, ["labels", "annotations"]);
    }
    kubernetes.insert("node", node);
}

/// Labels and annotations, under these names.
fn add_maps(object: &mut Object, meta: &Meta, filter: &Filter, names: [&'static str; 2]) {
    let labels = if filter.include_labels.is_empty() {
        map(&meta.labels, |name| !is_one_of(&filter.exclude_labels, name), filter.dedot_labels)
    } else {
        let wanted = |name: &str| is_one_of(&filter.include_labels, name) && !is_one_of(&filter.exclude_labels, name);
        map(&meta.labels, wanted, filter.dedot_labels)
    };
    let wanted = |name: &str| is_one_of(&filter.include_annotations, name);
    let annotations = map(&meta.annotations, wanted, filter.dedot_annotations);
    for (name, map) in names.into_iter().zip([labels, annotations]).filter(|(_, map)| !map.is_empty()) {
        object.insert(name, Value::Object(map));
    }
}

fn is_one_of(names: &[Name], name: &str) -> bool {
    names.iter().any(|known| known.matches(name))
}

fn map(pairs: &BTreeMap<String, String>, wanted: impl Fn(&str) -> bool, dedotted: bool) -> Object {
    let mut object = Object::new();
    for (name, value) in pairs.iter().filter(|(name, _)| wanted(name)) {
        if dedotted {
            object.insert(dedot(name), value.as_str());
        } else {
            put(&mut object, name, value.as_str());
        }
    }
    object
}
