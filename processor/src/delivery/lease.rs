//! Leases: an input hands out a batch and gets it back when every event is safe.
//!
//! Each part of the work on a batch holds a [`Share`]. A share that is done is returned by [`Share::done`]; one that is
//! dropped otherwise (a panic, a shutdown in the middle) is lost, and with it the lease: it is never released, the input
//! never commits it, and its records are read again.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Release = Box<dyn FnOnce() + Send>;

struct Inner {
    outstanding: AtomicUsize,
    release: Mutex<Option<Release>>,
}

/// What an input gives out with a batch.
pub struct Lease(Share);

/// A part of the work on a batch.
#[must_use = "a share that is dropped keeps its batch from ever being committed"]
pub struct Share(Arc<Inner>);

impl Lease {
    /// A lease; `release` is called once, when all shares are done.
    pub fn new(release: impl FnOnce() + Send + 'static) -> Lease {
        let release: Release = Box::new(release);
        Lease(Share(Arc::new(Inner { outstanding: AtomicUsize::new(1), release: Mutex::new(Some(release)) })))
    }

    /// A lease that nobody waits for, for inputs that cannot read again.
    pub fn free() -> Lease {
        Lease::new(|| ())
    }

    /// A share for one more part of the work.
    pub fn share(&self) -> Share {
        self.0.another()
    }

    /// No more shares will be made; what is shared so far decides.
    pub fn close(self) {
        self.0.done();
    }
}

impl Share {
    /// A second share, for work that is split up.
    pub fn another(&self) -> Share {
        self.0.outstanding.fetch_add(1, Ordering::Relaxed);
        Share(self.0.clone())
    }

    /// This part is safe.
    pub fn done(self) {
        if self.0.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            let release = self.0.release.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(release) = release {
                release();
            }
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({} outstanding)", self.0.0.outstanding.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> (Lease, Arc<AtomicUsize>) {
        let released = Arc::new(AtomicUsize::new(0));
        let counter = released.clone();
        (
            Lease::new(move || {
                counter.fetch_add(1, Ordering::SeqCst);
            }),
            released,
        )
    }

    #[test]
    fn released_when_every_share_is_done() {
        let (lease, released) = counted();
        let (one, two) = (lease.share(), lease.share());
        let three = one.another();
        one.done();
        lease.close();
        two.done();
        assert_eq!(released.load(Ordering::SeqCst), 0);
        three.done();
        assert_eq!(released.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn never_released_when_a_share_is_lost() {
        let (lease, released) = counted();
        drop(lease.share());
        lease.close();
        assert_eq!(released.load(Ordering::SeqCst), 0);
    }
}
