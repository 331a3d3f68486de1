//! Takes the application's lines from the backlog, decodes them, and hands them to the sender as batches.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use tailrace_common::Timestamp;

use super::backlog::{Backlog, Chunk};
use crate::decode::{Decoder, LineTerminator, Now, Output, RawLine, TextEncoding};
use crate::pipeline::{Acks, Batch, Commit, Entry, FileKey, FileMeta, Flags, Outlet, Pool, Position, Stream, Text};
use crate::tail::lines::LineFormat;
use crate::tail::settings::InputSettings;

/// How many bytes may be with the sender.
const UNDER_WAY: usize = 4 << 20;
/// How long the mover waits for the next chunk before it looks after what waits.
const TICK: Duration = Duration::from_millis(50);
/// The one thing whose position is tracked: the order of the chunks.
const ORDER: FileKey = FileKey([0; 16]);

/// The thread that moves.
pub(super) struct Mover {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Mover {
    pub(super) fn start(backlog: Arc<Backlog>, outlet: Outlet, input: Arc<InputSettings>) -> io::Result<Mover> {
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, room) = bounded(1);
        let pool = Pool::new(UNDER_WAY, move || {
            wake.try_send(()).ok();
        });
        let lines = LineFormat::new(TextEncoding::default(), LineTerminator::Auto);
        let mut moving = Moving {
            backlog,
            outlet,
            input,
            lines,
            pool,
            room,
            acks: Acks::new(),
            next: 0,
            sources: HashMap::new(),
            under_way: VecDeque::new(),
            ends: Vec::new(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("mover".into()).spawn(move || moving.run())?;
        Ok(Mover { stop, thread })
    }

    /// Waits until everything is delivered, at most until the deadline; how many chunks are not. With `keep` those
    /// are left to the next run.
    pub(super) fn finish(self, deadline: Instant, keep: bool) -> usize {
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.stop.store(true, Ordering::SeqCst);
        let left = self.thread.join().unwrap_or_else(|_| {
            tracing::error!("the mover panicked");
            1
        });
        if left > 0 {
            let fate = if keep { "it is sent at the next start" } else { "it is lost" };
            tracing::warn!(chunks = left, "not all output of the application was delivered in time; {fate}");
        }
        left
    }
}

/// One stream of one run.
struct Source {
    file: Arc<FileMeta>,
    decoder: Decoder,
    /// The oldest chunk of which lines wait in the decoder.
    waits_since: Option<u64>,
}

struct Moving {
    backlog: Arc<Backlog>,
    outlet: Outlet,
    input: Arc<InputSettings>,
    lines: LineFormat,
    pool: Pool,
    room: Receiver<()>,
    acks: Acks,
    /// The number of the next chunk.
    next: u64,
    sources: HashMap<(u64, Stream), Source>,
    /// Chunks that are not delivered yet, with their numbers.
    under_way: VecDeque<(u64, Chunk)>,
    ends: Vec<u32>,
    stop: Arc<AtomicBool>,
}

impl Moving {
    /// Moves until the backlog is closed and empty and all is delivered; how many chunks are not.
    fn run(&mut self) -> usize {
        while !self.stop.load(Ordering::SeqCst) {
            let chunk = self.backlog.pop(self.patience());
            self.take_acknowledgements();
            match chunk {
                Some(chunk) => {
                    if !self.pass_on(chunk) {
                        break;
                    }
                }
                None => {
                    let closed = self.backlog.is_closed();
                    self.release(closed);
                    if closed && self.acks.total_outstanding() == 0 {
                        break;
                    }
                    if closed {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                }
            }
        }
        self.take_acknowledgements();
        let left: Vec<Chunk> = self.under_way.drain(..).map(|(_, chunk)| chunk).collect();
        let count = left.len();
        if count > 0 && self.backlog.is_spooling() {
            self.backlog.keep(left);
        }
        count
    }

    /// How long to wait for a chunk.
    fn patience(&self) -> Duration {
        if self.under_way.is_empty() && self.sources.values().all(|source| source.waits_since.is_none()) {
            Duration::from_secs(1)
        } else {
            TICK
        }
    }

    /// Decodes a chunk and sends what it gives; `false` when it is time to end.
    fn pass_on(&mut self, chunk: Chunk) -> bool {
        let number = self.next;
        self.next += 1;
        let text = self.wait_for_room(chunk.text.len());
        self.under_way.push_back((number, chunk));
        let Some(mut text) = text else { return false };
        let Some((_, chunk)) = self.under_way.back() else { return false };
        text.extend_from_slice(&chunk.text);
        let key = (chunk.run, chunk.stream);
        let (start, stream, wall) = (chunk.offset, chunk.stream, chunk.read);
        let input = &self.input;
        let source = self.sources.entry(key).or_insert_with(|| Source::new(input, key));
        let mut ends = std::mem::take(&mut self.ends);
        ends.clear();
        self.lines.ends(&text, &mut ends);
        if ends.last().is_none_or(|end| (*end as usize) < text.len()) {
            ends.push(text.len() as u32);
        }
        let now = Now { wall, tick: Instant::now() };
        let (mut entries, mut older) = (Vec::with_capacity(ends.len()), Vec::new());
        let mut from = 0;
        for end in &ends {
            let is_whole = text.get(*end as usize - 1) == Some(&b'\n');
            let span = self.lines.text(&mut text, from as usize, *end as usize, false);
            let flags = if is_whole { Flags::default() } else { Flags::PARTIAL };
            let line = RawLine { text: span, start: start + u64::from(from), end: start + u64::from(*end), flags };
            source.decoder.line(line, now, &mut Output { text: &mut text, entries: &mut entries, older: &mut older });
            from = *end;
        }
        source.waits(number);
        let file = source.file.clone();
        self.ends = ends;
        self.send(file, text, entries, stream);
        true
    }

    /// Room in the sender's share, once there is some.
    fn wait_for_room(&mut self, len: usize) -> Option<Text> {
        loop {
            if let Some(text) = self.pool.take(len) {
                return Some(text);
            }
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            self.room.recv_timeout(TICK).ok();
            self.take_acknowledgements();
        }
    }

    /// Sends on what waited too long in the decoders, or `all` of it.
    fn release(&mut self, all: bool) {
        let now = Now { wall: Timestamp::now(), tick: Instant::now() };
        let due = |source: &Source| all || source.decoder.deadline().is_some_and(|at| at <= now.tick);
        let waiting: Vec<(u64, Stream)> = self
            .sources
            .iter()
            .filter(|(_, source)| source.waits_since.is_some() && due(source))
            .map(|(key, _)| *key)
            .collect();
        for key in waiting {
            let Some(source) = self.sources.get_mut(&key) else { continue };
            let (mut text, mut entries, mut older) = (Text::default(), Vec::new(), Vec::new());
            let mut out = Output { text: &mut text, entries: &mut entries, older: &mut older };
            if all {
                source.decoder.flush(now, &mut out);
            } else {
                source.decoder.expire(now, &mut out);
            }
            source.waits(self.next.saturating_sub(1));
            let file = source.file.clone();
            self.send(file, text, entries, key.1);
        }
    }

    fn send(&mut self, file: Arc<FileMeta>, text: Text, mut entries: Vec<Entry>, stream: Stream) {
        // Chunks are done up to the oldest of which something waits for its rest.
        let done = self.sources.values().filter_map(|source| source.waits_since).min().unwrap_or(self.next);
        let ticket = self.acks.issue([Commit { key: ORDER, position: Position::at(done) }]);
        if entries.is_empty() {
            ticket.acknowledge();
            return;
        }
        for entry in &mut entries {
            entry.stream = stream;
        }
        if self.outlet.send(Batch { file, text, entries, ticket }).is_err() {
            tracing::error!("the sender has stopped");
        }
    }

    fn take_acknowledgements(&mut self) {
        let Some(commit) = self.acks.take_commits().pop() else { return };
        let mut spooled = None;
        while let Some((number, chunk)) = self.under_way.front()
            && *number < commit.position.offset
        {
            spooled = chunk.spooled.or(spooled);
            self.under_way.pop_front();
        }
        if let Some(number) = spooled {
            self.backlog.acknowledge(number + 1);
        }
    }
}

impl Source {
    fn new(input: &Arc<InputSettings>, (run, stream): (u64, Stream)) -> Source {
        let name = stream.name().unwrap_or("stdout");
        let hash = xxhash_rust::xxh3::xxh3_128(format!("{run}/{name}").as_bytes());
        let file = FileMeta {
            key: FileKey(hash.to_be_bytes()),
            input: input.clone(),
            path: format!("/dev/{name}").into(),
            source: None,
            device: 0,
            inode: 0,
            fingerprint: None,
            owner: None,
            group: None,
        };
        Source { file: Arc::new(file), decoder: Decoder::new(input.clone()), waits_since: None }
    }

