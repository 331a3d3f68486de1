#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::fake::{Api, ID, pod};
use super::*;
use crate::http::fake::eventually;

fn settings(api: &Api) -> Settings {
    Settings {
        kube_config: Some(api.kubeconfig()),
        node: Some("node-1".into()),
        kinds: vec![Kind::Nodes, Kind::Namespaces],
        cleanup: Duration::from_millis(50),
        ..Settings::default()
    }
}

/// Another pod, with an id of its own.
fn other(name: &str, digit: char) -> (Value, Key) {
    let id = digit.to_string().repeat(64);
    let mut pod = pod(name, "node-1");
    pod["metadata"]["uid"] = json!(format!("uid-{digit}"));
    pod["status"]["containerStatuses"][0]["containerID"] = json!(format!("containerd://{id}"));
    pod["status"]["containerStatuses"][0]["lastState"] = json!({});
    (pod, Key::Container(id))
}

fn found(cluster: &Cluster, key: &Key) -> Option<Subject> {
    match cluster.find(key) {
        Lookup::Found(subject) => Some(subject),
        _ => None,
    }
}

#[test]
fn pods_are_listed_and_watched() {
    let api = Api::new();
    let (one, by_one) = other("one", '1');
    let (two, by_two) = other("two", '2');
    let (three, by_three) = other("three", '3');
    for pod in [pod("web", "node-1"), one, two, pod("elsewhere", "node-2")] {
        api.add(pod);
    }
    let cluster = Cluster::of(&settings(&api));
    assert!(matches!(cluster.find(&by_one), Lookup::Pending));
    cluster.start();
    eventually("the list", || cluster.is_complete());
    assert_eq!(cluster.pods().len(), 3, "in two pages, those of the node alone");
    assert!(found(&cluster, &by_two).is_some() && matches!(cluster.find(&by_three), Lookup::Unknown));
    api.await_watch();
    api.add(three);
    eventually("the new pod", || found(&cluster, &by_three).is_some());

    // Its container starts again: the lines of the one before are still read.
    let (mut one, _) = other("one", '1');
    one["status"]["containerStatuses"][0]["containerID"] = json!(format!("containerd://{}", "4".repeat(64)));
    api.add(one);
    eventually("the new container", || found(&cluster, &Key::Container("4".repeat(64))).is_some());
    assert!(found(&cluster, &by_one).is_some());

    api.delete("two");
    eventually("the deletion", || cluster.pods().len() == 3);
    assert!(found(&cluster, &by_two).is_some());
    let before = found(&cluster, &Key::Container(ID.replace('b', "0"))).unwrap();
    assert_eq!(before.container.unwrap().id, ID.replace('b', "0"));
}

#[test]
fn a_watch_that_is_too_old_lists_anew() {
    let api = Api::new();
    let (one, by_one) = other("one", '1');
    let (two, by_two) = other("two", '2');
    api.add(one);
    let cluster = Cluster::of(&settings(&api));
    cluster.start();
    api.await_watch();
    // Within the stream, and when the watch is begun again.
    for (pod, key, gone) in [(two, &by_two, &by_one), (other("one", '1').0, &by_one, &by_two)] {
        api.forget(vec![pod]);
        if gone == &by_one {
            // The server ends the watch behind it.
            api.say(&json!({"type": "ERROR", "object": {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410, "message": "too old resource version: 100 (110)"}}));
        }
        api.end_watches();
        eventually("the new list", || found(&cluster, key).is_some());
        assert_eq!(cluster.pods().len(), 1);
        assert!(found(&cluster, gone).is_some(), "its last lines may still be read");
        api.await_watch();
    }
}

#[test]
fn bookmarks_move_the_watch_on() {
    let api = Api::new();
    let cluster = Cluster::of(&settings(&api));
    cluster.start();
    api.await_watch();
    api.say(&json!({"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "12746", "creationTimestamp": null}, "spec": {"containers": null}, "status": {}}}));
    std::thread::sleep(Duration::from_millis(100));
    api.end_watches();
    eventually("a watch from there", || api.asked().iter().any(|asked| asked.path.ends_with("&resourceVersion=12746")));
    assert_eq!(
        api.asked()
            .iter()
            .filter(|asked| asked.path.starts_with("/api/v1/pods?") && asked.path.contains("limit"))
            .count(),
        1
    );
}

#[test]
fn a_cluster_that_went_down_is_followed_on() {
    let api = Api::new();
    let (one, by_one) = other("one", '1');
    let (two, by_two) = other("two", '2');
    api.go_down();
    let cluster = Cluster::of(&settings(&api));
    cluster.start();
    std::thread::sleep(Duration::from_millis(100));
    assert!(matches!(cluster.find(&by_one), Lookup::Pending));
    api.come_up();
    api.add(one);
    eventually("the pod", || found(&cluster, &by_one).is_some());
    api.await_watch();
    api.go_down();
    assert!(found(&cluster, &by_one).is_some(), "what is known stays known");
    api.come_up();
    api.await_watch();
    api.add(two);
    eventually("the other pod", || found(&cluster, &by_two).is_some());
}

#[test]
fn what_is_forbidden_is_done_without() {
    let api = Api::new();
    api.forbid("/namespaces");
    let (one, by_one) = other("one", '1');
    api.add(one);
    let cluster = Cluster::of(&settings(&api));
    cluster.start();
    eventually("the pod", || cluster.is_complete() && found(&cluster, &by_one).is_some());
    let fields = cluster.fields(&found(&cluster, &by_one).unwrap(), &FieldSettings::default());
    let kubernetes = fields.get("kubernetes").and_then(tailrace_common::Value::as_object).unwrap();
    assert!(kubernetes.contains("namespace") && !kubernetes.contains("namespace_uid"));
}
