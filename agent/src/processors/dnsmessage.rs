//! Messages of the domain name system (RFC 1035): one question, and the answers to it. No IO.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    A,
    Aaaa,
    Text,
    /// The name of an address.
    Reverse,
}

impl Kind {
    fn code(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Reverse => 12,
            Kind::Text => 16,
            Kind::Aaaa => 28,
        }
    }
}

const INTERNET: u16 = 1;
/// Names point back no more often.
const MOST_POINTERS: usize = 16;
const LONGEST_NAME: usize = 255;

/// The question for a name, or with [`Kind::Reverse`] for an address; nothing when it is none.
pub(super) fn question(id: u16, kind: Kind, value: &str) -> Option<Vec<u8>> {
    let name = if kind == Kind::Reverse { reverse(value.parse().ok()?) } else { value.to_owned() };
    let name = name.trim_end_matches('.');
    if name.is_empty() || name.len() > LONGEST_NAME - 2 {
        return None;
    }
    let mut message = id.to_be_bytes().to_vec();
    // Recursion is desired; one question.
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&kind.code().to_be_bytes());
    message.extend_from_slice(&INTERNET.to_be_bytes());
    Some(message)
}

fn reverse(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let digits = v6.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            format!("{}ip6.arpa", digits.collect::<String>())
        }
    }
}

/// The answers of the kind, and how many seconds they hold; nothing when it is no answer to the question of that id.
pub(super) fn answers(message: &[u8], id: u16, kind: Kind) -> Option<(Vec<String>, u32)> {
    let is_answer = message.get(2)? & 0x80 != 0;
    if number(message, 0)? != id || !is_answer {
        return None;
    }
    let (questions, count) = (number(message, 4)?, number(message, 6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = skip_name(message, at)? + 4;
    }
    let (mut found, mut holds) = (Vec::new(), u32::MAX);
    for _ in 0..count {
        at = skip_name(message, at)?;
        let (code, length) = (number(message, at)?, usize::from(number(message, at + 8)?));
        let ttl = u32::from_be_bytes(message.get(at + 4..at + 8)?.try_into().ok()?);
        at += 10;
        let data = message.get(at..at + length)?;
        if code == kind.code() {
            found.extend(record(message, at, data, kind));
            holds = holds.min(ttl);
        }
        at += length;
    }
    Some((found, if holds == u32::MAX { 0 } else { holds }))
}

fn record(message: &[u8], at: usize, data: &[u8], kind: Kind) -> Option<String> {
    match kind {
        Kind::A => Some(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string()),
        Kind::Aaaa => Some(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string()),
        Kind::Reverse => name(message, at),
        Kind::Text => {
            let (mut text, mut rest) = (Vec::new(), data);
            while let Some((length, behind)) = rest.split_first() {
                let (part, next) = behind.split_at_checked(usize::from(*length))?;
                text.extend_from_slice(part);
                rest = next;
            }
            Some(String::from_utf8_lossy(&text).into_owned())
        }
    }
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?))
}

/// The place behind a name.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

/// A name; parts of it may stand elsewhere in the message.
fn name(message: &[u8], mut at: usize) -> Option<String> {
    let mut name = String::new();
    let mut pointers = 0;
    loop {
        match *message.get(at)? {
            0 => return Some(name),
            length if length & 0xc0 == 0xc0 => {
                pointers += 1;
                if pointers > MOST_POINTERS {
                    return None;
                }
                at = usize::from(number(message, at)? & 0x3fff);
            }
            length => {
                let label = message.get(at + 1..at + 1 + usize::from(length))?;
                if name.len() + label.len() > LONGEST_NAME {
                    return None;
                }
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label));
                at += usize::from(length) + 1;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn questions_and_answers_are_those_of_the_rfc() {
        let asked = question(7, Kind::A, "a.example").unwrap();
        assert_eq!(asked, b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07example\x00\x00\x01\x00\x01");
        let mut answer = asked.clone();
        answer[2] = 0x81;
        answer[7] = 2;
        answer.extend_from_slice(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x09\x00\x02\xc0\x0e");
        answer.extend_from_slice(b"\xc0\x0e\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\x0a\x00\x00\x01");
        assert_eq!(answers(&answer, 7, Kind::A), Some((vec!["10.0.0.1".to_owned()], 300)));
        assert_eq!(answers(&answer, 8, Kind::A), None);
        assert!(question(1, Kind::Reverse, "::1").unwrap().windows(4).any(|part| part == b"\x03ip6"));
        assert_eq!(question(1, Kind::Reverse, "host"), None);
    }

    proptest! {
        #[test]
        fn any_message_is_read_without_panic(mut message in proptest::collection::vec(any::<u8>(), 12..80)) {
            message[2] |= 0x80;
            let id = u16::from_be_bytes([message[0], message[1]]);
            for kind in [Kind::A, Kind::Aaaa, Kind::Text, Kind::Reverse] {
                answers(&message, id, kind);
            }
        }
    }
}
