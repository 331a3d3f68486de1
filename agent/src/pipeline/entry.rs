//! One log entry: a line, or several lines joined, as slices of its batch's buffer.

use tailrace_common::timestamp::Timestamp;

use crate::decode::ndjson::Parsed;
use crate::decode::syslog::Syslog;

/// A slice of [`Batch::text`](super::Batch::text). Batches are far smaller than 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Index of the first byte.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Span {
    /// The bytes it denotes; nothing if it lies outside of `text`.
    pub fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        text.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// The stream of a container that an entry came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Not a container's line: the document has no `stream`.
    #[default]
    None,
    /// `stdout`
    Stdout,
    /// `stderr`
    Stderr,
    /// A docker line without the key: the document has `stream: ""`, as Filebeat's.
    Unnamed,
}

impl Stream {
    /// The text of the field `stream`, `None` where the document has no such field.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Stream::None => None,
            Stream::Stdout => Some("stdout"),
            Stream::Stderr => Some("stderr"),
            Stream::Unnamed => Some(""),
        }
    }
}

/// What happened to an entry on its way; the first two become `log.flags`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// Cut at `message_max_bytes`, or at multiline's `max_lines`: `log.flags: ["truncated"]`.
    pub const TRUNCATED: Flags = Flags(1);
    /// Joined from several lines by multiline: `log.flags: ["multiline"]`.
    pub const MULTILINE: Flags = Flags(2);
    /// A container's piece whose rest did not come in time, or a line sent without its line end.
    pub const PARTIAL: Flags = Flags(4);
    /// A docker line whose text ended with a line end, which the message leaves out. It tells docker's empty line
    /// (Filebeat writes an empty `message`) from CRI's (no `message` at all).
    pub const NEWLINE: Flags = Flags(16);
    /// No line of the file but the report of a loss, see [`Extra::loss`].
    pub const LOSS: Flags = Flags(8);

    /// Whether all of `other` is set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets `other` too.
    pub fn insert(&mut self, other: Flags) {
        self.0 |= other.0;
    }

    /// Takes `other` away.
    pub fn remove(&mut self, other: Flags) {
        self.0 &= !other.0;
    }

    /// Whether nothing is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The values of `log.flags` in Filebeat's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = [(Flags::TRUNCATED, "truncated"), (Flags::MULTILINE, "multiline")];
        named.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

/// One decoded line, or the lines that multiline or a container's partial lines joined into one.
#[derive(Debug)]
pub struct Entry {
    /// The message's bytes as read (after decoding of the file's encoding and of JSON escapes). They need not be valid
    /// UTF-8: the encoder writes one U+FFFD for each invalid byte.
    pub message: Span,
    /// Offset in the file of the first byte of its first line: `log.offset`.
    pub start: u64,
    /// Offset in the file behind its last line, line end included.
    pub end: u64,
    /// The time in the container's line, else the time of reading: `@timestamp`.
    pub timestamp: Timestamp,
    /// The container's stream.
    pub stream: Stream,
    /// What happened to it.
    pub flags: Flags,
    /// What only few entries have.
    pub extra: Option<Box<Extra>>,
}

impl Entry {
    /// The rare parts, created on first use.
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Whether the entry can be written from its spans alone, without [`Extra`].
    pub fn is_plain(&self) -> bool {
        self.extra.is_none()
    }
}

/// What only few entries have.
#[derive(Debug, Default)]
pub struct Extra {
    /// `docker.attrs` as the raw JSON object of the line (log-opts labels, env, tag).
    pub docker_attrs: Option<Box<[u8]>>,
    /// What ndjson parsers found, in the order of the parsers.
    pub json: Vec<Parsed>,
    /// What a syslog parser found.
    pub syslog: Option<Box<Syslog>>,
    /// Why a parser could not read the line.
    pub failure: Option<Failure>,
    /// Bytes of the file that were destroyed before they could be read.
    pub loss: Option<Loss>,
}

/// Which parser failed: `error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The container parser: `container`. The message is the raw line.
    Container,
    /// The syslog parser: Filebeat writes no `error.type` for it.
    Syslog,
}

impl FailureKind {
    /// The text of `error.type`, where there is one.
    pub fn name(self) -> Option<&'static str> {
        match self {
            FailureKind::Container => Some("container"),
            FailureKind::Syslog => None,
        }
    }
}

/// A line that a parser could not read; it is kept with its raw text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which parser.
    pub kind: FailureKind,
    /// `error.message`
    pub message: String,
}

/// Bytes of a file that were destroyed (truncated, deleted) before they could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// How many bytes.
    pub bytes: u64,
    /// Offset of the first lost byte.
    pub offset: u64,
    /// How they were lost, for people: `truncated`, `deleted`.
    pub reason: &'static str,
}
