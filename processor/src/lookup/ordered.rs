//! A map in the order of insertion, with a limit, for filters that remember events.

use std::collections::{BTreeMap, HashMap};

use tailrace_common::Str;

/// Values by text in the order in which they were put in.
pub(crate) struct Ordered<V> {
    places: HashMap<Str, u64, foldhash::fast::RandomState>,
    values: BTreeMap<u64, (Str, V)>,
    next: u64,
    room: usize,
}

impl<V> Ordered<V> {
    /// A map of at most so many values.
    pub(crate) fn new(room: usize) -> Ordered<V> {
        Ordered { places: HashMap::default(), values: BTreeMap::new(), next: 0, room }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.values.len() >= self.room
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let place = self.places.get(key)?;
        self.values.get_mut(place).map(|(_, value)| value)
    }

    /// Puts a value behind all others, in the place of the one with the same key. What has no room any more comes back:
    /// the first.
    pub(crate) fn insert(&mut self, key: &str, value: V) -> Option<(Str, V)> {
        self.remove(key);
        let displaced = if self.values.len() >= self.room { self.pop_first() } else { None };
        // Keys outlive the batch whose buffer they may be a slice of.
        let key = Str::from(key.to_owned());
        self.places.insert(key.clone(), self.next);
        self.values.insert(self.next, (key, value));
        self.next += 1;
        displaced
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let place = self.places.remove(key)?;
        self.values.remove(&place).map(|(_, value)| value)
    }

    /// Takes the value out that was put in first.
    pub(crate) fn pop_first(&mut self) -> Option<(Str, V)> {
        let (_, (key, value)) = self.values.pop_first()?;
        self.places.remove(&key);
        Some((key, value))
    }

    /// Takes out, in order, what is due.
    pub(crate) fn take_if(&mut self, mut due: impl FnMut(&mut V) -> bool) -> Vec<(Str, V)> {
        let places: Vec<u64> =
            self.values.iter_mut().filter_map(|(place, (_, value))| due(value).then_some(*place)).collect();
        let taken = places.iter().filter_map(|place| self.values.remove(place));
        let taken: Vec<_> = taken.collect();
        for (key, _) in &taken {
            self.places.remove(key);
        }
        taken
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut (Str, V)> {
        self.values.values_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Str, V)> {
        self.values.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_insertion() {
        let mut map = Ordered::new(3);
        for (key, value) in [("a", 1), ("b", 2), ("c", 3)] {
            assert_eq!(map.insert(key, value), None);
        }
        assert_eq!(map.insert("a", 4), None, "it takes its own place");
        assert_eq!(map.insert("d", 5), Some(("b".into(), 2)), "the first makes room");
        assert_eq!(map.take_if(|value| *value > 3), [("a".into(), 4), ("d".into(), 5)]);
        assert_eq!(map.get_mut("a"), None);
        assert_eq!(map.get_mut("c"), Some(&mut 3));
        assert_eq!((map.pop_first(), map.pop_first()), (Some(("c".into(), 3)), None));
        assert!(map.is_empty());
    }
}
