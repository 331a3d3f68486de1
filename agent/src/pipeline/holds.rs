//! Files that are not to be read for a while, because what they lead to has no room.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::FileKey;

/// The files that the outputs hold back, shared with the reader. Cheap to clone.
///
/// The reader's [`Pool`](super::Pool) bounds what is on the way altogether; this keeps the files of one destination
/// that is stuck from taking all of it.
#[derive(Clone, Default)]
pub struct Holds(Arc<Shared>);

#[derive(Default)]
struct Shared {
    count: AtomicUsize,
    files: Mutex<HashSet<FileKey>>,
    on_release: Mutex<Option<Box<dyn Fn() + Send>>>,
}

impl Holds {
    /// Holds a file; `false` when it was held already.
    pub fn hold(&self, file: FileKey) -> bool {
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        let new = files.insert(file);
        self.0.count.store(files.len(), Ordering::Release);
        new
    }

    /// Lets files be read again.
    pub fn release(&self, released: &[FileKey]) {
        if released.is_empty() {
            return;
        }
        let mut files = self.0.files.lock().unwrap_or_else(PoisonError::into_inner);
        for file in released {
            files.remove(file);
        }
        self.0.count.store(files.len(), Ordering::Release);
        drop(files);
        if let Some(wake) = &*self.0.on_release.lock().unwrap_or_else(PoisonError::into_inner) {
            wake();
        }
    }

    /// Whether a file is held. Costs nothing while none is.
    pub fn is_held(&self, file: FileKey) -> bool {
        self.0.count.load(Ordering::Acquire) > 0
            && self.0.files.lock().unwrap_or_else(PoisonError::into_inner).contains(&file)
    }

    /// How many files are held.
    pub fn count(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Calls `wake` when files may be read again.
    pub fn on_release(&self, wake: impl Fn() + Send + 'static) {
        *self.0.on_release.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(wake));
    }
}

impl fmt::Debug for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Holds({} files)", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_file_is_held_until_it_is_released() {
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = woken.clone();
        let holds = Holds::default();
        holds.on_release(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let (one, other) = (FileKey([1; 16]), FileKey([2; 16]));
        assert!(holds.hold(one));
        assert!(!holds.hold(one));
        assert!(holds.is_held(one) && !holds.is_held(other));
        holds.release(&[one]);
        assert!(!holds.is_held(one));
        assert_eq!((holds.count(), woken.load(Ordering::Relaxed)), (0, 1));
    }
}
