//! A Kubernetes cluster's pods, and what belongs to them: listed once, kept up to date by watches.
//!
//! Lists and watches are the module's own, over the HTTP client that asks Docker too, and not the crate `kube`. Measured
//! on a program of what the agent has anyway (ureq, rustls, tokio, regex), `kube` 5.0 with its client, its watcher and
//! these five kinds makes the stripped binary 6.6 MiB larger (4.4 to 11.0; the agent's mark is 15) and takes 331 seconds
//! more of processor time in a release build and 143 in a debug build.

mod access;
#[cfg(test)]
pub(crate) mod fake;
mod fields;
mod matcher;
mod node;
mod options;
mod resources;
mod store;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Changes, Shared};

pub(crate) use fields::FieldSettings;
pub(crate) use matcher::{Indexer, Matcher, path_facts};
pub(crate) use options::{cluster, fields};
pub(crate) use resources::{Pod, PodContainer};
pub(crate) use store::{Key, Lookup, Subject};

use fields::pod_fields;
use store::Store;

/// A file waits no longer for its pod to be known.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

static CLUSTERS: Shared<Settings, Cluster> = Shared::new();

/// Which cluster, which part of it, and how long it is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `kube_config`; without it the environment or the pod's own account.
    pub(crate) kube_config: Option<PathBuf>,
    /// `node`, `host`
    pub(crate) node: Option<String>,
    /// `scope: cluster`: the pods of all nodes.
    pub(crate) whole_cluster: bool,
    /// `namespace`
    pub(crate) namespace: Option<String>,
    /// What is watched beside pods.
    pub(crate) kinds: Vec<Kind>,
    /// `use_kubeadm`: whether kubeadm's map tells the cluster's name.
    pub(crate) kubeadm: bool,
    /// `cleanup_timeout`: so long a deleted pod is kept after it was last asked for.
    pub(crate) cleanup: Duration,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// The containers whose lines are read.
    Pods,
    /// For `kubernetes.node`.
    Nodes,
    /// For `kubernetes.namespace_labels` and the like.
    Namespaces,
    /// For the deployment above a pod's replica set.
    ReplicaSets,
    /// For the cron job above a pod's job.
    Jobs,
}

/// One cluster. Dropped, it stops asking.
#[derive(Debug)]
pub(crate) struct Cluster {
    settings: Settings,
    store: Arc<Store>,
    /// Dropped, it stops the thread.
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl Cluster {
    /// The one of these settings.
    pub(crate) fn of(settings: &Settings) -> Arc<Cluster> {
        CLUSTERS.get(settings, |settings| {
            let store = Store::new(&settings.kinds, settings.cleanup);
            Cluster { settings, store: Arc::new(store), stop: Mutex::default() }
        })
    }

    /// Begins to ask, on a thread of its own.
    pub(crate) fn start(&self) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if stop.is_some() {
            return;
        }
        let (sender, stopped) = oneshot::channel();
        *stop = Some(sender);
        let (settings, store) = (self.settings.clone(), self.store.clone());
        super::spawn("kubernetes", stopped, move || watch::follow(settings, store));
    }

    /// What is known under a key.
    pub(crate) fn find(&self, key: &Key) -> Lookup {
        self.store.find(key)
    }

    /// Whether everything was listed that is to be.
    pub(crate) fn is_complete(&self) -> bool {
        self.store.is_complete()
    }

    /// Every pod that is there.
    pub(crate) fn pods(&self) -> Vec<Arc<Pod>> {
        self.store.pods()
    }

    /// The fields of a pod, and of one of its containers.
    pub(crate) fn fields(&self, subject: &Subject, settings: &FieldSettings) -> tailrace_common::Object {
        pod_fields(&self.store, subject, settings)
    }

    /// The annotations of a namespace.
    pub(crate) fn namespace_annotations(&self, name: &str) -> Vec<(String, String)> {
        let namespace = self.store.other(Kind::Namespaces, name);
        namespace.map(|namespace| namespace.meta.annotations.clone().into_iter().collect()).unwrap_or_default()
    }

    /// Tells when something has changed.
    pub(crate) fn changes(&self) -> &Changes {
        self.store.changes()
    }
}

#[cfg(test)]
mod tests;
