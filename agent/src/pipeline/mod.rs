//! What flows from the reader to the outputs: batches of decoded entries, and the acknowledgements that come back.
//!
//! ```text
//! tail ──Batch──► processors, encoder, output ──Ticket::acknowledge──► acks ──► registry
//! ```
//!
//! A batch holds the entries of one file, in order, as slices of one shared buffer. Its ticket is the promise: only
//! when the output calls [`Ticket::acknowledge`] may the file's committed position move past the batch, and only when
//! every earlier batch of the file was acknowledged too. A ticket that is dropped unacknowledged moves nothing: its
//! lines are read again after a restart.

mod awaited;
mod batch;
mod buffer;
mod entry;
mod holds;
mod meta;
mod position;
mod ticket;

pub use awaited::{Awaited, Awaits};
pub use batch::{Batch, Outlet, Refused, channel};
pub use buffer::{Pool, Text};
pub use entry::{Entry, Extra, Failure, FailureKind, Flags, Loss, Span, Stream};
pub use holds::Holds;
pub use meta::{EventId, FileKey, FileMeta};
pub use position::{Position, RangeSet};
pub use ticket::{Acks, Commit, SharedTicket, Ticket};
