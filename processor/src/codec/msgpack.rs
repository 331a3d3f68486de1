//! Codec `msgpack`: MessagePack maps are events.

use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use super::{Codec, CodecDefinition, Framing, Length};
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: CodecDefinition =
    CodecDefinition { name: "msgpack", summary: "Reads and writes MessagePack maps.", text: false, build };

/// Deeper messages are refused.
const DEEPEST: usize = 64;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Codec>, Invalid> {
    // ECS changes nothing but a hint that Logstash logs.
    options.ecs();
    let target = options.field("target");
    let format = options.template("format");
    options.finish()?;
    Ok(Box::new(Msgpack { target, format }))
}

struct Msgpack {
    target: Option<FieldPath>,
    /// What is written instead of the event.
    format: Option<Template>,
}

impl Codec for Msgpack {
    fn decode(&self, text: Str, now: Timestamp, events: &mut Vec<Event>) {
        self.decode_bytes(text.as_bytes(), now, events);
    }

    fn decode_bytes(&self, bytes: &[u8], now: Timestamp, events: &mut Vec<Event>) {
        let mut reader = Reader { bytes };
        while !reader.bytes.is_empty() {
            let rest = reader.bytes;
            match reader.value(0) {
                Some(Value::Object(fields)) => events.push(self.event(fields, now)),
                Some(_) => events.push(failed(&rest[..rest.len() - reader.bytes.len()], now)),
                None => {
                    // Where the next message begins cannot be told.
                    events.push(failed(rest, now));
                    return;
                }
            }
        }
    }

    fn is_binary(&self) -> bool {
        true
    }

    fn framing(&self) -> Framing {
        Framing::Messages(length)
    }

    fn encode(&self, event: &Event, out: &mut Vec<u8>) {
        match &self.format {
            Some(format) => write_text(&format.render_lenient(event), out),
            None => write_object(event.fields(), out),
        }
    }
}

impl Msgpack {
    fn event(&self, fields: Object, now: Timestamp) -> Event {
        super::event_of(fields, self.target.as_ref(), now)
    }
}

fn failed(bytes: &[u8], now: Timestamp) -> Event {
    let mut event = Event::with_message(Str::from(String::from_utf8_lossy(bytes).as_ref()), now);
    event.tag("_msgpackparsefailure");
    event
}

/// How long the first message is.
fn length(bytes: &[u8]) -> Length {
    // Values that are still to come, so that nothing is built.
    let mut waiting: u64 = 1;
    let mut reader = Reader { bytes };
    while waiting > 0 {
        let Some(head) = reader.head() else {
            return if reader.broken() { Length::Broken } else { Length::More };
        };
        waiting -= 1;
        match head {
            Head::Array(count) => waiting = waiting.saturating_add(u64::from(count)),
            Head::Map(count) => waiting = waiting.saturating_add(u64::from(count) * 2),
            Head::Bytes(_, count) if reader.take(count as usize).is_none() => return Length::More,
            _ => {}
        }
    }
    Length::Complete(bytes.len() - reader.bytes.len())
}

struct Reader<'b> {
    bytes: &'b [u8],
}

/// A value, or what comes before its parts.
enum Head {
    Scalar(Value),
    /// Text, bytes, or of an extension; how many bytes follow.
    Bytes(Kind, u32),
    Array(u32),
    Map(u32),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Extension,
}

