//! The thread that writes the registry, so that no sync ever holds the reader up.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::record::{FileState, Tail};
use super::store::Store;
use crate::pipeline::{FileKey, Position};

/// How soon a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A change of the registry.
#[derive(Clone, Debug)]
pub enum Change {
    /// A file is new, or more than its position changed.
    Put(Box<FileState>),
    /// A file's position moved.
    Advance {
        /// The file.
        key: FileKey,
        /// Where it stands.
        position: Position,
        /// The bytes before it.
        tail: Option<Tail>,
        /// The file's size.
        size: u64,
        /// Seconds since 1970.
        updated: i64,
    },
    /// A file is forgotten.
    Forget(FileKey),
}

enum Message {
    Changes(Vec<Change>),
    /// Answered when everything before it is on the disk, or cannot be written.
    Flush(Sender<bool>),
}

/// How the registry does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Files in it.
    pub states: u64,
    /// How often it was written.
    pub writes: u64,
    /// Why it cannot be written now.
    pub error: Option<String>,
}

/// The writing thread's handle. Dropped, it writes what is left and ends.
#[derive(Debug)]
pub struct Writer {
    messages: Option<Sender<Message>>,
    status: Arc<Mutex<Status>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. What is handed over is written at once, so that it outlives the process, and synced after
    /// `sync_after`, so that it outlives the machine.
    ///
    /// # Errors
    /// When no thread can be had.
    #[expect(
        clippy::disallowed_methods,
        reason = "positions are few: the reader's pool bounds the batches they stand for"
    )]
    pub fn start(store: Store, sync_after: Duration) -> io::Result<Writer> {
        let (messages, inbox) = crossbeam_channel::unbounded();
        let error = store.is_outdated().then(|| "the disk is full".to_owned());
        let status = Arc::new(Mutex::new(Status { states: store.len() as u64, error, ..Status::default() }));
        let shared = status.clone();
        let thread = std::thread::Builder::new()
            .name("registry".into())
            .spawn(move || run(store, &inbox, sync_after, &shared))?;
        Ok(Writer { messages: Some(messages), status, thread: Some(thread) })
    }

    /// Hands changes over; they are written as one group.
    pub fn write(&self, changes: Vec<Change>) {
        if !changes.is_empty() {
            self.send(Message::Changes(changes));
        }
    }

    /// Waits until everything handed over is on the disk. `false` if it could not be written.
    pub fn flush(&self, timeout: Duration) -> bool {
        let (done, answer) = crossbeam_channel::bounded(1);
        self.send(Message::Flush(done));
        answer.recv_timeout(timeout).unwrap_or(false)
    }

    /// How the registry does.
    pub fn status(&self) -> Status {
        lock(&self.status).clone()
    }

    fn send(&self, message: Message) {
        if let Some(messages) = &self.messages
            && messages.send(message).is_err()
        {
            tracing::error!("the registry's thread is gone");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the registry's thread panicked");
        }
    }
}

fn lock(status: &Mutex<Status>) -> MutexGuard<'_, Status> {
    status.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(mut store: Store, inbox: &Receiver<Message>, sync_after: Duration, status: &Mutex<Status>) {
    let mut failing = false;
    // When what is written must be synced.
    let mut due: Option<Instant> = None;
    loop {
        let wait = if failing { Some(RETRY) } else { due.map(|due| due.saturating_duration_since(Instant::now())) };
        let first = match wait {
            Some(wait) => inbox.recv_timeout(wait),
            None => inbox.recv().map_err(RecvTimeoutError::from),
        };
        let mut waiting = Vec::new();
        let mut gone = false;
        match first {
            Ok(message) => {
                take(message, &mut store, &mut waiting);
                inbox.try_iter().for_each(|message| take(message, &mut store, &mut waiting));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => gone = true,
        }
        let now = Instant::now();
        let must = gone || failing || !waiting.is_empty() || sync_after.is_zero() || due.is_some_and(|due| due <= now);
        let result = if must { store.sync() } else { store.write() };
        due = store.is_unsynced().then(|| due.unwrap_or(now + sync_after));
        failing = !report(result, &store, status);
        for done in waiting {
            done.send(!failing).ok();
        }
        if gone {
            return;
        }
    }
}

fn take(message: Message, store: &mut Store, waiting: &mut Vec<Sender<bool>>) {
    match message {
        Message::Flush(done) => waiting.push(done),
        Message::Changes(changes) => {
            for change in changes {
                match change {
                    Change::Put(state) => store.put(*state),
                    Change::Advance { key, position, tail, size, updated } => {
                        store.advance(key, &position, tail, size, updated);
                    }
                    Change::Forget(key) => store.forget(key),
                }
            }
        }
    }
}

/// Says it loudly, and once, when the disk takes no more.
fn report(result: io::Result<()>, store: &Store, status: &Mutex<Status>) -> bool {
    let mut status = lock(status);
    status.states = store.len() as u64;
    match result {
        Ok(()) => {
            status.writes += 1;
            if status.error.take().is_some() {
                tracing::info!("the registry can be written again");
            }
            true
        }
        Err(error) => {
            let text = error.to_string();
            if status.error.as_deref() != Some(&text) {
                tracing::error!(
                    error = text,
                    "cannot write the registry: reading goes on, but lines sent from now on will be sent again after a restart"
                );
            }
            status.error = Some(text);
            false
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn changes_outlive_the_process_long_before_they_are_synced() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), 0o600).unwrap();
        let writer = Writer::start(store, Duration::from_secs(3600)).unwrap();
        writer.write(vec![Change::Put(Box::default())]);
        let begun = Instant::now();
        while Store::read(directory.path()).unwrap().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "nothing was written");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn changes_are_on_the_disk_after_a_flush() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::start(Store::open(directory.path(), 0o600).unwrap(), Duration::from_secs(1)).unwrap();
        let key = FileKey([1; 16]);
        writer.write(vec![Change::Put(Box::new(FileState { key, ..FileState::default() }))]);
        let position = Position::at(7);
        writer.write(vec![Change::Advance { key, position, tail: None, size: 9, updated: 1 }]);
        assert!(writer.flush(Duration::from_secs(10)));
        assert_eq!(Store::read(directory.path()).unwrap()[0].offset, 7);
        assert_eq!(writer.status().states, 1);
    }
}
