//! What the threads that ask others have in common.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

/// Runs something on a thread of its own until it is done or the other end of `stopped` is dropped.
pub(crate) fn spawn<F: Future<Output = ()>>(
    name: &str,
    stopped: oneshot::Receiver<()>,
    run: impl FnOnce() -> F + Send + 'static,
) {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        match runtime {
            Ok(runtime) => runtime.block_on(async {
                let work = pin!(run());
                tokio::select! {
                    () = work => {}
                    _ = stopped => {}
                }
            }),
            Err(error) => tracing::error!(%error, "cannot look up metadata"),
        }
    };
    if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(work) {
        tracing::error!(%error, "cannot look up metadata");
    }
}

/// How long to wait before something is tried again: longer each time.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    /// Whether it has not failed since it worked.
    pub(crate) fn is_first(&self) -> bool {
        self.failures == 0
    }

    /// It works.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait now.
    pub(crate) fn next(&mut self) -> Duration {
        let wait = Backoff::FIRST.saturating_mul(1 << self.failures.min(10)).min(Backoff::LONGEST);
        self.failures += 1;
        // Not all agents of a cluster at once.
        wait.mul_f64(0.75 + fastrand::f64() / 2.0)
    }
}

/// Tells that something has changed.
#[derive(Default)]
pub(crate) struct Changes {
    count: Mutex<u64>,
    changed: Condvar,
    /// Who is told too.
    others: Mutex<Vec<Weak<Changes>>>,
}

impl Changes {
    /// Something has.
    pub(crate) fn happened(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.retain(|other| other.upgrade().inspect(|other| other.happened()).is_some());
    }

    /// Tells another one too, as long as somebody holds it.
    pub(crate) fn tell(&self, other: &Arc<Changes>) {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(other));
    }

    /// How often something has.
    pub(crate) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it was more often than `seen`, at most for so long.
    pub(crate) fn wait(&self, seen: u64, longest: Duration) -> u64 {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(count, longest, |count| *count == seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changes({})", self.count())
    }
}
