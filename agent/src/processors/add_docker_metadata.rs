//! `add_docker_metadata`: `container.*`, as Docker knows it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tailrace_common::{Event, Value};

use super::add_process_metadata::container;
use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::config::trust;
use crate::document::deep_merge;
use crate::metadata::docker::{Container, Docker, Lookup, PATIENCE, Settings, beside};
use crate::metadata::{container_id, is_container_id, put};
use crate::pipeline::{Awaits, FileMeta};

/// How long what was found holds for a file, and what was not.
const FOUND: Duration = Duration::from_secs(30);
const MISSED: Duration = Duration::from_millis(500);

#[derive(Debug)]
struct DockerMetadata {
    docker: Arc<Docker>,
    /// Which part of a file's path is the id, counted from zero.
    match_source: Option<usize>,
    match_short_id: bool,
    match_fields: Vec<Field>,
    match_pids: Vec<Field>,
    dedot: bool,
    proc: PathBuf,
    patience: Duration,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let seconds = |key, default| section.duration(key).unwrap_or(Duration::from_secs(default));
    let host = section.text("host").unwrap_or("unix:///var/run/docker.sock").to_owned();
    if !["unix://", "tcp://", "http://", "https://"].iter().any(|scheme| host.starts_with(scheme)) {
        let hint = "for example: unix:///var/run/docker.sock";
        section.error("host", format!("'{host}' is no address of Docker"), Some(hint.into()));
    }
    let settings =
        Settings { host, trust: trust(section, "certificate_authority"), cleanup: seconds("cleanup_timeout", 60) };
    let fields = |key, default: &[&str]| {
        let names = section.texts(key);
        let names = if section.is_set(key) { names } else { default.iter().map(|name| (*name).to_owned()).collect() };
        names.iter().map(|name| Field::new(name)).collect()
    };
    let (waits, longest) = (section.boolean("wait_for_metadata", false), seconds("wait_for_metadata_timeout", 30));
    section.duration("wait_for_metadata_retry_period");
    let patience = match longest {
        Duration::ZERO if waits => Duration::MAX,
        longest if waits => longest,
        _ => PATIENCE,
    };
    let (source, index) = (section.boolean("match_source", true), section.count("match_source_index").unwrap_or(4));
    let system = section.section("system");
    Some(Arc::new(DockerMetadata {
        docker: Docker::of(&settings),
        match_source: source.then_some(index),
        match_short_id: section.boolean("match_short_id", false),
        match_fields: fields("match_fields", &[]),
        match_pids: fields("match_pids", &["process.pid", "process.parent.pid"]),
        dedot: section.section("labels").boolean("dedot", true),
        proc: system.path("hostfs").unwrap_or_else(|| PathBuf::from("/")).join("proc"),
        patience,
    }))
}

impl DockerMetadata {
    /// The container that a file's path names.
    fn by_path(&self, path: &Path) -> Option<String> {
        container_id(path, self.match_source?).map(str::to_owned)
    }

    /// The container in which a process runs.
    fn by_process(&self, event: &Event) -> Option<String> {
        let pids = self.match_pids.iter().filter_map(|field| match field.get(event)? {
            Value::Int(pid) => Some(pid.to_string()),
            Value::String(text) => text.parse::<u32>().ok().map(|pid| pid.to_string()),
            _ => None,
        });
        let groups = pids.filter_map(|pid| std::fs::read_to_string(self.proc.join(pid).join("cgroup")).ok());
        groups.into_iter().find_map(|groups| container(&groups).map(str::to_owned))
    }

    fn by_field(&self, event: &Event) -> Option<String> {
        self.match_fields.iter().find_map(|field| field.get(event)?.as_str().map(str::to_owned))
    }

    /// The container, where Docker or its files know it; else whether Docker answers at all.
    fn find(&self, id: &str, path: &Path) -> Result<Arc<Container>, Lookup> {
        match self.docker.find(id, self.match_short_id) {
            Lookup::Found(container) => Ok(container),
            other => beside(path).filter(|container| container.id == id).ok_or(other),
        }
    }
}

impl Processor for DockerMetadata {
    fn run(&self, event: &mut Event, file: &FileMeta) -> Outcome {
        let named = self.by_path(&file.path).or_else(|| self.by_process(event));
        let is_sure = named.is_some();
        let Some(id) = named.or_else(|| self.by_field(event)) else { return Ok(Verdict::Keep) };
        match self.find(&id, &file.path) {
            Ok(container) => deep_merge(event.fields_mut(), container.fields(self.dedot).clone(), true),
            // Docker does not know it, and yet it is one.
            Err(Lookup::Unknown) if is_sure && is_container_id(&id) => put(event.fields_mut(), "container.id", id),
            Err(_) => {}
        }
        Ok(Verdict::Keep)
    }

