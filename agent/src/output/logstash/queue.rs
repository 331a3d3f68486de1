//! The windows that wait for a link.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pipeline::SharedTicket;

/// Events that are sent and acknowledged together.
pub(super) struct Window {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
    /// Has a part for each window of its batch.
    pub(super) ticket: SharedTicket,
}

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Window>,
    /// Windows that wait or are on the way.
    unacknowledged: usize,
    closed: bool,
}

/// What there is for a link.
pub(super) enum Next {
    Window(Window),
    Nothing,
    /// Nothing more will come.
    Closed,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, window: Window) {
        let mut state = self.state();
        state.waiting.push_back(window);
        state.unacknowledged += 1;
        self.changed.notify_all();
    }

    /// Windows that were sent in vain go first the next time, in their order.
    pub(super) fn give_back(&self, windows: impl DoubleEndedIterator<Item = Window>) {
        let mut state = self.state();
        windows.rev().for_each(|window| state.waiting.push_front(window));
        self.changed.notify_all();
    }

    /// The next window, waiting at most so long for it.
    pub(super) fn take(&self, wait: Duration) -> Next {
        let waits = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let waited = self.changed.wait_timeout_while(self.state(), wait, waits);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.waiting.pop_front() {
            Some(window) => Next::Window(window),
            None if state.closed => Next::Closed,
            None => Next::Nothing,
        }
    }

    pub(super) fn acknowledged(&self) {
        self.state().unacknowledged -= 1;
        self.changed.notify_all();
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.state().unacknowledged
    }

    /// Waits until fewer than `most` are not acknowledged, at most so long.
    pub(super) fn wait_for_room(&self, most: usize, wait: Duration) {
        let is_full = |state: &mut State| state.unacknowledged >= most;
        drop(self.changed.wait_timeout_while(self.state(), wait, is_full));
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}
