#![allow(clippy::unwrap_used)]

use std::path::Path;

use crossbeam_channel::{Receiver, bounded};
use serde_json::{Value, json};

use super::*;
use crate::config;
use crate::http::fake::{Answer, Fake, eventually};
use crate::metadata::kubernetes::fake::{Api, ID, pod};
use crate::tail::settings::Parser;

/// Autodiscover, and what it tells.
struct Told {
    discovery: Discovery,
    inputs: Receiver<Vec<Decor>>,
}

/// With these providers.
fn discover(providers: &str) -> Told {
    let text = format!("filebeat.autodiscover.providers:\n{providers}\noutput.discard: {{}}\nfields: {{site: here}}\n");
    let config = config::from_text("agent.yml", &text, &config::Overrides::default()).unwrap();
    let (sender, inputs) = bounded(10);
    let discovery = Discovery::start(config.autodiscover.unwrap(), move |found| drop(sender.send(found))).unwrap();
    Told { discovery, inputs }
}

/// What is wrong with these providers.
fn problems(providers: &str) -> String {
    let text = format!("filebeat.autodiscover.providers:\n{providers}\noutput.discard: {{}}\n");
    config::from_text("agent.yml", &text, &config::Overrides::default()).unwrap_err().to_string()
}

/// The inputs that it tells next.
fn next(told: &Told) -> Vec<Decor> {
    told.inputs.recv_timeout(Duration::from_secs(20)).unwrap()
}

fn json_of(object: &Object) -> Value {
    let mut out = Vec::new();
    tailrace_common::json::write_object(object, &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn kubernetes(api: &Api, more: &str) -> String {
    format!(
        "- type: kubernetes\n  kube_config: {}\n  node: node-1\n  cleanup_timeout: 1s\n{more}",
        api.kubeconfig().display()
    )
}

/// A pod with these annotations.
fn annotated(annotations: Value) -> Value {
    let mut pod = pod("web-6d4b-x2x", "node-1");
    pod["metadata"]["annotations"] = annotations;
    pod
}

#[test]
fn hints_of_a_pod_make_an_input() {
    let api = Api::new();
    api.add(annotated(json!({
        "co.elastic.logs/exclude_lines": "^DEBUG, ^TRACE",
        "co.elastic.logs/json.keys_under_root": "true",
        "co.elastic.logs/json.message_key": "msg",
        "co.elastic.logs.nginx/multiline.negate": "true",
        "co.elastic.logs.nginx/multiline.match": "after",
        "co.elastic.logs.other/multiline.pattern": "^other",
        "co.elastic.logs/processors.2.drop_fields": "{\"fields\": [\"a\"]}",
        "co.elastic.logs/processors.1.add_fields.fields.from": "hint"
    })));
    let told = discover(&kubernetes(&api, "  hints.enabled: true"));
    let found = next(&told);
    let [decor] = found.as_slice() else { panic!("{found:?}") };
    let input = &decor.input;
    assert_eq!(input.id, format!("container-logs-{ID}"));
    assert_eq!(input.paths[0], format!("/var/log/containers/*-{ID}.log"));
    assert!(input.symlinks && !input.close.removed && input.take_over);
    assert_eq!(input.exclude_lines.len(), 2);
    let [Parser::Container(_), Parser::Ndjson(_), Parser::Multiline(multiline)] = input.parsers.as_slice() else {
        panic!("{:?}", input.parsers)
    };
    // The pattern is the namespace's, the rest the container's.
    assert!(format!("{multiline:?}").contains("^ns"), "{multiline:?}");
    assert!(!decor.processors.is_empty());
    let added = json_of(&decor.added);
    assert_eq!(added["fields"], json!({"site": "here"}));
    assert_eq!(added["kubernetes"]["pod"]["name"], "web-6d4b-x2x");
    assert_eq!(added["kubernetes"]["container"], json!({"name": "nginx"}));
    assert_eq!(added["container"], json!({"id": ID, "runtime": "containerd", "image": {"name": "nginx:1.27"}}));
    eventually("it to be complete", || told.discovery.is_complete());
}

#[test]
fn inputs_follow_their_pods() {
    let api = Api::new();
    api.add(annotated(json!({})));
    let told = discover(&kubernetes(&api, "  hints.enabled: true"));
    let first = next(&told);
    // New labels: other fields, the same input to the reader.
    let mut changed = annotated(json!({}));
    changed["metadata"]["labels"]["tier"] = json!("back");
    api.await_watch();
    api.add(changed);
    let second = next(&told);
    assert!(Arc::ptr_eq(&first[0].input, &second[0].input));
    assert_eq!(json_of(&second[0].added)["kubernetes"]["labels"]["tier"], "back");
    // New hints: another input.
    api.add(annotated(json!({"co.elastic.logs/include_lines": "^ERR"})));
    let third = next(&told);
    assert!(!Arc::ptr_eq(&second[0].input, &third[0].input) && third[0].input.include_lines.len() == 1);
    // It ends: its last lines are read for a while.
    let deleted = Instant::now();
    api.delete("web-6d4b-x2x");
    assert_eq!(next(&told).len(), 0);
    assert!(deleted.elapsed() >= Duration::from_millis(900), "{:?}", deleted.elapsed());
}

#[test]
fn hints_may_switch_off_and_on() {
    // The namespace's own hint is without a number: it makes one more where there are numbers.
    for (more, annotations, wanted) in [
        ("  hints.enabled: true", json!({"co.elastic.logs/enabled": "false"}), 0),
        ("  hints: {enabled: true, default_config.enabled: false}", json!({}), 0),
        ("  hints: {enabled: true, default_config.enabled: false}", json!({"co.elastic.logs/enabled": "true"}), 1),
        (
            "  hints.enabled: true",
            json!({"co.elastic.logs/1.include_lines": "a", "co.elastic.logs/2.include_lines": "b", "co.elastic.logs/enabled": "true"}),
            3,
        ),
        (
            "  hints.enabled: true",
            json!({"co.elastic.logs/raw": "[{\"type\":\"container\",\"paths\":[\"/logs/${data.container.id}\"]}]"}),
            1,
        ),
        ("  hints.enabled: true\n  prefix: my.org", json!({"my.org.logs/enabled": "false"}), 0),
    ] {
        let api = Api::new();
        api.add(annotated(annotations.clone()));
        let told = discover(&kubernetes(&api, more));
        eventually("an answer", || told.discovery.is_complete());
        let found = next(&told);
        assert_eq!(found.len(), wanted, "{more} {annotations}");
        let mut ids: Vec<&str> = found.iter().map(|decor| decor.input.id.as_str()).collect();
        ids.dedup();
        assert_eq!(ids.len(), wanted, "{ids:?}");
    }
}

#[test]
fn templates_apply_under_their_condition() {
    let api = Api::new();
    api.add(annotated(json!({"team": "blue"})));
    let templates = "  labels.dedot: false
  templates:
  - condition.equals.kubernetes.annotations.team: blue
    config:
    - type: container
      paths: ['/var/log/pods/*${data.kubernetes.pod.uid}/${data.kubernetes.container.name}/*.log']
      tags: ['${data.kubernetes.labels.tier}', '${data.kubernetes.labels.nope:none}', '${data.host}:${data.port}']
  - condition.contains.kubernetes.namespace: other
    config: [{type: container, paths: [/nowhere]}]
  - config: [{type: container, paths: ['/var/log/${data.kubernetes.nope}']}]
  appenders:
  - {type: config, condition.has_fields: [kubernetes.node.name], config: {fields.appended: true}}";
    let told = discover(&kubernetes(&api, templates));
    let found = next(&told);
    let [decor] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(decor.input.paths, ["/var/log/pods/*005f3b90-4b9d-12f8-acf0-31020a840133/nginx/*.log"]);
    assert_eq!(decor.tags, ["front", "none", "10.1.2.3:80"]);
    assert_eq!(json_of(&decor.added)["fields"], json!({"site": "here", "appended": true}));
}

/// A Docker with one container that has these labels.
fn docker(socket: &Path, labels: Value) -> Fake {
    Fake::unix(socket, move |asked| {
        if asked.path.starts_with("/events") {
            return Answer::Stream(crossbeam_channel::bounded(1).1);
        }
        let list = json!([{"Id": ID, "Names": ["/web"], "Image": "nginx", "Labels": labels, "State": "running",
            "Ports": [{"PrivatePort": 80, "Type": "tcp"}, {"PrivatePort": 443, "Type": "tcp"}],
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}}}]);
        Answer::Whole(200, list.to_string())
    })
}

