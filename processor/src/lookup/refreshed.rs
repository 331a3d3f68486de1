//! A file that is read when the configuration is, and again when it changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arc_swap::{ArcSwap, Guard};
use tailrace_common::Timestamp;

/// Up to this many seconds the time of the file is looked at before it is read again, as the translate filter does.
const SHORT_INTERVAL: i64 = 300;

/// What a file held when it was last read without error.
pub(crate) struct Refreshed<T> {
    path: PathBuf,
    current: ArcSwap<T>,
    /// Seconds between two looks at the file; never again when 0.
    interval: i64,
    /// The second of the next look.
    due: AtomicI64,
    state: Mutex<Option<State>>,
    refreshed: AtomicU64,
    failed: AtomicU64,
}

/// When the file was changed last, and its length.
type State = (SystemTime, u64);

fn state(path: &Path) -> Option<State> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl<T> Refreshed<T> {
    /// Reads the file for the first time.
    pub(crate) fn open<E>(
        path: PathBuf,
        interval: f64,
        now: Timestamp,
        read: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Result<Refreshed<T>, E> {
        let seen = state(&path);
        let current = ArcSwap::from_pointee(read(&path)?);
        let interval = if interval > 0.0 { (interval.ceil() as i64).max(1) } else { 0 };
        Ok(Refreshed {
            current,
            interval,
            due: AtomicI64::new(now.secs.saturating_add(interval)),
            state: Mutex::new(seen),
            refreshed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            path,
        })
    }

    /// What the file held.
    pub(crate) fn get(&self) -> Guard<Arc<T>> {
        self.current.load()
    }

    /// Reads the file again when it is time and it has changed. Only one worker does; the others go on with what they
    /// have. When the file is broken, what it held stays.
    pub(crate) fn refresh<E: std::fmt::Display>(&self, now: Timestamp, read: impl FnOnce(&Path, &T) -> Result<T, E>) {
        let due = self.due.load(Ordering::Relaxed);
        if self.interval == 0 || now.secs < due {
            return;
        }
        let next = now.secs.saturating_add(self.interval);
        if self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let seen = state(&self.path);
        {
            let mut known = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.is_some() && *known == seen && self.interval <= SHORT_INTERVAL {
                return;
            }
            *known = seen;
        }
        let path = self.path.display();
        match read(&self.path, &self.get()) {
            Ok(value) => {
                self.current.store(Arc::new(value));
                self.refreshed.fetch_add(1, Ordering::Relaxed);
                tracing::info!(%path, "read again");
            }
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%path, %error, "cannot be read again; its old content stays");
            }
        }
    }

    /// How often it was read again, with success and without.
    pub(crate) fn numbers(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("refreshes", self.refreshed.load(Ordering::Relaxed)),
            ("refresh_failures", self.failed.load(Ordering::Relaxed)),
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1000)
    }

    fn number(path: &Path) -> Result<u32, String> {
        fs::read_to_string(path).map_err(|error| error.to_string())?.trim().parse().map_err(|_| "no number".to_string())
    }

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n");
        fs::write(&path, "1").unwrap();
        let file = Refreshed::open(path.clone(), 60.0, at(0), number).unwrap();
        fs::write(&path, "22").unwrap();
        file.refresh(at(59), |path, _| number(path));
        assert_eq!(**file.get(), 1, "not before its time");
        file.refresh(at(60), |path, _| number(path));
        assert_eq!(**file.get(), 22);
        fs::write(&path, "broken").unwrap();
        file.refresh(at(120), |path, _| number(path));
        fs::remove_file(&path).unwrap();
        file.refresh(at(180), |path, _| number(path));
        assert_eq!(**file.get(), 22);
        assert_eq!(file.numbers(), [("refreshes", 1), ("refresh_failures", 2)]);
    }
}
