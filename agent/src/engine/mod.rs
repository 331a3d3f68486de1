//! Runs the inputs: finds files, reads them, hands batches to the outlet, and saves positions behind acknowledgements.

mod adoption;
mod awaiting;
mod changes;
mod clock;
mod commits;
mod copies;
mod decoding;
mod discovery;
mod files;
mod input;
#[cfg(test)]
mod model;
mod opening;
mod quota;
mod reader;
mod reading;
mod tracked;
mod truncation;
mod waker;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crossbeam_channel::Sender;

use self::reader::Reader;
use self::waker::Waker;
use crate::pipeline::Outlet;
use crate::registry::{RegistryError, Store};
use crate::tail::settings::InputSettings;

/// How the engine runs.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Read every file to its end, send what waits for more, and be done.
    pub once: bool,
    /// How many bytes may be read but not yet let go by the outputs.
    pub memory_limit: usize,
    /// `filebeat.registry.flush`: how long positions may stay unsynced; they are written much sooner. Zero syncs at once.
    pub registry_flush: Duration,
    /// `filebeat.registry.file_permissions`
    pub registry_permissions: u32,
    /// A Filebeat registry (`<path.data>/registry/filebeat`) whose positions are taken over when ours is empty.
    pub import_from: Option<PathBuf>,
    /// When an agent ran for the first time with this data folder: `ignore_inactive: since_first_start`.
    pub first_start: SystemTime,
}

impl Default for EngineOptions {
    fn default() -> EngineOptions {
        EngineOptions {
            once: false,
            memory_limit: 10 << 20,
            registry_flush: Duration::from_secs(1),
            registry_permissions: 0o600,
            import_from: None,
            first_start: SystemTime::now(),
        }
    }
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The registry could not be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Threads, pipes or inotify could not be had.
    #[error("could not start the reader: {0}")]
    Start(#[source] std::io::Error),
}

/// One file as `/stats` and `top` show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileStats {
    /// Its path.
    pub path: PathBuf,
    /// The input that reads it.
    pub input_id: String,
    /// Device and inode.
    pub device: u64,
    /// See `device`.
    pub inode: u64,
    /// Up to here it is read.
    pub read: u64,
    /// Up to here it is acknowledged.
    pub acknowledged: u64,
    /// Its size when last looked at.
    pub size: u64,
    /// Bytes of it that were destroyed unread.
    pub lost: u64,
    /// Whether its handle is open.
    pub open: bool,
    /// How long the oldest unacknowledged byte has been waiting, in milliseconds; 0 when there is none.
    pub behind_millis: u64,
}

/// What the reader did since it started, and every file it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Every file known, in the order in which they were found.
    pub files: Vec<FileStats>,
    /// Handles open now.
    pub open_files: u64,
    /// `filebeat.harvester.started`
    pub files_opened: u64,
    /// `filebeat.harvester.closed`
    pub files_closed: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Entries handed to the outlet.
    pub entries: u64,
    /// Entries cut at `message_max_bytes` or `max_lines`.
    pub truncated: u64,
    /// Lines that a parser could not read.
    pub unparsable: u64,
    /// Lines dropped because their quota was used up.
    pub quota_lines: u64,
    /// Their bytes.
    pub quota_bytes: u64,
    /// Files whose first lines went out before their container was known.
    pub without_facts: u64,
    /// Bytes that were destroyed before they could be read.
    pub lost_bytes: u64,
    /// How often such a loss was found.
    pub losses: u64,
    /// How often the registry was written.
    pub registry_writes: u64,
    /// Files in the registry.
    pub registry_states: u64,
    /// Why the registry cannot be written now.
    pub registry_error: Option<String>,
    /// Bytes that are read and not yet let go by the outputs.
    pub bytes_in_flight: u64,
}

/// A running engine. Dropped, it stops reading without waiting for acknowledgements.
#[derive(Debug)]
pub struct EngineHandle {
    remote: Remote,
    thread: Option<JoinHandle<()>>,
}

/// Looks at a running engine and gives it other inputs, from any thread.
#[derive(Clone, Debug)]
pub struct Remote {
    commands: Sender<Command>,
    waker: Waker,
    done: Arc<Done>,
}

impl Remote {
    /// Goes on with these inputs instead. Files of inputs that stay are read on without a break; files that no input
    /// reads any more are let go, their positions stay in the registry.
    pub fn reload(&self, inputs: Vec<Arc<InputSettings>>) {
        self.done.unset();
        self.send(Command::Reload(inputs));
    }

    /// What the reader did and where it stands; none when it is gone or does not answer in time.
    pub fn stats(&self) -> Option<Stats> {
        let (reply, answer) = crossbeam_channel::bounded(1);
        self.send(Command::Stats(reply));
        answer.recv_timeout(Duration::from_secs(5)).ok()
    }

    fn send(&self, command: Command) {
        // Without the thread nobody waits for the command: the answer's channel closes with it.
        self.commands.send(command).ok();
        self.waker.wake();
    }
}

/// How a stop went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything that was read is acknowledged and saved.
    All,
    /// The deadline came first; so many batches will be read again.
    Left(u64),
}

/// What the handle asks of the reader's thread.
#[derive(Debug)]
enum Command {
    Reload(Vec<Arc<InputSettings>>),
    Stop(Duration, Sender<Drained>),
    Stats(Sender<Stats>),
    Abandon,
}

