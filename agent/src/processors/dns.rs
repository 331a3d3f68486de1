//! `dns`: names of addresses and addresses of names, asked once and remembered.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tailrace_common::{Event, Value};

use super::dnsmessage::{Kind, answers, question};
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::{Section, fold_dots};
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct Dns {
    kind: Kind,
    fields: Vec<(Field, Field)>,
    replace: bool,
    tag_on_failure: Vec<Value>,
    servers: Vec<SocketAddr>,
    timeout: Duration,
    success: CacheSettings,
    failure: CacheSettings,
    cache: Mutex<HashMap<String, Known>>,
    next_id: AtomicU16,
}

#[derive(Clone, Copy, Debug)]
struct CacheSettings {
    ttl: Duration,
    most: usize,
}

/// What was answered, and until when that holds; no answers stand for a failure.
#[derive(Clone, Debug)]
struct Known {
    answers: Vec<String>,
    until: Instant,
}

/// Where the machine's own servers are named.
const RESOLV: &str = "/etc/resolv.conf";
/// An answer over UDP is no longer.
const LARGEST: usize = 4096;

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("type");
    let kinds =
        [("reverse", Kind::Reverse), ("PTR", Kind::Reverse), ("A", Kind::A), ("AAAA", Kind::Aaaa), ("TXT", Kind::Text)];
    let kind = section.choice("type", &kinds, Kind::Reverse);
    section.require("fields");
    let fields = section.get("fields").map(fold_dots).unwrap_or_default().into_iter().filter_map(|(from, to)| {
        let to = to.as_text();
        if to.is_none() {
            section.error("fields", format!("'{}.{from}' must name a field", section.name("fields")), None);
        }
        Some((Field::new(&from), Field::new(to?)))
    });
    let fields = fields.collect();
    section.choice("transport", &[("udp", ())], ());
    let named = section.texts("nameservers");
    let servers = named.iter().filter_map(|text| {
        let server = server(text);
        if server.is_none() {
            section.error("nameservers", format!("'{text}' is no address"), None);
        }
        server
    });
    let mut servers: Vec<SocketAddr> = servers.collect();
    if named.is_empty() {
        let resolv = std::fs::read_to_string(RESOLV).unwrap_or_default();
        servers = resolv.lines().filter_map(|line| server(line.strip_prefix("nameserver")?.trim())).collect();
        if servers.is_empty() {
            section.fail(format!("'nameservers' is missing, and {RESOLV} names none"), None);
        }
    }
    let success = cache(&section.section("success_cache"), "min_ttl");
    let failure = cache(&section.section("failure_cache"), "ttl");
    Some(Arc::new(Dns {
        kind,
        fields,
        replace: section.choice("action", &[("append", false), ("replace", true)], false),
        tag_on_failure: section.texts("tag_on_failure").into_iter().map(Value::from).collect(),
        servers,
        timeout: section.duration("timeout").unwrap_or(Duration::from_millis(500)),
        success,
        failure,
        cache: Mutex::default(),
        next_id: AtomicU16::new(1),
    }))
}

fn cache(section: &Section<'_>, ttl: &'static str) -> CacheSettings {
    let capacity = section.section("capacity");
    capacity.number("initial");
    section.ignore(&["ttl", "min_ttl"]);
    CacheSettings {
        ttl: section.duration(ttl).filter(|time| !time.is_zero()).unwrap_or(Duration::from_secs(60)),
        most: capacity.count("max").filter(|most| *most > 0).unwrap_or(10_000),
    }
}

/// `10.0.0.1` or `10.0.0.1:53`
fn server(text: &str) -> Option<SocketAddr> {
    text.parse().ok().or_else(|| Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, 53)))
}

