//! The lines: realistic, varied, the same in every run, and one in fifty of them hostile.

use fastrand::Rng;

#[path = "../../lines.rs"]
mod made;

use made::{AGENTS, LINES, PATHS, access_line, clock, ipv4, java_line, pick, words};

const HOSTS: &[&str] = &["web-1", "db02.example.com", "node-17", "mail", "edge-fra1-3.prod.example.net", "10.20.30.40"];

fn ipv6(rng: &mut Rng) -> String {
    let mut part = || format!("{:x}", rng.u16(..));
    let (a, b, c, d) = (part(), part(), part(), part());
    match rng.u8(..6) {
        0 => format!("2001:db8:{a}:{b}:{c}:{d}:0:1"),
        1 => format!("fe80::{a}:{b}ff:fe{:02x}:{c}", rng.u8(..)),
        2 => format!("2001:db8::{a}"),
        3 => format!("::ffff:{}", ipv4(rng)),
        4 => format!("2a02:{a}:{b}::{c}:{d}"),
        _ => "::1".to_owned(),
    }
}

fn month_and_day(rng: &mut Rng) -> String {
    format!("{} {:2}", pick(rng, &["Jan", "Feb", "Mar", "Aug", "Nov", "Dec"]), rng.u8(1..29))
}

/// The lines of a kind. One in fifty is not as it should be: cut short, its quotes or brackets gone or doubled, blanks or
/// bytes past ASCII put in, or very long.
fn many(seed: u64, line: impl Fn(&mut Rng) -> String) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    let mut lines: Vec<String> = (0..LINES).map(|_| line(&mut rng)).collect();
    for at in (25..LINES).step_by(50) {
        let text = std::mem::take(&mut lines[at]);
        let cut = text.floor_char_boundary(rng.usize(..=text.len()));
        lines[at] = match rng.u8(..6) {
            0 => text[..cut].to_owned(),
            1 => text.replace(['"', ']', ')'], ""),
            2 => text.replace(' ', "  "),
            3 => format!("{}\u{e9}\u{4e2d}\u{1f600}{}", &text[..cut], &text[cut..]),
            4 => format!("{}{}{}", &text[..cut], "a.1-b:2 ".repeat(500), &text[cut..]),
            _ => format!("{}\"[({}", &text[..cut], &text[cut..]),
        };
    }
    lines
}

/// Combined access log lines.
pub(crate) fn access() -> Vec<String> {
    many(1, access_line)
}

/// Access log lines that all break off inside of the last field: a match fails at its very end.
pub(crate) fn cut() -> Vec<String> {
    let whole = many(2, access_line);
    whole.into_iter().map(|line| line.trim_end_matches('"').to_owned()).collect()
}

/// A service's log lines.
pub(crate) fn java() -> Vec<String> {
    many(3, java_line)
}

/// Lines that are no access log lines at all.
pub(crate) fn other() -> Vec<String> {
    many(4, |rng| format!("{} {}", java_line(rng), words(rng, 8, 24)))
}

/// Lines of a format that none of the fifty patterns knows.
pub(crate) fn unknown() -> Vec<String> {
    many(5, |rng| {
        format!(
            "{}.{:06} worker={} event={} detail={:?}",
            1_700_000_000 + rng.u32(..50_000_000),
            rng.u32(..1_000_000),
            rng.u8(..32),
            pick(rng, &["start", "stop", "lease.renewed", "gc"]),
            words(rng, 4, 20),
        )
    })
}

/// Lines of /var/log/syslog.
pub(crate) fn syslog() -> Vec<String> {
    many(6, |rng| {
        let program = pick(rng, &["sshd", "kernel", "systemd", "CRON", "dockerd", "org.gnome.Shell"]);
        let pid = if rng.bool() { format!("[{}]", rng.u16(..)) } else { String::new() };
        format!("{} {} {} {program}{pid}: {}", month_and_day(rng), clock(rng), pick(rng, HOSTS), words(rng, 3, 18))
    })
}

/// nginx's error log.
pub(crate) fn nginx() -> Vec<String> {
    many(7, |rng| {
        let text = pick(
            rng,
            &[
                "open() \"/usr/share/nginx/html/favicon.ico\" failed (2: No such file or directory)",
                "upstream timed out (110: Connection timed out) while reading response header from upstream",
                "connect() failed (111: Connection refused) while connecting to upstream",
                "client intended to send too large body: 10485761 bytes",
            ],
        );
        let mut line = format!(
            "2026/11/{:02} {} [error] {}#{}: *{} {text}, client: {}, server: shop.example.com, request: \"GET {} HTTP/1.1\"",
            rng.u8(1..29),
            clock(rng),
            rng.u16(1..),
            rng.u8(..64),
            rng.u32(..),
            ipv4(rng),
            pick(rng, PATHS),
        );
        if text.contains("upstream") {
            line += &format!(", upstream: \"http://{}:8080{}\"", ipv4(rng), pick(rng, PATHS));
        }
        line += ", host: \"shop.example.com\"";
        if rng.bool() {
            line += &format!(", referrer: \"https://shop.example.com{}\"", pick(rng, PATHS));
        }
        line
    })
}

