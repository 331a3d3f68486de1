//! Maps of an event: small ordered vectors, which need not be read before somebody asks.

mod addition;
mod entries;

use std::sync::Arc;

use once_cell::race::OnceBox;

use crate::json;
use crate::value::{Str, Value};
use entries::Entries;

pub use addition::Addition;
pub(crate) use entries::{marks, tag};

/// An ordered map from names to values.
///
/// Names are unique. Insertion order is kept until something is removed from a map of more than 32 entries.
#[derive(Clone)]
pub struct Object(Held);

#[derive(Clone)]
enum Held {
    Entries(Entries),
    /// Of a record: most are never asked for, so that they must cost no allocation.
    Unread(Unread),
    /// Of a filter, for many events.
    Frozen(Arc<Written>),
}

/// Every event moves its maps about.
const _: () = assert!(size_of::<Object>() <= 40);

/// A map as its JSON, exactly as it would be written. Most of what a document holds goes through a pipeline untouched.
struct Unread {
    text: Str,
    /// What the text says, once it was asked for.
    entries: OnceBox<Entries>,
}

/// A map with its JSON.
struct Written {
    text: Str,
    entries: Entries,
}

impl Unread {
    fn entries(&self) -> &Entries {
        self.entries.get_or_init(|| Box::new(read(&self.text)))
    }
}

/// The copy is read again when it is asked for.
impl Clone for Unread {
    fn clone(&self) -> Unread {
        Unread { text: self.text.clone(), entries: OnceBox::new() }
    }
}

fn read(text: &Str) -> Entries {
    match json::parse_all(text) {
        Ok(Value::Object(Object(Held::Entries(entries)))) => entries,
        // It was looked at before it was kept.
        _ => Entries::new(),
    }
}

/// A name with its tag: what is looked up in many objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    name: Str,
    tag: u8,
}

impl Key {
    /// The key of a name.
    pub fn new(name: Str) -> Key {
        Key { tag: tag(name.as_bytes()), name }
    }

    /// Its name.
    pub fn name(&self) -> &Str {
        &self.name
    }
}

impl Object {
    /// An empty map; allocates nothing.
    pub const fn new() -> Object {
        Object(Held::Entries(Entries::new()))
    }

    /// An empty map with room for `capacity` entries.
    pub fn with_capacity(capacity: usize) -> Object {
        Object(Held::Entries(Entries::with_capacity(capacity)))
    }

    /// A map that is read when it is asked for. The text must be what [`json::write_object`] makes of it.
    pub(crate) fn unread(text: Str) -> Object {
        Object(Held::Unread(Unread { text, entries: OnceBox::new() }))
    }

    /// The same map, which is cheap to copy and to write until it is changed: for what many events get.
    pub fn frozen(self) -> Object {
        let mut text = Vec::new();
        json::write_object(&self, &mut text);
        let text = String::from_utf8(text).map(Str::from).unwrap_or_default();
        let entries = match self.0 {
            Held::Entries(entries) => entries,
            Held::Unread(unread) => read(&unread.text),
            frozen @ Held::Frozen(_) => return Object(frozen),
        };
        Object(Held::Frozen(Arc::new(Written { text, entries })))
    }

    /// The map as JSON, where it is at hand because nobody changed it.
    pub(crate) fn written(&self) -> Option<&str> {
        match &self.0 {
            Held::Entries(_) => None,
            Held::Unread(unread) => Some(&unread.text),
            Held::Frozen(written) => Some(&written.text),
        }
    }

    #[inline]
    fn entries(&self) -> &Entries {
        match &self.0 {
            Held::Entries(entries) => entries,
            Held::Unread(unread) => unread.entries(),
            Held::Frozen(written) => &written.entries,
        }
    }

    #[inline]
    fn entries_mut(&mut self) -> &mut Entries {
        if !matches!(self.0, Held::Entries(_)) {
            self.thaw();
        }
        match &mut self.0 {
            Held::Entries(entries) => entries,
            Held::Unread(_) | Held::Frozen(_) => unreachable!("read just above"),
        }
    }

    #[cold]
    fn thaw(&mut self) {
        let entries = match std::mem::take(self).0 {
            Held::Entries(entries) => entries,
            Held::Unread(unread) => unread.entries.get().cloned().unwrap_or_else(|| read(&unread.text)),
            Held::Frozen(written) => {
                Arc::try_unwrap(written).map_or_else(|shared| shared.entries.clone(), |written| written.entries)
            }
        };
        self.0 = Held::Entries(entries);
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries().list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a name.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let entries = self.entries();
        entries.position(name, tag(name.as_bytes())).map(|at| &entries.list[at].1)
    }

