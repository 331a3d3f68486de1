//! Lists every kind once, then follows its watch; lists again when the cluster no longer knows where the watch stood.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tailrace_common::yaml::{self, Node};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::access::{self, Access};
use super::node::discover;
use super::resources::{Change, ErrorStatus, List, Meta, Other, Pod};
use super::store::Store;
use super::{Kind, Settings};
use crate::http::{Client, Refused, escaped};
use crate::metadata::Backoff;

/// The cluster is asked to end a watch after so long, and a silent one is given up a little later.
const WATCH: Duration = Duration::from_secs(300);
/// How often deleted pods are looked through.
const TICK: Duration = Duration::from_secs(10);
/// So many are listed at once.
const PAGE: usize = 500;
/// What a cluster answers when it no longer knows where a watch stood.
const GONE: u16 = 410;
/// A watch that ended sooner is not begun anew at once.
const SHORT: Duration = Duration::from_secs(1);

/// Follows a cluster for good.
pub(super) async fn follow(settings: Settings, store: Arc<Store>) {
    let (access, node) = connect(&settings, &store).await;
    let access = Arc::new(access);
    let mut watches = JoinSet::new();
    for kind in settings.kinds.iter().copied().chain([Kind::Pods]) {
        let (access, store) = (access.clone(), store.clone());
        let path = path(kind, &settings, node.as_deref());
        watches.spawn(async move { Watch { kind, path, access, store, backoff: Backoff::default() }.run().await });
    }
    loop {
        sleep(TICK).await;
        store.clean();
    }
}

