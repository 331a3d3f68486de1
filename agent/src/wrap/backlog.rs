//! What the application printed and the sender did not take yet: in memory, then on disk, bounded.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tailrace_common::Timestamp;

use super::ExecOptions;
use crate::pipeline::Stream;
use crate::queue::{Spool, SpoolError};

/// What gives way when the memory is full: `--when-full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// Output goes to a file until the sender takes it; when that is full too, the oldest output is dropped and counted.
    #[default]
    Spool,
    /// The oldest output is dropped and counted.
    DropOldest,
    /// The application waits.
    Block,
}

/// Whole lines of one stream, read at one time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) stream: Stream,
    /// Where it is in all that the stream printed.
    pub(super) offset: u64,
    pub(super) read: Timestamp,
    pub(super) text: Vec<u8>,
    /// The run that printed it: output in the spool may be of an earlier one.
    pub(super) run: u64,
    /// Its number in the spool, if it comes from there.
    pub(super) spooled: Option<u64>,
}

impl Chunk {
    fn lines(&self) -> u64 {
        memchr::memchr_iter(b'\n', &self.text).count().max(1) as u64
    }

    /// For the spool.
    fn write(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.stream == Stream::Stderr)];
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.read.secs.to_le_bytes());
        bytes.extend_from_slice(&self.read.nanos.to_le_bytes());
        bytes.extend_from_slice(&self.run.to_le_bytes());
        bytes.extend_from_slice(&self.text);
        bytes
    }

    fn read(number: u64, bytes: &[u8]) -> Option<Chunk> {
        let word = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let nanos = u32::from_le_bytes(bytes.get(17..21)?.try_into().ok()?);
        Some(Chunk {
            stream: if *bytes.first()? == 1 { Stream::Stderr } else { Stream::Stdout },
            offset: word(1)?,
            read: Timestamp { secs: word(9)? as i64, nanos },
            run: word(21)?,
            text: bytes.get(29..)?.to_vec(),
            spooled: Some(number),
        })
    }
}

/// The backlog, shared by pumps and mover.
pub(super) struct Backlog {
    policy: Policy,
    limit: usize,
    spool_limit: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Nobody ships it: everything is let go at once.
    idle: bool,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    spool: Option<Spool>,
    dropped: u64,
    told: u64,
    closed: bool,
}

/// A segment of the spool's files.
const SEGMENT: u64 = 8 << 20;