    /// The value of a name, to be changed.
    #[inline]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let entries = self.entries_mut();
        entries.position(name, tag(name.as_bytes())).map(|at| &mut entries.list[at].1)
    }

    /// The value of a key.
    #[inline]
    pub fn get_key(&self, key: &Key) -> Option<&Value> {
        let entries = self.entries();
        entries.position(&key.name, key.tag).map(|at| &entries.list[at].1)
    }

    /// The value of a key, to be changed.
    #[inline]
    pub fn get_key_mut(&mut self, key: &Key) -> Option<&mut Value> {
        let entries = self.entries_mut();
        entries.position(&key.name, key.tag).map(|at| &mut entries.list[at].1)
    }

    /// Whether the name is there, whatever its value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a name, and hands back the value that it had.
    #[inline]
    pub fn insert(&mut self, name: impl Into<Str>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        let tag = tag(name.as_bytes());
        let entries = self.entries_mut();
        match entries.position(&name, tag) {
            Some(at) => Some(std::mem::replace(&mut entries.list[at].1, value)),
            None => {
                entries.push(name, tag, value);
                None
            }
        }
    }

    /// Sets a key.
    #[inline]
    pub fn set_key(&mut self, key: &Key, value: Value) {
        let entries = self.entries_mut();
        match entries.position(&key.name, key.tag) {
            Some(at) => entries.list[at].1 = value,
            None => *entries.push_key(&key.name, key.tag) = value,
        }
    }

    /// The value of a key; null is put there first when it is missing.
    pub fn entry(&mut self, key: &Key) -> &mut Value {
        let entries = self.entries_mut();
        match entries.position(&key.name, key.tag) {
            Some(at) => &mut entries.list[at].1,
            None => entries.push_key(&key.name, key.tag),
        }
    }

    /// The place of a name's value, null when the name is new; the name shares `record` where it is a part of it.
    #[inline]
    pub fn place(&mut self, record: &Str, name: &str) -> &mut Value {
        let tag = tag(name.as_bytes());
        let entries = self.entries_mut();
        match entries.position(name, tag) {
            Some(at) => &mut entries.list[at].1,
            None => entries.push_place(record, name, tag),
        }
    }

    /// Begins to add fields which may have to be taken back; not for large maps.
    #[inline]
    pub fn add(&mut self) -> Option<Addition<'_>> {
        Addition::begin(self.entries_mut())
    }

    /// Takes a name out, and hands back its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let entries = self.entries_mut();
        entries.position(name, tag(name.as_bytes())).map(|at| entries.remove(at))
    }

    /// Takes a key out, and hands back its value.
    pub fn remove_key(&mut self, key: &Key) -> Option<Value> {
        let entries = self.entries_mut();
        entries.position(&key.name, key.tag).map(|at| entries.remove(at))
    }

    /// Names and values in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Str, Value)> {
        self.entries().list.iter()
    }

    /// Names and values in order, the values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Str, &mut Value)> {
        self.entries_mut().list.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &Str> {
        self.iter().map(|(name, _)| name)
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }

    /// Keeps the entries for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&Str, &mut Value) -> bool) {
        self.entries_mut().retain(keep);
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        *self = Object::new();
    }
}

impl Default for Object {
    fn default() -> Object {
        Object::new()
    }
}

impl IntoIterator for Object {
    type Item = (Str, Value);
    type IntoIter = std::vec::IntoIter<(Str, Value)>;

    fn into_iter(mut self) -> Self::IntoIter {
        std::mem::take(&mut self.entries_mut().list).into_iter()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = &'a (Str, Value);
    type IntoIter = std::slice::Iter<'a, (Str, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Later values of a repeated name win, as in JSON.
impl<K: Into<Str>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Object {
        let mut object = Object::new();
        object.extend(entries);
        object
    }
}

impl<K: Into<Str>, V: Into<Value>> Extend<(K, V)> for Object {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (name, value) in entries {
            self.insert(name, value);
        }
    }
}

/// Equal when the same names have equal values; order does not count.
impl PartialEq for Object {
    fn eq(&self, other: &Object) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, value))).finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn behaves_like_a_hash_map(steps in prop::collection::vec((0..120_u32, any::<bool>()), 0..400)) {
            let (mut object, mut model) = (Object::new(), HashMap::new());
            for (step, (key, set)) in steps.into_iter().enumerate() {
                let name = format!("field{key}");
                if set {
                    object.insert(name.clone(), step as i64);
                    model.insert(name, step as i64);
                } else {
                    let removed = model.remove(&name).map(Value::Int);
                    prop_assert_eq!(object.remove(&name), removed);
                }
                prop_assert_eq!(object.len(), model.len());
            }
            for (name, number) in model {
                prop_assert_eq!(object.get(&name), Some(&Value::Int(number)));
            }
        }
    }

    #[test]
    fn frozen_maps_read_and_change_as_others_do() {
        let plain: Object =
            [("a", Value::from(1)), ("t", Value::Timestamp(crate::Timestamp::EPOCH))].into_iter().collect();
        let frozen = plain.clone().frozen();
        assert_eq!(frozen, plain);
        let mut changed = frozen.clone();
        changed.insert("a", 2);
        assert_eq!((changed.get("a"), frozen.get("a")), (Some(&Value::Int(2)), Some(&Value::Int(1))));
        assert_eq!((frozen.written(), changed.written()), (Some(r#"{"a":1,"t":"1970-01-01T00:00:00.000Z"}"#), None));
        let unread = Object::unread(Str::from(r#"{"b":{"c":[1,"x"]}}"#));
        let mut copy = unread.clone();
        assert!(copy.get_mut("b").is_some_and(|inner| inner.as_object().is_some()));
        assert_eq!(copy.remove("b"), unread.get("b").cloned());
        assert!(copy.is_empty() && unread.len() == 1);
    }

    #[test]
    fn small_maps_keep_their_order() {
        let mut object: Object = [("a", 1), ("b", 2), ("c", 3)].into_iter().collect();
        object.remove("a");
        object.insert("b", 5);
        assert_eq!(object.keys().map(Str::as_str).collect::<Vec<_>>(), ["b", "c"]);
    }
}
