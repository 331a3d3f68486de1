//! Input `stdin`: the lines of the standard input.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use tailrace_common::{FieldPath, Str};

use super::texts::{Cutter, Texts, without_return};
use super::{Feed, Input, InputDecoration, InputDefinition, InputError, Stopped};
use crate::codec::{self, Codec};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "stdin", summary: "Reads lines from the standard input.", build };

/// A longer line is cut.
const LONGEST_LINE: usize = 20 << 20;
/// Bytes read at once.
const READ: usize = 256 << 10;

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
        let mut cutter = Cutter::new(&*self.context.codec, None, LONGEST_LINE);
        // Not through the standard library's buffer, which could hold what the waiting does not see.
        let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned().map_err(cannot_read)?);
        let mut buffer = vec![0; READ];
        loop {
            let mut texts = Texts::default();
            let mut take = |text: &[u8], _| texts.push(without_return(text));
            let ready = wait(feed);
            let length = match ready {
                Ready::Input => stdin.read(&mut buffer),
                Ready::Nothing => {
                    cutter.flush_due(&mut take);
                    Ok(usize::MAX)
                }
                Ready::Stop => Ok(0),
            };
            match length {
                Ok(usize::MAX) => {}
                Ok(0) => cutter.finish(&mut take),
                Ok(length) => cutter.push(&buffer[..length], &mut take),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(cannot_read(error)),
            }
            for texts in texts.parts(feed.batch_size) {
                if self.hand_over(texts, feed).is_err() {
                    return Ok(());
                }
            }
            if matches!(length, Ok(0)) {
                return Ok(());
            }
        }
    }
}

fn cannot_read(error: io::Error) -> InputError {
    InputError(format!("cannot read stdin: {error}"))
}

impl Stdin {
    fn hand_over(&self, texts: Texts, feed: &Feed) -> Result<(), Stopped> {
        let context = self.context.clone();
        feed.send_free(texts.len(), move |now| {
            texts.events(&*context.codec, now, |_, event| {
                if event.get(&context.hostname).is_none() {
                    // A `host` that is no map keeps what it is.
                    let _unset = event.set(&context.hostname, context.host.clone());
                }
                context.decoration.apply(event);
            })
        })
    }
}

/// What there is to do next.
enum Ready {
    Input,
    /// Nothing came for a while.
    Nothing,
    Stop,
}

/// Waits a while for something to read.
fn wait(feed: &Feed) -> Ready {
    const STEP: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    if feed.stopping() {
        return Ready::Stop;
    }
    let stdin = io::stdin();
    let mut waiting = [PollFd::new(&stdin, PollFlags::IN)];
    match poll(&mut waiting, Some(&STEP)) {
        Ok(0) | Err(Errno::INTR) => Ready::Nothing,
        // What cannot be waited for is read, and the reading says what is wrong.
        _ => Ready::Input,
    }
}

/// The name of this host.
pub(super) fn host_name() -> Str {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "localhost".into(), |name| Str::from(name.trim()))
}