/// Whether everything is read and acknowledged.
#[derive(Debug, Default)]
struct Done {
    state: Mutex<bool>,
    changed: Condvar,
}

impl Done {
    fn set(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// There is more to do.
    fn unset(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    fn wait(&self, timeout: Option<Duration>) -> bool {
        let guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = timeout.unwrap_or(Duration::from_secs(1 << 40));
        let waited = self.changed.wait_timeout_while(guard, timeout, |done| !*done);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The reader of all inputs.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Starts reading.
    ///
    /// # Errors
    /// When the registry cannot be opened or the reader not be started.
    #[expect(clippy::disallowed_methods, reason = "commands come from people and signals: a few")]
    pub fn start(
        inputs: Vec<Arc<InputSettings>>,
        registry: &Path,
        outlet: Outlet,
        options: EngineOptions,
    ) -> Result<EngineHandle, EngineError> {
        let store = Store::open(registry, options.registry_permissions)?;
        let waker = Waker::new().map_err(|error| EngineError::Start(error.into()))?;
        let (commands, inbox) = crossbeam_channel::unbounded();
        let done = Arc::new(Done::default());
        let reader =
            Reader::new(inputs, store, outlet, options, waker.clone(), done.clone()).map_err(EngineError::Start)?;
        let thread = std::thread::Builder::new()
            .name("reader".into())
            .spawn(move || reader.run(&inbox))
            .map_err(EngineError::Start)?;
        Ok(EngineHandle { remote: Remote { commands, waker, done }, thread: Some(thread) })
    }
}

impl EngineHandle {
    /// For looking at it and changing its inputs from elsewhere.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Stops reading, waits until everything read is acknowledged or the deadline has passed, saves the positions.
    pub fn stop(mut self, deadline: Duration) -> Drained {
        let (reply, answer) = crossbeam_channel::bounded(1);
        self.remote.send(Command::Stop(deadline, reply));
        let drained = answer.recv().unwrap_or(Drained::Left(0));
        self.join();
        drained
    }

    /// With [`EngineOptions::once`]: waits until every file is read to its end and acknowledged. `false` when the
    /// time-out came first.
    pub fn wait_done(&self, timeout: Option<Duration>) -> bool {
        self.remote.done.wait(timeout)
    }

    /// What the reader did and where it stands.
    pub fn stats(&self) -> Stats {
        let (reply, answer) = crossbeam_channel::bounded(1);
        self.remote.send(Command::Stats(reply));
        answer.recv().unwrap_or_default()
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the reader panicked");
        }
    }
}

impl Drop for EngineHandle {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.remote.send(Command::Abandon);
            self.join();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::pipeline::channel;

    #[test]
    fn inputs_that_go_or_change_places_keep_their_files_states() {
        let folder = tempfile::tempdir().unwrap();
        let registry = folder.path().join("registry");
        let input = |id: &str| {
            let path = folder.path().join(format!("{id}.log"));
            std::fs::write(&path, "a line\n").unwrap();
            Arc::new(InputSettings {
                id: id.into(),
                paths: vec![path.display().to_string()],
                ..InputSettings::default()
            })
        };
        let inputs = ["first", "second", "third"].map(input);
        let (outlet, batches) = channel();
        let engine = Engine::start(inputs.to_vec(), &registry, outlet, EngineOptions::default()).unwrap();
        for _ in &inputs {
            batches.recv_timeout(Duration::from_secs(20)).unwrap().ticket.acknowledge();
        }
        let [first, second, third] = inputs;
        engine.remote().reload(vec![third.clone(), first.clone()]);
        assert_eq!(engine.stats().files.len(), 2);
        engine.remote().reload(vec![second, first, third]);
        assert_eq!(engine.stop(Duration::from_secs(20)), Drained::All);
        let states = Store::read(&registry).unwrap();
        assert_eq!(states.len(), 3);
        for state in states {
            assert_eq!(state.path.file_stem().unwrap().to_str(), Some(state.scope.as_str()));
        }
    }

    #[test]
    fn what_was_rotated_out_of_the_glob_while_nobody_looked_is_read_before_what_came_after() {
        let folder = tempfile::tempdir().unwrap();
        let (live, old) = (folder.path().join("app.log"), folder.path().join("app.log.1"));
        let start = || {
            let (paths, id) = (vec![live.display().to_string()], "app".into());
            let input = InputSettings { id, paths, ..InputSettings::default() };
            let (outlet, batches) = channel();
            let registry = folder.path().join("registry");
            (Engine::start(vec![Arc::new(input)], &registry, outlet, EngineOptions::default()).unwrap(), batches)
        };
        let next = |batches: &crossbeam_channel::Receiver<crate::pipeline::Batch>| {
            let batch = batches.recv_timeout(Duration::from_secs(20)).unwrap();
            batch.ticket.acknowledge();
            (batch.file.path.clone(), batch.entries[0].start)
        };
        std::fs::write(&live, "one\n").unwrap();
        let (engine, batches) = start();
        assert_eq!(next(&batches), (live.clone(), 0));
        assert_eq!(engine.stop(Duration::from_secs(20)), Drained::All);

        std::fs::write(&live, "one\ntwo\n").unwrap();
        std::fs::rename(&live, &old).unwrap();
        std::fs::write(&live, "three\n").unwrap();
        let (engine, batches) = start();
        assert_eq!([next(&batches), next(&batches)], [(old, 4), (live.clone(), 0)]);
        assert_eq!(engine.stop(Duration::from_secs(20)), Drained::All);
    }
}
