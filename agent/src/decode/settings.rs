//! The settings of the parsers of an input (`parsers` of filestream; `json`, `multiline`, `stream` and `format` of the
//! older inputs).

use std::sync::Arc;
use std::time::Duration;

use super::Pattern;
use super::ndjson::NdjsonSettings;
use super::syslog::SyslogSettings;

/// One element of `parsers`, in order.
#[derive(Clone, Debug)]
pub enum Parser {
    /// `container`
    Container(ContainerSettings),
    /// `multiline`
    Multiline(MultilineSettings),
    /// `ndjson`
    Ndjson(Arc<NdjsonSettings>),
    /// `syslog`
    Syslog(Arc<SyslogSettings>),
    /// `include_message.patterns`
    IncludeMessage(Vec<Pattern>),
}

/// Which stream of a container is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StreamChoice {
    /// `all`
    #[default]
    All,
    /// `stdout`
    Stdout,
    /// `stderr`
    Stderr,
}

/// How a container's runtime writes lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContainerFormat {
    /// `auto`: a line that starts with `{` is docker's, any other CRI's.
    #[default]
    Auto,
    /// `docker`, `json-file`
    Docker,
    /// `cri`
    Cri,
}

/// The container parser.
#[derive(Clone, Debug)]
pub struct ContainerSettings {
    /// `stream`
    pub stream: StreamChoice,
    /// `format`
    pub format: ContainerFormat,
    /// How long a piece waits for its rest before it is sent without it, flagged.
    pub partial_timeout: Duration,
}

impl Default for ContainerSettings {
    fn default() -> ContainerSettings {
        ContainerSettings {
            stream: StreamChoice::All,
            format: ContainerFormat::Auto,
            partial_timeout: Duration::from_secs(60),
        }
    }
}

/// `multiline.type` with what belongs to it.
#[derive(Clone, Debug)]
pub enum MultilineKind {
    /// `pattern`
    Pattern {
        /// `pattern`
        pattern: Pattern,
        /// `negate`
        negate: bool,
        /// `match`
        place: MultilineMatch,
        /// `flush_pattern`
        flush: Option<Pattern>,
    },
    /// `count`: so many lines are one event.
    Count(usize),
    /// `while_pattern`: consecutive lines that match are one event.
    While {
        /// `pattern`
        pattern: Pattern,
        /// `negate`
        negate: bool,
    },
    /// `auto`: stack traces of Java, Python, Go, Node, .NET, Ruby and PHP are joined, other lines are left alone. Ours.
    Auto,
}

/// Whether lines that match belong to the line before or after them: `multiline.match`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MultilineMatch {
    /// `after`: they are appended to the line before.
    #[default]
    After,
    /// `before`: the next line is appended to them.
    Before,
}

/// The multiline parser.
#[derive(Clone, Debug)]
pub struct MultilineSettings {
    /// `type` and its options.
    pub kind: MultilineKind,
    /// `max_lines`: further lines are dropped and the event is flagged.
    pub max_lines: usize,
    /// `timeout`: how long an event waits for its next line. Zero waits forever.
    pub timeout: Duration,
    /// `skip_newline`: lines are joined without a line end between them.
    pub skip_newline: bool,
}

impl MultilineSettings {
    /// With Filebeat's defaults: 500 lines, 5 seconds.
    pub fn new(kind: MultilineKind) -> MultilineSettings {
        MultilineSettings { kind, max_lines: 500, timeout: Duration::from_secs(5), skip_newline: false }
    }
}
