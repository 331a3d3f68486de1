//! How far quickstart is, in numbers.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Serialize;

/// How far quickstart is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Progress {
    /// Lines read per second, over the last seconds.
    pub(crate) lines_per_second: f64,
    /// Entries read since the start.
    pub(crate) read: u64,
    /// Documents in the index since the start.
    pub(crate) indexed: u64,
    /// Bytes in the files that are not read yet.
    pub(crate) behind: u64,
    /// Documents that went to the dead letters.
    pub(crate) failed: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} lines/s, read {}, indexed {}, behind {} bytes, failed {}",
            self.lines_per_second, self.read, self.indexed, self.behind, self.failed
        )
    }
}

/// Rates are taken over this long.
const WINDOW: Duration = Duration::from_secs(3);

/// Turns a counter into a rate.
#[derive(Debug, Default)]
pub(crate) struct Rate(VecDeque<(Instant, u64)>);

impl Rate {
    /// The rate per second over the last seconds, the counter standing at `count` now.
    pub(crate) fn at(&mut self, now: Instant, count: u64) -> f64 {
        self.0.push_back((now, count));
        while self.0.len() > 2 && self.0.get(1).is_some_and(|(then, _)| now.duration_since(*then) >= WINDOW) {
            self.0.pop_front();
        }
        let Some((then, before)) = self.0.front() else { return 0.0 };
        let seconds = now.duration_since(*then).as_secs_f64();
        if seconds > 0.0 { count.saturating_sub(*before) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_taken_over_the_window() {
        let mut rate = Rate::default();
        let start = Instant::now();
        let second = |number| start + Duration::from_secs(number);
        assert_eq!(rate.at(second(0), 0), 0.0);
        assert_eq!(rate.at(second(1), 100), 100.0);
        assert_eq!(rate.at(second(4), 400), 100.0);
        assert_eq!(rate.at(second(7), 400), 0.0);
    }
}
