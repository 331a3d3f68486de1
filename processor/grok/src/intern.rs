//! The patterns that are in use: of equal ones only the first is parsed and compiled. A configuration has some patterns
//! many times over, and several pipelines have the same.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use crate::error::Error;
use crate::parse::Options;
use crate::regex::Shared;

/// How many patterns are kept at least before those that are no longer in use are looked for.
const FEW: usize = 64;

/// What makes two regular expressions the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) pattern: String,
    pub(crate) options: Options,
    pub(crate) groups: Groups,
}

/// Which groups are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Groups {
    All,
    /// And those that are referred to.
    Named,
}

#[derive(Default)]
struct Table {
    known: HashMap<Key, Weak<Shared>>,
    /// How many were in use when that was last looked at.
    in_use: usize,
}

/// The regular expression of the key, made unless it is there.
pub(crate) fn interned(key: Key, make: impl FnOnce(Key) -> Result<Shared, Error>) -> Result<Arc<Shared>, Error> {
    static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);
    let lock = || TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(shared) = lock().known.get(&key).and_then(Weak::upgrade) {
        return Ok(shared);
    }
    // Not under the lock; that two threads make the same does no harm.
    let shared = Arc::new(make(key)?);
    lock().add(&shared);
    Ok(shared)
}

impl Table {
    fn add(&mut self, shared: &Arc<Shared>) {
        if self.known.len() >= FEW.max(2 * self.in_use) {
            self.known.retain(|_, known| known.strong_count() > 0);
            self.in_use = self.known.len();
        }
        self.known.insert(shared.key().clone(), Arc::downgrade(shared));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(pattern: &str, groups: Groups) -> Arc<Shared> {
        interned(Key { pattern: pattern.to_owned(), options: Options::default(), groups }, Shared::new).unwrap()
    }

    #[test]
    fn equal_patterns_are_one_as_long_as_they_are_in_use() {
        let first = shared("intern(a)", Groups::All);
        assert!(Arc::ptr_eq(&first, &shared("intern(a)", Groups::All)));
        assert!(!Arc::ptr_eq(&first, &shared("intern(a)", Groups::Named)));
        let old = Arc::downgrade(&first);
        drop(first);
        assert!(old.upgrade().is_none());
        shared("intern(a)", Groups::All);
    }

    #[test]
    fn the_table_forgets_what_is_no_longer_in_use() {
        let mut table = Table::default();
        for number in 0..10 * FEW {
            table.add(&shared(&format!("forgotten{number}"), Groups::All));
        }
        assert!(table.known.len() <= FEW);
    }
}