#[test]
fn containers_of_docker_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let _server = docker(&socket, json!({"co.elastic.logs/multiline.type": "auto", "a.b": "c"}));
    let provider = format!("- type: docker\n  host: unix://{}\n", socket.display());
    let found = next(&discover(&format!("{provider}  hints.enabled: true")));
    let [decor] = found.as_slice() else { panic!("one for both ports: {found:?}") };
    assert_eq!(decor.input.paths[1], format!("/var/lib/docker/containers/{ID}/*-json.log"));
    let labels = json!({"co_elastic_logs/multiline_type": "auto", "a_b": "c"});
    let wanted = json!({"container": {"id": ID, "name": "web", "image": {"name": "nginx"}}, "docker": {"container": {"labels": labels}}, "fields": {"site": "here"}});
    assert_eq!(json_of(&decor.added), wanted);
    let templates = "  templates:
  - condition: {and: [{contains.docker.container.image: nginx}, {equals.container.labels.a.b: c}, {equals.port: 443}]}
    config: {type: container, paths: ['/x/${data.docker.container.id}/${data.container.name}.log']}";
    let found = next(&discover(&format!("{provider}{templates}")));
    assert_eq!(found[0].input.paths, [format!("/x/{ID}/web.log")]);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    for (providers, message) in [
        ("- type: jolokia", "agent.yml:2:9: the provider 'jolokia' is not supported"),
        ("- type: docker", "'filebeat.autodiscover.providers.0' has neither templates nor hints"),
        ("- {type: docker, hints.enabled: true, hint: 1}", "unknown key 'filebeat.autodiscover.providers.0.hint'"),
        ("- {type: kubernetes, hints.enabled: true, resource: node}", "'resource: node' is not supported"),
        (
            "- type: docker\n  templates:\n  - config:\n    - type: container\n      pahts: ['${data.container.id}']",
            "agent.yml:6:7: unknown key 'filebeat.autodiscover.providers.0.templates.0.config.0.pahts'",
        ),
        ("- {type: docker, templates: [{config: [{module: nginx}]}]}", "there are no modules here"),
        (
            "- {type: docker, hints: {enabled: true, default_config: {type: contaner, paths: [a]}}}",
            "must be one of filestream, container",
        ),
    ] {
        let found = problems(providers);
        assert!(found.contains(message), "{providers}\n{found}");
    }
}

#[test]
fn values_that_are_yet_to_be_filled_in_are_not_checked() {
    let text = "filebeat.autodiscover.providers:
- type: kubernetes
  templates:
  - config: [{type: container, paths: [a], close_inactive: '${data.kubernetes.annotations.idle}'}]
output.discard: {}";
    assert!(config::from_text("agent.yml", text, &config::Overrides::default()).is_ok());
}
