//! The syslog parser: RFC 3164 and RFC 5424.

/// How syslog lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyslogFormat {
    /// `auto`
    #[default]
    Auto,
    /// `rfc3164`
    Rfc3164,
    /// `rfc5424`
    Rfc5424,
}

/// The time zone of moments that do not name theirs (RFC 3164).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// `Local`: the machine's.
    #[default]
    Local,
    /// A name of the IANA database or an offset such as `+08:00`.
    Named(String),
}

/// `syslog` of filestream's parsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogSettings {
    /// `format`
    pub format: SyslogFormat,
    /// `timezone`
    pub timezone: Zone,
    /// `log_errors`
    pub log_errors: bool,
    /// `add_error_key`
    pub add_error_key: bool,
}

impl Default for SyslogSettings {
    fn default() -> SyslogSettings {
        SyslogSettings { format: SyslogFormat::Auto, timezone: Zone::Local, log_errors: false, add_error_key: true }
    }
}

/// What the parser found in one line: `log.syslog.*`. The entry's message and timestamp are the line's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Syslog {
    /// `priority`; facility is a eighth of it, severity the rest.
    pub priority: Option<u16>,
    /// `hostname`
    pub hostname: Option<String>,
    /// `appname`
    pub appname: Option<String>,
    /// `procid`
    pub procid: Option<String>,
    /// `msgid`
    pub msgid: Option<String>,
    /// `version`, of RFC 5424 only.
    pub version: Option<String>,
    /// `structured_data`: names and values per element.
    pub structured_data: Vec<(String, Vec<(String, String)>)>,
}

const FACILITIES: [&str; 24] = [
    "kernel",
    "user-level",
    "mail",
    "system",
    "security/authorization",
    "syslogd",
    "line printer",
    "network news",
    "UUCP",
    "clock",
    "security/authorization",
    "FTP",
    "NTP",
    "log audit",
    "log alert",
    "clock",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];

const SEVERITIES: [&str; 8] =
    ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];

impl Syslog {
    /// `facility.code` and `facility.name`; the name is missing beyond RFC 5424's table.
    pub fn facility(&self) -> Option<(u16, Option<&'static str>)> {
        let code = self.priority? / 8;
        Some((code, FACILITIES.get(usize::from(code)).copied()))
    }

    /// `severity.code` and `severity.name`.
    pub fn severity(&self) -> Option<(u16, &'static str)> {
        let code = self.priority? % 8;
        Some((code, SEVERITIES[usize::from(code)]))
    }
}
