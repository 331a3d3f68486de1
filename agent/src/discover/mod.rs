//! Which files there are: globs, watches, and who a file is.

pub mod glob;
mod stat;
mod watch;

pub use stat::Stat;
pub use watch::{Seen, WatchId, Watcher};
