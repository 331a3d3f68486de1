//! DNS messages (RFC 1035): questions out, answers in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name, with the lengths of its labels.
const LONGEST_NAME: usize = 255;
/// Jumps of compressed names; more are a loop.
const MOST_JUMPS: usize = 64;
const CLASS_INTERNET: u16 = 1;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    A,
    Aaaa,
    Ptr,
}

impl Kind {
    fn number(self) -> u16 {
        match self {
            Kind::A => 1,
            Kind::Aaaa => 28,
            Kind::Ptr => 12,
        }
    }
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The answer did not fit; ask by TCP.
    pub(super) truncated: bool,
    /// 0 is fine, 3 is "no such name".
    pub(super) code: u8,
    /// The first record of the kind that was asked for: an address or a name.
    pub(super) found: Option<String>,
}

/// A question; nothing when the name cannot be asked for.
pub(super) fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let mut message = Vec::with_capacity(name.len() + 18);
    message.extend_from_slice(&id.to_be_bytes());
    // Recursion desired; one question.
    message.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        if !label.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        message.push(length);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    if message.len() - 12 > LONGEST_NAME {
        return None;
    }
    message.extend_from_slice(&kind.number().to_be_bytes());
    message.extend_from_slice(&CLASS_INTERNET.to_be_bytes());
    Some(message)
}

/// Reads the answer to a question; nothing when it is none or answers another question.
pub(super) fn answer(message: &[u8], question: &[u8], kind: Kind) -> Option<Answer> {
    let same_id = message.get(..2)? == question.get(..2)?;
    let flags = (*message.get(2)?, *message.get(3)?);
    let asked = question.get(12..)?;
    let echoed = message.get(12..12 + asked.len())?;
    if !same_id || flags.0 & 0x80 == 0 || !echoed.eq_ignore_ascii_case(asked) {
        return None;
    }
    let count = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
    let mut answer = Answer { truncated: flags.0 & 2 != 0, code: flags.1 & 15, found: None };
    if answer.truncated {
        return Some(answer);
    }
    let mut at = 12 + asked.len();
    for _ in 0..count {
        let (_, after) = name(message, at)?;
        let number = |at: usize| Some(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?]));
        let (record, class, length) = (number(after)?, number(after + 2)?, usize::from(number(after + 8)?));
        let start = after + 10;
        let data = message.get(start..start + length)?;
        // Aliases come before what they stand for; only that is of the kind asked for.
        if record == kind.number() && class == CLASS_INTERNET {
            answer.found = match kind {
                Kind::A => <[u8; 4]>::try_from(data).ok().map(|bytes| Ipv4Addr::from(bytes).to_string()),
                Kind::Aaaa => <[u8; 16]>::try_from(data).ok().map(|bytes| Ipv6Addr::from(bytes).to_string()),
                Kind::Ptr => name(message, start).map(|(name, _)| name),
            };
            return Some(answer);
        }
        at = start + length;
    }
    Some(answer)
}

/// The name at a place, and where the message goes on after it.
fn name(message: &[u8], start: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let (mut at, mut after, mut jumps) = (start, None, 0);
    loop {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => return Some((name, after.unwrap_or(at + 1))),
            1..=63 => {
                let label = message.get(at + 1..at + 1 + length)?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&String::from_utf8_lossy(label));
                if name.len() > 4 * LONGEST_NAME {
                    return None;
                }
                at += 1 + length;
            }
            192.. => {
                after = after.or(Some(at + 2));
                jumps += 1;
                if jumps > MOST_JUMPS {
                    return None;
                }
                at = (length & 63) << 8 | usize::from(*message.get(at + 1)?);
            }
            _ => return None,
        }
    }
}

/// The name under which the name of an address is asked for.
pub(super) fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let digits = address.octets().into_iter().rev().map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            digits.collect::<String>() + "ip6.arpa"
        }
    }
}

#[cfg(test)]
pub(super) use tests::reply;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer to a question with one record, whose name points at the question's.
    pub(in crate::filters::dns) fn reply(question: &[u8], kind: Kind, data: &[u8]) -> Vec<u8> {
        let mut message = question.to_vec();
        message[2] |= 0x80;
        message[7] = 1;
        message.extend_from_slice(&[0xc0, 12]);
        message.extend_from_slice(&kind.number().to_be_bytes());
        message.extend_from_slice(&[0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
        message.extend_from_slice(data);
        message
    }

    #[test]
    fn questions_and_answers() {
        let asked = question(7, "www.example.com.", Kind::A).unwrap();
        assert_eq!(
            &asked[..],
            b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01"
        );
        let got = answer(&reply(&asked, Kind::A, &[10, 0, 0, 1]), &asked, Kind::A).unwrap();
        assert_eq!(got, Answer { truncated: false, code: 0, found: Some("10.0.0.1".into()) });
        let asked = question(7, &reverse_name("10.0.0.1".parse().unwrap()), Kind::Ptr).unwrap();
        let got = answer(&reply(&asked, Kind::Ptr, b"\x04host\xc0\x0c"), &asked, Kind::Ptr).unwrap();
        assert_eq!(got.found.as_deref(), Some("host.1.0.0.10.in-addr.arpa"));
    }

    #[test]
    fn what_is_no_answer() {
        let asked = question(7, "a.b", Kind::A).unwrap();
        let other = question(8, "a.b", Kind::A).unwrap();
        assert_eq!(answer(&reply(&other, Kind::A, &[0; 4]), &asked, Kind::A), None);
        assert_eq!(answer(&asked, &asked, Kind::A), None, "a question");
        let mut looping = reply(&asked, Kind::A, &[0; 4]);
        let at = asked.len();
        looping[at + 1] = u8::try_from(at).unwrap();
        assert_eq!(answer(&looping, &asked, Kind::A), None, "a name that points at itself");
        for name in ["", "a..b", &"x".repeat(64), &"x.".repeat(200), "a b.c", "bücher.de"] {
            assert_eq!(question(1, name, Kind::A), None, "{name}");
        }
    }

    #[test]
    fn reverse_names() {
        assert_eq!(reverse_name("192.0.2.1".parse().unwrap()), "1.2.0.192.in-addr.arpa");
        let name = reverse_name("2001:db8::1".parse().unwrap());
        assert_eq!(name, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
    }

    proptest! {
        #[test]
        fn any_answer_is_read_without_panic(mut message in prop::collection::vec(any::<u8>(), 0..80)) {
            let asked = question(7, "a.b", Kind::Ptr).unwrap();
            let _read = answer(&message, &asked, Kind::Ptr);
            let mut whole = asked.clone();
            whole[2] |= 0x80;
            whole[7] = 3;
            whole.append(&mut message);
            let _read = answer(&whole, &asked, Kind::Ptr);
        }
    }
}
