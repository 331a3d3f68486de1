//! Which sequence numbers of a connection are to be acknowledged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::delivery::{Lease, Ledger};

/// The events of one connection that are on their way, and those that are safe.
#[derive(Default)]
pub(super) struct Acks {
    state: Mutex<State>,
    moved: Notify,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    /// Events of the connection so far.
    given: i64,
    /// For each batch, in order: events of the connection up to its end, and the sequence number to acknowledge.
    marks: VecDeque<(i64, u32)>,
}

impl Acks {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease for the next `count` events, the last of which is number `sequence` of its window.
    pub(super) fn lease(self: &Arc<Self>, count: usize, sequence: u32) -> Lease {
        let mut state = self.lock();
        state.given += count as i64;
        let end = state.given;
        state.marks.push_back((end, sequence));
        let id = state.ledger.issue(end);
        drop(state);
        let acks = self.clone();
        Lease::new(move || {
            if acks.lock().ledger.release(id) {
                acks.moved.notify_one();
            }
        })
    }

    /// The sequence numbers that became due, in order.
    pub(super) fn due(&self) -> Vec<u32> {
        let mut state = self.lock();
        let Some(safe) = state.ledger.watermark() else { return Vec::new() };
        let count = state.marks.iter().take_while(|(end, _)| *end <= safe).count();
        state.marks.drain(..count).map(|(_, sequence)| sequence).collect()
    }

    /// Whether nothing is on its way.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().ledger.is_settled()
    }

    /// Waits until something may have become due.
    pub(super) async fn changed(&self) {
        self.moved.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_acknowledged_in_order() {
        let acks = Arc::new(Acks::default());
        let (first, rest, next) = (acks.lease(10, 10), acks.lease(5, 15), acks.lease(3, 3));
        next.close();
        assert!(acks.due().is_empty());
        first.close();
        assert_eq!(acks.due(), [10]);
        rest.close();
        assert_eq!(acks.due(), [15, 3]);
        assert!(acks.is_settled() && acks.due().is_empty());
    }

    #[test]
    fn what_is_lost_is_never_acknowledged() {
        let acks = Arc::new(Acks::default());
        let (lost, safe) = (acks.lease(1, 1), acks.lease(1, 2));
        drop(lost);
        safe.close();
        assert!(acks.due().is_empty() && !acks.is_settled());
    }
}
