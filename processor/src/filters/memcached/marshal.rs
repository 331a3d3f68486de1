//! Ruby's Marshal format, in which Logstash keeps values that are no text in memcached: numbers, booleans, lists, maps.

use num_bigint::BigInt;
use tailrace_common::{Object, Str, Value};

/// Deeper values are refused.
const DEEPEST: usize = 64;

/// A value in Marshal 4.8; nothing for what it is not written for here.
pub(super) fn dump(value: &Value) -> Vec<u8> {
    let mut out = vec![4, 8];
    let mut symbols = 0;
    write(value, &mut symbols, &mut out);
    out
}

/// Values of events are not deeper than their reader lets them be.
fn write(value: &Value, symbols: &mut usize, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'0'),
        Value::Bool(flag) => out.push(if *flag { b'T' } else { b'F' }),
        Value::Int(number) if (-(1 << 30)..1 << 30).contains(number) => {
            out.push(b'i');
            fixnum(*number, out);
        }
        Value::Int(number) => bignum(&BigInt::from(*number), out),
        Value::BigInt(number) => bignum(number, out),
        Value::Float(number) => float(*number, out),
        Value::Decimal(number) => float(number.to_f64(), out),
        Value::String(text) => string(text, symbols, out),
        Value::Timestamp(moment) => string(&moment.to_string(), symbols, out),
        Value::Array(values) => {
            out.push(b'[');
            fixnum(values.len() as i64, out);
            values.iter().for_each(|value| write(value, symbols, out));
        }
        Value::Object(object) => {
            out.push(b'{');
            fixnum(object.len() as i64, out);
            for (key, value) in object {
                string(key, symbols, out);
                write(value, symbols, out);
            }
        }
    }
}

fn fixnum(number: i64, out: &mut Vec<u8>) {
    match number {
        0 => out.push(0),
        1..=122 => out.push(number as u8 + 5),
        -123..=-1 => out.push((number - 5) as u8),
        _ => {
            let bytes = number.to_le_bytes();
            let filler = if number < 0 { 0xff } else { 0 };
            let length = (1..=4).find(|length| bytes[*length..].iter().all(|byte| *byte == filler)).unwrap_or(4);
            out.push(if number < 0 { (-(length as i64)) as u8 } else { length as u8 });
            out.extend_from_slice(&bytes[..length]);
        }
    }
}

fn bignum(number: &BigInt, out: &mut Vec<u8>) {
    let (sign, mut bytes) = number.to_bytes_le();
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    out.extend_from_slice(if sign == num_bigint::Sign::Minus { b"l-" } else { b"l+" });
    fixnum((bytes.len() / 2) as i64, out);
    out.extend_from_slice(&bytes);
}

fn float(number: f64, out: &mut Vec<u8>) {
    out.push(b'f');
    let text = match number {
        number if number.is_nan() => "nan".to_string(),
        number if number.is_infinite() => if number > 0.0 { "inf" } else { "-inf" }.to_string(),
        number => number.to_string(),
    };
    fixnum(text.len() as i64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Text with its encoding, which is the symbol `E` set to true; the first time by name, then by number.
fn string(text: &str, symbols: &mut usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"I\"");
    fixnum(text.len() as i64, out);
    out.extend_from_slice(text.as_bytes());
    out.push(6);
    if *symbols == 0 {
        out.extend_from_slice(b":\x06E");
        *symbols = 1;
    } else {
        out.extend_from_slice(b";\x00");
    }
    out.push(b'T');
}

/// Reads what [`dump`] and Ruby write for such values; nothing for anything else.
pub(super) fn load(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader { bytes: bytes.strip_prefix(&[4, 8])?, symbols: Vec::new() };
    reader.value(0)
}

struct Reader<'b> {
    bytes: &'b [u8],
    symbols: Vec<Str>,
}

