//! Durable positions: how far every file is delivered.
//!
//! One append-only file of checksummed lines, written and synced by a thread of its own in groups, rewritten when most
//! of it is out of date. A line that is torn or rotten is left out; everything before and after it counts.

mod command;
mod format;
mod import;
mod manage;
mod record;
mod store;
mod writer;

pub use command::RegistryArgs;
pub use format::read_records;
pub use import::import;
pub use manage::{export, forget, show};
pub use record::{FileState, HEAD_LENGTH, Head, TAIL_LENGTH, Tail};
pub(crate) use store::is_full;
pub use store::{RegistryError, Store};
pub use writer::{Change, Status, Writer};
