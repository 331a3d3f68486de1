//! A small API server for tests: it answers lists and watches as the real one does.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Sender, bounded};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::fake::{Answer, Asked, Fake, eventually};

/// The container of [`pod`].
pub(crate) const ID: &str = "b5285682fba7449c86452b89a800609440ecc88a7ba5f2d38bedfb85409b30b1";

/// A pod as Kubernetes 1.30 writes it, of a deployment, whose container was started again once.
pub(crate) fn pod(name: &str, node: &str) -> Value {
    json!({
        "metadata": {
            "name": name, "generateName": "web-6d4b-", "namespace": "shop", "uid": "005f3b90-4b9d-12f8-acf0-31020a840133",
            "resourceVersion": "1", "creationTimestamp": "2024-07-03T10:00:00Z",
            "labels": {"app.kubernetes.io/name": "web", "tier": "front"},
            "annotations": {"kubectl.kubernetes.io/restartedAt": "2024-07-03T09:00:00Z", "owner": "blue"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4b", "uid": "rs", "controller": true, "blockOwnerDeletion": true}]
        },
        "spec": {
            "nodeName": node, "restartPolicy": "Always",
            "containers": [{"name": "nginx", "image": "nginx:1.27", "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}], "resources": {}}]
        },
        "status": {
            "phase": "Running", "hostIP": "10.0.0.1", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}],
            "containerStatuses": [{
                "name": "nginx", "image": "nginx:1.27", "imageID": "sha256:abc", "ready": true, "started": true, "restartCount": 1,
                "containerID": format!("containerd://{ID}"),
                "state": {"running": {"startedAt": "2024-07-03T10:05:00Z"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "containerID": format!("containerd://{}", ID.replace('b', "0"))}}
            }]
        }
    })
}

#[derive(Default)]
struct State {
    pods: Mutex<Vec<Value>>,
    /// Open watches, by the resource's plural.
    watches: Mutex<Vec<(String, Sender<String>)>>,
    version: AtomicU64,
    /// Watches from versions below this one are too old.
    oldest: AtomicU64,
    /// Paths with this in them are forbidden.
    forbidden: Mutex<Option<&'static str>>,
}

/// A running API server.
pub(crate) struct Api {
    state: Arc<State>,
    folder: TempDir,
    server: Mutex<Option<Fake>>,
    port: u16,
}

impl Api {
    pub(crate) fn new() -> Api {
        let state = Arc::new(State { version: AtomicU64::new(100), ..State::default() });
        let serving = state.clone();
        let (server, port) = Fake::tcp(0, move |asked| route(&serving, asked));
        Api { state, folder: tempfile::tempdir().unwrap(), server: Mutex::new(Some(server)), port }
    }

    /// It answers no more, and its watches break.
    pub(crate) fn go_down(&self) {
        self.server.lock().unwrap().take();
        self.state.watches.lock().unwrap().clear();
    }

    /// It answers again.
    pub(crate) fn come_up(&self) {
        let serving = self.state.clone();
        *self.server.lock().unwrap() = Some(Fake::tcp(self.port, move |asked| route(&serving, asked)).0);
    }

    /// A kubeconfig for it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        let path = self.folder.path().join("config");
        std::fs::write(self.folder.path().join("token"), "TOKEN\n").unwrap();
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: ctx\ncontexts:\n- name: ctx\n  context: {{cluster: test, user: agent}}\n\
             clusters:\n- name: test\n  cluster: {{server: 'http://127.0.0.1:{}'}}\n\
             users:\n- name: agent\n  user: {{tokenFile: token}}\n",
            self.port
        );
        std::fs::write(&path, config).unwrap();
        path
    }

    /// Paths with this in them are forbidden from now on.
    pub(crate) fn forbid(&self, part: &'static str) {
        *self.state.forbidden.lock().unwrap() = Some(part);
    }

    /// Adds a pod or changes it.
    pub(crate) fn add(&self, pod: Value) {
        let kind = {
            let mut pods = self.state.pods.lock().unwrap();
            let held = pods.iter().position(|held| held["metadata"]["name"] == pod["metadata"]["name"]);
            match held {
                Some(at) => pods[at] = pod.clone(),
                None => pods.push(pod.clone()),
            }
            if held.is_some() { "MODIFIED" } else { "ADDED" }
        };
        self.tell(kind, pod);
    }

    /// Deletes a pod.
    pub(crate) fn delete(&self, name: &str) {
        let mut pods = self.state.pods.lock().unwrap();
        let at = pods.iter().position(|pod| pod["metadata"]["name"] == name).unwrap();
        let pod = pods.remove(at);
        drop(pods);
        self.tell("DELETED", pod);
    }

    /// Changes pods without telling, and forgets where watches stood.
    pub(crate) fn forget(&self, pods: Vec<Value>) {
        *self.state.pods.lock().unwrap() = pods;
        let now = self.state.version.fetch_add(10, Ordering::SeqCst) + 10;
        self.state.oldest.store(now, Ordering::SeqCst);
    }

    fn tell(&self, kind: &str, mut object: Value) {
        let version = self.state.version.fetch_add(1, Ordering::SeqCst) + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let line = format!("{}\n", json!({"type": kind, "object": object}));
        for (_, watch) in self.state.watches.lock().unwrap().iter().filter(|(of, _)| of == "pods") {
            watch.send(line.clone()).ok();
        }
    }

    /// Sends a line to the watches of pods as it is.
    pub(crate) fn say(&self, line: &Value) {
        for (_, watch) in self.state.watches.lock().unwrap().iter().filter(|(of, _)| of == "pods") {
            watch.send(format!("{line}\n")).ok();
        }
    }

    /// Ends the watches of pods, as the server does after a while.
    pub(crate) fn end_watches(&self) {
        self.state.watches.lock().unwrap().retain(|(of, _)| of != "pods");
    }

    /// Waits until pods are watched.
    pub(crate) fn await_watch(&self) {
        eventually("a watch of pods", || self.state.watches.lock().unwrap().iter().any(|(of, _)| of == "pods"));
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.server.lock().unwrap().as_ref().map(Fake::asked).unwrap_or_default()
    }
}

fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": reason, "reason": reason, "code": code})
}

fn route(state: &State, asked: &Asked) -> Answer {
    if asked.header("authorization") != Some("Bearer TOKEN") {
        return Answer::Whole(401, status(401, "Unauthorized").to_string());
    }
    if state.forbidden.lock().unwrap().is_some_and(|part| asked.path.contains(part)) {
        return Answer::Whole(403, status(403, "Forbidden").to_string());
    }
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let plural = path.rsplit('/').next().unwrap();
    let items = match path {
        "/api/v1/pods" => {
            let node = value("fieldSelector").and_then(|selector| selector.strip_prefix("spec.nodeName="));
            let pods = state.pods.lock().unwrap().clone();
            pods.into_iter().filter(|pod| node.is_none_or(|node| pod["spec"]["nodeName"] == node)).collect()
        }
        "/api/v1/nodes" => vec![json!({
            "metadata": {"name": "node-1", "uid": "node-uid", "labels": {"kubernetes.io/arch": "amd64"}, "annotations": {}},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "node-1.lan"}],
                       "nodeInfo": {"machineID": "0123", "kubeletVersion": "v1.30.2"}}
        })],
        "/api/v1/namespaces" => vec![json!({
            "metadata": {"name": "shop", "uid": "ns-uid", "labels": {"team.io/name": "blue"}, "annotations": {"co.elastic.logs/multiline.pattern": "^ns"}},
            "status": {"phase": "Active"}
        })],
        "/apis/apps/v1/replicasets" => vec![json!({"metadata": {"name": "web-6d4b", "namespace": "shop", "uid": "rs",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": true}]}})],
        "/apis/batch/v1/jobs" => Vec::new(),
        _ => return Answer::Whole(404, status(404, "the server could not find the requested resource").to_string()),
    };
    if value("watch").is_some() {
        let from: u64 = value("resourceVersion").unwrap().parse().unwrap();
        let (sender, chunks) = bounded(1000);
        if from < state.oldest.load(Ordering::SeqCst) {
            let error = json!({"type": "ERROR", "object": status(410, "too old resource version")});
            sender.send(format!("{error}\n")).unwrap();
        } else {
            state.watches.lock().unwrap().push((plural.to_owned(), sender));
        }
        return Answer::Stream(chunks);
    }
    page(state, items, value("limit").unwrap().parse().unwrap(), value("continue"))
}

/// A page of a list; to show more than one the pages are of two items each.
fn page(state: &State, items: Vec<Value>, limit: usize, from: Option<&str>) -> Answer {
    let start: usize = from.map_or(0, |from| from.parse().unwrap());
    let end = if limit == 0 { items.len() } else { items.len().min(start + limit.min(2)) };
    let more = if end < items.len() { end.to_string() } else { String::new() };
    let version = state.version.load(Ordering::SeqCst).to_string();
    let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version, "continue": more},
        "items": &items[start..end]});
    Answer::Whole(200, list.to_string())
}
