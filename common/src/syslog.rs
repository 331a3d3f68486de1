//! The names of syslog's facilities and severities, as Logstash's input and Filebeat write them.

/// What a message is about, by the priority's upper bits (RFC 5424, table 1).
pub const FACILITIES: [&str; 24] = [
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

/// How bad it is, by the priority's last three bits (RFC 5424, table 2).
pub const SEVERITIES: [&str; 8] =
    ["Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"];

/// What RFC 3164 says of a message without a priority: user-level, notice.
pub const DEFAULT_PRIORITY: u8 = 13;
