//! The settings of one input, as the reader uses them. Filled from `filebeat.yml` by the configuration; names and
//! defaults are Filebeat's, see the option named at each field.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::decode::settings::*;
use crate::decode::{LineTerminator, Pattern, TextEncoding};
use crate::pipeline::Awaited;

/// `type`: the kind of an input, which decides what its events look like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum InputKind {
    /// `filestream`
    #[default]
    Filestream,
    /// `container`
    Container,
    /// `log`
    Log,
    /// `stdin`
    Stdin,
    /// `tcp`
    Tcp,
    /// `udp`
    Udp,
    /// `unix`
    Unix,
    /// `syslog`
    Syslog,
}

impl InputKind {
    /// The text of `input.type`.
    pub fn name(self) -> &'static str {
        match self {
            InputKind::Filestream => "filestream",
            InputKind::Container => "container",
            InputKind::Log => "log",
            InputKind::Stdin => "stdin",
            InputKind::Tcp => "tcp",
            InputKind::Udp => "udp",
            InputKind::Unix => "unix",
            InputKind::Syslog => "syslog",
        }
    }

    /// Whether its documents say who the file is (`log.file.inode`, `device_id`, `fingerprint`).
    pub fn has_file_identity(self) -> bool {
        self == InputKind::Filestream
    }

    /// Whether its messages have a place in a file or in the standard input: `log.offset`, `log.file.path`.
    pub fn has_offset(self) -> bool {
        self.reads_files() || self == InputKind::Stdin
    }

    /// Whether it reads files found by `paths`.
    pub fn reads_files(self) -> bool {
        matches!(self, InputKind::Filestream | InputKind::Container | InputKind::Log)
    }
}

/// `file_identity`: what makes a file the same file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FileIdentity {
    /// `fingerprint`, `native` and `inode_marker`: device, inode, time of birth and the growing fingerprint together. We
    /// use all of them whichever is configured: neither alone can tell inode reuse from a rename, or equal heads from a
    /// copy.
    #[default]
    Native,
    /// `path`: the file at this path is the same file whatever its inode.
    Path,
}

/// How soon a file is looked at again whose changes nobody tells: in a directory that cannot be watched (NFS), or one
/// that could not be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// `backoff.init`, `backoff`: after it had something new. Shorter by default than Filebeat's 2 seconds.
    pub init: Duration,
    /// `backoff.max`, `max_backoff`: at the latest.
    pub max: Duration,
    /// `backoff_factor`: how much longer each time.
    pub factor: f64,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { init: Duration::from_millis(500), max: Duration::from_secs(10), factor: 2.0 }
    }
}

/// `compression` of filestream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Files are read as they are.
    #[default]
    None,
    /// `gzip`: every file is gzip.
    Gzip,
    /// `auto`: a file that starts with gzip's magic is.
    Auto,
}

/// `scan.sort` of the log and container inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanSort {
    /// As found.
    #[default]
    None,
    /// `modtime`
    ModTime,
    /// `filename`
    FileName,
}

/// `ignore_inactive`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IgnoreInactive {
    /// Nothing is ignored.
    #[default]
    Never,
    /// `since_first_start`: files not changed since the agent's very first start.
    SinceFirstStart,
    /// `since_last_start`: files not changed since this start.
    SinceLastStart,
}

/// When a file's handle is let go.
#[derive(Clone, Debug)]
pub struct CloseSettings {
    /// `close.on_state_change.inactive`, `close_inactive`: no new bytes for so long.
    pub inactive: Duration,
    /// `close.on_state_change.renamed`, `close_renamed`
    pub renamed: bool,
    /// `close.on_state_change.removed`, `close_removed`. Bytes that are there are read before the file is let go.
    pub removed: bool,
    /// `close.reader.on_eof`, `close_eof`
    pub on_eof: bool,
    /// `close.reader.after_interval`, `close_timeout`
    pub after_interval: Option<Duration>,
}

impl Default for CloseSettings {
    fn default() -> CloseSettings {
        CloseSettings {
            inactive: Duration::from_secs(300),
            renamed: false,
            removed: false,
            on_eof: false,
            after_interval: None,
        }
    }
}

/// `delete` of filestream: files are deleted once read to the end and acknowledged.
#[derive(Clone, Debug)]
pub struct DeleteSettings {
    /// `delete.enabled`
    pub enabled: bool,
    /// `delete.grace_period`
    pub grace_period: Duration,
}

