#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Sender, bounded};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::http::fake::{Answer, Asked, Fake, eventually};

/// An item as Docker 27 answers it.
fn item(id: &str, name: &str, state: &str, address: &str) -> Value {
    json!({
        "Id": id, "Names": ["/other/alias", format!("/{name}")], "Image": "nginx:1.27", "ImageID": "sha256:3f8a4339aadd",
        "Command": "/docker-entrypoint.sh nginx -g 'daemon off;'", "Created": 1_720_000_000,
        "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}, {"PrivatePort": 80, "Type": "tcp"}],
        "Labels": {"com.docker.compose.project": "shop", "com.docker.compose.project.working_dir": "/srv/shop", "tier": "web"},
        "State": state, "Status": "Up 2 hours", "HostConfig": {"NetworkMode": "bridge"},
        "NetworkSettings": {"Networks": {"bridge": {"IPAMConfig": null, "Links": null, "Gateway": "172.17.0.1", "IPAddress": address}}},
        "Mounts": []
    })
}

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

struct Daemon {
    folder: TempDir,
    containers: Arc<Mutex<Vec<Value>>>,
    events: Arc<Mutex<Vec<Sender<String>>>>,
}

impl Daemon {
    fn new(containers: Vec<Value>) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        Daemon { folder, containers: Arc::new(Mutex::new(containers)), events: Arc::default() }
    }

    fn serve(&self) -> Fake {
        let (containers, events) = (self.containers.clone(), self.events.clone());
        Fake::unix(&self.folder.path().join("docker.sock"), move |asked| route(asked, &containers, &events))
    }

    fn settings(&self) -> Settings {
        let host = format!("unix://{}/docker.sock", self.folder.path().display());
        Settings { host, trust: None, cleanup: Duration::from_millis(50) }
    }

    fn tell(&self, action: &str, id: &str) {
        let event = json!({"status": action, "id": id, "from": "nginx:1.27", "Type": "container", "Action": action,
            "Actor": {"ID": id, "Attributes": {"image": "nginx:1.27", "name": "web"}}, "scope": "local",
            "time": 1_720_000_100, "timeNano": 1_720_000_100_123_456_789_i64});
        for stream in self.events.lock().unwrap().iter() {
            // Cut in two, as the network may.
            let text = format!("{event}\n");
            let (one, other) = text.split_at(40);
            stream.send(one.into()).ok();
            stream.send(other.into()).ok();
        }
    }
}

