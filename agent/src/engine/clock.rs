//! The reader's clock, which its tests can put forward.

use std::time::{Duration, Instant};

use tailrace_common::Timestamp;

/// A clock that only goes forward.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    ahead: Duration,
}

impl Clock {
    pub(super) fn now(self) -> Instant {
        Instant::now() + self.ahead
    }

    /// The time of day, for what outlives the process.
    pub(super) fn wall(self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    /// Lets time pass at once.
    #[cfg(test)]
    pub(super) fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }
}
