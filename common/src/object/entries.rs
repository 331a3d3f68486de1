//! The entries of a map: a small ordered vector, with an index only when it grows large.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use crate::value::{Str, Value, put_slice};

/// Up to this many entries are told apart by the tags of their names; measured on log documents of 10 to 30 fields.
pub(super) const SCAN_LIMIT: usize = 32;

/// Up to this many entries need no index at all.
const NARROW: usize = 16;

/// A constant: to put an entry together first and to move it then stalls the processor.
const EMPTY: (Str, Value) = (Str::new(), Value::Null);

/// Names and values, each name once.
#[derive(Clone, Default)]
pub(super) struct Entries {
    pub(super) list: Vec<(Str, Value)>,
    /// Four bits of each name, as long as there is no index: to look at the names themselves means to fetch them all from
    /// memory.
    tags: u64,
    /// Present exactly when there are more than [`NARROW`] entries.
    index: Option<Box<Index>>,
}

#[derive(Clone)]
enum Index {
    /// The tags of up to [`SCAN_LIMIT`] names.
    Tags([u8; SCAN_LIMIT]),
    /// Where names stand, by their hashes.
    Table(HashTable<u32>),
}

fn hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

/// 32 bits of the length, the beginning and the end of a name: two names of a log document share them rarely.
#[inline]
fn mixed(name: &[u8]) -> u32 {
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
    (word ^ name.len() as u32).wrapping_mul(0x9e37_79b1)
}

/// What tells most names apart.
#[inline]
pub(crate) fn tag(name: &[u8]) -> u8 {
    (mixed(name) >> 24) as u8
}

/// Two bits, each one of 64: a name of which one is new was not there before.
#[inline]
pub(crate) fn marks(name: &[u8]) -> [u64; 2] {
    let mixed = mixed(name);
    [1 << (mixed >> 26), 1 << (mixed >> 20 & 63)]
}

/// Each of sixteen times four bits that are all zero has its highest bit set; lower ones come first.
#[inline]
fn zero_fours(word: u64) -> u64 {
    const LOW: u64 = 0x1111_1111_1111_1111;
    const SEVEN: u64 = LOW * 7;
    !(((word & SEVEN) + SEVEN) | word | SEVEN)
}

impl Entries {
    pub(super) const fn new() -> Entries {
        Entries { list: Vec::new(), tags: 0, index: None }
    }

    pub(super) fn with_capacity(capacity: usize) -> Entries {
        Entries { list: Vec::with_capacity(capacity), ..Entries::new() }
    }

    /// Where a name of this tag stands.
    #[inline]
    pub(super) fn position(&self, name: &str, tag: u8) -> Option<usize> {
        if self.index.is_some() {
            return self.look(name, tag);
        }
        let mut near = zero_fours(self.tags ^ (u64::from(tag >> 4) * 0x1111_1111_1111_1111));
        while near != 0 {
            let at = near.trailing_zeros() as usize / 4;
            // Behind the last one are no entries.
            if self.list.get(at)?.0.as_str() == name {
                return Some(at);
            }
            near &= near - 1;
        }
        None
    }

    fn look(&self, name: &str, tag: u8) -> Option<usize> {
        match self.index.as_deref()? {
            Index::Tags(tags) => {
                let like = tags.iter().enumerate().filter(|(_, other)| **other == tag).map(|(at, _)| at);
                like.take_while(|at| *at < self.list.len()).find(|at| self.list[*at].0.as_str() == name)
            }
            Index::Table(table) => {
                table.find(hash(name), |at| self.list[*at as usize].0.as_str() == name).map(|at| *at as usize)
            }
        }
    }

    /// Adds a name that is not there.
    #[inline]
    pub(super) fn push(&mut self, name: Str, tag: u8, value: Value) {
        self.list.push((name, value));
        self.note_last(tag);
    }

    /// Adds a name that is not there, most often a part of `record`; the place of its value, which is null.
    #[inline]
    pub(super) fn push_place(&mut self, record: &Str, name: &str, tag: u8) -> &mut Value {
        let at = self.list.len();
        self.list.push(EMPTY);
        put_slice(&mut self.list[at].0, record, name);
        self.note_last(tag);
        &mut self.list[at].1
    }

