//! The lines of the registry's file.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::record::{FileState, Tail};
use super::store::{RegistryError, VERSION};
use crate::pipeline::FileKey;

/// No record is nearly as long: a longer line is damaged, and never stands in memory whole.
const LONGEST: usize = 1 << 20;

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
    let io = |source| RegistryError::Io { path: path.to_owned(), source };
    while next_line(&mut from, &mut line).map_err(io)? {
        if line.is_empty() {
            continue;
        }
        let Some(json) = checked(&line) else {
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

/// Reads a line without its end, and of one that is too long only its start; `false` where there is none.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = Read::take(&mut *from, LONGEST as u64).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read == LONGEST {
        from.skip_until(b'\n')?;
    }
    Ok(read > 0)
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn record(number: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&mut bytes, &Whole::File(&FileState { key: FileKey([number; 16]), ..FileState::default() }));
        bytes
    }

    #[test]
    fn a_line_as_long_as_the_file_is_one_damaged_record_and_not_read_into_memory() {
        let rotten = vec![b'x'; 5 * LONGEST];
        let bytes = [record(1), rotten.clone(), b"\n".to_vec(), record(2), rotten].concat();
        let (states, _, damaged) = load(&*bytes, Path::new("x")).unwrap();
        assert_eq!((states.len(), damaged), (2, 2));
        let (mut from, mut line) = (&*bytes, Vec::new());
        while next_line(&mut from, &mut line).unwrap() {
            assert!(line.capacity() <= 2 * LONGEST, "{}", line.capacity());
        }
    }
}
