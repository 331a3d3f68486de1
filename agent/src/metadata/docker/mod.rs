//! Docker's containers: asked from its API, kept up to date by its events.
//!
//! The API is asked by `hyper`, which the workspace has anyway, over its socket: two requests and a stream of events are
//! all that is needed. `bollard` 0.21 for it would bring 75 more crates, most of them for what is not asked. Where nothing
//! answers, the file `config.v2.json` beside a container's log file tells the same.

mod api;
mod container;
mod files;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{Changes, Shared};
use crate::http::Trust;

pub(crate) use container::Container;
pub(crate) use files::beside;

/// A file waits no longer for its container to be known.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);
/// How many characters Docker shows of an id.
const SHORT: usize = 12;

static DOCKERS: Shared<Settings, Docker> = Shared::new();

/// Which Docker, and how long it remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `host`: `unix:///var/run/docker.sock`, `tcp://...`
    pub(crate) host: String,
    /// `ssl`
    pub(crate) trust: Option<Trust>,
    /// `cleanup_timeout`: so long a removed container is kept after it was last asked for.
    pub(crate) cleanup: Duration,
}

/// Where the looking up of a container stands.
#[derive(Clone, Debug)]
pub(crate) enum Lookup {
    /// Here it is.
    Found(Arc<Container>),
    /// Docker answers, and has no such container.
    Unknown,
    /// Docker is being asked.
    Pending,
    /// Docker does not answer.
    Down,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Status {
    #[default]
    Unasked,
    Asking,
    Up,
    Down,
}

#[derive(Debug)]
struct Known {
    container: Arc<Container>,
    /// When it was last asked for, once it is removed.
    removed: Option<Instant>,
}

#[derive(Debug, Default)]
struct State {
    status: Status,
    containers: HashMap<String, Known>,
}

/// What is known of one Docker.
#[derive(Debug, Default)]
struct Cache {
    state: Mutex<State>,
    changes: Changes,
}

/// The containers of one Docker. Dropped, it stops asking.
#[derive(Debug)]
pub(crate) struct Docker {
    settings: Settings,
    cache: Arc<Cache>,
    /// Dropped, it stops the thread.
    stop: Mutex<Option<oneshot::Sender<()>>>,
}

impl Docker {
    /// The one of these settings.
    pub(crate) fn of(settings: &Settings) -> Arc<Docker> {
        DOCKERS.get(settings, |settings| Docker { settings, cache: Arc::default(), stop: Mutex::default() })
    }

    /// Begins to ask, on a thread of its own.
    pub(crate) fn start(&self) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if stop.is_some() {
            return;
        }
        let (sender, stopped) = oneshot::channel();
        *stop = Some(sender);
        self.cache.lock().status = Status::Asking;
        let (settings, cache) = (self.settings.clone(), self.cache.clone());
        super::spawn("docker", stopped, move || async move { api::follow(&settings, &cache).await });
    }

    /// The container of an id, or of the beginning of an id where `short` allows it.
    pub(crate) fn find(&self, id: &str, short: bool) -> Lookup {
        let mut state = self.cache.lock();
        let status = state.status;
        let known = match state.containers.get_mut(id) {
            None if short && id.len() == SHORT => {
                state.containers.iter_mut().find(|(whole, _)| whole.starts_with(id)).map(|(_, known)| known)
            }
            known => known,
        };
        match (known, status) {
            (Some(known), _) => {
                known.removed = known.removed.map(|_| Instant::now());
                Lookup::Found(known.container.clone())
            }
            (None, Status::Up) => Lookup::Unknown,
            (None, Status::Asking | Status::Unasked) => Lookup::Pending,
            (None, Status::Down) => Lookup::Down,
        }
    }

    /// Every container that is there, running or not.
    pub(crate) fn containers(&self) -> Vec<Arc<Container>> {
        let state = self.cache.lock();
        state.containers.values().filter(|known| known.removed.is_none()).map(|known| known.container.clone()).collect()
    }

    /// Tells when something has changed.
    pub(crate) fn changes(&self) -> &Changes {
        &self.cache.changes
    }
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are all there are.
    fn replace(&self, containers: Vec<Container>) {
        let mut state = self.lock();
        let now = Instant::now();
        for known in state.containers.values_mut() {
            known.removed = known.removed.or(Some(now));
        }
        for container in containers {
            state.put(container);
        }
        state.status = Status::Up;
        drop(state);
        self.changes.happened();
    }

    fn put(&self, container: Container) {
        self.lock().put(container);
        self.changes.happened();
    }

    fn remove(&self, id: &str) {
        if let Some(known) = self.lock().containers.get_mut(id) {
            known.removed = Some(Instant::now());
        }
        self.changes.happened();
    }

    /// Forgets containers that were removed and not asked for since.
    fn clean(&self, timeout: Duration) {
        self.lock().containers.retain(|_, known| known.removed.is_none_or(|at| at.elapsed() < timeout));
    }

    fn went_down(&self) {
        self.lock().status = Status::Down;
    }
}

impl State {
    fn put(&mut self, container: Container) {
        let known = Known { container: Arc::new(container), removed: None };
        self.containers.insert(known.container.id.clone(), known);
    }
}

#[cfg(test)]
mod tests;
