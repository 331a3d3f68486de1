//! Read buffers: taken from one pool with a limit in bytes, given back when their batch is dropped.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Buffers larger than this are freed instead of kept.
const LARGEST_KEPT: usize = 1 << 20;
/// How many bytes of unused buffers are kept for the next read.
const MOST_KEPT: usize = 4 << 20;

/// The reader's memory: what is read but not yet let go by the outputs never takes more than the limit.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    limit: usize,
    state: Mutex<State>,
    on_room: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    used: usize,
    kept: Vec<Vec<u8>>,
    kept_bytes: usize,
    starved: bool,
}

impl Pool {
    /// A pool of `limit` bytes. `on_room` is called when bytes come back after [`Pool::take`] had to refuse.
    pub fn new(limit: usize, on_room: impl Fn() + Send + Sync + 'static) -> Pool {
        Pool(Arc::new(Shared { limit, state: Mutex::default(), on_room: Box::new(on_room) }))
    }

    /// An empty buffer with room for `capacity` bytes; `None` when the outputs hold too much already. A buffer larger
    /// than the whole limit is given when nothing else is out, so that the longest line still gets through.
    pub fn take(&self, capacity: usize) -> Option<Text> {
        let mut state = self.0.lock();
        if state.used > 0 && state.used + capacity > self.0.limit {
            state.starved = true;
            return None;
        }
        let bytes = state.take_kept(capacity).unwrap_or_else(|| Vec::with_capacity(capacity));
        let charge = bytes.capacity().max(capacity);
        state.used += charge;
        drop(state);
        Some(Text { bytes, charge, pool: Some(self.0.clone()) })
    }

    /// Bytes that are out.
    pub fn used(&self) -> usize {
        self.0.lock().used
    }

    /// Frees the buffers kept for the next read; for when all files are idle.
    pub fn trim(&self) {
        let mut state = self.0.lock();
        state.kept_bytes = 0;
        let kept = std::mem::take(&mut state.kept);
        drop(state);
        drop(kept);
    }
}

impl State {
    /// The smallest kept buffer that is large enough, but no giant for a few bytes.
    fn take_kept(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &Vec<u8>| buffer.capacity() >= capacity && buffer.capacity() / 4 <= capacity;
        let found = self.kept.iter().rposition(fits)?;
        let buffer = self.kept.swap_remove(found);
        self.kept_bytes -= buffer.capacity();
        Some(buffer)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, mut buffer: Vec<u8>, charge: usize) {
        let mut state = self.lock();
        state.used -= charge;
        if buffer.capacity() <= LARGEST_KEPT && state.kept_bytes + buffer.capacity() <= MOST_KEPT {
            buffer.clear();
            state.kept_bytes += buffer.capacity();
            state.kept.push(buffer);
        }
        let wake = std::mem::take(&mut state.starved);
        drop(state);
        if wake {
            (self.on_room)();
        }
    }
}

/// The bytes of a batch: as read from the file, followed by joined lines and whatever else entries point to.
///
/// Dereferences to the bytes.
#[derive(Default)]
pub struct Text {
    bytes: Vec<u8>,
    charge: usize,
    pool: Option<Arc<Shared>>,
}

impl Deref for Text {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Text {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

/// A buffer outside of any pool, for tests and for inputs that bound their memory themselves.
impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        Text { bytes, charge: 0, pool: None }
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give_back(std::mem::take(&mut self.bytes), self.charge);
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn the_limit_holds_until_bytes_come_back() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let pool = Pool::new(100, move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let first = pool.take(60).unwrap();
        assert!(pool.take(60).is_none());
        assert_eq!(wakes.load(Ordering::Relaxed), 0);
        drop(first);
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert!(pool.take(60).is_some());
        assert_eq!(pool.used(), 0);
    }

    #[test]
    fn a_buffer_beyond_the_limit_is_given_when_nothing_else_is_out() {
        let pool = Pool::new(100, || {});
        let large = pool.take(1000).unwrap();
        assert!(pool.take(1).is_none());
        drop(large);
        assert!(pool.take(1).is_some());
    }

    #[test]
    fn buffers_are_used_again() {
        let pool = Pool::new(1 << 20, || {});
        let mut text = pool.take(5000).unwrap();
        text.extend_from_slice(b"old bytes");
        let address = text.as_ptr();
        drop(text);
        let again = pool.take(4000).unwrap();
        assert_eq!((again.as_ptr(), again.len()), (address, 0));
    }
}
