//! Where Docker cannot be asked: the file that it keeps beside a container's log.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::container::{Container, NetworkSettings, Texts, texts};

/// For so long what a file says is taken for true.
const FRESH: Duration = Duration::from_secs(30);
/// So many log files are remembered.
const MOST: usize = 4096;
/// Such a file is no larger.
const LARGEST: u64 = 8 << 20;

/// When it was looked, and what was found.
type Seen = (Instant, Option<Arc<Container>>);

static SEEN: Mutex<Option<HashMap<PathBuf, Seen>>> = Mutex::new(None);

/// The container whose log file this is, by the file `config.v2.json` in the same folder.
pub(crate) fn beside(log: &Path) -> Option<Arc<Container>> {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let seen = seen.get_or_insert_default();
    if let Some((at, found)) = seen.get(log)
        && at.elapsed() < FRESH
    {
        return found.clone();
    }
    if seen.len() >= MOST {
        seen.clear();
    }
    // /var/log/containers holds links to links to the log.
    let own = log.parent().and_then(|folder| read(&folder.join(NAME)));
    let found = own.or_else(|| read(&std::fs::canonicalize(log).ok()?.parent()?.join(NAME))).map(Arc::new);
    seen.insert(log.to_owned(), (Instant::now(), found.clone()));
    found
}

const NAME: &str = "config.v2.json";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct File {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    name: String,
    config: Config,
    #[serde(default)]
    network_settings: NetworkSettings,
    #[serde(default)]
    state: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    image: String,
    #[serde(default)]
    labels: Option<Texts>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct State {
    running: bool,
}

fn read(path: &Path) -> Option<Container> {
    if std::fs::metadata(path).ok()?.len() > LARGEST {
        return None;
    }
    let file: File = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(Container {
        id: file.id,
        name: file.name.trim_start_matches('/').to_owned(),
        image: file.config.image,
        labels: texts(file.config.labels),
        addresses: file.network_settings.addresses(),
        running: file.state.running,
        ..Container::default()
    })
}
