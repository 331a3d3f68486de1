#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::http::fake::eventually;
use crate::metadata::kubernetes::fake::{Api, ID, pod};
use crate::pipeline::Awaited;
use crate::processors::Chain;
use crate::processors::field::tests::{event, fields_of};
use crate::processors::read::tests::{chain, problems};

fn file(path: &str) -> FileMeta {
    FileMeta { path: path.into(), ..FileMeta::unknown() }
}

fn made(chain: &Chain, path: &str) -> serde_json::Value {
    let mut event = event(&json!({"log": {"file": {"path": path}}}).to_string());
    chain.run(&mut event, &file(path));
    let mut fields = fields_of(&event);
    fields.as_object_mut().unwrap().remove("log");
    fields
}

fn read(api: &Api, more: &str) -> Chain {
    let yaml = format!(
        "- add_kubernetes_metadata:\n    kube_config: {}\n    node: node-1\n{more}",
        api.kubeconfig().display()
    );
    let (chain, problems) = chain(&yaml);
    assert_eq!(problems, Vec::<String>::new());
    chain
}

/// What a pod of the fake gets.
fn wanted() -> serde_json::Value {
    json!({
        "kubernetes": {
            "pod": {"name": "web-6d4b-x2x", "uid": "005f3b90-4b9d-12f8-acf0-31020a840133", "ip": "10.1.2.3"},
            "namespace": "shop", "namespace_uid": "ns-uid", "namespace_labels": {"team_io/name": "blue"},
            "labels": {"app_kubernetes_io/name": "web", "tier": "front"},
            "replicaset": {"name": "web-6d4b"},
            "node": {"name": "node-1", "uid": "node-uid", "hostname": "node-1.lan", "labels": {"kubernetes_io/arch": "amd64"}},
            "container": {"name": "nginx"}
        },
        "container": {"id": ID, "runtime": "containerd", "image": {"name": "nginx:1.27"}},
        "orchestrator": {"cluster": {"name": "test", "url": api_url()}}
    })
}

fn api_url() -> &'static str {
    "URL"
}

fn with_url(mut fields: serde_json::Value) -> serde_json::Value {
    if let Some(url) = fields.pointer_mut("/orchestrator/cluster/url") {
        *url = json!("URL");
    }
    fields
}

#[test]
fn a_line_gets_what_the_cluster_knows() {
    let api = Api::new();
    api.add(pod("web-6d4b-x2x", "node-1"));
    let containers = "    matchers: [{logs_path: {logs_path: /var/log/containers/}}]";
    let chain = read(&api, containers);
    let path = format!("/var/log/containers/web-6d4b-x2x_shop_nginx-{ID}.log");
    assert_eq!(chain.awaits(&file(&path), Duration::ZERO), Awaits::Facts);
    let by_path = json!({"kubernetes": {"namespace": "shop", "pod": {"name": "web-6d4b-x2x"}, "container": {"name": "nginx"}}, "container": {"id": ID}});
    assert_eq!(made(&chain, &path), by_path, "the path alone while nothing is known");
    chain.start();
    eventually("the pod", || chain.awaits(&file(&path), Duration::MAX) == Awaits::Nothing);
    assert_eq!(with_url(made(&chain, &path)), wanted());
    assert!(chain.is_per_file() && chain.valid_for(&file(&path)) == Some(FOUND));
    assert_eq!(made(&chain, "/var/log/app.log"), json!({}));
    let mut held = event(&json!({"kubernetes": {"own": 1}, "log": {"file": {"path": path}}}).to_string());
    chain.run(&mut held, &file(&path));
    assert_eq!(fields_of(&held)["kubernetes"], json!({"own": 1}));
}

