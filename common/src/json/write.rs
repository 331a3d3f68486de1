//! Writing values as JSON.

use super::number::write_float;
use super::scan::plain_length;
use crate::value::{Object, Value};

/// Appends a value as compact JSON. NaN and infinities become strings, as Logstash writes them.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes()),
        Value::BigInt(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Float(number) if number.is_finite() => write_float(*number, out),
        Value::Float(number) => {
            out.push(b'"');
            write_float(*number, out);
            out.push(b'"');
        }
        Value::Decimal(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Timestamp(moment) => {
            out.push(b'"');
            moment.write_iso8601(out);
            out.push(b'"');
        }
        Value::Array(values) => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(value, out);
            }
            out.push(b']');
        }
        Value::Object(object) => write_object(object, out),
    }
}

/// Appends a map as compact JSON.
pub fn write_object(object: &Object, out: &mut Vec<u8>) {
    if let Some(text) = object.written() {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'{');
    for (at, (name, value)) in object.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(name, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// Appends text in double quotes; only what JSON demands is escaped.
#[inline]
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let (plain, special) = text.as_bytes().split_at(plain_length(text.as_bytes()));
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(plain);
    if !special.is_empty() {
        write_special(special, out);
    }
    out.push(b'"');
}

/// Appends a text that begins with a byte that needs an escape.
fn write_special(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some((byte, after)) = text.split_first() {
        write_escape(*byte, out);
        let (plain, special) = after.split_at(plain_length(after));
        out.extend_from_slice(plain);
        text = special;
    }
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    let escape = ESCAPES[byte as usize];
    if escape == b'u' {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]]);
    } else {
        out.extend_from_slice(&[b'\\', escape]);
    }
}

/// What follows the backslash for each byte that needs one.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::json::{Numbers, parse};
    use crate::value::Str;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_survives_the_way_out_and_back(text in any::<String>()) {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            let written = String::from_utf8(out).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text.clone());
            prop_assert_eq!(parse(&Str::from(written), Numbers::Float).unwrap(), Value::from(text));
        }
    }

    #[test]
    fn writes_every_kind() {
        let mut object = Object::new();
        object.insert("n", Value::Null);
        object.insert("i", 3);
        object.insert("f", 2.0);
        object.insert("inf", f64::INFINITY);
        object.insert("t", crate::timestamp::Timestamp::EPOCH);
        object.insert("l", vec![Value::Bool(true), "a\"\n\u{1}".into()]);
        let mut out = Vec::new();
        write_object(&object, &mut out);
        let expected =
            r#"{"n":null,"i":3,"f":2.0,"inf":"Infinity","t":"1970-01-01T00:00:00.000Z","l":[true,"a\"\n\u0001"]}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
