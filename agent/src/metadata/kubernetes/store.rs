//! What is known of a cluster, by everything that an event may know of a pod.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Kind;
use super::resources::{Other, Pod, PodContainer};
use crate::metadata::Changes;

/// What an event knows of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A container's id: the indexer `container`.
    Container(String),
    /// A pod's uid: the indexer `pod_uid`.
    Uid(String),
    /// A pod's uid and the name of a container of it.
    UidAndContainer(String, String),
    /// `namespace/name`: the indexer `pod_name`.
    Name(String),
    /// An address, with a port or without: the indexer `ip_port`.
    Address(String),
}

/// A pod, and the container that was meant.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) pod: Arc<Pod>,
    pub(crate) container: Option<Arc<PodContainer>>,
}

/// Where the looking up of a pod stands.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// Here it is.
    Found(Subject),
    /// The cluster answers, and has none.
    Unknown,
    /// The cluster is being asked, or does not answer.
    Pending,
    /// There is no cluster.
    Nowhere,
}

#[derive(Debug)]
struct Known {
    subject: Subject,
    /// When it was last asked for, once it is gone.
    gone: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    /// Nothing is known of any cluster.
    nowhere: bool,
    /// Kinds that were not listed yet.
    missing: Vec<Kind>,
    known: HashMap<Key, Known>,
    /// By `namespace/name`.
    pods: HashMap<String, Arc<Pod>>,
    others: HashMap<(Kind, String), Arc<Other>>,
    /// The cluster's name and address.
    cluster: (String, String),
}

/// Everything that is known of one cluster.
#[derive(Debug)]
pub(super) struct Store {
    state: Mutex<State>,
    changes: Changes,
    cleanup: Duration,
}

impl Store {
    pub(super) fn new(kinds: &[Kind], cleanup: Duration) -> Store {
        let missing = kinds.iter().copied().chain([Kind::Pods]).collect();
        Store { state: Mutex::new(State { missing, ..State::default() }), changes: Changes::default(), cleanup }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    pub(super) fn find(&self, key: &Key) -> Lookup {
        let mut state = self.lock();
        let (complete, nowhere) = (state.missing.is_empty(), state.nowhere);
        match state.known.get_mut(key) {
            Some(known) => {
                known.gone = known.gone.map(|_| Instant::now());
                Lookup::Found(known.subject.clone())
            }
            None if nowhere => Lookup::Nowhere,
            None if complete => Lookup::Unknown,
            None => Lookup::Pending,
        }
    }

    /// Whether everything was listed: the labels of a pod's node may still be on their way when the pod is known.
    pub(super) fn is_complete(&self) -> bool {
        self.lock().missing.is_empty()
    }

    pub(super) fn pods(&self) -> Vec<Arc<Pod>> {
        let state = self.lock();
        if state.missing.is_empty() { state.pods.values().cloned().collect() } else { Vec::new() }
    }

    pub(super) fn other(&self, kind: Kind, key: &str) -> Option<Arc<Other>> {
        self.lock().others.get(&(kind, key.to_owned())).cloned()
    }

    pub(super) fn cluster(&self) -> (String, String) {
        self.lock().cluster.clone()
    }

    pub(super) fn set_cluster(&self, name: String, url: String) {
        self.lock().cluster = (name, url);
    }

    /// Whether there is any cluster.
    pub(super) fn set_nowhere(&self, nowhere: bool) {
        self.lock().nowhere = nowhere;
    }

    /// A kind was listed, or never will be.
    pub(super) fn settle(&self, kind: Kind) {
        self.lock().missing.retain(|missing| *missing != kind);
        self.changes.happened();
    }

    /// These are all pods that there are.
    pub(super) fn replace_pods(&self, pods: Vec<Pod>) {
        let mut state = self.lock();
        let mut gone: HashMap<String, Arc<Pod>> = std::mem::take(&mut state.pods);
        for pod in pods {
            gone.remove(&pod.meta.key());
            state.put(pod);
        }
        for pod in gone.values() {
            state.leave(&pod.meta.uid, &[]);
        }
    }

    pub(super) fn put_pod(&self, pod: Pod) {
        self.lock().put(pod);
        self.changes.happened();
    }

    pub(super) fn remove_pod(&self, pod: &Pod) {
        let mut state = self.lock();
        state.pods.remove(&pod.meta.key());
        state.leave(&pod.meta.uid, &[]);
        drop(state);
        self.changes.happened();
    }

    /// These are all of their kind.
    pub(super) fn replace_others(&self, kind: Kind, others: Vec<Other>) {
        let mut state = self.lock();
        state.others.retain(|(held, _), _| *held != kind);
        for other in others {
            state.others.insert((kind, other.meta.key()), Arc::new(other));
        }
    }

    pub(super) fn put_other(&self, kind: Kind, other: Other) {
        self.lock().others.insert((kind, other.meta.key()), Arc::new(other));
        self.changes.happened();
    }

    pub(super) fn remove_other(&self, kind: Kind, other: &Other) {
        self.lock().others.remove(&(kind, other.meta.key()));
    }

    /// Forgets what is gone and was not asked for since.
    pub(super) fn clean(&self) {
        let cleanup = self.cleanup;
        self.lock().known.retain(|_, known| known.gone.is_none_or(|at| at.elapsed() < cleanup));
    }
}

impl State {
    fn put(&mut self, pod: Pod) {
        let pod = Arc::new(pod);
        let keys = keys(&pod);
        let held: Vec<Key> = keys.iter().map(|(key, _)| key.clone()).collect();
        self.leave(&pod.meta.uid, &held);
        for (key, container) in keys {
            let subject = Subject { pod: pod.clone(), container };
            self.known.insert(key, Known { subject, gone: None });
        }
        self.pods.insert(pod.meta.key(), pod);
    }

    /// A pod is known by nothing else than `held` any more.
    fn leave(&mut self, uid: &str, held: &[Key]) {
        let now = Instant::now();
        let left =
            self.known.iter_mut().filter(|(key, known)| known.subject.pod.meta.uid == uid && !held.contains(key));
        for (_, known) in left {
            known.gone = known.gone.or(Some(now));
        }
    }
}

/// Everything that a pod is known by.
fn keys(pod: &Pod) -> Vec<(Key, Option<Arc<PodContainer>>)> {
    let (uid, address) = (&pod.meta.uid, pod.address());
    let mut keys = vec![(Key::Uid(uid.clone()), None), (Key::Name(pod.meta.key()), None)];
    if !address.is_empty() {
        keys.push((Key::Address(address.to_owned()), None));
    }
    for container in pod.containers().into_iter().map(Arc::new) {
        let also = || Some(container.clone());
        if let Some(before) = &container.before {
            let old = PodContainer { id: before.clone(), ..PodContainer::clone(&container) };
            keys.push((Key::Container(before.clone()), Some(Arc::new(old))));
        }
        if !container.id.is_empty() {
            keys.push((Key::Container(container.id.clone()), also()));
        }
        keys.push((Key::UidAndContainer(uid.clone(), container.name.clone()), also()));
        let ports = container.ports.iter().filter(|port| port.container_port != 0 && !address.is_empty());
        keys.extend(ports.map(|port| (Key::Address(format!("{address}:{}", port.container_port)), also())));
    }
    keys
}
