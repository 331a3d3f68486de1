//! Field references.
//!
//! What is read prints as something that reads as the same, and can be set, got and removed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tailrace_common::{FieldPath, Object, Value};

fuzz_target!(|text: &str| {
    let Ok(path) = FieldPath::parse(text) else { return };
    let printed = path.to_string();
    assert_eq!(FieldPath::parse(&printed).as_ref(), Ok(&path), "printed as {printed:?}");
    let mut root = Object::new();
    if path.set_in(&mut root, Value::Int(1)).is_ok() {
        assert_eq!(path.get_in(&root), Some(&Value::Int(1)));
        assert_eq!(path.remove_in(&mut root), Some(Value::Int(1)));
    }
});
