//! What keeps records from getting lost between an input and the outputs: leases, the ledger of offsets, dead letters.

pub mod bus;
pub mod dead_letters;
pub mod lease;
pub mod ledger;

pub use bus::Bus;
pub use dead_letters::DeadLetters;
pub use lease::{Lease, Share};
pub use ledger::Ledger;
