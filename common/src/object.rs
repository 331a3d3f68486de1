//! Maps of an event: small ordered vectors, with an index only when they grow large.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::value::{Str, Value};

/// Up to this many entries a scan over inline keys beats hashing; measured on log documents of 10 to 30 fields.
const SCAN_LIMIT: usize = 32;

/// An ordered map from names to values.
///
/// Names are unique. Insertion order is kept until something is removed from a map of more than 32 entries.
#[derive(Clone, Default)]
pub struct Object {
    entries: Vec<(Str, Value)>,
    /// A bit for each name that there is or was, see [`mark`]: most names that are not there are told without looking.
    seen: u64,
    /// Present exactly when there are more than [`SCAN_LIMIT`] entries.
    index: Option<Box<HashTable<u32>>>,
}

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

/// A name with its mark: what is looked up in many objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    name: Str,
    mark: u64,
}

impl Key {
    /// The key of a name.
    pub fn new(name: Str) -> Key {
        Key { mark: mark(&name), name }
    }

    /// Its name.
    pub fn name(&self) -> &Str {
        &self.name
    }
}

/// One of 64 bits, by the length, the beginning and the end of a name: two names of a log document share one rarely.
#[inline]
fn mark(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let word = match bytes {
        [] => 0,
        [only] => u32::from(*only),
        [first, second, .., last] if bytes.len() < 4 => u32::from_le_bytes([*first, *second, 0, *last]),
        _ => {
            let (start, end) = (bytes.first_chunk(), bytes.last_chunk());
            let four = |chunk: Option<&[u8; 4]>| chunk.map_or(0, |chunk| u32::from_le_bytes(*chunk));
            four(start) ^ four(end).rotate_left(13)
        }
    };
    1 << ((word ^ bytes.len() as u32).wrapping_mul(0x9e37_79b1) >> 26)
}

impl Object {
    /// An empty map; allocates nothing.
    pub const fn new() -> Object {
        Object { entries: Vec::new(), seen: 0, index: None }
    }

    /// An empty map with room for `capacity` entries.
    pub fn with_capacity(capacity: usize) -> Object {
        Object { entries: Vec::with_capacity(capacity), seen: 0, index: None }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    fn position(&self, name: &str, mark: u64) -> Option<usize> {
        if self.seen & mark == 0 { None } else { self.look(name) }
    }

    fn look(&self, name: &str) -> Option<usize> {
        match &self.index {
            None => self.entries.iter().position(|(key, _)| key.as_str() == name),
            Some(index) => {
                index.find(hash(name), |at| self.entries[*at as usize].0.as_str() == name).map(|at| *at as usize)
            }
        }
    }

    /// The value of a name.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.position(name, mark(name)).map(|at| &self.entries[at].1)
    }

    /// The value of a name, to be changed.
    #[inline]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.position(name, mark(name)).map(|at| &mut self.entries[at].1)
    }

    /// The value of a key.
    #[inline]
    pub fn get_key(&self, key: &Key) -> Option<&Value> {
        self.position(&key.name, key.mark).map(|at| &self.entries[at].1)
    }

    /// The value of a key, to be changed.
    #[inline]
    pub fn get_key_mut(&mut self, key: &Key) -> Option<&mut Value> {
        self.position(&key.name, key.mark).map(|at| &mut self.entries[at].1)
    }

    /// Whether the name is there, whatever its value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets a name, and hands back the value that it had.
    #[inline]
    pub fn insert(&mut self, name: impl Into<Str>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        let mark = mark(&name);
        match self.position(&name, mark) {
            Some(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            None => {
                self.push(name, mark, value);
                None
            }
        }
    }

    /// Sets a key.
    #[inline]
    pub fn set_key(&mut self, key: &Key, value: Value) {
        match self.position(&key.name, key.mark) {
            Some(at) => self.entries[at].1 = value,
            None => self.push(key.name.clone(), key.mark, value),
        }
    }

    /// The value of a key; null is put there first when it is missing.
    pub fn entry(&mut self, key: &Key) -> &mut Value {
        let at = match self.position(&key.name, key.mark) {
            Some(at) => at,
            None => {
                self.push(key.name.clone(), key.mark, Value::Null);
                self.entries.len() - 1
            }
        };
        &mut self.entries[at].1
    }

    /// Adds a name that is not there.
    #[inline]
    fn push(&mut self, name: Str, mark: u64, value: Value) {
        self.seen |= mark;
        self.entries.push((name, value));
        if self.entries.len() > SCAN_LIMIT {
            self.index_last();
        }
    }

    #[cold]
    fn index_last(&mut self) {
        let entries = &self.entries;
        let rehash = |at: &u32| hash(entries[*at as usize].0.as_str());
        let last = entries.len() - 1;
        let start = if self.index.is_some() { last } else { 0 };
        let index = self.index.get_or_insert_with(|| Box::new(HashTable::with_capacity(entries.len() * 2)));
        for at in start as u32..=last as u32 {
            index.insert_unique(rehash(&at), at, rehash);
        }
    }

    /// Takes a name out, and hands back its value.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.position(name, mark(name)).map(|at| self.remove_at(at))
    }

    /// Takes a key out, and hands back its value.
    pub fn remove_key(&mut self, key: &Key) -> Option<Value> {
        self.position(&key.name, key.mark).map(|at| self.remove_at(at))
    }

    fn remove_at(&mut self, at: usize) -> Value {
        let Some(mut index) = self.index.take() else { return self.entries.remove(at).1 };
        // The last entry takes the place of the removed one, so that removal stays cheap in large maps.
        let last = self.entries.len() - 1;
        let forget = |index: &mut HashTable<u32>, entries: &[(Str, Value)], gone: usize| {
            if let Ok(found) = index.find_entry(hash(entries[gone].0.as_str()), |slot| *slot as usize == gone) {
                found.remove();
            }
        };
        forget(&mut index, &self.entries, at);
        if at != last {
            forget(&mut index, &self.entries, last);
        }
        let (_, value) = self.entries.swap_remove(at);
        let entries = &self.entries;
        if at != last {
            let rehash = |slot: &u32| hash(entries[*slot as usize].0.as_str());
            index.insert_unique(rehash(&(at as u32)), at as u32, rehash);
        }
        if entries.len() > SCAN_LIMIT {
            self.index = Some(index);
        }
        value
    }

    /// Names and values in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Str, Value)> {
        self.entries.iter()
    }

    /// Names and values in order, the values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Str, &mut Value)> {
        self.entries.iter_mut().map(|(name, value)| (&*name, value))
    }

    /// The names in order.
    pub fn keys(&self) -> impl Iterator<Item = &Str> {
        self.entries.iter().map(|(name, _)| name)
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// Keeps the entries for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Str, &mut Value) -> bool) {
        self.index = None;
        self.entries.retain_mut(|(name, value)| keep(name, value));
        self.rebuild();
    }

    fn rebuild(&mut self) {
        self.index = None;
        if self.entries.len() > SCAN_LIMIT {
            self.index_last();
        }
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.seen = 0;
        self.index = None;
    }
}

impl IntoIterator for Object {
    type Item = (Str, Value);
    type IntoIter = std::vec::IntoIter<(Str, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = &'a (Str, Value);
    type IntoIter = std::slice::Iter<'a, (Str, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
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
    fn small_maps_keep_their_order() {
        let mut object: Object = [("a", 1), ("b", 2), ("c", 3)].into_iter().collect();
        object.remove("a");
        object.insert("b", 5);
        assert_eq!(object.keys().map(Str::as_str).collect::<Vec<_>>(), ["b", "c"]);
    }
}