impl Dns {
    /// What is known of a name or an address, or else is answered now.
    fn look_up(&self, value: &str) -> Vec<String> {
        let now = Instant::now();
        if let Some(known) = self.lock().get(value).filter(|known| now < known.until) {
            return known.answers.clone();
        }
        let (answers, ttl) = self.ask(value).unwrap_or_default();
        let (settings, ttl) = if answers.is_empty() {
            (self.failure, self.failure.ttl)
        } else {
            (self.success, ttl.max(self.success.ttl))
        };
        let mut cache = self.lock();
        if cache.len() >= settings.most {
            cache.retain(|_, known| now < known.until);
            if cache.len() >= settings.most {
                cache.clear();
            }
        }
        cache.insert(value.to_owned(), Known { answers: answers.clone(), until: now + ttl });
        answers
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, value: &str) -> Option<(Vec<String>, Duration)> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let question = question(id, self.kind, value)?;
        self.servers.iter().find_map(|server| self.ask_server(*server, id, &question))
    }

    fn ask_server(&self, server: SocketAddr, id: u16, question: &[u8]) -> Option<(Vec<String>, Duration)> {
        let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(server).ok()?;
        socket.send(question).ok()?;
        let until = Instant::now() + self.timeout;
        let mut buffer = [0; LARGEST];
        // Answers to earlier questions may come first.
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            socket.set_read_timeout(Some(left)).ok()?;
            let count = socket.recv(&mut buffer).ok()?;
            if let Some((answers, ttl)) = answers(&buffer[..count], id, self.kind) {
                return Some((answers, Duration::from_secs(ttl.into())));
            }
        }
        None
    }

    fn resolve(&self, event: &mut Event, from: &Field, to: &Field) -> Result<(), Failure> {
        let Some(value) = from.get(event).and_then(Value::as_str) else { return Ok(()) };
        let mut found: Vec<Value> = self.look_up(value).into_iter().map(Value::from).collect();
        if found.is_empty() {
            return Err(Failure(format!("no answer for '{value}'")));
        }
        let single = self.kind == Kind::Reverse && found.len() == 1;
        if !self.replace {
            match to.get(event) {
                None => {}
                Some(Value::Array(held)) => found.splice(0..0, held.iter().cloned()).for_each(drop),
                Some(held) => found.insert(0, held.clone()),
            }
        }
        if single && found.len() == 1 {
            return to.put(event, found.swap_remove(0));
        }
        to.put(event, found)
    }
}

impl Processor for Dns {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let mut failure = None;
        for (from, to) in &self.fields {
            if let Err(reason) = self.resolve(event, from, to) {
                failure = Some(reason);
            }
        }
        let Some(failure) = failure else { return Ok(Verdict::Keep) };
        if !self.tag_on_failure.is_empty() {
            super::add_tags::add_to(event, &Field::new("tags"), &self.tag_on_failure)?;
        }
        Err(failure)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::processors::read::tests::{changed, problems};

    /// A server that knows one name, and says nothing to other questions.
    fn serve() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; LARGEST];
            while let Ok((count, peer)) = socket.recv_from(&mut buffer) {
                let asked = &buffer[..count];
                if !asked.windows(7).any(|part| part == b"\x011\x010\x010\x03") {
                    continue;
                }
                let mut answer = asked.to_vec();
                answer[2] = 0x81;
                answer[7] = 1;
                answer.extend_from_slice(b"\xc0\x0c\x00\x0c\x00\x01\x00\x00\x00\x3c\x00\x0b\x04web1\x04home\x00");
                socket.send_to(&answer, peer).unwrap();
            }
        });
        address
    }

    #[test]
    fn addresses_get_names() {
        let yaml = format!(
            "- dns: {{type: reverse, fields: {{source.ip: source.domain}}, nameservers: ['{}'], timeout: 200ms, tag_on_failure: [_dns]}}",
            serve()
        );
        let made = changed(&yaml, r#"{"source":{"ip":"127.0.0.1"}}"#);
        assert_eq!(made, json!({"source": {"ip": "127.0.0.1", "domain": "web1.home"}}));
        assert_eq!(changed(&yaml, r#"{"source":{"ip":"8.8.8.8"}}"#)["tags"], json!(["_dns"]));
        assert_eq!(problems("- dns: {type: reverse, fields: {a: b}, nameservers: [home]}").len(), 1);
    }
}