    /// Takes note of whether lines wait after this chunk.
    fn waits(&mut self, number: u64) {
        self.waits_since = if self.decoder.is_idle() { None } else { Some(self.waits_since.unwrap_or(number)) };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{ExecOptions, Policy};
    use super::*;
    use crate::decode::settings::{MultilineKind, MultilineSettings, Parser};
    use crate::pipeline::channel;
    use crate::tail::settings::InputKind;

    fn chunk(stream: Stream, offset: u64, text: &str) -> Chunk {
        Chunk { stream, offset, read: Timestamp::now(), text: text.into(), run: 1, spooled: None }
    }

    #[test]
    fn streams_are_joined_apart_and_nothing_is_kept_back_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let options = ExecOptions {
            command: Vec::new(),
            when_full: Policy::DropOldest,
            buffer: 1 << 20,
            spool: 0,
            drain: Duration::ZERO,
            multiline: true,
            strict: false,
        };
        let backlog = Arc::new(Backlog::new(&options, true, folder.path()));
        let input = InputSettings {
            kind: InputKind::Container,
            parsers: vec![Parser::Multiline(MultilineSettings::new(MultilineKind::Auto))],
            ..InputSettings::default()
        };
        let (outlet, batches) = channel();
        let mover = Mover::start(backlog.clone(), outlet, Arc::new(input)).unwrap();
        let trace = "Exception in thread \"main\" java.lang.Boom: x\n\tat a.b(C.java:1)\n";
        backlog.push(chunk(Stream::Stderr, 0, trace));
        backlog.push(chunk(Stream::Stdout, 0, "one\n\ntwo"));
        backlog.push(chunk(Stream::Stderr, trace.len() as u64, "\tat d.e(F.java:2)\n"));
        backlog.close();
        let mut seen = Vec::new();
        while let Ok(batch) = batches.recv_timeout(Duration::from_secs(10)) {
            for entry in &batch.entries {
                let text = String::from_utf8_lossy(batch.message(entry)).into_owned();
                seen.push((entry.stream.name().unwrap(), entry.start, text));
            }
            batch.ticket.acknowledge();
        }
        assert_eq!(mover.finish(Instant::now() + Duration::from_secs(10), false), 0);
        seen.sort();
        let whole = format!("{}\n\tat d.e(F.java:2)", trace.trim_end());
        assert_eq!(seen, [("stderr", 0, whole), ("stdout", 0, "one".into()), ("stdout", 5, "two".into())]);
    }
}
