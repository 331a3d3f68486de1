//! Wakes the reader's thread from its wait.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// A counter in the kernel that the reader waits for. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(super) fn new() -> Result<Waker, Errno> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Waker(Arc::new(fd)))
    }

    pub(super) fn wake(&self) {
        // Fails only when the counter is full: then the reader is woken anyway.
        rustix::io::write(&*self.0, &1u64.to_ne_bytes()).ok();
    }

    /// Takes all wakes so far.
    pub(super) fn reset(&self) {
        rustix::io::read(&*self.0, &mut [0; 8]).ok();
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