    fn is_per_file(&self) -> bool {
        !self.match_fields.iter().chain(&self.match_pids).any(Field::varies)
    }

    fn valid_for(&self, file: &FileMeta) -> Option<Duration> {
        let id = self.by_path(&file.path)?;
        Some(if self.find(&id, &file.path).is_ok() { FOUND } else { MISSED })
    }

    fn start(&self) {
        self.docker.start();
    }

    fn awaits(&self, file: &FileMeta, waited: Duration) -> Awaits {
        let Some(id) = self.by_path(&file.path) else { return Awaits::Nothing };
        match self.find(&id, &file.path) {
            Ok(_) => Awaits::Nothing,
            // Where there is no Docker there is nothing to wait for, unless somebody asks for it.
            Err(Lookup::Down) if self.patience == PATIENCE => Awaits::Nothing,
            Err(_) if waited < self.patience => Awaits::Facts,
            Err(_) => Awaits::NoLonger,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::fake::{Answer, Fake, eventually};
    use crate::processors::field::tests::{event, fields_of};
    use crate::processors::read::tests::{chain, problems};

    const ID: &str = "b5285682fba7449c86452b89a800609440ecc88a7ba5f2d38bedfb85409b30b1";

    fn file(path: &str) -> FileMeta {
        FileMeta { path: path.into(), ..FileMeta::unknown() }
    }

    #[test]
    fn a_file_waits_for_its_container_and_gets_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let yaml = format!("- add_docker_metadata: {{host: 'unix://{}', match_fields: [cid]}}", socket.display());
        let chain = chain(&yaml).0;
        let log = file(&format!("/var/lib/docker/containers/{ID}/{ID}-json.log"));
        let made = |text: &str, file: &FileMeta| {
            let mut event = event(text);
            chain.run(&mut event, file);
            fields_of(&event)
        };
        let waits = |waited| crate::pipeline::Awaited::awaits(&chain, &log, Duration::from_secs(waited));
        assert_eq!((waits(0), waits(3)), (Awaits::Facts, Awaits::NoLonger));
        assert_eq!(made("{}", &log), json!({}), "nothing is known yet");
        let _server = Fake::unix(&socket, |asked| {
            if asked.path.starts_with("/events") {
                return Answer::Stream(crossbeam_channel::bounded(1).1);
            }
            let list = json!([{"Id": ID, "Names": ["/web"], "Image": "nginx", "Labels": {"a.b": "c"}, "State": "running",
                "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}}}]);
            Answer::Whole(200, list.to_string())
        });
        chain.start();
        eventually("the container", || waits(3) == Awaits::Nothing);
        let wanted =
            json!({"container": {"id": ID, "name": "web", "image": {"name": "nginx"}, "labels": {"a_b": "c"}}});
        assert_eq!(made("{}", &log), wanted);
        assert_eq!(made(&format!("{{\"cid\":\"{ID}\"}}"), &file("/app.log"))["container"], wanted["container"]);
        let other = ID.replace('b', "c");
        let unknown = file(&format!("/var/lib/docker/containers/{other}/{other}-json.log"));
        assert_eq!(made("{}", &unknown), json!({"container": {"id": other}}));
        assert_eq!(made("{}", &file("/app.log")), json!({}));
        assert!(
            chain.is_per_file() && chain.valid_for(&log) == Some(FOUND) && chain.valid_for(&unknown) == Some(MISSED)
        );
    }

    #[test]
    fn wrong_options_are_named() {
        for (yaml, message) in [
            ("{hosts: x}", "unknown key 'processors.0.add_docker_metadata.hosts'"),
            ("{host: docker}", "'docker' is no address of Docker"),
            (
                "{match_source_index: -1}",
                "'processors.0.add_docker_metadata.match_source_index' must be a whole number, this is a number",
            ),
            (
                "{cleanup_timeout: soon}",
                "'processors.0.add_docker_metadata.cleanup_timeout' must be a time such as '5s' or '1h30m', this is text",
            ),
        ] {
            assert_eq!(problems(&format!("- add_docker_metadata: {yaml}")), [message], "{yaml}");
        }
    }
}