impl Backlog {
    pub(super) fn new(options: &ExecOptions, ships: bool, folder: &Path) -> Backlog {
        let mut spool = None;
        if ships && options.when_full == Policy::Spool {
            match Spool::open(folder, SEGMENT.min(options.spool / 4).max(64 << 10)) {
                Ok((opened, found)) => {
                    if found.frames > 0 || found.damaged_bytes > 0 {
                        tracing::info!(?found, "going on with what an earlier run left in the spool");
                    }
                    spool = Some(opened);
                }
                Err(error) => {
                    tracing::error!(%error, path = %folder.display(), "no spool: the oldest output is dropped when Kafka is away for long")
                }
            }
        }
        let state = State { idle: !ships, spool, ..State::default() };
        Backlog {
            policy: options.when_full,
            limit: options.buffer.max(64 << 10),
            spool_limit: options.spool,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was printed. Waits only if the policy is to wait.
    pub(super) fn push(&self, chunk: Chunk) {
        let mut state = self.lock();
        if state.idle {
            return;
        }
        if self.policy == Policy::Block {
            while state.bytes > 0 && state.bytes + chunk.text.len() > self.limit && !state.closed {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let is_spooling = state.spool.as_ref().is_some_and(|spool| spool.has_unread());
        if (is_spooling || state.bytes + chunk.text.len() > self.limit) && state.spool.is_some() {
            self.spool(&mut state, chunk);
        } else {
            state.bytes += chunk.text.len();
            state.chunks.push_back(chunk);
        }
        while state.bytes > self.limit && state.chunks.len() > 1 && self.policy != Policy::Block {
            state.drop_oldest();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Puts a chunk on disk. What the disk does not take is dropped from the oldest on.
    fn spool(&self, state: &mut State, chunk: Chunk) {
        let bytes = chunk.write();
        loop {
            let Some(spool) = &mut state.spool else { return };
            let room = self.spool_limit.saturating_sub(spool.bytes());
            match spool.append(&bytes, room) {
                Ok(_) => return,
                Err(SpoolError::Full) if spool.has_unread() => {
                    if !state.drop_oldest_spooled() {
                        break;
                    }
                }
                Err(error) => {
                    if state.dropped == state.told {
                        tracing::error!(%error, "the spool does not take the application's output");
                    }
                    break;
                }
            }
        }
        state.count_dropped(chunk.lines());
    }

    /// The oldest chunk; waits for one at most so long.
    pub(super) fn pop(&self, wait: Duration) -> Option<Chunk> {
        let state = self.lock();
        let empty = |state: &mut State| {
            state.chunks.is_empty() && !state.closed && !state.spool.as_ref().is_some_and(|spool| spool.has_unread())
        };
        let waited = self.changed.wait_timeout_while(state, wait, empty).unwrap_or_else(PoisonError::into_inner);
        let mut state = waited.0;
        let chunk = state.pop();
        drop(state);
        self.changed.notify_all();
        chunk
    }

    /// Everything up to this frame of the spool is delivered.
    pub(super) fn acknowledge(&self, below: u64) {
        if let Some(spool) = &mut self.lock().spool
            && let Err(error) = spool.acknowledge(below)
        {
            tracing::warn!(%error, "the spool does not take note of what is delivered");
        }
    }

    /// Nothing more comes.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        // What waits in memory outlasts us only in the spool, behind what is there already.
        if let Some(spool) = &mut state.spool
            && let Err(error) = spool.sync()
        {
            tracing::error!(%error, "cannot write the spool");
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// Whether what is not delivered in time is kept for the next run.
    pub(super) fn is_spooling(&self) -> bool {
        self.lock().spool.is_some()
    }

    /// Puts what could not be delivered in time on disk, for the next run.
    pub(super) fn keep(&self, chunks: Vec<Chunk>) {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.chunks);
        state.bytes = 0;
        for chunk in chunks.into_iter().chain(waiting) {
            if chunk.spooled.is_none() {
                self.spool(&mut state, chunk);
            }
        }
        if let Some(spool) = &mut state.spool
            && let Err(error) = spool.sync()
        {
            tracing::error!(%error, "cannot write the spool");
        }
    }
}

impl State {
    /// The oldest: memory was filled before the spool.
    fn pop(&mut self) -> Option<Chunk> {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.text.len();
            return Some(chunk);
        }
        let spool = self.spool.as_mut()?;
        match spool.read_next() {
            Ok(Some((number, bytes))) => Chunk::read(number, &bytes),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%error, "cannot read the spool");
                None
            }
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.bytes -= chunk.text.len();
            self.count_dropped(chunk.lines());
        }
    }

    /// Gives up the oldest frame of the spool; `false` when there is none, or that makes no room.
    fn drop_oldest_spooled(&mut self) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        let before = spool.bytes();
        let mut lines = 0;
        while spool.bytes() == before {
            let Ok(Some((number, bytes))) = spool.read_next() else { break };
            lines += Chunk::read(number, &bytes).map_or(1, |chunk| chunk.lines());
            if spool.acknowledge(number + 1).is_err() {
                break;
            }
        }
        let made_room = spool.bytes() < before;
        self.count_dropped(lines);
        made_room
    }

    fn count_dropped(&mut self, lines: u64) {
        self.dropped += lines;
        if lines > 0 && self.dropped >= self.told * 2 {
            self.told = self.dropped.max(1);
            tracing::error!(
                lines = self.dropped,
                "output of the application was dropped: kafka is away for longer than what can be kept"
            );
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options(when_full: Policy) -> ExecOptions {
        ExecOptions {
            command: Vec::new(),
            when_full,
            buffer: 64 << 10,
            spool: 1 << 20,
            drain: Duration::ZERO,
            multiline: true,
            strict: false,
        }
    }

    fn chunk(number: u64) -> Chunk {
        let text = format!("{number:>9999}\n").into_bytes();
        Chunk {
            stream: Stream::Stdout,
            offset: number * 10_000,
            read: Timestamp { secs: number as i64, nanos: 7 },
            text,
            run: 3,
            spooled: None,
        }
    }

    fn offsets(backlog: &Backlog) -> Vec<u64> {
        std::iter::from_fn(|| backlog.pop(Duration::ZERO)).map(|chunk| chunk.offset / 10_000).collect()
    }

    #[test]
    fn the_oldest_output_gives_way_and_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let backlog = Backlog::new(&options(Policy::DropOldest), true, folder.path());
        (0..20).for_each(|number| backlog.push(chunk(number)));
        assert_eq!(offsets(&backlog), (14..20).collect::<Vec<_>>());
        assert_eq!(backlog.dropped(), 14);
    }

    #[test]
    fn what_does_not_fit_into_memory_waits_on_disk_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let backlog = Backlog::new(&options(Policy::Spool), true, folder.path());
        (0..50).for_each(|number| backlog.push(chunk(number)));
        assert_eq!(backlog.pop(Duration::ZERO), Some(chunk(0)));
        backlog.push(chunk(50));
        assert_eq!(offsets(&backlog), (1..51).collect::<Vec<_>>());
        assert_eq!(backlog.dropped(), 0);
    }

    #[test]
    fn a_full_spool_gives_up_its_oldest() {
        let folder = tempfile::tempdir().unwrap();
        let backlog = Backlog::new(&options(Policy::Spool), true, folder.path());
        (0..500).for_each(|number| backlog.push(chunk(number)));
        let left = offsets(&backlog);
        assert_eq!(left.len() as u64 + backlog.dropped(), 500);
        assert!(left.len() > 60 && left.ends_with(&[498, 499]), "{left:?}");
        // What was in memory before is older and was kept; nothing is out of order.
        assert!(left.is_sorted());
    }

    #[test]
    fn a_blocking_backlog_waits_for_room() {
        let folder = tempfile::tempdir().unwrap();
        let backlog = std::sync::Arc::new(Backlog::new(&options(Policy::Block), true, folder.path()));
        let pushing = backlog.clone();
        let thread = std::thread::spawn(move || (0..20).for_each(|number| pushing.push(chunk(number))));
        let mut seen = Vec::new();
        while seen.len() < 20 {
            seen.extend(backlog.pop(Duration::from_secs(5)).map(|chunk| chunk.offset / 10_000));
        }
        thread.join().unwrap();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_left_at_the_end_is_there_in_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let backlog = Backlog::new(&options(Policy::Spool), true, folder.path());
        (0..20).for_each(|number| backlog.push(chunk(number)));
        let first = backlog.pop(Duration::ZERO).unwrap();
        backlog.close();
        backlog.keep(vec![first]);
        drop(backlog);
        let backlog = Backlog::new(&options(Policy::Spool), true, folder.path());
        let mut left = offsets(&backlog);
        left.sort_unstable();
        assert_eq!(left, (0..20).collect::<Vec<_>>());
    }
}
