//! Values as text, in the several ways in which Logstash turns them into it.

use tailrace_common::json;
use tailrace_common::{Object, Value};

use crate::javahash::sort_as_sized_hash_map;

/// As `%{field}` prints a value: lists comma-joined and flattened, maps as JSON, the rest as Java's `toString`.
pub fn interpolate(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        Value::Array(values) => {
            for (at, item) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                match item {
                    Value::Object(object) => java_map(object, out),
                    other => interpolate(other, out),
                }
            }
        }
        Value::Object(object) => hash_ordered_json(object, out),
        Value::Float(number) => json::write_float(*number, out),
        Value::Timestamp(moment) => moment.write_iso8601(out),
        Value::Null => {}
        other => json::write(other, out),
    }
}

/// `{x=1, y=2}`: Java's `Map.toString`.
fn java_map(object: &Object, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, value)) in object.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        match value {
            Value::Object(inner) => java_map(inner, out),
            Value::Null => out.extend_from_slice(b"null"),
            other => interpolate(other, out),
        }
    }
    out.push(b'}');
}

/// A map as JSON with its keys in the order of a Java HashMap.
fn hash_ordered_json(object: &Object, out: &mut Vec<u8>) {
    let mut entries: Vec<(String, &Value)> = object.iter().map(|(name, value)| (name.to_string(), value)).collect();
    sort_as_sized_hash_map(&mut entries);
    out.push(b'{');
    for (at, (name, value)) in entries.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::write_string(name, out);
        out.push(b':');
        match value {
            Value::Object(inner) => hash_ordered_json(inner, out),
            other => json::write(other, out),
        }
    }
    out.push(b'}');
}

/// As Ruby's `to_s` prints a value.
pub fn ruby_to_s(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.to_string(),
        other => ruby_inspect(other),
    }
}

/// As Ruby's `inspect` prints a value: `["a", {"k"=>1}, nil]`.
pub fn ruby_inspect(value: &Value) -> String {
    match value {
        Value::Null => "nil".into(),
        Value::String(text) => inspect_text(text),
        Value::Array(values) => {
            let items: Vec<_> = values.iter().map(ruby_inspect).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(object) => {
            let items: Vec<_> =
                object.iter().map(|(name, value)| format!("{}=>{}", inspect_text(name), ruby_inspect(value))).collect();
            format!("{{{}}}", items.join(", "))
        }
        Value::Float(number) => {
            let mut out = Vec::new();
            json::write_float_ruby(*number, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
        Value::Decimal(number) => number.to_ruby_string(),
        Value::Timestamp(moment) => moment.to_string(),
        other => {
            let mut out = Vec::new();
            json::write(other, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
    }
}

/// As Ruby's `inspect` prints bytes that are no valid UTF-8, without the quotes around them: bytes that belong to no
/// character as `\xE4`.
pub fn inspect_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for chunk in bytes.utf8_chunks() {
        escape(chunk.valid(), &mut out);
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02X}")));
    }
    out
}

fn inspect_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape(text, &mut out);
    out.push('"');
    out
}

fn escape(text: &str, out: &mut String) {
    for (at, character) in text.char_indices() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\u{1b}' => out.push_str("\\e"),
            '#' if text[at + 1..].starts_with(['{', '$', '@']) => out.push_str("\\#"),
            '\u{7f}' => out.push_str("\\x7F"),
            control if control.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_ways_of_lists_and_maps() {
        let map: Object = [("x", 1)].into_iter().collect();
        let list = Value::Array(vec!["a".into(), Value::Array(vec![1.into(), 2.0.into()]), map.clone().into()]);
        let mut out = Vec::new();
        interpolate(&list, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "a,1,2.0,{x=1}");
        assert_eq!(ruby_inspect(&list), r#"["a", [1, 2.0], {"x"=>1}]"#);
        out.clear();
        interpolate(&map.into(), &mut out);
        assert_eq!(String::from_utf8_lossy(&out), r#"{"x":1}"#);
    }
}
