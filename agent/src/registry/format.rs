//! The lines of the registry's file.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::record::{FileState, Tail};
use super::store::{RegistryError, VERSION};
use crate::pipeline::FileKey;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Record {
    Registry { version: u32, seed: u64 },
    File(Box<FileState>),
    At { key: String, offset: u64, beyond: Vec<(u64, u64)>, tail: Tail, size: u64, updated: i64 },
    Forget(String),
}

/// As [`Record::File`], of a state that stays where it is.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Whole<'s> {
    File(&'s FileState),
}

/// Appends a record with its checksum.
pub(super) fn append(bytes: &mut Vec<u8>, record: &impl Serialize) {
    let Ok(json) = serde_json::to_vec(record) else { return };
    bytes.extend_from_slice(format!("{:016x} ", xxh3_64(&json)).as_bytes());
    bytes.extend_from_slice(&json);
    bytes.push(b'\n');
}

/// Boxed, because a table is never full.
pub(super) type States = HashMap<FileKey, Box<FileState>>;

pub(super) type Loaded = (States, u64, u64);

/// The states, the seed, and how many records are damaged. Pure; never panics.
pub(super) fn load(mut from: impl BufRead, path: &Path) -> Result<Loaded, RegistryError> {
    let mut states = States::new();
    let (mut seed, mut damaged, mut whole) = (0, 0, 0u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = from.read_until(b'\n', &mut line);
        if read.map_err(|source| RegistryError::Io { path: path.to_owned(), source })? == 0 {
            break;
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if line.is_empty() {
            continue;
        }
        let Some(json) = checked(line) else {
            damaged += 1;
            continue;
        };
        // The version is read on its own first: a newer one may have records of other kinds.
        if let Ok(Header { registry }) = serde_json::from_slice(json)
            && registry.version > VERSION
        {
            return Err(RegistryError::Newer { path: path.to_owned(), found: registry.version });
        }
        whole += 1;
        match serde_json::from_slice(json) {
            Ok(Record::Registry { seed: found, .. }) => seed = found,
            Ok(Record::File(state)) => drop(states.insert(state.key, state)),
            Ok(Record::At { key, offset, beyond, tail, size, updated }) => {
                if let Ok(key) = key.parse()
                    && let Some(state) = states.get_mut(&key)
                {
                    **state = FileState { offset, beyond, tail, size, updated, ..std::mem::take(&mut **state) };
                }
            }
            Ok(Record::Forget(key)) => {
                if let Ok(key) = key.parse() {
                    states.remove(&key);
                }
            }
            Err(_) => damaged += 1,
        }
    }
    if whole == 0 && damaged > 1 {
        return Err(RegistryError::Foreign(path.to_owned()));
    }
    Ok((states, seed, damaged))
}

#[derive(Deserialize)]
struct Header {
    registry: HeaderVersion,
}

#[derive(Deserialize)]
struct HeaderVersion {
    version: u32,
}

/// The record of a line whose checksum is right.
fn checked(line: &[u8]) -> Option<&[u8]> {
    let (sum, json) = (line.get(..16)?, line.get(17..)?);
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    (line[16] == b' ' && xxh3_64(json) == sum).then_some(json)
}

/// Reads what the bytes of a registry hold, as [`Store::read`](super::Store::read) does of its file.
///
/// # Errors
/// When it is none of ours, or a newer one; a torn or rotten record is no error.
pub fn read_records(bytes: &[u8]) -> Result<Vec<FileState>, RegistryError> {
    let (states, ..) = load(bytes, Path::new("registry"))?;
    Ok(states.into_values().map(|state| *state).collect())
}