fn route(asked: &Asked, containers: &Mutex<Vec<Value>>, events: &Mutex<Vec<Sender<String>>>) -> Answer {
    if asked.path.starts_with("/events?since=") {
        assert!(asked.path.ends_with(r#"filters={"type":["container"]}"#), "{}", asked.path);
        let (sender, chunks) = bounded(100);
        events.lock().unwrap().push(sender);
        return Answer::Stream(chunks);
    }
    if asked.path.starts_with("/containers/json?all=1") {
        let all = containers.lock().unwrap().clone();
        let wanted =
            |item: &Value| !asked.path.contains("filters") || asked.path.contains(item["Id"].as_str().unwrap());
        return Answer::Whole(200, Value::Array(all.into_iter().filter(wanted).collect()).to_string());
    }
    Answer::Whole(200, json!({"Config": {"Hostname": "node-7", "Image": "nginx"}}).to_string())
}

fn found(docker: &Docker, id: &str) -> Option<Arc<Container>> {
    match docker.find(id, true) {
        Lookup::Found(container) => Some(container),
        _ => None,
    }
}

#[test]
fn containers_come_and_go() {
    let daemon = Daemon::new(vec![item(&id('a'), "web", "running", "172.17.0.2"), item(&id('b'), "job", "exited", "")]);
    let _server = daemon.serve();
    let docker = Docker::of(&daemon.settings());
    assert!(matches!(docker.find(&id('a'), false), Lookup::Pending));
    docker.start();
    eventually("the first list", || found(&docker, &id('a')).is_some());
    let web = found(&docker, &id('a')).unwrap();
    assert_eq!((web.name.as_str(), web.image.as_str(), web.ports.as_slice()), ("web", "nginx:1.27", &[80][..]));
    assert_eq!(web.addresses, ["172.17.0.2"]);
    assert!(found(&docker, &id('b')).is_some_and(|job| !job.running && job.addresses.is_empty()));
    assert!(Arc::ptr_eq(&web, &found(&docker, &id('a')[..12]).unwrap()));
    assert!(matches!(docker.find(&id('a')[..12], false), Lookup::Unknown));

    eventually("the stream of events", || !daemon.events.lock().unwrap().is_empty());
    daemon.containers.lock().unwrap().push(item(&id('c'), "new", "running", ""));
    daemon.tell("start", &id('c'));
    eventually("the new container", || found(&docker, &id('c')).is_some());
    assert_eq!(found(&docker, &id('c')).unwrap().addresses, ["node-7"]);

    daemon.containers.lock().unwrap().retain(|item| item["Id"] != id('a'));
    daemon.tell("destroy", &id('a'));
    eventually("the removal", || docker.containers().len() == 2);
    assert!(found(&docker, &id('a')).is_some(), "its last lines are still read");
}

#[test]
fn a_daemon_that_went_down_is_found_again() {
    let daemon = Daemon::new(vec![item(&id('a'), "web", "running", "172.17.0.2")]);
    let docker = Docker::of(&daemon.settings());
    docker.start();
    eventually("that nobody answers", || matches!(docker.find(&id('a'), false), Lookup::Down));
    let server = daemon.serve();
    eventually("that it answers", || found(&docker, &id('a')).is_some());
    drop(server);
    daemon.events.lock().unwrap().clear();
    eventually("that it is gone", || matches!(docker.find(&id('f'), false), Lookup::Down));
    assert!(found(&docker, &id('a')).is_some(), "what is known stays known");
    daemon.containers.lock().unwrap().push(item(&id('f'), "late", "running", "172.17.0.9"));
    let _server = daemon.serve();
    eventually("that it is back", || found(&docker, &id('f')).is_some());
}

#[test]
fn changes_are_told() {
    let daemon = Daemon::new(vec![]);
    let _server = daemon.serve();
    let docker = Docker::of(&daemon.settings());
    let seen = docker.changes().count();
    let woken = Arc::new(AtomicUsize::new(0));
    let (waiting, counter) = (docker.clone(), woken.clone());
    let waiter = std::thread::spawn(move || {
        waiting.changes().wait(seen, Duration::from_secs(20));
        counter.fetch_add(1, Ordering::SeqCst);
    });
    docker.start();
    waiter.join().unwrap();
    assert_eq!((woken.load(Ordering::SeqCst), docker.changes().count() > seen), (1, true));
}

#[test]
fn fields_are_those_of_filebeat() {
    let labels =
        [("com.docker.compose.project", "shop"), ("com.docker.compose.project.working_dir", "/srv"), ("tier", "web")];
    let container = Container {
        id: id('a'),
        name: "web".into(),
        image: "nginx:1.27".into(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Container::default()
    };
    let json = |dedotted| {
        let mut out = Vec::new();
        tailrace_common::json::write_object(container.fields(dedotted), &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let with = |labels: Value| json!({"container": {"id": id('a'), "name": "web", "image": {"name": "nginx:1.27"}, "labels": labels}});
    assert_eq!(
        json(true),
        with(
            json!({"com_docker_compose_project": "shop", "com_docker_compose_project_working_dir": "/srv", "tier": "web"})
        )
    );
    assert_eq!(
        json(false),
        with(
            json!({"com": {"docker": {"compose": {"project": {"value": "shop", "working_dir": "/srv"}}}}, "tier": "web"})
        )
    );
}

#[test]
fn the_file_beside_a_log_tells_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (own, links) = (folder.path().join(id('d')), folder.path().join("links"));
    for made in [&own, &links] {
        std::fs::create_dir(made).unwrap();
    }
    let log = own.join(format!("{}-json.log", id('d')));
    std::fs::write(&log, "").unwrap();
    assert!(beside(&links.join("nothing.log")).is_none());
    let config = json!({"StreamConfig": {}, "State": {"Running": true, "Pid": 4711}, "ID": id('d'), "Created": "2024-07-03T10:00:00Z",
        "Config": {"Hostname": "abc", "Image": "shop/web:2", "Labels": {"a.b": "c"}},
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.3"}}}, "Name": "/shop-web", "LogPath": log});
    std::fs::write(own.join("config.v2.json"), config.to_string()).unwrap();
    std::os::unix::fs::symlink(&log, links.join("web.log")).unwrap();
    for path in [log, links.join("web.log")] {
        let container = beside(&path).unwrap();
        assert_eq!(
            (container.name.as_str(), container.image.as_str(), container.running),
            ("shop-web", "shop/web:2", true)
        );
        assert_eq!(
            (container.id.as_str(), container.addresses.as_slice()),
            (id('d').as_str(), &["172.17.0.3".to_owned()][..])
        );
        assert_eq!(container.labels, [("a.b".to_owned(), "c".to_owned())]);
    }
}
