//! Caches that are used by several processors, and that go on when the configuration is read again.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Everything that is in use, by its settings.
pub(crate) struct Shared<S, T>(Mutex<Vec<(S, Weak<T>)>>);

impl<S: PartialEq + Clone, T> Shared<S, T> {
    /// Nothing is in use.
    pub(crate) const fn new() -> Shared<S, T> {
        Shared(Mutex::new(Vec::new()))
    }

    /// What is in use with these settings, else a new one.
    pub(crate) fn get(&self, settings: &S, make: impl FnOnce(S) -> T) -> Arc<T> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.retain(|(_, one)| one.strong_count() > 0);
        if let Some(one) = used.iter().find(|(known, _)| known == settings).and_then(|(_, one)| one.upgrade()) {
            return one;
        }
        let one = Arc::new(make(settings.clone()));
        used.push((settings.clone(), Arc::downgrade(&one)));
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_settings_share_while_somebody_holds_it() {
        let shared = Shared::new();
        let one = shared.get(&1, |settings| settings);
        assert!(Arc::ptr_eq(&one, &shared.get(&1, |settings| settings)));
        assert!(!Arc::ptr_eq(&one, &shared.get(&2, |settings| settings)));
        drop(one);
        assert_eq!(*shared.get(&1, |settings| settings * 10), 10);
    }
}
