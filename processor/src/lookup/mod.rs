//! What filters that look things up share: caches, files that are read again when they change.

mod cache;
mod net;
mod ordered;
mod refreshed;

use std::sync::OnceLock;

use tailrace_common::{Event, FieldPath, Object, Str, Value};

pub(crate) use cache::Cache;
pub(crate) use net::{runtime, side_by_side};
pub(crate) use ordered::Ordered;
pub(crate) use refreshed::Refreshed;

/// The name of this machine.
pub(crate) fn host_name() -> Str {
    static NAME: OnceLock<Str> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    NAME.get_or_init(|| Str::from(read().trim())).clone()
}

/// Sets the leaves of a map in an event, under `target` or at its root. Maps that are there keep what else they hold;
/// false when something that is no map stands at the target.
pub(crate) fn put_leaves(event: &mut Event, target: Option<&FieldPath>, fields: &Object) -> bool {
    let Some(target) = target else {
        merge_leaves(event.fields_mut(), fields);
        return true;
    };
    match event.get_mut(target) {
        Some(Value::Object(held)) => {
            merge_leaves(held, fields);
            true
        }
        None | Some(Value::Null) => event.set(target, fields.clone()).is_ok(),
        Some(_) => false,
    }
}

/// Sets the leaves of a map in another. For maps that filters make, which are a few levels deep.
pub(crate) fn merge_leaves(into: &mut Object, from: &Object) {
    for (name, value) in from {
        match (into.get_mut(name), value) {
            (Some(Value::Object(held)), Value::Object(added)) => merge_leaves(held, added),
            _ => drop(into.insert(name.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_what_is_there() {
        let mut into: Object = [("os", [("kept", 1)].into_iter().collect::<Object>())].into_iter().collect();
        let from: Object = [("os", [("name", 2)].into_iter().collect::<Object>())].into_iter().collect();
        merge_leaves(&mut into, &from);
        let os = into.get("os").unwrap().as_object().unwrap();
        assert_eq!((os.get("kept"), os.get("name")), (Some(&1.into()), Some(&2.into())));
    }
}
