//! The entries of a map: a small ordered vector, with an index only when it grows large.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::value::{Str, Value, put_slice};

/// Up to this many entries a scan over inline keys beats hashing; measured on log documents of 10 to 30 fields.
const SCAN_LIMIT: usize = 32;

/// Names and values, each name once.
#[derive(Clone, Default)]
pub(super) struct Entries {
    pub(super) list: Vec<(Str, Value)>,
    /// The marks of all names that there are or were: most names that are not there are told without looking.
    seen: u64,
    /// Present exactly when there are more than [`SCAN_LIMIT`] entries.
    index: Option<Box<HashTable<u32>>>,
}

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

/// One of 64 bits, by the length, the beginning and the end of a name: two names of a log document share one rarely.
#[inline]
pub(crate) fn mark(name: &[u8]) -> u64 {
    let word = match name {
        [] => 0,
        [only] => u32::from(*only),
        [first, second, .., last] if name.len() < 4 => u32::from_le_bytes([*first, *second, 0, *last]),
        _ => {
            let (start, end) = (name.first_chunk(), name.last_chunk());
            let four = |chunk: Option<&[u8; 4]>| chunk.map_or(0, |chunk| u32::from_le_bytes(*chunk));
            four(start) ^ four(end).rotate_left(13)
        }
    };
    1 << ((word ^ name.len() as u32).wrapping_mul(0x9e37_79b1) >> 26)
}

impl Entries {
    pub(super) const fn new() -> Entries {
        Entries { list: Vec::new(), seen: 0, index: None }
    }

    pub(super) fn with_capacity(capacity: usize) -> Entries {
        Entries { list: Vec::with_capacity(capacity), ..Entries::new() }
    }

    /// Where a name of this mark stands.
    #[inline]
    pub(super) fn position(&self, name: &str, mark: u64) -> Option<usize> {
        if self.seen & mark == 0 { None } else { self.look(name) }
    }

    fn look(&self, name: &str) -> Option<usize> {
        match &self.index {
            None => self.list.iter().position(|(key, _)| key.as_str() == name),
            Some(index) => {
                index.find(hash(name), |at| self.list[*at as usize].0.as_str() == name).map(|at| *at as usize)
            }
        }
    }

    /// Adds a name that is not there.
    #[inline]
    pub(super) fn push(&mut self, name: Str, mark: u64, value: Value) {
        self.seen |= mark;
        self.list.push((name, value));
        if self.list.len() > SCAN_LIMIT {
            self.index_last();
        }
    }

    /// Adds a name that is not there, most often a part of `record`; the place of its value, which is null.
    #[inline]
    pub(super) fn push_place(&mut self, record: &Str, name: &str, mark: u64) -> &mut Value {
        let at = self.list.len();
        self.seen |= mark;
        self.list.push((Str::new(), Value::Null));
        put_slice(&mut self.list[at].0, record, name);
        if at >= SCAN_LIMIT {
            self.index_last();
        }
        &mut self.list[at].1
    }

    #[cold]
    fn index_last(&mut self) {
        let entries = &self.list;
        let rehash = |at: &u32| hash(entries[*at as usize].0.as_str());
        let last = entries.len() - 1;
        let start = if self.index.is_some() { last } else { 0 };
        let index = self.index.get_or_insert_with(|| Box::new(HashTable::with_capacity(entries.len() * 2)));
        for at in start as u32..=last as u32 {
            index.insert_unique(rehash(&at), at, rehash);
        }
    }

    /// Takes an entry out, and hands back its value.
    pub(super) fn remove(&mut self, at: usize) -> Value {
        let Some(mut index) = self.index.take() else { return self.list.remove(at).1 };
        // The last entry takes the place of the removed one, so that removal stays cheap in large maps.
        let last = self.list.len() - 1;
        let forget = |index: &mut HashTable<u32>, entries: &[(Str, Value)], gone: usize| {
            if let Ok(found) = index.find_entry(hash(entries[gone].0.as_str()), |slot| *slot as usize == gone) {
                found.remove();
            }
        };
        forget(&mut index, &self.list, at);
        if at != last {
            forget(&mut index, &self.list, last);
        }
        let (_, value) = self.list.swap_remove(at);
        let entries = &self.list;
        if at != last {
            let rehash = |slot: &u32| hash(entries[*slot as usize].0.as_str());
            index.insert_unique(rehash(&(at as u32)), at as u32, rehash);
        }
        if entries.len() > SCAN_LIMIT {
            self.index = Some(index);
        }
        value
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Str, &mut Value) -> bool) {
        self.index = None;
        self.list.retain_mut(|(name, value)| keep(name, value));
        if self.list.len() > SCAN_LIMIT {
            self.index_last();
        }
    }
}
