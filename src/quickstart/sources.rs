//! Which files quickstart reads, and how.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tailrace_common::Timestamp;

use super::samples;
use crate::data::DataFolder;

/// Where container runtimes leave their logs.
const CONTAINER_LOGS: [&str; 2] = ["/var/lib/docker/containers/*/*-json.log", "/var/log/pods/*/*/*.log"];

/// What to read.
pub(crate) struct Sources {
    /// For the user.
    pub(crate) description: String,
    /// Globs of container logs.
    containers: Vec<String>,
    /// Globs of plain files.
    plain: Vec<String>,
}

/// The files that were asked for, else the container logs of this machine, else sample logs.
pub(crate) fn find(asked: &[String], samples_folder: &Path, now: Timestamp) -> anyhow::Result<Sources> {
    let mut sources = Sources { description: String::new(), containers: Vec::new(), plain: Vec::new() };
    if !asked.is_empty() {
        sources.description = asked.join(", ");
        for path in asked {
            let path = absolute(path)?;
            match first_file(&path) {
                Some(file) if is_container_log(&file).with_context(|| format!("cannot read '{file}'"))? => {
                    sources.containers.push(path)
                }
                Some(_) => sources.plain.push(path),
                None if path.contains(['*', '?', '[']) => sources.plain.push(path),
                None => bail!("'{path}' does not exist"),
            }
        }
        return Ok(sources);
    }
    let there: Vec<String> =
        CONTAINER_LOGS.into_iter().filter(|glob| first_file(glob).is_some()).map(str::to_string).collect();
    if there.is_empty() {
        sources.containers = samples::write(samples_folder, now)
            .with_context(|| format!("cannot write samples to '{}'", samples_folder.display()))?;
        sources.description =
            format!("sample logs in {} (this machine has no container logs)", samples_folder.display());
    } else {
        sources.description = format!("the container logs of this machine: {}", there.join(", "));
        sources.containers = there;
    }
    Ok(sources)
}

fn absolute(path: &str) -> io::Result<String> {
    Ok(std::path::absolute(path)?.display().to_string())
}

fn first_file(pattern: &str) -> Option<String> {
    let found = glob::glob(pattern).ok()?.filter_map(Result::ok).find(|path| path.is_file());
    found.map(|path| path.display().to_string())
}

/// Whether the first line is one of docker's json-file driver or of a CRI runtime.
fn is_container_log(path: &str) -> io::Result<bool> {
    let mut line = String::new();
    let mut reader = BufReader::new(File::open(path)?).take(64 << 10);
    match reader.read_line(&mut line) {
        Ok(_) => {}
        // Another encoding: not a container's.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return Ok(false),
        Err(error) => return Err(error),
    }
    if line.starts_with('{') {
        let document: Value = serde_json::from_str(line.trim_end()).unwrap_or_default();
        return Ok(document.get("log").is_some() && document.get("time").is_some());
    }
    let mut words = line.split(' ');
    let time = words.next().is_some_and(|word| Timestamp::parse_rfc3339(word).is_some());
    Ok(time
        && matches!(words.next(), Some("stdout" | "stderr"))
        && words.next().is_some_and(|flags| flags.starts_with(['P', 'F'])))
}

impl Sources {
    /// The agent's configuration.
    pub(crate) fn configuration(&self, port: u16, folder: &DataFolder) -> String {
        let traces = json!({ "multiline": { "type": "auto" } });
        let input = |id: &str, paths: &[String], parsers: Value| {
            let scanner = json!({ "symlinks": true, "check_interval": "2s" });
            json!({ "type": "filestream", "id": id, "paths": paths, "parsers": parsers, "prospector": { "scanner": scanner } })
        };
        let mut inputs = Vec::new();
        if !self.containers.is_empty() {
            inputs.push(input("containers", &self.containers, json!([{ "container": { "stream": "all" } }, traces])));
        }
        if !self.plain.is_empty() {
            inputs.push(input("files", &self.plain, json!([traces])));
        }
        let output = json!({ "hosts": [format!("127.0.0.1:{port}")], "pipelining": 16, "compression_level": 0, "backoff": { "init": "100ms", "max": "1s" } });
        json!({ "filebeat": { "inputs": inputs, "shutdown_timeout": "30s" }, "output": { "logstash": output }, "path": { "data": folder.registry() } }).to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn container_logs_are_told_from_plain_ones() {
        let folder = tempfile::tempdir().unwrap();
        for (text, wanted) in [
            ("{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2024-03-15T08:30:45Z\"}\n", true),
            ("2024-03-15T08:30:45.1Z stderr F text\n", true),
            ("2024-03-15T08:30:45.1Z INFO text\n", false),
            ("{\"message\":\"a\"}\n", false),
            ("", false),
        ] {
            let path = folder.path().join("a.log");
            std::fs::write(&path, text).unwrap();
            assert_eq!(is_container_log(path.to_str().unwrap()).unwrap(), wanted, "{text}");
        }
    }

    #[test]
    fn a_path_that_does_not_exist_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none.log").display().to_string();
        assert!(find(&[missing], folder.path(), Timestamp::from_millis(0)).is_err());
    }
}
