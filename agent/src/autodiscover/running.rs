//! The whole agent beside a small Docker or Kubernetes: what these know of a container stands in the documents.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config::{self, Config};
use crate::http::fake::{Answer, Fake, eventually};
use crate::metadata::kubernetes::fake::{Api, ID, pod};
use crate::run::Running;

/// A running agent that writes to a file.
struct Site<'f> {
    folder: &'f TempDir,
    agent: Running,
}

fn config(folder: &TempDir, text: &str) -> Config {
    let own = "path.data: DIR/data\noutput.file: {path: DIR/out, filename: docs}\n";
    let text = format!("{own}{text}").replace("DIR", folder.path().to_str().unwrap());
    config::from_text("agent.yml", &text, &config::Overrides::default()).unwrap()
}

impl Site<'_> {
    /// With this configuration; `DIR` stands for the folder.
    fn start<'f>(folder: &'f TempDir, text: &str) -> Site<'f> {
        let agent = Running::start(&config(folder, text), false).unwrap();
        Site { folder, agent }
    }

    /// What was written, once these are so many documents.
    fn documents(&self, count: usize) -> Vec<Value> {
        let read = || {
            let files = std::fs::read_dir(self.folder.path().join("out")).into_iter().flatten().flatten();
            let text: String = files.map(|file| std::fs::read_to_string(file.path()).unwrap()).collect();
            let whole = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            whole.collect::<Vec<Value>>()
        };
        eventually("the documents", || read().len() >= count);
        read()
    }
}

fn write(path: &Path, lines: impl Iterator<Item = String>) {
    use std::io::Write;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    lines.for_each(|line| writeln!(file, "{line}").unwrap());
}

/// Lines as Docker writes them.
fn of_docker(lines: &[&str]) -> impl Iterator<Item = String> {
    lines
        .iter()
        .map(|line| json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2026-11-23T09:15:00Z"}).to_string())
}

/// Lines as containerd writes them.
fn of_containerd(lines: &[&str]) -> impl Iterator<Item = String> {
    lines.iter().map(|line| format!("2026-11-23T09:15:00.000123456Z stdout F {line}"))
}

#[test]
fn documents_carry_what_docker_knows_of_their_container() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("docker.sock");
    let server = |labels: Value| {
        Fake::unix(&socket, move |asked| match asked.path.starts_with("/events") {
            true => Answer::Stream(crossbeam_channel::bounded(1).1),
            false => {
                let container = json!({"Id": ID, "Names": ["/web"], "Image": "nginx:1.27", "Labels": labels,
                    "State": "running", "NetworkSettings": {"Networks": {}}});
                Answer::Whole(200, json!([container]).to_string())
            }
        })
    };
    let _server = server(json!({"tier": "front"}));
    let log = folder.path().join(format!("containers/{ID}/{ID}-json.log"));
    // Indices count the folders of the path.
    let index = log.components().count() - 3;
    let text = format!(
        "filebeat.inputs: [{{type: container, id: all, paths: ['DIR/containers/*/*-json.log']}}]
processors: [{{add_docker_metadata: {{host: 'unix://DIR/docker.sock', match_source_index: {index}}}}}]\n"
    );
    let site = Site::start(&folder, &text);
    write(&log, of_docker(&["one", "two"]));
    let found = site.documents(2);
    for document in &found {
        let wanted = json!({"id": ID, "name": "web", "image": {"name": "nginx:1.27"}, "labels": {"tier": "front"}});
        assert_eq!(document["container"], wanted, "{document}");
    }
    assert!(site.agent.stop_by(Instant::now() + Duration::from_secs(10)));
}

/// A pod of its own; the first letter of its container's id tells it from others.
fn own_pod(name: &str, letter: char, annotations: Value) -> (Value, String) {
    let id = format!("{letter}{}", &ID[1..]);
    let text = pod(name, "node-1").to_string().replace(ID, &id).replace("005f3b90", &format!("{letter}05f3b90"));
    let mut pod: Value = serde_json::from_str(&text).unwrap();
    pod["metadata"]["annotations"] = annotations;
    (pod, id)
}

/// Autodiscover with hints for everything, but for one team a template.
fn by_pods(api: &Api) -> String {
    format!(
        "filebeat.autodiscover.providers:
- type: kubernetes
  kube_config: {}
  node: node-1
  cleanup_timeout: 1s
  hints:
    enabled: true
    default_config: {{type: container, paths: ['DIR/containers/*-${{data.container.id}}.log']}}
  templates:
  - condition.equals.kubernetes.annotations.team: blue
    config: [{{type: container, paths: ['DIR/containers/*-${{data.kubernetes.container.id}}.log'], tags: [templated]}}]\n",
        api.kubeconfig().display()
    )
}