    /// Adds a name that is not there; the place of its value, which is null.
    #[inline]
    pub(super) fn push_key(&mut self, name: &Str, tag: u8) -> &mut Value {
        let at = self.list.len();
        self.list.push(EMPTY);
        self.list[at].0 = name.clone();
        self.note_last(tag);
        &mut self.list[at].1
    }

    #[inline]
    fn note_last(&mut self, tag: u8) {
        let at = self.list.len() - 1;
        if at < NARROW {
            let shift = at * 4;
            self.tags = self.tags & !(0xf << shift) | u64::from(tag >> 4) << shift;
        } else {
            self.index_last(tag);
        }
    }

    #[cold]
    fn index_last(&mut self, tag: u8) {
        let last = self.list.len() - 1;
        match self.index.as_deref_mut() {
            Some(Index::Tags(tags)) if last < SCAN_LIMIT => tags[last] = tag,
            Some(Index::Table(table)) => {
                let rehash = |at: &u32| hash(self.list[*at as usize].0.as_str());
                table.insert_unique(rehash(&(last as u32)), last as u32, rehash);
            }
            _ => self.index_all(),
        }
    }

    /// Makes tags and index from the names.
    fn index_all(&mut self) {
        let names = || self.list.iter().map(|(name, _)| name.as_str());
        self.index = None;
        match self.list.len() {
            0..=NARROW => {
                let fours = names().enumerate().map(|(at, name)| u64::from(tag(name.as_bytes()) >> 4) << (at * 4));
                self.tags = fours.sum();
            }
            length if length <= SCAN_LIMIT => {
                let mut tags = [0; SCAN_LIMIT];
                tags.iter_mut().zip(names()).for_each(|(place, name)| *place = tag(name.as_bytes()));
                self.index = Some(Box::new(Index::Tags(tags)));
            }
            length => {
                let mut table = HashTable::with_capacity(length * 2);
                let rehash = |at: &u32| hash(self.list[*at as usize].0.as_str());
                for at in 0..length as u32 {
                    table.insert_unique(rehash(&at), at, rehash);
                }
                self.index = Some(Box::new(Index::Table(table)));
            }
        }
    }

    /// Takes an entry out, and hands back its value.
    pub(super) fn remove(&mut self, at: usize) -> Value {
        match self.index.as_deref_mut() {
            None => {
                let below = (1 << (at * 4)) - 1;
                self.tags = self.tags & below | self.tags >> 4 & !below;
                self.list.remove(at).1
            }
            Some(Index::Tags(tags)) => {
                tags.copy_within(at + 1.., at);
                let (_, value) = self.list.remove(at);
                if self.list.len() <= NARROW {
                    self.index_all();
                }
                value
            }
            Some(Index::Table(table)) => {
                // The last entry takes the place of the removed one, so that removal stays cheap in large maps.
                let last = self.list.len() - 1;
                forget(table, &self.list, at);
                if at != last {
                    forget(table, &self.list, last);
                }
                let (_, value) = self.list.swap_remove(at);
                let entries = &self.list;
                if entries.len() <= SCAN_LIMIT {
                    self.index_all();
                } else if at != last {
                    let rehash = |slot: &u32| hash(entries[*slot as usize].0.as_str());
                    table.insert_unique(rehash(&(at as u32)), at as u32, rehash);
                }
                value
            }
        }
    }

    /// Takes out all but the first entries, of which there are few.
    pub(super) fn shorten(&mut self, length: usize) {
        self.list.truncate(length);
        self.index_all();
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Str, &mut Value) -> bool) {
        self.list.retain_mut(|(name, value)| keep(name, value));
        self.index_all();
    }
}

/// Takes an entry out of the table.
fn forget(table: &mut HashTable<u32>, entries: &[(Str, Value)], gone: usize) {
    if let Ok(found) = table.find_entry(hash(entries[gone].0.as_str()), |slot| *slot as usize == gone) {
        found.remove();
    }
}