#[test]
fn pods_are_found_by_all_that_is_known_of_them() {
    let api = Api::new();
    api.add(pod("web-6d4b-x2x", "node-1"));
    let more = "    default_indexers.enabled: false
    default_matchers.enabled: false
    include_labels: [tier]
    add_resource_metadata: {node.enabled: false, namespace.enabled: false, deployment: true, cronjob: true}
    indexers: [{pod_name: ~}, {pod_uid: ~}, {ip_port: ~}]
    matchers:
    - logs_path: {logs_path: /var/log/pods/, resource_type: pod}
    - fields: {lookup_fields: [nope, pod_ref], regex_pattern: '^ref:(?P<key>.+)$'}
    - field_format: {format: '%{[ip]}:%{[port]}'}";
    let chain = read(&api, more);
    chain.start();
    let logs =
        |restarts| format!("/var/log/pods/shop_web-6d4b-x2x_005f3b90-4b9d-12f8-acf0-31020a840133/nginx/{restarts}.log");
    eventually("the pod", || chain.awaits(&file(&logs(1)), Duration::MAX) == Awaits::Nothing);
    let kubernetes = json!({"pod": wanted()["kubernetes"]["pod"], "namespace": "shop", "labels": {"tier": "front"},
        "replicaset": {"name": "web-6d4b"}, "deployment": {"name": "web"}, "node": {"name": "node-1"}, "container": {"name": "nginx"}});
    assert_eq!(made(&chain, &logs(1))["kubernetes"], kubernetes);
    assert_eq!(made(&chain, &logs(1))["container"]["id"], ID);
    assert_eq!(
        made(&chain, &logs(0))["container"]["id"],
        ID.replace('b', "0"),
        "the container before it was started again"
    );
    let name = |text: &str| {
        let mut event = event(text);
        chain.run(&mut event, &FileMeta::unknown());
        fields_of(&event)["kubernetes"]["pod"]["name"].clone()
    };
    assert_eq!(name(r#"{"pod_ref":"ref:shop/web-6d4b-x2x"}"#), "web-6d4b-x2x");
    assert_eq!(name(r#"{"ip":"10.1.2.3","port":80}"#), "web-6d4b-x2x");
    assert_eq!(name(r#"{"pod_ref":"shop/web-6d4b-x2x"}"#), json!(null));
}

#[test]
fn outside_of_a_cluster_nothing_is_added() {
    let (chain, problems) = chain("- add_kubernetes_metadata: {default_matchers.enabled: true}");
    assert_eq!(problems, Vec::<String>::new());
    chain.start();
    let path = format!("/var/lib/docker/containers/{ID}/{ID}-json.log");
    eventually("that there is none", || chain.awaits(&file(&path), Duration::ZERO) == Awaits::Nothing);
    assert_eq!(made(&chain, &path), json!({}));
}

#[test]
fn wrong_options_are_named() {
    for (yaml, message) in [
        (
            "{scope: nodes}",
            "'processors.0.add_kubernetes_metadata.scope' must be one of node, cluster, this is 'nodes'",
        ),
        ("{matcher: []}", "unknown key 'processors.0.add_kubernetes_metadata.matcher'"),
        ("{matchers: [{log_path: ~}]}", "unknown key 'processors.0.add_kubernetes_metadata.matchers.0.log_path'"),
        (
            "{matchers: [{fields: {}}]}",
            "'processors.0.add_kubernetes_metadata.matchers.0.fields.lookup_fields' is missing",
        ),
        (
            "{matchers: [{fields: {lookup_fields: [a], regex_pattern: 'x'}}]}",
            "the pattern has no group that is called 'key'",
        ),
        (
            "{matchers: [{logs_path: {logs_path: /logs, resource_type: pod}}]}",
            "with 'resource_type: pod' 'logs_path' must be /var/lib/kubelet/pods/ or /var/log/pods/",
        ),
        ("{indexers: [{pod: ~}]}", "unknown key 'processors.0.add_kubernetes_metadata.indexers.0.pod'"),
        ("{default_matchers.enabled: false}", "'processors.0.add_kubernetes_metadata' has no matcher"),
        (
            "{include_labels: ['['], use_regex: true}",
            "'processors.0.add_kubernetes_metadata.include_labels': regex parse error:\n    [\n    ^\nerror: unclosed character class",
        ),
    ] {
        assert_eq!(problems(&format!("- add_kubernetes_metadata: {yaml}")), [message], "{yaml}");
    }
}