#[test]
fn containers_of_pods_are_read_as_hints_and_templates_say_until_they_end() {
    let (folder, api) = (tempfile::tempdir().unwrap(), Api::new());
    let log = |pod: &str, id: &str| folder.path().join(format!("containers/{pod}_shop_nginx-{id}.log"));
    let hints = json!({"co.elastic.logs/multiline.pattern": "^ ", "co.elastic.logs/multiline.match": "after",
        "co.elastic.logs/multiline.timeout": "200ms"});
    let (joined, joined_id) = own_pod("joined", 'a', hints);
    write(&log("joined", &joined_id), of_containerd(&["at once", "  and more"]));
    api.add(joined);
    let site = Site::start(&folder, &by_pods(&api));
    let found = site.documents(1);
    assert_eq!(found[0]["message"], "at once\n  and more");
    let kubernetes = &found[0]["kubernetes"];
    assert_eq!((&kubernetes["pod"]["name"], &kubernetes["namespace"]), (&json!("joined"), &json!("shop")));
    assert_eq!((&kubernetes["labels"]["tier"], &kubernetes["node"]["name"]), (&json!("front"), &json!("node-1")));
    assert_eq!(found[0]["container"]["id"], joined_id.as_str());

    api.await_watch();
    // The namespace's own hint is for lines that are joined.
    let hints = json!({"co.elastic.logs/json.keys_under_root": "true", "co.elastic.logs/json.message_key": "text",
        "co.elastic.logs/multiline.timeout": "200ms"});
    let (parsed, parsed_id) = own_pod("parsed", 'c', hints);
    let (templated, templated_id) = own_pod("templated", 'd', json!({"team": "blue"}));
    write(&log("parsed", &parsed_id), of_containerd(&[r#"{"shop": 7, "text": "one"}"#]));
    write(&log("templated", &templated_id), of_containerd(&["as it is"]));
    api.add(parsed);
    api.add(templated);
    let found = site.documents(3);
    let of = |pod: &str| found.iter().find(|document| document["kubernetes"]["pod"]["name"] == pod).unwrap();
    assert_eq!(of("parsed")["shop"], 7);
    assert_eq!((&of("templated")["message"], &of("templated")["tags"]), (&json!("as it is"), &json!(["templated"])));

    // Its last lines are read for a while, then its input ends.
    api.delete("parsed");
    write(&log("parsed", &parsed_id), of_containerd(&[r#"{"shop": 8, "text": "two"}"#]));
    assert!(site.documents(4).iter().any(|document| document["shop"] == 8));
    eventually("the end of its input", || site.agent.progress().files == 2);
    assert!(site.agent.stop_by(Instant::now() + Duration::from_secs(10)));
}

#[test]
fn what_was_rotated_away_while_nobody_looked_is_read_before_what_came_after() {
    let (folder, api) = (tempfile::tempdir().unwrap(), Api::new());
    let (pod, id) = own_pod("web", 'a', json!({}));
    api.add(pod);
    // As the kubelet has it: a link by the container's id leads to the pod's own folder.
    let file = folder.path().join("pods/shop_web/nginx/0.log");
    let link = folder.path().join(format!("containers/web_shop_nginx-{id}.log"));
    write(&file, of_containerd(&["one"]));
    std::fs::create_dir(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let site = Site::start(&folder, &by_pods(&api));
    site.documents(1);
    assert!(site.agent.stop_by(Instant::now() + Duration::from_secs(10)));

    write(&file, of_containerd(&["two", "three"]));
    std::fs::rename(&file, file.with_extension("log.20261123-091500")).unwrap();
    write(&file, of_containerd(&["four"]));
    let site = Site::start(&folder, &by_pods(&api));
    let found = site.documents(4);
    let mut messages: Vec<&str> = found.iter().map(|document| document["message"].as_str().unwrap()).collect();
    messages.retain(|message| *message != "one");
    assert_eq!(messages, ["two", "three", "four"]);
    assert!(site.agent.stop_by(Instant::now() + Duration::from_secs(10)));
}

#[test]
fn a_configuration_under_which_nothing_is_found_ends_what_was_found_before() {
    let (folder, api) = (tempfile::tempdir().unwrap(), Api::new());
    let (pod, id) = own_pod("web", 'a', json!({}));
    write(&folder.path().join(format!("containers/web_shop_nginx-{id}.log")), of_containerd(&["one"]));
    api.add(pod);
    let text = by_pods(&api);
    let site = Site::start(&folder, &text);
    eventually("its input", || site.agent.progress().files == 1);
    site.agent.reload(&config(&folder, &text.replace("enabled: true", "enabled: false")));
    eventually("the end of its input", || site.agent.progress().files == 0);
    assert!(site.agent.stop_by(Instant::now() + Duration::from_secs(10)));
}