impl Default for DeleteSettings {
    fn default() -> DeleteSettings {
        DeleteSettings { enabled: false, grace_period: Duration::from_secs(1800) }
    }
}

/// `fingerprint` of filestream's scanner: the part of a file of which `log.file.fingerprint` is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FingerprintSettings {
    /// `prospector.scanner.fingerprint.enabled`; off too under another `file_identity`.
    pub enabled: bool,
    /// `offset`
    pub offset: u64,
    /// `length`
    pub length: u64,
}

impl Default for FingerprintSettings {
    fn default() -> FingerprintSettings {
        FingerprintSettings { enabled: true, offset: 0, length: 1024 }
    }
}

/// `quota`: how fast a file may be read. Ours.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaSettings {
    /// `limit`, a second.
    pub rate: f64,
    /// How much may be read at once after a pause: the limit times `burst_multiplier`.
    pub burst: f64,
    /// What `limit` counts.
    pub unit: QuotaUnit,
    /// `per`
    pub per: QuotaScope,
    /// `excess`
    pub excess: Excess,
}

/// What a quota counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaUnit {
    /// `1000/s`
    Lines,
    /// `1MiB/s`
    Bytes,
}

/// What a quota holds for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaScope {
    /// `file`: one file with its rotated generations.
    File,
    /// `folder`: all files of a folder together, as those of a container in `/var/log/pods`.
    Folder,
}

/// What becomes of lines beyond a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// `delay`: they are read later.
    Delay,
    /// `drop`: they are dropped and counted.
    Drop,
}

/// Where a network input listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// `protocol.tcp.host`, `host` of the tcp input.
    Tcp(SocketAddr),
    /// `protocol.udp.host`, `host` of the udp input.
    Udp(SocketAddr),
    /// `path` of the unix input, stream sockets.
    UnixStream(PathBuf),
    /// `path` of the unix input with `socket_type: datagram`.
    UnixDatagram(PathBuf),
}

/// `framing` of tcp and unix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `delimiter` with `line_delimiter`
    Delimiter(Vec<u8>),
    /// `rfc6587`: octet counting, or lines where there is no count.
    Rfc6587,
}

/// Settings of the inputs `tcp`, `udp`, `unix` and `syslog`.
#[derive(Clone, Debug)]
pub struct ListenSettings {
    /// Where it listens.
    pub address: ListenAddress,
    /// `framing` and `line_delimiter`
    pub framing: Framing,
    /// `max_message_size`: 20 MiB for tcp and unix, 10 KiB for udp.
    pub max_message_size: usize,
    /// `max_connections`, 0 for no limit.
    pub max_connections: usize,
    /// `timeout`: an idle connection is closed after it.
    pub timeout: Duration,
    /// `read_buffer` of udp, 0 for the system's.
    pub read_buffer: usize,
    /// `ssl` of tcp.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// `group` and `mode` of a unix socket: its permission bits.
    pub mode: Option<u32>,
}