impl<'b> Reader<'b> {
    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self, size: usize) -> Option<u64> {
        Some(self.take(size)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Whether the message begins with what MessagePack has not.
    fn broken(&self) -> bool {
        self.bytes.first() == Some(&0xc1)
    }

    fn head(&mut self) -> Option<Head> {
        let before = self.bytes;
        let head = self.head_of();
        if head.is_none() {
            self.bytes = before;
        }
        head
    }

    fn head_of(&mut self) -> Option<Head> {
        let first = *self.take(1)?.first()?;
        let count = |number: u64| u32::try_from(number).ok();
        let signed = |number: u64, size: u32| {
            let shift = 64 - 8 * size;
            Head::Scalar(Value::Int(((number << shift) as i64) >> shift))
        };
        Some(match first {
            0..=0x7f => Head::Scalar(Value::Int(first.into())),
            0x80..=0x8f => Head::Map(u32::from(first & 15)),
            0x90..=0x9f => Head::Array(u32::from(first & 15)),
            0xa0..=0xbf => Head::Bytes(Kind::Text, u32::from(first & 31)),
            0xc0 => Head::Scalar(Value::Null),
            0xc1 => return None,
            0xc2 | 0xc3 => Head::Scalar(Value::Bool(first == 0xc3)),
            0xc4 | 0xd9 => Head::Bytes(Kind::Text, count(self.number(1)?)?),
            0xc5 | 0xda => Head::Bytes(Kind::Text, count(self.number(2)?)?),
            0xc6 | 0xdb => Head::Bytes(Kind::Text, count(self.number(4)?)?),
            // An extension's type stands before its bytes and counts as one of them here.
            0xc7 => Head::Bytes(Kind::Extension, count(self.number(1)? + 1)?),
            0xc8 => Head::Bytes(Kind::Extension, count(self.number(2)? + 1)?),
            0xc9 => Head::Bytes(Kind::Extension, count(self.number(4)? + 1)?),
            0xca => Head::Scalar(Value::Float(f32::from_bits(count(self.number(4)?)?).into())),
            0xcb => Head::Scalar(Value::Float(f64::from_bits(self.number(8)?))),
            0xcc => Head::Scalar(self.number(1)?.into()),
            0xcd => Head::Scalar(self.number(2)?.into()),
            0xce => Head::Scalar(self.number(4)?.into()),
            0xcf => Head::Scalar(self.number(8)?.into()),
            0xd0 => signed(self.number(1)?, 1),
            0xd1 => signed(self.number(2)?, 2),
            0xd2 => signed(self.number(4)?, 4),
            0xd3 => signed(self.number(8)?, 8),
            0xd4..=0xd8 => Head::Bytes(Kind::Extension, (1 << (first - 0xd4)) + 1),
            0xdc => Head::Array(count(self.number(2)?)?),
            0xdd => Head::Array(count(self.number(4)?)?),
            0xde => Head::Map(count(self.number(2)?)?),
            0xdf => Head::Map(count(self.number(4)?)?),
            0xe0..=0xff => Head::Scalar(Value::Int((first as i8).into())),
        })
    }

    /// A whole value; nothing when it is cut off, too deep, or none.
    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        match self.head()? {
            Head::Scalar(value) => Some(value),
            Head::Bytes(kind, length) => {
                let bytes = self.take(length as usize)?;
                let text = if kind == Kind::Extension { bytes.get(1..)? } else { bytes };
                Some(Value::from(String::from_utf8_lossy(text).as_ref()))
            }
            Head::Array(count) => {
                // A count says little about what follows.
                let mut values = Vec::with_capacity((count as usize).min(self.bytes.len()));
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Some(Value::Array(values))
            }
            Head::Map(count) => {
                let mut object = Object::with_capacity((count as usize).min(self.bytes.len() / 2));
                for _ in 0..count {
                    let key = match self.value(depth + 1)? {
                        Value::String(key) => key,
                        other => Str::from(crate::plan::text::ruby_to_s(&other)),
                    };
                    let value = self.value(depth + 1)?;
                    object.insert(key, value);
                }
                Some(Value::Object(object))
            }
        }
    }
}

