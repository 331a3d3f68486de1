//! The parts of Kubernetes' resources that are of use here. What else there is is not even kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// `null` stands for nothing, as Go writes empty lists and maps.
fn or_default<'d, D: Deserializer<'d>, T: Default + Deserialize<'d>>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// `metadata`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    #[serde(deserialize_with = "or_default")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(crate) owner_references: Vec<Owner>,
    pub(crate) resource_version: String,
    pub(crate) deletion_timestamp: Option<String>,
}

/// Who made a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) controller: Option<bool>,
}

impl Meta {
    /// `namespace/name`, or the name alone where there are no namespaces.
    pub(crate) fn key(&self) -> String {
        if self.namespace.is_empty() { self.name.clone() } else { format!("{}/{}", self.namespace, self.name) }
    }

    /// Who keeps it.
    pub(crate) fn controllers(&self) -> impl Iterator<Item = &Owner> {
        self.owner_references.iter().filter(|owner| owner.controller == Some(true))
    }
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    #[serde(rename = "metadata")]
    pub(crate) meta: Meta,
    spec: PodSpec,
    status: PodStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: String,
    #[serde(deserialize_with = "or_default")]
    containers: Vec<ContainerSpec>,
    #[serde(deserialize_with = "or_default")]
    init_containers: Vec<ContainerSpec>,
    #[serde(deserialize_with = "or_default")]
    ephemeral_containers: Vec<ContainerSpec>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ContainerSpec {
    name: String,
    image: String,
    #[serde(deserialize_with = "or_default")]
    ports: Vec<Port>,
}

/// A port of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Port {
    pub(crate) name: String,
    pub(crate) container_port: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    phase: String,
    #[serde(rename = "podIP")]
    address: String,
    #[serde(deserialize_with = "or_default")]
    container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(deserialize_with = "or_default")]
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    image: String,
    #[serde(rename = "containerID")]
    container_id: String,
    restart_count: u32,
    state: ContainerState,
    last_state: ContainerState,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct ContainerState {
    running: Option<Running>,
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Running {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Terminated {
    #[serde(rename = "containerID")]
    container_id: String,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PodContainer {
    pub(crate) name: String,
    pub(crate) image: String,
    /// Empty while it was not made yet.
    pub(crate) id: String,
    /// `containerd`, `docker`, `cri-o`
    pub(crate) runtime: String,
    pub(crate) ports: Vec<Port>,
    pub(crate) running: bool,
    /// How often it was started again.
    pub(crate) restarts: u32,
    /// The id that it had before that.
    pub(crate) before: Option<String>,
}

impl Pod {
    pub(crate) fn node(&self) -> &str {
        &self.spec.node_name
    }

    pub(crate) fn address(&self) -> &str {
        &self.status.address
    }

    /// All containers, those that initialise and those that were added for debugging too.
    pub(crate) fn containers(&self) -> Vec<PodContainer> {
        let spec = &self.spec;
        let specs = spec.containers.iter().chain(&spec.init_containers).chain(&spec.ephemeral_containers);
        specs.map(|spec| self.container(spec)).collect()
    }

    fn container(&self, spec: &ContainerSpec) -> PodContainer {
        let all = &self.status;
        let mut statuses =
            all.container_statuses.iter().chain(&all.init_container_statuses).chain(&all.ephemeral_container_statuses);
        let status = statuses.find(|status| status.name == spec.name).cloned().unwrap_or_default();
        let (runtime, id) = status.container_id.split_once("://").unwrap_or_default();
        let before =
            status.last_state.terminated.and_then(|ended| Some(ended.container_id.split_once("://")?.1.to_owned()));
        PodContainer {
            name: spec.name.clone(),
            image: if status.image.is_empty() { spec.image.clone() } else { status.image },
            id: id.to_owned(),
            runtime: runtime.to_owned(),
            ports: spec.ports.clone(),
            running: status.state.running.is_some(),
            restarts: status.restart_count,
            before: before.filter(|before| before != id),
        }
    }

    /// Whether it is about to end, or has.
    pub(crate) fn is_terminating(&self) -> bool {
        self.meta.deletion_timestamp.is_some() || !matches!(self.status.phase.as_str(), "Running" | "Pending")
    }
}

/// A node, namespace, replica set or job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Other {
    #[serde(rename = "metadata")]
    pub(crate) meta: Meta,
    status: NodeStatus,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeStatus {
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<Address>,
    node_info: NodeInfo,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct NodeInfo {
    #[serde(rename = "machineID")]
    machine_id: String,
}

impl Other {
    /// A node's own name for itself.
    pub(crate) fn hostname(&self) -> Option<&str> {
        let mut addresses = self.status.addresses.iter();
        addresses.find(|address| address.kind == "Hostname").map(|address| address.address.as_str())
    }

    pub(crate) fn machine_id(&self) -> &str {
        &self.status.node_info.machine_id
    }
}

/// A list.
#[derive(Debug, Deserialize)]
pub(crate) struct List<T> {
    pub(crate) metadata: ListMeta,
    #[serde(default = "Vec::new")]
    pub(crate) items: Vec<T>,
}

/// `metadata` of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ListMeta {
    pub(crate) resource_version: String,
    #[serde(rename = "continue", deserialize_with = "or_default")]
    pub(crate) more: String,
}

/// A line of a watch.
#[derive(Debug, Deserialize)]
pub(crate) struct Change<'l> {
    #[serde(rename = "type")]
    pub(crate) kind: &'l str,
    #[serde(borrow)]
    pub(crate) object: &'l serde_json::value::RawValue,
}

/// What stands in a line of the kind `ERROR`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ErrorStatus {
    pub(crate) code: u16,
    pub(crate) message: String,
}
