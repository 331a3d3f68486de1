//! Input `stdin`: the lines of the standard input.

use std::io::{self, BufRead};
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tailrace_common::{FieldPath, Str};

use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec, Framing};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "stdin", summary: "Reads lines from the standard input.", build };

/// A longer line is cut into pieces of this many bytes.
const LONGEST_LINE: usize = 20 << 20;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let codec = codec::from_option(&mut options, build, "line");
    options.finish()?;
    let hostname = if ecs { FieldPath::field("host").child("hostname") } else { FieldPath::field("host") };
    Ok(Box::new(Stdin { context: Arc::new(Context { codec: codec?, decoration, hostname, host: host_name() }) }))
}

struct Stdin {
    context: Arc<Context>,
}

struct Context {
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    /// Where the name of this host goes.
    hostname: FieldPath,
    host: Str,
}

impl Input for Stdin {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let Framing::Lines(delimiter) = self.context.codec.framing();
        let last = *delimiter.as_bytes().last().unwrap_or(&b'\n');
        let mut reader = io::BufReader::with_capacity(1 << 18, io::stdin().lock());
        loop {
            let mut text = Vec::with_capacity(1 << 14);
            let mut count = 0;
            if reader.buffer().is_empty() && !readable_before_stop(feed) {
                return Ok(());
            }
            // A batch ends where reading on would wait.
            loop {
                let limited = &mut io::Read::take(&mut reader, LONGEST_LINE as u64);
                let length = limited
                    .read_until(last, &mut text)
                    .map_err(|error| InputError(format!("cannot read stdin: {error}")))?;
                count += usize::from(length > 0);
                if length == 0 || count >= feed.batch_size || !reader.buffer().contains(&last) {
                    break;
                }
            }
            if count == 0 {
                return Ok(());
            }
            let context = self.context.clone();
            let sent = feed.send_free(count, move |now| {
                let text = Str::from(String::from_utf8_lossy(&text).as_ref());
                let mut events = Vec::with_capacity(count);
                for line in text.as_str().split(delimiter_of(&context).as_str()) {
                    let line = line.strip_suffix('\r').unwrap_or(line);
                    if !line.is_empty() {
                        context.codec.decode(text.slice_ref(line), now, &mut events);
                    }
                }
                for event in &mut events {
                    if event.get(&context.hostname).is_none() {
                        // A `host` that is no map keeps what it is.
                        let _unset = event.set(&context.hostname, context.host.clone());
                    }
                    context.decoration.apply(event);
                }
                events
            });
            if sent.is_err() {
                return Ok(());
            }
        }
    }
}

/// Waits until there is something to read; false when the pipeline stops first.
fn readable_before_stop(feed: &Feed) -> bool {
    const STEP: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    let stdin = io::stdin();
    while !feed.stopping() {
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
        // What cannot be waited for is read, and the reading says what is wrong.
        if !matches!(poll(&mut waiting, Some(&STEP)), Ok(0) | Err(Errno::INTR)) {
            return true;
        }
    }
    false
}

fn delimiter_of(context: &Context) -> String {
    let Framing::Lines(delimiter) = context.codec.framing();
    delimiter
}

/// The name of this host.
pub(super) fn host_name() -> Str {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".into(), |name| Str::from(name.trim()))
}