impl<'b> Reader<'b> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn fixnum(&mut self) -> Option<i64> {
        let first = self.byte()? as i8;
        match first {
            0 => Some(0),
            1..=4 => {
                let bytes = self.take(first as usize)?;
                Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | i64::from(*byte)))
            }
            -4..=-1 => {
                let bytes = self.take(-first as usize)?;
                Some(bytes.iter().rev().fold(-1, |number, byte| number << 8 | i64::from(*byte)))
            }
            5.. => Some(i64::from(first) - 5),
            _ => Some(i64::from(first) + 5),
        }
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.fixnum()?).ok()
    }

    fn text(&mut self) -> Option<Str> {
        let length = self.length()?;
        Some(Str::from(String::from_utf8_lossy(self.take(length)?).as_ref()))
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        match self.byte()? {
            b'0' => Some(Value::Null),
            b'T' => Some(Value::Bool(true)),
            b'F' => Some(Value::Bool(false)),
            b'i' => self.fixnum().map(Value::Int),
            b'l' => {
                let negative = self.byte()? == b'-';
                let length = self.length()?.checked_mul(2)?;
                let number = BigInt::from_bytes_le(num_bigint::Sign::Plus, self.take(length)?);
                Some(Value::from_bigint(if negative { -number } else { number }))
            }
            b'f' => {
                let text = self.text()?;
                Some(Value::Float(text.parse().ok()?))
            }
            b'"' => self.text().map(Value::String),
            b':' => {
                let symbol = self.text()?;
                self.symbols.push(symbol.clone());
                Some(Value::String(symbol))
            }
            b';' => {
                let number = self.length()?;
                self.symbols.get(number).cloned().map(Value::String)
            }
            b'I' => {
                let value = self.value(depth + 1)?;
                for _ in 0..self.length()? {
                    self.value(depth + 1)?;
                    self.value(depth + 1)?;
                }
                Some(value)
            }
            b'[' => {
                let length = self.length()?;
                (0..length).map(|_| self.value(depth + 1)).collect::<Option<Vec<_>>>().map(Value::Array)
            }
            b'{' => {
                let mut object = Object::new();
                for _ in 0..self.length()? {
                    let key = self.value(depth + 1)?;
                    let value = self.value(depth + 1)?;
                    let key = match key {
                        Value::String(key) => key,
                        other => Str::from(crate::plan::text::ruby_to_s(&other)),
                    };
                    object.insert(key, value);
                }
                Some(Value::Object(object))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_ruby_writes() {
        let map: Object = [("a", Value::from(1)), ("b", Value::from("é"))].into_iter().collect();
        for (value, bytes) in [
            (Value::from(0), &b"\x04\x08i\x00"[..]),
            (122.into(), b"\x04\x08i\x7f"),
            (123.into(), b"\x04\x08i\x01\x7b"),
            ((-123).into(), b"\x04\x08i\x80"),
            ((-124).into(), b"\x04\x08i\xff\x84"),
            ((-129).into(), b"\x04\x08i\xff\x7f"),
            (65_536.into(), b"\x04\x08i\x03\x00\x00\x01"),
            (Value::Int(1 << 40), b"\x04\x08l+\x08\x00\x00\x00\x00\x00\x01"),
            (1.5.into(), b"\x04\x08f\x081.5"),
            (Value::Array(vec![true.into(), Value::Null]), b"\x04\x08[\x07T0"),
            ("foo".into(), b"\x04\x08I\"\x08foo\x06:\x06ET"),
            (map.into(), b"\x04\x08{\x07I\"\x06a\x06:\x06ETi\x06I\"\x06b\x06;\x00TI\"\x07\xc3\xa9\x06;\x00T"),
        ] {
            assert_eq!(dump(&value), bytes, "{value:?}");
            assert_eq!(load(bytes), Some(value));
        }
    }

    #[test]
    fn what_is_something_else() {
        for bytes in
            [&b""[..], b"\x04\x08", b"\x04\x08o:\x0bObject\x00", b"\x04\x08[\x0a", b"\x04\x07i\x00", b"\x04\x08;\x09"]
        {
            assert_eq!(load(bytes), None);
        }
        let mut deep = vec![4, 8];
        deep.extend(b"[\x06".repeat(1000));
        assert_eq!(load(&deep), None);
    }

    proptest! {
        #[test]
        fn numbers_come_back(number in any::<i64>()) {
            prop_assert_eq!(load(&dump(&Value::Int(number))), Some(Value::Int(number)));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut whole = vec![4, 8];
            whole.extend(bytes);
            let _read = load(&whole);
        }
    }
}
