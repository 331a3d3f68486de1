//! The inputs that listen: `tcp`, `udp`, `unix` and `syslog`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::parsers::syslog_settings;
use super::section::Section;
use crate::decode::syslog::SyslogFormat;
use crate::listen::tls;
use crate::tail::settings::{Framing, InputKind, InputSettings, ListenAddress, ListenSettings, Parser};

/// What a stream may carry in one message.
const STREAM_MESSAGE: usize = 20 << 20;
/// What a datagram may carry.
const DATAGRAM_MESSAGE: usize = 10 << 10;

pub(super) fn read(section: &Section<'_>, settings: &mut InputSettings) {
    settings.listen = match settings.kind {
        InputKind::Tcp => tcp(section),
        InputKind::Udp => udp(section),
        InputKind::Unix => unix(section),
        _ => syslog(section, settings),
    };
    if let Some(listen) = &settings.listen {
        settings.message_max_bytes = listen.max_message_size;
    }
}

/// `protocol`: one of the others.
fn syslog(section: &Section<'_>, settings: &mut InputSettings) -> Option<ListenSettings> {
    let mut parse = syslog_settings(section);
    if !section.is_set("format") {
        parse.format = SyslogFormat::Rfc3164;
    }
    settings.parsers = vec![Parser::Syslog(Arc::new(parse))];
    section.require("protocol");
    let protocol = section.section("protocol");
    match protocol.keys().as_slice() {
        ["tcp"] => tcp(&protocol.section("tcp")),
        ["udp"] => udp(&protocol.section("udp")),
        ["unix"] => unix(&protocol.section("unix")),
        keys => {
            protocol.ignore(&["tcp", "udp", "unix"]);
            if !keys.is_empty() || section.is_set("protocol") {
                protocol.fail("'protocol' must be one of tcp, udp, unix", None);
            }
            None
        }
    }
}

/// `host: localhost:9000`; a port alone listens on the loopback.
fn address(section: &Section<'_>) -> Option<SocketAddr> {
    let text = section.required("host")?;
    let full = if text.starts_with(':') { format!("127.0.0.1{text}") } else { text.to_owned() };
    let found = full.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    if found.is_none() {
        let hint = Some("for example: host: \"0.0.0.0:9000\"".to_owned());
        section.error("host", format!("'{text}' is no address to listen on"), hint);
    }
    let networks = [("tcp", ()), ("tcp4", ()), ("tcp6", ()), ("udp", ()), ("udp4", ()), ("udp6", ())];
    section.choice("network", &networks, ());
    found
}

fn framing(section: &Section<'_>) -> Framing {
    let delimiter = section.text_or_empty("line_delimiter").unwrap_or("\n");
    if delimiter.is_empty() {
        section.error("line_delimiter", "'line_delimiter' must not be empty", None);
    }
    let delimiter = delimiter.replace("\\n", "\n").replace("\\r", "\r").replace("\\0", "\0");
    let octets = section.choice("framing", &[("delimiter", false), ("rfc6587", true)], false);
    if octets { Framing::Rfc6587 } else { Framing::Delimiter(delimiter.into_bytes()) }
}

fn limit(section: &Section<'_>, default: usize) -> usize {
    let limit = section.bytes("max_message_size").and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(default);
    if limit == 0 || u32::try_from(limit).is_err() {
        section.error("max_message_size", "'max_message_size' must be from 1 byte to 4 GiB", None);
        return default;
    }
    limit
}

fn tcp(section: &Section<'_>) -> Option<ListenSettings> {
    let address = address(section);
    let stream = stream(section, ListenAddress::UnixStream(PathBuf::new()));
    let tls = tls::server(section);
    Some(ListenSettings { address: ListenAddress::Tcp(address?), tls, ..stream })
}

/// What all streams have.
fn stream(section: &Section<'_>, address: ListenAddress) -> ListenSettings {
    ListenSettings {
        address,
        framing: framing(section),
        max_message_size: limit(section, STREAM_MESSAGE),
        max_connections: section.count("max_connections").unwrap_or(0),
        timeout: section.duration("timeout").unwrap_or(Duration::from_secs(300)),
        read_buffer: 0,
        tls: None,
        mode: None,
    }
}

fn udp(section: &Section<'_>) -> Option<ListenSettings> {
    let address = address(section);
    let read_buffer = section.bytes("read_buffer").and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
    section.duration("timeout");
    let max_message_size = limit(section, DATAGRAM_MESSAGE);
    Some(datagrams(ListenAddress::Udp(address?), max_message_size, read_buffer, None))
}

fn datagrams(address: ListenAddress, max_message_size: usize, read_buffer: usize, mode: Option<u32>) -> ListenSettings {
    ListenSettings {
        address,
        framing: Framing::Delimiter(Vec::new()),
        max_message_size,
        max_connections: 0,
        timeout: Duration::ZERO,
        read_buffer,
        tls: None,
        mode,
    }
}

fn unix(section: &Section<'_>) -> Option<ListenSettings> {
    let path = section.required("path").map(PathBuf::from);
    let mode = section.text("mode").and_then(|text| {
        let mode = u32::from_str_radix(text.trim_start_matches("0o"), 8).ok().filter(|mode| *mode <= 0o777);
        if mode.is_none() {
            section.error("mode", format!("'{text}' is no mode"), Some("for example: mode: '0660'".into()));
        }
        mode
    });
    if section.is_set("group") {
        section.get("group");
        section.error("group", "'group' is not supported", Some("set the group of the socket's folder".into()));
    }
    let kinds = [("stream", false), ("datagram", true)];
    if section.choice("socket_type", &kinds, false) {
        let max_message_size = limit(section, DATAGRAM_MESSAGE);
        section.ignore(&["framing", "line_delimiter", "max_connections", "timeout"]);
        return Some(datagrams(ListenAddress::UnixDatagram(path?), max_message_size, 0, mode));
    }
    let stream = stream(section, ListenAddress::UnixStream(PathBuf::new()));
    Some(ListenSettings { address: ListenAddress::UnixStream(path?), mode, ..stream })
}
