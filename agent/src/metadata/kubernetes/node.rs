//! On which node the agent runs.

use super::access::Access;
use super::resources::{List, Other, Pod};
use crate::http::{Client, Refused};

/// Files in which a machine keeps its own id.
const MACHINE_ID: [&str; 3] = ["/etc/machine-id", "/var/lib/dbus/machine-id", "/var/db/dbus/machine-id"];

/// The node's name: that of the agent's own pod, else the one of this machine's id, else what `NODE_NAME` says, else the
/// one that is called as this host.
pub(super) async fn discover(access: &Access, client: &Client, base: &str) -> Result<String, Refused> {
    let host = hostname();
    if let Some(namespace) = &access.own_namespace
        && let Ok(text) = client.get(&format!("{base}/api/v1/namespaces/{namespace}/pods/{host}")).await
        && let Ok(pod) = serde_json::from_slice::<Pod>(&text)
        && !pod.node().is_empty()
    {
        return Ok(pod.node().to_owned());
    }
    let named = std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty());
    let nodes = match client.get(&format!("{base}/api/v1/nodes")).await {
        Ok(text) => serde_json::from_slice::<List<Other>>(&text).map_err(|error| Refused::Broken(error.to_string())),
        Err(error) => Err(error),
    };
    match (nodes, named) {
        (Ok(nodes), named) => {
            let own = MACHINE_ID.iter().find_map(|path| std::fs::read_to_string(path).ok());
            let own = own.as_deref().map(str::trim).filter(|id| !id.is_empty());
            let by_id = nodes.items.iter().find(|node| own.is_some_and(|own| node.machine_id() == own));
            let by_name = || {
                let same = |node: &&Other| node.meta.name == host || node.hostname() == Some(host.as_str());
                nodes.items.iter().find(same).map(|node| node.meta.name.clone())
            };
            let found = by_id.map(|node| node.meta.name.clone()).or(named).or_else(by_name);
            found.ok_or_else(|| {
                Refused::Broken(format!("no node is this machine or called '{host}'; set 'node' or NODE_NAME"))
            })
        }
        (Err(_), Some(named)) => Ok(named),
        (Err(error), None) => Err(error),
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}
