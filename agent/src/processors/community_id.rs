//! `community_id`: the flow hash of the Community ID specification, version 1.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use tailrace_common::{Event, Value};

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct CommunityId {
    source: (Field, Field),
    destination: (Field, Field),
    iana_number: Field,
    transport: Field,
    icmp: (Field, Field),
    target: Field,
    seed: u16,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let fields = section.section("fields");
    let field = |key: &'static str, default: &str| Field::new(fields.text(key).unwrap_or(default));
    let seed = section.number("seed").unwrap_or(0);
    if seed > u64::from(u16::MAX) {
        section.error("seed", "'seed' must be from 0 to 65535", None);
    }
    Some(Arc::new(CommunityId {
        source: (field("source_ip", "source.ip"), field("source_port", "source.port")),
        destination: (field("destination_ip", "destination.ip"), field("destination_port", "destination.port")),
        iana_number: field("iana_number", "network.iana_number"),
        transport: field("transport", "network.transport"),
        icmp: (field("icmp_type", "icmp.type"), field("icmp_code", "icmp.code")),
        target: Field::new(section.text("target").unwrap_or("network.community_id")),
        seed: u16::try_from(seed).unwrap_or_default(),
    }))
}

const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
const NAMED: [(&str, u8); 10] = [
    ("icmp", ICMP),
    ("igmp", 2),
    ("tcp", 6),
    ("udp", 17),
    ("gre", 47),
    ("ipv6-icmp", ICMP_V6),
    ("icmp_v6", ICMP_V6),
    ("icmpv6", ICMP_V6),
    ("eigrp", 88),
    ("sctp", 132),
];
/// Protocols whose ports are part of the hash.
const WITH_PORTS: [u8; 3] = [6, 17, 132];

/// The types of ICMP that answer each other; others have no answer.
const ICMP_PAIRS: [(u16, u16); 10] =
    [(8, 0), (0, 8), (13, 14), (14, 13), (15, 16), (16, 15), (10, 9), (9, 10), (17, 18), (18, 17)];
const ICMP_V6_PAIRS: [(u16, u16); 12] = [
    (128, 129),
    (129, 128),
    (133, 134),
    (134, 133),
    (135, 136),
    (136, 135),
    (130, 131),
    (131, 130),
    (144, 145),
    (145, 144),
    (139, 140),
    (140, 139),
];

/// Two ends of a flow.
struct Flow {
    source: (IpAddr, u16),
    destination: (IpAddr, u16),
    protocol: u8,
    /// Whether the ports count.
    ports: bool,
    /// Whether it is the same flow in the other direction.
    two_way: bool,
}

impl Flow {
    fn id(&self, seed: u16) -> String {
        let bytes = |address: IpAddr| match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let mut ends = [(bytes(self.source.0), self.source.1), (bytes(self.destination.0), self.destination.1)];
        if self.two_way && ends[0] > ends[1] {
            ends.swap(0, 1);
        }
        let mut hash = Sha1::new();
        hash.update(seed.to_be_bytes());
        hash.update(&ends[0].0);
        hash.update(&ends[1].0);
        hash.update([self.protocol, 0]);
        if self.ports {
            hash.update(ends[0].1.to_be_bytes());
            hash.update(ends[1].1.to_be_bytes());
        }
        format!("1:{}", STANDARD.encode(hash.finalize()))
    }
}

fn number(field: &Field, event: &Event) -> Option<u16> {
    match field.get(event)? {
        Value::Int(number) => u16::try_from(*number).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

impl CommunityId {
    /// The flow of an event; nothing where it has none.
    fn flow(&self, event: &Event) -> Result<Option<Flow>, Failure> {
        let address = |field: &Field| match field.get(event) {
            None => Ok(None),
            Some(value) => match value.as_str().map(str::parse::<IpAddr>) {
                Some(Ok(address)) => Ok(Some(address.to_canonical())),
                _ => Err(Failure(format!("field {} is no address", field.name()))),
            },
        };
        let (Some(from), Some(to)) = (address(&self.source.0)?, address(&self.destination.0)?) else { return Ok(None) };
        let named = self.transport.get(event).and_then(Value::as_str).and_then(|name| {
            NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
        });
        let number_of = |field: &Field| number(field, event).and_then(|number| u8::try_from(number).ok());
        let Some(protocol) = number_of(&self.iana_number).or(named).or_else(|| number_of(&self.transport)) else {
            return Ok(None);
        };
        let pairs: &[(u16, u16)] = match protocol {
            ICMP => &ICMP_PAIRS,
            ICMP_V6 => &ICMP_V6_PAIRS,
            _ => {
                let ports = WITH_PORTS.contains(&protocol);
                let port = |field: &Field| if ports { number(field, event) } else { Some(0) };
                let (Some(from_port), Some(to_port)) = (port(&self.source.1), port(&self.destination.1)) else {
                    return Ok(None);
                };
                return Ok(Some(Flow {
                    source: (from, from_port),
                    destination: (to, to_port),
                    protocol,
                    ports,
                    two_way: true,
                }));
            }
        };
        let Some(kind) = number(&self.icmp.0, event) else { return Ok(None) };
        let answer = pairs.iter().find(|(known, _)| *known == kind).map(|(_, answer)| *answer);
        let code = answer.unwrap_or_else(|| number(&self.icmp.1, event).unwrap_or(0));
        let two_way = answer.is_some();
        Ok(Some(Flow { source: (from, kind), destination: (to, code), protocol, ports: true, two_way }))
    }
}

impl Processor for CommunityId {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        if let Some(flow) = self.flow(event)? {
            self.target.put(event, flow.id(self.seed))?;
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use crate::processors::read::tests::changed;

    /// The examples of the specification and of its reference implementation's baselines.
    #[test]
    fn ids_are_those_of_the_specification() {
        for (event, wanted) in [
            (
                r#"{"source":{"ip":"128.232.110.120","port":34855},"destination":{"ip":"66.35.250.204","port":80},"network":{"transport":"tcp"}}"#,
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                r#"{"source":{"ip":"66.35.250.204","port":80},"destination":{"ip":"128.232.110.120","port":"34855"},"network":{"iana_number":6}}"#,
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                r#"{"source":{"ip":"192.168.1.52","port":54585},"destination":{"ip":"8.8.8.8","port":53},"network":{"transport":"udp"}}"#,
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
            (
                r#"{"source":{"ip":"192.168.0.89"},"destination":{"ip":"192.168.0.1"},"network":{"transport":"icmp"},"icmp":{"type":8,"code":0}}"#,
                "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
            ),
        ] {
            assert_eq!(changed("- community_id: ~", event)["network"]["community_id"], wanted, "{event}");
        }
        assert!(changed("- community_id: ~", r#"{"source":{"ip":"::1"}}"#).get("network").is_none());
    }
}
