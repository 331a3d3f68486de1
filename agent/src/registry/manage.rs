//! `tailrace-agent registry show|export|forget`.

use std::io::{self, Write};
use std::path::Path;

use super::record::FileState;
use super::store::{RegistryError, Store};

/// Every file in the registry, by path. May be called while an agent runs.
///
/// # Errors
/// When there is no registry, or it cannot be read.
pub fn show(directory: &Path) -> Result<Vec<FileState>, RegistryError> {
    let mut states = Store::read(directory)?;
    states.sort_by(|one, other| (&one.path, one.updated).cmp(&(&other.path, other.updated)));
    Ok(states)
}

/// Writes every file as a line of JSON.
///
/// # Errors
/// As [`show`], or when `out` cannot be written.
pub fn export(directory: &Path, out: &mut dyn Write) -> Result<(), RegistryError> {
    let failed = |source: io::Error| RegistryError::Io { path: directory.to_owned(), source };
    for state in show(directory)? {
        let line = serde_json::to_string(&state).map_err(|error| failed(error.into()))?;
        writeln!(out, "{line}").map_err(failed)?;
    }
    Ok(())
}

/// Forgets the files with this path or key, so that they are read from their start; returns how many. The agent must
/// not be running.
///
/// # Errors
/// When an agent is running, or nothing has the path or key.
pub fn forget(directory: &Path, path_or_key: &str) -> Result<usize, RegistryError> {
    let mut store = Store::open(directory, 0o600)?;
    let meant = |state: &&FileState| state.path == Path::new(path_or_key) || state.key.to_string() == path_or_key;
    let keys: Vec<_> = store.states().filter(meant).map(|state| state.key).collect();
    if keys.is_empty() {
        return Err(RegistryError::Unknown(path_or_key.to_owned()));
    }
    for key in &keys {
        store.forget(*key);
    }
    store.sync().map_err(|source| RegistryError::Io { path: directory.to_owned(), source })?;
    Ok(keys.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::pipeline::FileKey;

    #[test]
    fn show_export_and_forget() {
        let directory = tempfile::tempdir().unwrap();
        assert!(show(directory.path()).is_err());
        let mut store = Store::open(directory.path(), 0o600).unwrap();
        for (number, path) in [(2, "/b"), (1, "/a")] {
            store.put(FileState { key: FileKey([number; 16]), path: path.into(), ..FileState::default() });
        }
        store.sync().unwrap();
        assert!(matches!(forget(directory.path(), "/a"), Err(RegistryError::InUse(_))));
        drop(store);
        let mut text = Vec::new();
        export(directory.path(), &mut text).unwrap();
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 2);
        assert_eq!(forget(directory.path(), "/a").unwrap(), 1);
        assert!(matches!(forget(directory.path(), "/a"), Err(RegistryError::Unknown(_))));
        assert_eq!(forget(directory.path(), &"02".repeat(16)).unwrap(), 1);
        assert!(show(directory.path()).unwrap().is_empty());
    }
}