/// Everything the reader must know of one input.
#[derive(Clone, Debug)]
pub struct InputSettings {
    /// `type`
    pub kind: InputKind,
    /// `id`
    pub id: String,
    /// `paths`: globs, `**` included.
    pub paths: Vec<String>,
    /// `prospector.scanner.recursive_glob`, `recursive_glob.enabled`
    pub recursive_glob: bool,
    /// `prospector.scanner.check_interval`, `scan_frequency`
    pub check_interval: Duration,
    /// `prospector.scanner.include_files`
    pub include_files: Vec<Pattern>,
    /// `prospector.scanner.exclude_files`, `exclude_files`
    pub exclude_files: Vec<Pattern>,
    /// `prospector.scanner.symlinks`, `symlinks`
    pub symlinks: bool,
    /// `prospector.scanner.resend_on_touch`
    pub resend_on_touch: bool,
    /// `scan.sort`
    pub scan_sort: ScanSort,
    /// `scan.order: desc`
    pub scan_descending: bool,
    /// `file_identity`
    pub identity: FileIdentity,
    /// `prospector.scanner.fingerprint`
    pub fingerprint: FingerprintSettings,
    /// `include_file_fingerprint`
    pub include_file_fingerprint: bool,
    /// `include_file_owner_name`
    pub include_file_owner_name: bool,
    /// `include_file_owner_group_name`
    pub include_file_owner_group_name: bool,
    /// `encoding`
    pub encoding: TextEncoding,
    /// `line_terminator`
    pub line_terminator: LineTerminator,
    /// `message_max_bytes`, `max_bytes`
    pub message_max_bytes: usize,
    /// `compression`
    pub compression: Compression,
    /// `parsers`; for the older inputs `stream`, `format`, `json` and `multiline` in their order.
    pub parsers: Vec<Parser>,
    /// `include_lines`
    pub include_lines: Vec<Pattern>,
    /// `exclude_lines`
    pub exclude_lines: Vec<Pattern>,
    /// `backoff`
    pub backoff: Backoff,
    /// `harvester_limit`, 0 for no limit.
    pub harvester_limit: usize,
    /// `ignore_older`, zero for never.
    pub ignore_older: Duration,
    /// `ignore_inactive`
    pub ignore_inactive: IgnoreInactive,
    /// `seek_to_tail`, `tail_files`: files found at the first start are read from their end.
    pub seek_to_tail: bool,
    /// `close.*`
    pub close: CloseSettings,
    /// `clean_inactive`
    pub clean_inactive: Option<Duration>,
    /// `clean_removed`
    pub clean_removed: bool,
    /// `delete.*`
    pub delete: DeleteSettings,
    /// `allow_deprecated_id_duplication`
    pub may_share_id: bool,
    /// `take_over.enabled`: events bear the tag `take_over`.
    pub take_over: bool,
    /// `take_over.from_ids`
    pub take_over_from: Vec<String>,
    /// `read_until_eof`: how long files are read on when the input is stopped.
    pub read_until_eof: Option<Duration>,
    /// After how long without a line end the last bytes of a file are sent as a line; `None` waits forever, as Filebeat
    /// does. Ours.
    pub unterminated_timeout: Option<Duration>,
    /// Whether the generations that rotation made of a file are found and read to their end although the globs do not
    /// match them. Ours.
    pub follow_rotated: bool,
    /// How fast each file may be read. Ours.
    pub quota: Option<QuotaSettings>,
    /// Who looks up facts about its files, which wait for them for a moment.
    pub awaited: Vec<Arc<dyn Awaited>>,
    /// Settings of the network inputs.
    pub listen: Option<ListenSettings>,
}

impl Default for InputSettings {
    fn default() -> InputSettings {
        InputSettings {
            kind: InputKind::Filestream,
            id: String::new(),
            paths: Vec::new(),
            recursive_glob: true,
            check_interval: Duration::from_secs(10),
            include_files: Vec::new(),
            exclude_files: Vec::new(),
            symlinks: false,
            resend_on_touch: false,
            scan_sort: ScanSort::None,
            scan_descending: false,
            identity: FileIdentity::Native,
            fingerprint: FingerprintSettings::default(),
            include_file_fingerprint: true,
            include_file_owner_name: false,
            include_file_owner_group_name: false,
            encoding: TextEncoding::Plain,
            line_terminator: LineTerminator::Auto,
            message_max_bytes: 10 << 20,
            compression: Compression::None,
            parsers: Vec::new(),
            include_lines: Vec::new(),
            exclude_lines: Vec::new(),
            backoff: Backoff::default(),
            harvester_limit: 0,
            ignore_older: Duration::ZERO,
            ignore_inactive: IgnoreInactive::Never,
            seek_to_tail: false,
            close: CloseSettings::default(),
            clean_inactive: None,
            clean_removed: true,
            delete: DeleteSettings::default(),
            may_share_id: false,
            take_over: false,
            take_over_from: Vec::new(),
            read_until_eof: None,
            unterminated_timeout: Some(Duration::from_secs(5)),
            follow_rotated: true,
            quota: None,
            awaited: Vec::new(),
            listen: None,
        }
    }
}

impl InputSettings {
    /// The stream that the container parser keeps, if it keeps only one. Two inputs that read different streams of one
    /// file keep separate positions in it.
    pub fn stream(&self) -> StreamChoice {
        let container = self.parsers.iter().find_map(|parser| match parser {
            Parser::Container(container) => Some(container.stream),
            _ => None,
        });
        container.unwrap_or_default()
    }
}
