//! Documents, without what varies from run to run.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// What differs in every run.
const VARYING: [&str; 9] = [
    "/agent/id",
    "/agent/ephemeral_id",
    "/agent/version",
    "/agent/build",
    "/@metadata/version",
    "/@metadata/_id",
    "/log/file/device_id",
    "/log/file/inode",
    "/ecs/version",
];
/// What add_host_metadata found on the machine where the cases were recorded; here it only must be there.
const OF_THE_HOST: [&str; 10] = [
    "/host/hostname",
    "/host/id",
    "/host/architecture",
    "/host/containerized",
    "/host/os/kernel",
    "/host/os/codename",
    "/host/os/platform",
    "/host/os/version",
    "/host/os/family",
    "/host/os/name",
];
/// The day of the recording: such a moment is the time of reading.
const RECORDED: [&str; 2] = ["2026-11-23T18:", "2026-11-23T19:"];

/// The documents of a text, one a line.
pub(crate) fn documents(text: &str, golden: bool) -> Vec<Value> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_or_else(|_| json!({"text": line}), |read| normal(read, golden)))
        .collect()
}

fn normal(mut document: Value, golden: bool) -> Value {
    for pointer in VARYING {
        remove(&mut document, pointer);
    }
    let has_host = document.pointer("/host/hostname").is_some();
    for pointer in OF_THE_HOST {
        if let Some(value) = document.pointer_mut(pointer) {
            *value = json!(null);
        }
    }
    if has_host && let Some(name) = document.pointer_mut("/host/name") {
        *name = json!(null);
    }
    if let Some(Value::String(moment)) = document.get_mut("@timestamp") {
        if golden && RECORDED.iter().any(|day| moment.starts_with(day)) {
            *moment = String::new();
        } else if let Some(point) = moment.find('.') {
            *moment = format!("{}Z", &moment[..moment.len().min(point + 4)]);
        }
    }
    // Filestream keeps docker's line end, the older inputs do not; we never do.
    if let Some(Value::String(message)) = document.get_mut("message")
        && message.ends_with('\n')
    {
        message.pop();
    }
    document
}

fn remove(document: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    if let Some(Value::Object(parent)) = document.pointer_mut(parent) {
        parent.remove(name);
    }
}

/// What differs. Documents of one file are compared in order.
pub(crate) fn problems(wanted: &[Value], got: &[Value]) -> Vec<String> {
    let (wanted, got) = (by_file(wanted), by_file(got));
    let mut files: Vec<&String> = wanted.keys().chain(got.keys()).collect();
    files.sort();
    files.dedup();
    let none = Vec::new();
    let mut found = Vec::new();
    for file in files {
        let (wanted, got) = (wanted.get(file).unwrap_or(&none), got.get(file).unwrap_or(&none));
        if wanted.len() != got.len() {
            found.push(format!("{file}: {} documents wanted, {} got", wanted.len(), got.len()));
        }
        for (number, (want, have)) in wanted.iter().zip(got).enumerate() {
            found.extend(differences(want, have).into_iter().map(|text| format!("{file} #{number}: {text}")));
        }
    }
    found
}

fn by_file(documents: &[Value]) -> BTreeMap<String, Vec<&Value>> {
    let mut files: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for document in documents {
        let path = document.pointer("/log/file/path").and_then(Value::as_str).unwrap_or_default();
        files.entry(path.to_owned()).or_default().push(document);
    }
    files
}

fn differences(wanted: &Value, got: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (wanted, got) = (wanted.as_object().unwrap_or(&empty), got.as_object().unwrap_or(&empty));
    let mut names: Vec<&String> = wanted.keys().chain(got.keys()).collect();
    names.sort();
    names.dedup();
    let read_at = |name: &str| name == "@timestamp" && wanted.get(name) == Some(&json!(""));
    let differing = names.into_iter().filter(|name| !read_at(name) && wanted.get(*name) != got.get(*name));
    let shown = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    differing.map(|name| format!("{name}: wanted {}, got {}", shown(wanted.get(name)), shown(got.get(name)))).collect()
}