/// Finds the cluster and the node; tries until it has.
async fn connect(settings: &Settings, store: &Store) -> (Access, Option<String>) {
    let mut backoff = Backoff::default();
    loop {
        let error = match access::find(settings.kube_config.as_deref()) {
            Ok(None) => {
                store.set_nowhere(true);
                if backoff.is_first() {
                    tracing::info!("there is no Kubernetes here: neither a kubeconfig nor a pod's account");
                }
                None
            }
            Ok(Some(access)) => {
                store.set_nowhere(false);
                match introduce(&access, settings, store).await {
                    Ok(node) => return (access, node),
                    Err(error) => Some(error),
                }
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error
            && backoff.is_first()
        {
            tracing::warn!(error, "cannot ask Kubernetes; it is tried again");
        }
        sleep(backoff.next()).await;
    }
}

/// The node whose pods are watched, and the cluster's name.
async fn introduce(access: &Access, settings: &Settings, store: &Store) -> Result<Option<String>, String> {
    let (client, base) = access.client().await?;
    let node = match &settings.node {
        _ if settings.whole_cluster => None,
        Some(node) => Some(node.clone()),
        None => Some(discover(access, &client, &base).await.map_err(|error| error.to_string())?),
    };
    if let Some(name) = &access.cluster {
        store.set_cluster(name.clone(), access.server().to_owned());
    } else if settings.kubeadm
        && let Some((name, url)) = kubeadm(&client, &base).await
    {
        store.set_cluster(name, url);
    }
    tracing::info!(server = access.server(), node = node.as_deref().unwrap_or("all"), "asking Kubernetes about pods");
    Ok(node)
}

/// What kubeadm wrote down when it made the cluster.
async fn kubeadm(client: &Client, base: &str) -> Option<(String, String)> {
    let text = client.get(&format!("{base}/api/v1/namespaces/kube-system/configmaps/kubeadm-config")).await.ok()?;
    let map: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let cluster = yaml::parse(map.pointer("/data/ClusterConfiguration")?.as_str()?).ok()?;
    let text = |key: &str| cluster.get(key).and_then(Node::as_text).unwrap_or_default().to_owned();
    Some((text("clusterName"), text("controlPlaneEndpoint")))
}

/// The path of a kind's list, with its selection.
fn path(kind: Kind, settings: &Settings, node: Option<&str>) -> String {
    let within = settings.namespace.as_ref().map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let selection = |field: &str, value: Option<&str>| {
        value.map(|value| format!("fieldSelector={}&", escaped(&format!("{field}={value}")))).unwrap_or_default()
    };
    match kind {
        Kind::Pods => format!("/api/v1{within}/pods?{}", selection("spec.nodeName", node)),
        Kind::Nodes => format!("/api/v1/nodes?{}", selection("metadata.name", node)),
        Kind::Namespaces => format!("/api/v1/namespaces?{}", selection("metadata.name", settings.namespace.as_deref())),
        Kind::ReplicaSets => format!("/apis/apps/v1{within}/replicasets?"),
        Kind::Jobs => format!("/apis/batch/v1{within}/jobs?"),
    }
}

/// The watch of one kind.
struct Watch {
    kind: Kind,
    path: String,
    access: Arc<Access>,
    store: Arc<Store>,
    backoff: Backoff,
}

impl Watch {
    async fn run(mut self) {
        loop {
            let ended = match self.kind {
                Kind::Pods => self.list_and_watch::<Pod>().await,
                _ => self.list_and_watch::<Other>().await,
            };
            let Err(error) = ended else { continue };
            if self.backoff.is_first() {
                tracing::warn!(kind = ?self.kind, %error, "cannot follow Kubernetes; it is tried again");
            }
            if self.kind != Kind::Pods && matches!(error.status(), Some(401 | 403 | 404)) {
                // It will hardly be allowed soon: pods are known without it.
                self.store.settle(self.kind);
            }
            sleep(self.backoff.next()).await;
        }
    }

    /// Returns when it is to be listed anew.
    async fn list_and_watch<T: Resource>(&mut self) -> Result<(), Refused> {
        let mut version = self.list::<T>().await?;
        if !self.backoff.is_first() {
            tracing::info!(kind = ?self.kind, "Kubernetes answers again");
        }
        self.backoff.reset();
        loop {
            let began = Instant::now();
            match self.watch::<T>(&mut version).await {
                // Something between us and the cluster may end every watch at once.
                Ok(()) if began.elapsed() < SHORT => sleep(SHORT).await,
                Ok(()) => {}
                Err(error) if error.status() == Some(GONE) => {
                    tracing::debug!(kind = ?self.kind, "the watch is too old, listing anew");
                    return Ok(());
                }
                // What is known stays true until it is known better: the watch goes on where it was.
                Err(error) if error.status().is_none_or(|status| status >= 500 || status == 429) => {
                    if self.backoff.is_first() {
                        tracing::info!(kind = ?self.kind, %error, "the watch of Kubernetes broke; it goes on where it was");
                    }
                    sleep(self.backoff.next()).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn client(&self) -> Result<(Client, String), Refused> {
        self.access.client().await.map_err(Refused::Broken)
    }

    /// Lists all; says from where to watch.
    async fn list<T: Resource>(&self) -> Result<String, Refused> {
        let (client, base) = self.client().await?;
        let mut all = Vec::new();
        let mut more = String::new();
        loop {
            let path = format!("{base}{}limit={PAGE}{more}", self.path);
            let text = match client.get(&path).await {
                // The list changed too much since its first page: it is taken as it is now, in one piece.
                Err(error) if error.status() == Some(GONE) && !more.is_empty() => {
                    all.clear();
                    client.get(&format!("{base}{}limit=0", self.path)).await?
                }
                other => other?,
            };
            let list: List<T> = serde_json::from_slice(&text).map_err(|error| Refused::Broken(error.to_string()))?;
            all.extend(list.items);
            if list.metadata.more.is_empty() {
                T::replace(&self.store, self.kind, all);
                self.store.settle(self.kind);
                return Ok(list.metadata.resource_version);
            }
            more = format!("&continue={}", escaped(&list.metadata.more));
        }
    }

    /// Follows changes until the cluster ends the watch.
    async fn watch<T: Resource>(&mut self, version: &mut String) -> Result<(), Refused> {
        let (client, base) = self.client().await?;
        let seconds = WATCH.as_secs();
        let path = format!(
            "{base}{}watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}",
            self.path
        );
        let mut lines = client.lines(&path).await?;
        loop {
            let line = timeout(WATCH + TICK, lines.next()).await;
            let line = line.map_err(|_| Refused::Broken("the watch is silent".to_owned()))??;
            let Some(line) = line else { return Ok(()) };
            let change: Change<'_> =
                serde_json::from_slice(&line).map_err(|error| Refused::Broken(error.to_string()))?;
            if change.kind == "ERROR" {
                let status: ErrorStatus = serde_json::from_str(change.object.get()).unwrap_or_default();
                let code = hyper::StatusCode::from_u16(status.code);
                let code = code.unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
                return Err(Refused::Status(code, format!(": {}", status.message)));
            }
            let object: T =
                serde_json::from_str(change.object.get()).map_err(|error| Refused::Broken(error.to_string()))?;
            self.backoff.reset();
            version.clone_from(&object.meta().resource_version);
            match change.kind {
                "ADDED" | "MODIFIED" => object.put(&self.store, self.kind),
                "DELETED" => object.remove(&self.store, self.kind),
                // "BOOKMARK": nothing but a version.
                _ => {}
            }
        }
    }
}

/// What can be listed and watched.
trait Resource: DeserializeOwned + Send {
    fn meta(&self) -> &Meta;
    fn replace(store: &Store, kind: Kind, all: Vec<Self>);
    fn put(self, store: &Store, kind: Kind);
    fn remove(self, store: &Store, kind: Kind);
}

impl Resource for Pod {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn replace(store: &Store, _kind: Kind, all: Vec<Pod>) {
        store.replace_pods(all);
    }

    fn put(self, store: &Store, _kind: Kind) {
        store.put_pod(self);
    }

    fn remove(self, store: &Store, _kind: Kind) {
        store.remove_pod(&self);
    }
}

impl Resource for Other {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn replace(store: &Store, kind: Kind, all: Vec<Other>) {
        store.replace_others(kind, all);
    }

    fn put(self, store: &Store, kind: Kind) {
        store.put_other(kind, self);
    }

    fn remove(self, store: &Store, kind: Kind) {
        store.remove_other(kind, &self);
    }
}
