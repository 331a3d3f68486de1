//! From pipeline to pipeline in one process: outputs send to an address, an input listens there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::input::{Feed, InputDecoration};

/// The addresses of one process.
#[derive(Default)]
pub struct Bus {
    addresses: Mutex<HashMap<String, Address>>,
    /// While pipelines are being started, outputs may be missing that will send.
    starting: AtomicBool,
}

/// Who listens at an address.
#[derive(Clone)]
pub struct Listener {
    /// Takes batches.
    pub feed: Feed,
    /// What the input adds to events.
    pub decoration: Arc<InputDecoration>,
}

#[derive(Default)]
struct Address {
    /// The input that listens.
    listener: Option<Listener>,
    /// Outputs that may still send.
    senders: usize,
    /// Whether an output ever did.
    used: bool,
}

/// The address has an input already.
#[derive(Debug, thiserror::Error)]
#[error("another pipeline input listens at the address '{0}'")]
pub struct AddressTaken(pub String);

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

impl Bus {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Address>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether further pipelines of this process are about to be started.
    pub fn set_starting(&self, starting: bool) {
        self.starting.store(starting, Ordering::SeqCst);
    }

    /// An input listens from now on.
    pub fn listen(&self, address: &str, listener: Listener) -> Result<(), AddressTaken> {
        let mut addresses = self.lock();
        let held = addresses.entry(address.into()).or_default();
        if held.listener.is_some() {
            return Err(AddressTaken(address.into()));
        }
        held.listener = Some(listener);
        Ok(())
    }

    /// The input is gone.
    pub fn hang_up(&self, address: &str) {
        if let Some(held) = self.lock().get_mut(address) {
            held.listener = None;
        }
    }

    /// One more output may send.
    pub fn attach(&self, address: &str) {
        let mut addresses = self.lock();
        let held = addresses.entry(address.into()).or_default();
        held.senders += 1;
        held.used = true;
    }

    /// One output less will send.
    pub fn detach(&self, address: &str) {
        if let Some(held) = self.lock().get_mut(address) {
            held.senders = held.senders.saturating_sub(1);
        }
    }

    /// Whoever listens.
    pub fn listener(&self, address: &str) -> Option<Listener> {
        self.lock().get(address).and_then(|held| held.listener.clone())
    }

    /// Whether nothing will come any more: all outputs that could send are gone; `stopping` counts where there never was
    /// one.
    pub fn is_over(&self, address: &str, stopping: bool) -> bool {
        if self.starting.load(Ordering::SeqCst) {
            return false;
        }
        self.lock().get(address).is_none_or(|held| held.senders == 0 && (held.used || stopping))
    }
}
