//! Copies what the application prints to our own output, and its lines to the backlog.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tailrace_common::Timestamp;

use super::backlog::{Backlog, Chunk};
use crate::pipeline::Stream;

/// How much is read at once.
const BLOCK: usize = 64 << 10;
/// A line without an end is passed on in pieces of this size.
const LONGEST: usize = 1 << 20;
/// The end of a line may come later than this; then what is there is passed on without it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long we look whether anything comes of what the application left running.
const LINGER: Duration = Duration::from_millis(200);

/// The threads of both streams.
pub(super) struct Pumps {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

pub(super) fn start(streams: Option<(ChildStdout, ChildStderr)>, backlog: &Arc<Backlog>) -> io::Result<Pumps> {
    let ended = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    if let Some((stdout, stderr)) = streams {
        // Part of the names of all lines: no other run, here or elsewhere, may have the same.
        let run = uuid::Uuid::new_v4().as_u64_pair().0;
        let pump = Pump {
            stream: Stream::Stdout,
            run,
            backlog: backlog.clone(),
            ended: ended.clone(),
            offset: 0,
            rest: Vec::new(),
        };
        let name = std::thread::Builder::new().name("stdout".into());
        threads.push(name.spawn(move || pump.run(stdout, &mut io::stdout()))?);
        let pump = Pump {
            stream: Stream::Stderr,
            run,
            backlog: backlog.clone(),
            ended: ended.clone(),
            offset: 0,
            rest: Vec::new(),
        };
        let name = std::thread::Builder::new().name("stderr".into());
        threads.push(name.spawn(move || pump.run(stderr, &mut io::stderr()))?);
    }
    Ok(Pumps { ended, threads })
}

/// The application has ended: takes what is left in the pipes. Processes that it left behind may hold them open, they are
/// not waited for.
pub(super) fn finish(pumps: Pumps) {
    pumps.ended.store(true, Ordering::SeqCst);
    for thread in pumps.threads {
        if thread.join().is_err() {
            tracing::error!("a pump panicked");
        }
    }
}

struct Pump {
    stream: Stream,
    run: u64,
    backlog: Arc<Backlog>,
    ended: Arc<AtomicBool>,
    /// Where `rest` begins in all that was printed.
    offset: u64,
    /// A line whose end was not read yet.
    rest: Vec<u8>,
}

impl Pump {
    fn run(mut self, mut source: impl Read + AsFd, copy: &mut impl Write) {
        let mut block = vec![0; BLOCK];
        let mut touched = Instant::now();
        let mut copies = true;
        loop {
            let ended = self.ended.load(Ordering::SeqCst);
            match wait_for(&source, if ended { LINGER } else { Duration::from_secs(1) }) {
                Ok(true) => {}
                Ok(false) => {
                    if ended {
                        break;
                    }
                    if !self.rest.is_empty() && touched.elapsed() >= PATIENCE {
                        self.pass_on(self.rest.len());
                    }
                    continue;
                }
                Err(error) => {
                    tracing::error!(%error, "cannot wait for the application's output");
                    break;
                }
            }
            let read = match source.read(&mut block) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "cannot read the application's output");
                    break;
                }
            };
            touched = Instant::now();
            let text = &block[..read];
            // Whoever reads our output may be gone; the application is none the wiser.
            if copies && let Err(error) = copy.write_all(text).and_then(|()| copy.flush()) {
                copies = false;
                tracing::warn!(%error, "cannot pass the application's output on; it is still shipped");
            }
            self.take(text);
        }
        self.pass_on(self.rest.len());
    }

    fn take(&mut self, text: &[u8]) {
        let before = self.rest.len();
        self.rest.extend_from_slice(text);
        if let Some(end) = memchr::memrchr(b'\n', text) {
            self.pass_on(before + end + 1);
        }
        if self.rest.len() >= LONGEST {
            self.pass_on(self.rest.len());
        }
    }

    /// Hands the first bytes of the rest over.
    fn pass_on(&mut self, len: usize) {
        if len == 0 {
            return;
        }
        let after = self.rest.split_off(len);
        let text = std::mem::replace(&mut self.rest, after);
        let chunk = Chunk {
            stream: self.stream,
            offset: self.offset,
            read: Timestamp::now(),
            text,
            run: self.run,
            spooled: None,
        };
        self.offset += len as u64;
        self.backlog.push(chunk);
    }
}

fn wait_for(source: &impl AsFd, time: Duration) -> io::Result<bool> {
    let timeout = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
    match poll(&mut [PollFd::new(source, PollFlags::IN)], Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
