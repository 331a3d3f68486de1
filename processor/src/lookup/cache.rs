//! A cache with a limit that workers share.

use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use tailrace_common::Timestamp;

/// Parts with a lock each, so that workers seldom meet.
const SHARDS: usize = 16;
/// Longer keys are not kept: the limit is on the count of entries.
const LONGEST_KEY: usize = 4096;

/// Values by text, at most so many. What was not asked for lately makes room (second chance, which is nearly least
/// recently used).
pub(crate) struct Cache<V> {
    shards: Box<[Mutex<Shard<V>>]>,
    hasher: RandomState,
}

struct Shard<V> {
    /// Places in `slots`.
    table: HashTable<u32>,
    slots: Vec<Slot<V>>,
    hand: usize,
    room: usize,
}

struct Slot<V> {
    hash: u64,
    key: Box<str>,
    value: V,
    /// Second since the epoch from which on it is stale.
    until: i64,
    used: bool,
}

impl<V: Clone> Cache<V> {
    /// A cache for about so many entries; none at all when it is 0.
    pub(crate) fn new(entries: usize) -> Cache<V> {
        let shards = entries.clamp(1, SHARDS);
        let room = entries.div_ceil(shards).min(1 << 28);
        let shard = || Mutex::new(Shard { table: HashTable::new(), slots: Vec::new(), hand: 0, room });
        Cache { shards: (0..shards).map(|_| shard()).collect(), hasher: RandomState::default() }
    }

    fn shard(&self, key: &str) -> (u64, &Mutex<Shard<V>>) {
        let hash = self.hasher.hash_one(key);
        (hash, &self.shards[(hash >> 32) as usize % self.shards.len()])
    }

    /// The value of a key unless it is stale.
    pub(crate) fn get(&self, key: &str, now: Timestamp) -> Option<V> {
        let (hash, shard) = self.shard(key);
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Shard { table, slots, .. } = &mut *shard;
        let place = *table.find(hash, |&place| *slots[place as usize].key == *key)?;
        let slot = &mut slots[place as usize];
        if slot.until <= now.secs {
            return None;
        }
        slot.used = true;
        Some(slot.value.clone())
    }

    /// Keeps a value for ever.
    pub(crate) fn insert(&self, key: &str, value: V) {
        self.insert_until(key, value, i64::MAX);
    }

    /// Keeps a value until a second since the epoch.
    pub(crate) fn insert_until(&self, key: &str, value: V, until: i64) {
        if key.len() > LONGEST_KEY {
            return;
        }
        let (hash, shard) = self.shard(key);
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.insert(hash, key, value, until);
    }
}

impl<V> Shard<V> {
    fn insert(&mut self, hash: u64, key: &str, value: V, until: i64) {
        let slots = &mut self.slots;
        if let Some(&place) = self.table.find(hash, |&place| *slots[place as usize].key == *key) {
            let slot = &mut slots[place as usize];
            (slot.value, slot.until, slot.used) = (value, until, true);
            return;
        }
        let slot = Slot { hash, key: key.into(), value, until, used: false };
        let place = if self.slots.len() < self.room {
            self.slots.push(slot);
            self.slots.len() - 1
        } else if let Some(place) = self.evict() {
            self.slots[place] = slot;
            place
        } else {
            return;
        };
        // Places fit: `room` is limited.
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        let slots = &self.slots;
        self.table.insert_unique(hash, place, |&place| slots[place as usize].hash);
    }

    /// Takes the entry out that the hand comes to first and that was not used since it came by.
    fn evict(&mut self) -> Option<usize> {
        if self.slots.is_empty() {
            return None;
        }
        loop {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len();
            let slot = &mut self.slots[place];
            if std::mem::take(&mut slot.used) {
                continue;
            }
            let hash = slot.hash;
            if let Ok(entry) = self.table.find_entry(hash, |&held| held as usize == place) {
                entry.remove();
            }
            return Some(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    #[test]
    fn what_is_used_stays_and_the_rest_makes_room() {
        let cache = Cache::new(1);
        cache.insert("a", 1);
        cache.insert("b", 2);
        assert_eq!((cache.get("a", at(0)), cache.get("b", at(0))), (None, Some(2)));
        let cache = Cache::new(64);
        (0..10_000).for_each(|number| {
            cache.insert(&number.to_string(), number);
            cache.insert("often", -1);
        });
        assert_eq!(cache.get("often", at(0)), Some(-1));
        let held = (0..10_000).filter(|number| cache.get(&number.to_string(), at(0)) == Some(*number)).count();
        assert!((1..=64).contains(&held), "{held}");
    }

    #[test]
    fn stale_values_are_not_given() {
        let cache = Cache::new(8);
        cache.insert_until("a", 1, 10);
        assert_eq!((cache.get("a", at(9)), cache.get("a", at(10))), (Some(1), None));
        cache.insert_until("a", 2, 20);
        assert_eq!(cache.get("a", at(10)), Some(2));
    }

    #[test]
    fn a_cache_without_room_keeps_nothing() {
        let cache = Cache::new(0);
        cache.insert("a", 1);
        assert_eq!(cache.get("a", at(0)), None);
    }
}