/// HAProxy's HTTP log in syslog.
pub(crate) fn haproxy() -> Vec<String> {
    many(8, |rng| {
        format!(
            "{} {} {} haproxy[{}]: {}:{} [{:02}/Nov/2026:{}.{:03}] http-in~ app/{} {}/0/{}/{}/{} {} {} - - {} {}/{}/{}/{}/0 0/0 {{shop.example.com|{}}} {{text/html}} \"{} {} HTTP/1.1\"",
            month_and_day(rng),
            clock(rng),
            pick(rng, HOSTS),
            rng.u16(1..),
            ipv4(rng),
            rng.u16(1024..),
            rng.u8(1..29),
            clock(rng),
            rng.u16(..1000),
            pick(rng, &["app1", "app2", "<NOSRV>"]),
            rng.u8(..),
            rng.u8(..),
            rng.u16(..),
            rng.u16(..),
            pick(rng, &["200", "302", "404", "503"]),
            rng.u32(..500_000),
            pick(rng, &["----", "SC--", "CD--"]),
            rng.u16(..2000),
            rng.u16(..2000),
            rng.u8(..),
            rng.u8(..),
            pick(rng, AGENTS),
            pick(rng, &["GET", "POST"]),
            pick(rng, PATHS),
        )
    })
}

fn cisco_message(rng: &mut Rng) -> String {
    let (a, b) = (ipv4(rng), ipv4(rng));
    let (p, q) = (rng.u16(1..), rng.u16(1..));
    match rng.u8(..14) {
        0 => format!(
            "%ASA-2-106001: Inbound TCP connection denied from {a}/{p} to {b}/{q} flags SYN on interface outside"
        ),
        1 => format!("%ASA-2-106006: Deny inbound UDP from {a}/{p} to {b}/{q} on interface outside"),
        2 => format!("%ASA-3-106014: Deny inbound icmp src outside:{a} dst inside:{b} (type 8, code 0)"),
        3 => {
            format!("%ASA-6-106015: Deny TCP (no connection) from {a}/{p} to {b}/{q} flags FIN ACK on interface inside")
        }
        4 => format!(
            "%ASA-4-106023: Deny tcp src outside:{a}/{p} dst inside:{b}/{q} by access-group \"outside_in\" [0x0, 0x0]"
        ),
        5 => format!("%ASA-6-302010: {p} in use, {q} most used"),
        6 | 7 => format!(
            "%ASA-6-302013: Built outbound TCP connection {q} for outside:{a}/{p} ({a}/{p}) to inside:{b}/{q} ({b}/{q})"
        ),
        8 | 9 => format!(
            "%ASA-6-302014: Teardown TCP connection {q} for outside:{a}/{p} to inside:{b}/{q} duration 0:01:23 bytes {p} TCP FINs"
        ),
        10 => format!("%ASA-6-302020: Built inbound ICMP connection for faddr {a}/{p} gaddr {b}/0 laddr {b}/0"),
        11 => format!("%ASA-6-305011: Built dynamic TCP translation from inside:{a}/{p} to outside:{b}/{q}"),
        12 => format!("%ASA-7-710005: UDP request discarded from {a}/{p} to outside:{b}/{q}"),
        _ => format!("%ASA-5-111008: User 'admin' executed the 'write memory' command {q}"),
    }
}

/// Messages of Cisco's firewalls; one kind of fourteen has no pattern.
pub(crate) fn cisco() -> Vec<String> {
    many(9, |rng| format!("<166>{} {} fw-1 : {}", month_and_day(rng), clock(rng), cisco_message(rng)))
}

/// Postfix' log.
pub(crate) fn postfix() -> Vec<String> {
    many(10, |rng| {
        let (pid, queue) = (rng.u16(1..), format!("{:010X}", rng.u64(..1 << 40)));
        let text = match rng.u8(..5) {
            0 => format!("qmgr[{pid}]: {queue}: from=<news@example.com>, size={}, nrcpt=1 (queue active)", rng.u32(..)),
            1 => format!("cleanup[{pid}]: {queue}: message-id=<{:x}.{queue}@example.com>", rng.u64(..)),
            2 => format!("smtpd[{pid}]: connect from mail-{}.example.org[{}]", rng.u8(..), ipv4(rng)),
            _ => format!(
                "smtp[{pid}]: {queue}: to=<user{}@example.org>, relay=mx.example.org[{}]:25, delay={}.{}, delays=0.1/0.01/0.5/{}, dsn=2.0.0, status={} (250 2.0.0 OK {} - gsmtp)",
                rng.u16(..),
                ipv4(rng),
                rng.u8(..),
                rng.u8(..100),
                rng.u8(..),
                pick(rng, &["sent", "sent", "deferred", "bounced"]),
                rng.u32(..),
            ),
        };
        format!("{} {} mail postfix/{text}", month_and_day(rng), clock(rng))
    })
}

/// A router's lines, nearly all of them addresses.
pub(crate) fn ipv6_flows() -> Vec<String> {
    many(11, |rng| {
        let router = if rng.bool() { ipv6(rng) } else { ipv4(rng) };
        let protocol = pick(rng, &["TCP", "UDP", "ICMPv6"]);
        format!("{} -> {} via {router} proto {protocol} len {}", ipv6(rng), ipv6(rng), rng.u16(..))
    })
}

/// Lines of 10 KB whose end matters.
pub(crate) fn long() -> Vec<String> {
    many(12, |rng| {
        let mut line = format!("2026-11-24T{}.{:03}Z INFO", clock(rng), rng.u16(..1000));
        while line.len() < 10_000 {
            line.push(' ');
            line.push_str(&words(rng, 8, 20));
        }
        line + &format!(" took={}", rng.u16(..))
    })
}