/// A count after the shortest of three marks that has room for it; the first holds counts of so many bits itself.
fn write_count(count: usize, (fixed, bits): (u8, u32), marks: [Option<u8>; 3], out: &mut Vec<u8>) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    if count < 1 << bits {
        out.push(fixed | count as u8);
        return;
    }
    let sizes = marks.into_iter().zip([1, 2, 4]);
    for (mark, size) in sizes {
        if let Some(mark) = mark
            && (size == 4 || count < 1 << (8 * size))
        {
            out.push(mark);
            out.extend_from_slice(&count.to_be_bytes()[4 - size..]);
            return;
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    write_count(text.len(), (0xa0, 5), [Some(0xd9), Some(0xda), Some(0xdb)], out);
    out.extend_from_slice(text.as_bytes());
}

fn write_object(object: &Object, out: &mut Vec<u8>) {
    write_count(object.len(), (0x80, 4), [None, Some(0xde), Some(0xdf)], out);
    for (key, value) in object {
        write_text(key, out);
        write(value, out);
    }
}

/// Values of events are not deeper than their readers let them be.
fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(flag) => out.push(if *flag { 0xc3 } else { 0xc2 }),
        Value::Int(number) => write_int(*number, out),
        Value::BigInt(number) => match u64::try_from(number.as_ref()) {
            Ok(number) => {
                out.push(0xcf);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Err(_) => write_text(&number.to_string(), out),
        },
        Value::Float(number) => write_float(*number, out),
        Value::Decimal(number) => write_float(number.to_f64(), out),
        Value::String(text) => write_text(text, out),
        Value::Timestamp(moment) => write_text(&moment.to_string(), out),
        Value::Array(values) => {
            write_count(values.len(), (0x90, 4), [None, Some(0xdc), Some(0xdd)], out);
            values.iter().for_each(|value| write(value, out));
        }
        Value::Object(object) => write_object(object, out),
    }
}

fn write_float(number: f64, out: &mut Vec<u8>) {
    out.push(0xcb);
    out.extend_from_slice(&number.to_bits().to_be_bytes());
}

fn write_int(number: i64, out: &mut Vec<u8>) {
    let bytes = number.to_be_bytes();
    let (mark, size) = match number {
        0..=0x7f => return out.push(number as u8),
        -32..=-1 => return out.push(number as u8),
        0x80..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -0x80..=-33 => (0xd0, 1),
        -0x8000..=-0x81 => (0xd1, 2),
        -0x8000_0000..=-0x8001 => (0xd2, 4),
        _ => (0xd3, 8),
    };
    out.push(mark);
    out.extend_from_slice(&bytes[8 - size..]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use tailrace_common::json::{Numbers, parse};

    use super::*;

    const CODEC: Msgpack = Msgpack { target: None, format: None };

    fn decoded(bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        CODEC.decode_bytes(bytes, Timestamp::EPOCH, &mut events);
        events
    }

    #[test]
    fn events_come_back_as_they_were() {
        let long = "x".repeat(300);
        let text = format!(
            r#"{{"@timestamp":"2024-01-01T00:00:00.000Z","@version":"1","a":[0,127,128,255,256,65535,65536,4294967296,-1,-32,-33,-128,-129,-32768,-32769,-2147483649,18446744073709551615],"f":1.5,"b":[true,false,null],"long":"{long}","m":{{"k":{{}}}}}}"#
        );
        let Value::Object(fields) = parse(&Str::from(text), Numbers::Float).unwrap() else { panic!() };
        let event = Event::from_object(fields, Timestamp::EPOCH);
        let mut bytes = Vec::new();
        CODEC.encode(&event, &mut bytes);
        assert!(matches!(length(&bytes), Length::Complete(whole) if whole == bytes.len()));
        let twice = [bytes.as_slice(), bytes.as_slice()].concat();
        assert!(matches!(length(&twice), Length::Complete(whole) if whole == bytes.len()));
        assert!(matches!(length(&bytes[..bytes.len() - 1]), Length::More));
        let back = decoded(&twice);
        assert_eq!(back.len(), 2);
        assert_eq!(back[1].fields(), event.fields());
    }

    #[test]
    fn what_is_no_map_is_tagged() {
        let events = decoded(b"\x81\xa1a\x01\x05\xc1");
        assert_eq!(events.len(), 3);
        assert_eq!(events[0].fields().get("a"), Some(&Value::Int(1)));
        assert!(events[1..].iter().all(|event| event.has_tag("_msgpackparsefailure")));
        assert!(matches!(length(b"\xc1"), Length::Broken));
        assert!(decoded(&b"\x91".repeat(1000))[0].has_tag("_msgpackparsefailure"), "too deep");
        assert!(decoded(b"\xdd\xff\xff\xff\xff")[0].has_tag("_msgpackparsefailure"), "too long");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _read = (decoded(&bytes), length(&bytes));
        }
    }
}
