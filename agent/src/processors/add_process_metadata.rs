//! `add_process_metadata`: what `/proc` knows of the process whose id a field holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tailrace_common::{Event, Object, Timestamp, Value};

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct ProcessMetadata {
    /// The first of these that an event has names the process.
    match_pids: Vec<Field>,
    target: String,
    /// Fields that are added, below the target.
    include: Vec<String>,
    overwrite_keys: bool,
    ignore_missing: bool,
    restricted: bool,
    proc: PathBuf,
}

/// What is added unless `include_fields` says otherwise.
const ALL: [&str; 10] = [
    "process.name",
    "process.title",
    "process.executable",
    "process.args",
    "process.pid",
    "process.parent.pid",
    "process.start_time",
    "process.owner.id",
    "process.owner.name",
    "container.id",
];

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("match_pids");
    let restricted = section.boolean("restricted_fields", false);
    let mut include = section.texts("include_fields");
    for name in &include {
        if name != "process.env" && !ALL.contains(&name.as_str()) {
            section.error(
                "include_fields",
                format!("'{name}' is not known"),
                Some(format!("use some of {}", ALL.join(", "))),
            );
        }
    }
    if include.is_empty() {
        include = ALL.map(str::to_owned).to_vec();
        if restricted {
            include.push("process.env".to_owned());
        }
    }
    let host = section.path("host_path").unwrap_or_else(|| PathBuf::from("/"));
    section.ignore(&["include_container", "cgroup_prefixes", "cgroup_regex", "cgroup_cache_expire_time"]);
    Some(Arc::new(ProcessMetadata {
        match_pids: section.texts("match_pids").iter().map(|name| Field::new(name)).collect(),
        target: section.text_or_empty("target").unwrap_or_default().to_owned(),
        include,
        overwrite_keys: section.boolean("overwrite_keys", false),
        ignore_missing: section.boolean("ignore_missing", true),
        restricted,
        proc: host.join("proc"),
    }))
}

/// Seconds since the machine started are counted in these.
const TICKS_PER_SECOND: f64 = 100.0;

fn text(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Texts that end with a zero byte each.
fn texts(path: &Path) -> Option<Vec<String>> {
    let all = text(path)?;
    Some(all.split('\0').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

/// The value of a line `Name:\tvalue`.
fn status<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// 64 hexadecimal digits in the process's control groups.
pub(super) fn container(groups: &str) -> Option<&str> {
    groups
        .split(|character: char| !character.is_ascii_hexdigit())
        .find(|part| part.len() == 64 && part.bytes().any(|byte| byte.is_ascii_digit()))
}

impl ProcessMetadata {
    /// All there is to know of a process; nothing when it is gone.
    fn facts(&self, pid: i64) -> Option<Vec<(&'static str, Value)>> {
        let folder = self.proc.join(pid.to_string());
        let about = text(&folder.join("status"))?;
        let mut facts: Vec<(&'static str, Value)> = vec![("process.pid", Value::Int(pid))];
        let arguments = texts(&folder.join("cmdline")).unwrap_or_default();
        if let Some(name) = status(&about, "Name") {
            facts.push(("process.name", Value::from(name)));
        }
        if let Some(parent) = status(&about, "PPid").and_then(|text| text.parse::<i64>().ok()) {
            facts.push(("process.parent.pid", Value::Int(parent)));
        }
        if let Some(user) = status(&about, "Uid").and_then(|ids| ids.split_whitespace().next()) {
            facts.push(("process.owner.id", Value::from(user)));
            if let Some(name) = self.user(user) {
                facts.push(("process.owner.name", Value::from(name)));
            }
        }
        if let Ok(program) = std::fs::read_link(folder.join("exe")) {
            facts.push(("process.executable", Value::from(program.to_string_lossy().as_ref())));
        }
        if !arguments.is_empty() {
            facts.push(("process.title", Value::from(arguments.join(" "))));
            facts.push(("process.args", Value::Array(arguments.into_iter().map(Value::from).collect())));
        }
        if let Some(moment) = self.started(&folder) {
            facts.push(("process.start_time", Value::Timestamp(moment)));
        }
        if let Some(id) = text(&folder.join("cgroup")).as_deref().and_then(container) {
            facts.push(("container.id", Value::from(id)));
        }
        if self.restricted {
            let pairs = texts(&folder.join("environ")).unwrap_or_default();
            let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
            facts.push(("process.env", Value::Object(pairs.collect::<Object>())));
        }
        Some(facts)
    }

    fn user(&self, id: &str) -> Option<String> {
        let users = text(&self.proc.parent()?.join("etc/passwd"))?;
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        fields.into_iter().find(|fields| fields.get(2) == Some(&id)).map(|fields| fields[0].to_owned())
    }

    fn started(&self, folder: &Path) -> Option<Timestamp> {
        let about = text(&folder.join("stat"))?;
        // The name may hold blanks and brackets; what follows it is counted from its end.
        let ticks: f64 = about.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
        let machine = text(&self.proc.join("stat"))?;
        let boot: i64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
        Some(Timestamp::from_millis(boot * 1000 + (ticks / TICKS_PER_SECOND * 1000.0) as i64))
    }
}

impl Processor for ProcessMetadata {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let pid = self.match_pids.iter().find_map(|field| match field.get(event)? {
            Value::Int(pid) => Some(*pid),
            Value::String(text) => text.parse().ok(),
            _ => None,
        });
        let Some(pid) = pid else {
            return if self.ignore_missing {
                Ok(Verdict::Keep)
            } else {
                Err(Failure("none of the fields in match_pids is a process's id".to_owned()))
            };
        };
        let facts = self.facts(pid).ok_or_else(|| Failure(format!("there is no process {pid}")))?;
        for (name, value) in facts.into_iter().filter(|(name, _)| self.include.iter().any(|wanted| wanted == name)) {
            let dot = if self.target.is_empty() { "" } else { "." };
            let field = Field::new(&format!("{}{dot}{name}", self.target));
            if !self.overwrite_keys && field.get(event).is_some() {
                return Err(Failure(format!(
                    "target field '{}' already exists and overwrite_keys is false",
                    field.name()
                )));
            }
            field.put(event, value)?;
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::processors::read::tests::changed;

    #[test]
    fn this_process_is_known() {
        let yaml = "- add_process_metadata: {match_pids: [nope, pid], target: system, include_fields: [process.pid, process.args, process.start_time]}";
        let made = changed(yaml, &format!("{{\"pid\":\"{}\"}}", std::process::id()));
        let process = made["system"]["process"].as_object().unwrap();
        assert_eq!(process["pid"], std::process::id());
        assert!(process["args"].is_array() && process["start_time"].is_string() && process.len() == 3);
        assert_eq!(changed("- add_process_metadata: {match_pids: [pid]}", "{}"), serde_json::json!({}));
    }

    #[test]
    fn containers_are_found_in_control_groups() {
        let id = "b5285682fba7449c86452b89a800609440ecc88a7ba5f2d38bedfb85409b30b1";
        for groups in [format!("0::/kubepods/pod1/{id}"), format!("1:name=systemd:/system.slice/docker-{id}.scope")] {
            assert_eq!(container(&groups), Some(id));
        }
        assert_eq!(container("0::/init.scope"), None);
    }
}
