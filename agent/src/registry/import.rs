//! Takes over the positions of Filebeat's registry, of both kinds: `log`/`container` and `filestream`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::record::FileState;

/// The states of a Filebeat registry (`<path.data>/registry/filebeat`): path, device, inode, offset, and the scope of
/// the input. Files are to be matched by device and inode, or by path where Filebeat did not keep those.
///
/// A log that is torn counts up to the tear, as it does for Filebeat.
///
/// # Errors
/// When the directory holds no registry.
pub fn import(directory: &Path) -> std::io::Result<Vec<FileState>> {
    let mut entries: HashMap<String, Value> = HashMap::new();
    let log = fs::read(directory.join("log.json"));
    let checkpoint = newest_checkpoint(directory)?;
    if log.is_err() && checkpoint.is_none() {
        return log.map(|_| Vec::new());
    }
    if let Some(bytes) = checkpoint
        && let Ok(Value::Array(states)) = serde_json::from_slice(&bytes)
    {
        for state in states {
            if let Some(key) = state.get("_key").and_then(Value::as_str) {
                entries.insert(key.to_owned(), state.clone());
            }
        }
    }
    replay(&log.unwrap_or_default(), &mut entries);
    Ok(entries.iter().filter_map(|(key, value)| state(key, value)).collect())
}

/// The checkpoint with the highest number; `active.dat` names the same one.
fn newest_checkpoint(directory: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let numbered = fs::read_dir(directory)?.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let number: u64 = name.to_str()?.strip_suffix(".json")?.parse().ok()?;
        Some((number, entry.path()))
    });
    numbered.max().map(|(_, path)| fs::read(path)).transpose()
}

/// Pairs of lines: an operation and what it is done to.
fn replay(log: &[u8], entries: &mut HashMap<String, Value>) {
    let mut lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    while let (Some(operation), Some(data)) = (lines.next(), lines.next()) {
        let (Ok(operation), Ok(mut data)) =
            (serde_json::from_slice::<Value>(operation), serde_json::from_slice::<Value>(data))
        else {
            return;
        };
        let Some(key) = data.get("k").and_then(Value::as_str).map(str::to_owned) else { return };
        match operation.get("op").and_then(Value::as_str) {
            Some("set") => drop(entries.insert(key, data["v"].take())),
            Some("remove") => drop(entries.remove(&key)),
            _ => return,
        }
    }
}

fn state(key: &str, value: &Value) -> Option<FileState> {
    if key.starts_with("filebeat::logs::") { log_state(value) } else { filestream_state(key, value) }
}

/// Of the inputs `log` and `container`: `FileStateOS` has inode and device, `meta.stream` the stream.
fn log_state(value: &Value) -> Option<FileState> {
    let number = |name: &str| value.pointer(name).and_then(Value::as_u64);
    let stream = value.pointer("/meta/stream").and_then(Value::as_str).filter(|stream| *stream != "all");
    Some(FileState {
        scope: stream.map(|stream| format!("/{stream}")).unwrap_or_default(),
        path: value.get("source")?.as_str()?.into(),
        device: number("/FileStateOS/device").unwrap_or(0),
        inode: number("/FileStateOS/inode").unwrap_or(0),
        offset: number("/offset")?,
        updated: value.pointer("/timestamp/1").and_then(Value::as_i64).unwrap_or(0),
        ..FileState::default()
    })
}

/// Of filestream: `filestream::ID::native::INODE-DEVICE`, `...::fingerprint::HEX` or `...::path::PATH`.
fn filestream_state(key: &str, value: &Value) -> Option<FileState> {
    let rest = key.strip_prefix("filestream::")?;
    let (head, identity) = rest.rsplit_once("::")?;
    let (id, kind) = head.rsplit_once("::")?;
    let (mut inode, mut device) = (0, 0);
    if kind == "native"
        && let Some((first, second)) = identity.split_once('-')
    {
        inode = first.parse().ok()?;
        // A container parser with one stream adds it to the key.
        let digits: String = second.chars().take_while(char::is_ascii_digit).collect();
        device = digits.parse().ok()?;
    }
    let stream = ["stdout", "stderr"].into_iter().find(|stream| identity.ends_with(&format!("-{stream}")));
    let id = if id == ".global" { "" } else { id };
    Some(FileState {
        scope: match stream {
            Some(stream) => format!("{id}/{stream}"),
            None => id.to_owned(),
        },
        path: value.pointer("/meta/source")?.as_str()?.into(),
        device,
        inode,
        offset: value.pointer("/cursor/offset")?.as_u64()?,
        updated: value.pointer("/updated/1").and_then(Value::as_i64).unwrap_or(0),
        ..FileState::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_and_a_torn_end() {
        let directory = tempfile::tempdir().unwrap();
        let log = [
            r#"{"op":"set","id":2}"#,
            r#"{"k":"filestream::app::native::524336-2049","v":{"ttl":1800000000000,"updated":[643088472,1716580182],"cursor":{"offset":65},"meta":{"source":"/var/log/app.log","identifier_name":"native"}}}"#,
            r#"{"op":"set","id":3}"#,
            r#"{"k":"filebeat::logs::native::13643776-64768","v":{"id":"x","source":"/c/1-json.log","offset":8900,"timestamp":[1,1716580183],"ttl":-1,"type":"container","meta":{"stream":"stdout"},"FileStateOS":{"inode":13643776,"device":64768}}}"#,
            r#"{"op":"remove","id":4}"#,
            r#"{"k":"filestream::old::fingerprint::00ff"}"#,
            r#"{"op":"set","id":5}"#,
            r#"{"k":"filestream::torn::native::1-2","v":{"curs"#,
        ];
        fs::write(directory.path().join("log.json"), log.join("\n")).unwrap();
        let checkpoint = r#"[{"_key":"filestream::old::fingerprint::00ff","cursor":{"offset":1},"meta":{"source":"/gone"}},{"_key":"filestream::b::fingerprint::00ee","cursor":{"offset":7},"meta":{"source":"/var/log/b.log"}}]"#;
        fs::write(directory.path().join("1.json"), checkpoint).unwrap();
        let mut states = import(directory.path()).unwrap();
        states.sort_by_key(|state| state.offset);
        let seen: Vec<_> =
            states.iter().map(|state| (state.scope.as_str(), state.inode, state.device, state.offset)).collect();
        assert_eq!(seen, [("b", 0, 0, 7), ("app", 524_336, 2049, 65), ("/stdout", 13_643_776, 64_768, 8900)]);
    }

    #[test]
    fn no_registry_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(import(directory.path()).is_err());
        assert!(import(&directory.path().join("none")).is_err());
    }
}
