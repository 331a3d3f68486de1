//! What the end-to-end tests stand on: real servers, the `tailrace` program, faults between them.

pub(crate) mod browser;
pub(crate) mod elastic;
pub(crate) mod kafka;
pub(crate) mod logs;
pub(crate) mod program;
pub(crate) mod proxy;
pub(crate) mod reject;
pub(crate) mod services;
pub(crate) mod stage;

use std::time::{Duration, Instant};

/// How long a test waits for something that must happen. Generous: a loaded machine is slow, and only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Calls `probe` until it gives a value; panics with `what` when [`PATIENCE`] runs out.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(150));
    }
}

/// A name for a topic, index or group that no other test and no earlier run has.
pub(crate) fn unique(prefix: &str) -> String {
    format!("{prefix}-{}-{:08x}", std::process::id(), fastrand::u32(..))
}
