//! What should be known of a file before its lines go out.

use std::fmt;
use std::time::Duration;

use super::FileMeta;

/// Where the looking up of facts about a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Awaits {
    /// All is known that there is to know.
    Nothing,
    /// They should have come by now: the lines go out without them.
    NoLonger,
    /// They may come any moment.
    Facts,
}

/// Somebody who looks up facts about files, on threads of its own.
pub trait Awaited: fmt::Debug + Send + Sync {
    /// Whether the lines of a file should wait; `waited` is how long they have been.
    fn awaits(&self, file: &FileMeta, waited: Duration) -> Awaits;
}
