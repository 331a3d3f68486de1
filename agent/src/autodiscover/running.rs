//! The whole agent beside a small Docker: what it knows of a container stands in the documents.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::config;
use crate::http::fake::{Answer, Fake, eventually};
use crate::metadata::kubernetes::fake::ID;
use crate::run::Running;

/// A running agent that writes to a file.
struct Site<'f> {
    folder: &'f TempDir,
    agent: Running,
}

impl Site<'_> {
    /// With this configuration; `DIR` stands for the folder.
    fn start<'f>(folder: &'f TempDir, text: &str) -> Site<'f> {
        let own = "path.data: DIR/data\noutput.file: {path: DIR/out, filename: docs}\n";
        let text = format!("{own}{text}").replace("DIR", folder.path().to_str().unwrap());
        let config = config::from_text("agent.yml", &text, &config::Overrides::default()).unwrap();
        let agent = Running::start(&config, false).unwrap();
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

fn write(path: &Path, lines: &[&str]) {
    use std::io::Write;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
    for line in lines {
        writeln!(file, "{}", json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2026-11-23T09:15:00Z"}))
            .unwrap();
    }
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
    write(&log, &["one", "two"]);
    let found = site.documents(2);
    for document in &found {
        let wanted = json!({"id": ID, "name": "web", "image": {"name": "nginx:1.27"}, "labels": {"tier": "front"}});
        assert_eq!(document["container"], wanted, "{document}");
    }
    assert!(site.agent.stop_by(Instant::now() + Duration::from_secs(10)));
}
