//! Values of the configuration that go into documents: `fields`, and what processors add.

use tailrace_common::yaml::{Kind, Node, Scalar};
use tailrace_common::{Object, Value};

use super::section::Section;

/// The map under `key` as it stands in a document.
pub(crate) fn fields(section: &Section<'_>, key: &'static str) -> Object {
    let Some(node) = section.get(key) else { return Object::new() };
    match value(node) {
        Value::Object(fields) => fields,
        _ => {
            section.error(key, format!("'{}' must be a map, this is {}", section.name(key), node.type_name()), None);
            Object::new()
        }
    }
}

/// A value as it stands in a document. YAML's depth limit bounds the recursion.
pub(crate) fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::List(items) => Value::Array(items.iter().map(value).collect()),
        Kind::Map(entries) => {
            Value::Object(entries.iter().map(|(key, node)| (key.text.clone(), value(node))).collect())
        }
        Kind::Scalar { text, .. } => match node.scalar() {
            Some(Scalar::Null) | None => Value::Null,
            Some(Scalar::Bool(flag)) => Value::Bool(flag),
            Some(Scalar::Int(number)) => Value::Int(number),
            Some(Scalar::Float(number)) => Value::Float(number),
            Some(Scalar::Text(_)) => old_boolean(node).map_or_else(|| Value::from(text.as_str()), Value::Bool),
        },
    }
}

/// The booleans of YAML 1.1, which Filebeat reads: unquoted `y`, `no`, `on`.
fn old_boolean(node: &Node) -> Option<bool> {
    match &node.kind {
        Kind::Scalar { text, plain: true } => match text.as_str() {
            "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
            "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
            _ => None,
        },
        _ => None,
    }
}
