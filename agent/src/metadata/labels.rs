//! Labels and annotations as fields.

use tailrace_common::object::Key;
use tailrace_common::{Object, Str, Value};

/// A label as a key without dots.
pub(crate) fn dedot(name: &str) -> String {
    name.replace('.', "_")
}

/// Puts a value at a dotted name; maps on the way are made. Where a name is both a value and a map, as it is with the
/// labels `app` and `app.kubernetes.io/name`, the value goes to `value` in the map.
pub(crate) fn put(object: &mut Object, name: &str, value: impl Into<Value>) {
    let mut object = object;
    let mut rest = name;
    while let Some((head, below)) = rest.split_once('.') {
        let slot = object.entry(&Key::new(Str::from(head)));
        if !matches!(slot, Value::Object(_)) {
            let held = std::mem::replace(slot, Value::Null);
            let mut inner = Object::new();
            if !held.is_null() {
                inner.insert("value", held);
            }
            *slot = Value::Object(inner);
        }
        let Value::Object(inner) = slot else { return };
        object = inner;
        rest = below;
    }
    match object.get_mut(rest) {
        Some(Value::Object(held)) => drop(held.insert("value", value)),
        _ => drop(object.insert(rest, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_dots_become_maps() {
        for pairs in [
            [("app", "shop"), ("app.kubernetes.io/name", "web"), ("x", "1")],
            [("app.kubernetes.io/name", "web"), ("app", "shop"), ("x", "1")],
        ] {
            let mut object = Object::new();
            for (name, value) in pairs {
                put(&mut object, name, value);
            }
            let app = object.get("app").and_then(Value::as_object).expect("it is a map");
            assert_eq!(app.get("value").and_then(Value::as_str), Some("shop"));
            let inner = app.get("kubernetes").and_then(Value::as_object).expect("it is a map");
            assert_eq!(inner.get("io/name").and_then(Value::as_str), Some("web"));
        }
        assert_eq!(dedot("a.b/c.d"), "a_b/c_d");
    }
}
