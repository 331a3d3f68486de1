//! The options that `add_kubernetes_metadata` and autodiscover have in common.

use std::path::PathBuf;
use std::time::Duration;

use super::fields::{FieldSettings, Filter, Name};
use super::{Kind, Settings};
use crate::config::section::Section;
use crate::decode::Pattern;

/// Which cluster is asked for what these fields take.
pub(crate) fn cluster(section: &Section<'_>, fields: &FieldSettings) -> Settings {
    let node = section.text("node").or(section.text("host"));
    let kinds = [
        (Kind::Nodes, fields.node.is_some()),
        (Kind::Namespaces, fields.namespace.is_some()),
        (Kind::ReplicaSets, fields.deployment),
        (Kind::Jobs, fields.cronjob),
    ];
    section.duration("sync_period");
    section.ignore(&["kube_client_options", "in_cluster"]);
    Settings {
        kube_config: section.text("kube_config").filter(|path| !path.is_empty()).map(PathBuf::from),
        node: node.filter(|name| !name.is_empty()).map(str::to_owned),
        whole_cluster: section.choice("scope", &[("node", false), ("cluster", true)], false),
        namespace: section.text("namespace").filter(|name| !name.is_empty()).map(str::to_owned),
        kinds: kinds.into_iter().filter(|(_, wanted)| *wanted).map(|(kind, _)| kind).collect(),
        kubeadm: section.boolean("use_kubeadm", true),
        cleanup: section.duration("cleanup_timeout").unwrap_or(Duration::from_secs(60)),
    }
}

/// Which fields a pod gets.
pub(crate) fn fields(section: &Section<'_>) -> FieldSettings {
    let more = section.section("add_resource_metadata");
    let of = |key: &'static str| {
        let part = more.section(key);
        let enabled = part.boolean("enabled", true);
        let filter = filter(&part);
        enabled.then_some(filter)
    };
    FieldSettings {
        pod: filter(section),
        node: of("node"),
        namespace: of("namespace"),
        deployment: more.boolean("deployment", false),
        cronjob: more.boolean("cronjob", false),
    }
}

fn filter(section: &Section<'_>) -> Filter {
    let patterns = section.boolean("use_regex", false);
    let names = |key: &'static str| {
        let name = |text: &String| match Pattern::new(text) {
            _ if !patterns => Some(Name::Text(text.clone())),
            Ok(pattern) => Some(Name::Pattern(pattern)),
            Err(error) => {
                section.error(key, format!("'{}': {error}", section.name(key)), None);
                None
            }
        };
        section.texts(key).iter().filter_map(name).collect()
    };
    Filter {
        include_labels: names("include_labels"),
        exclude_labels: names("exclude_labels"),
        include_annotations: names("include_annotations"),
        dedot_labels: section.section("labels").boolean("dedot", true),
        dedot_annotations: section.section("annotations").boolean("dedot", true),
    }
}
