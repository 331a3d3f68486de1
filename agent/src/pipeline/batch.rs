//! Batches, and the channel on which the reader hands them to the outputs.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::{Entry, FileMeta, Holds, Text, Ticket};

/// Consecutive entries of one file.
///
/// May hold no entries: then only the position moves (all lines were excluded), and the ticket still is to be
/// acknowledged.
#[derive(Debug)]
pub struct Batch {
    /// The file.
    pub file: Arc<FileMeta>,
    /// What the entries' spans point into.
    pub text: Text,
    /// The entries in the file's order.
    pub entries: Vec<Entry>,
    /// To be acknowledged when every entry is safe downstream.
    pub ticket: Ticket,
}

impl Batch {
    /// The entry's message.
    pub fn message(&self, entry: &Entry) -> &[u8] {
        entry.message.of(&self.text)
    }
}

/// The reader's end of the channel.
#[derive(Clone, Debug)]
pub struct Outlet {
    batches: Sender<Batch>,
    holds: Holds,
}

/// The outputs are gone; the batch comes back.
#[derive(Debug, thiserror::Error)]
#[error("the output has stopped")]
pub struct Refused(pub Box<Batch>);

impl Outlet {
    /// Hands a batch over. Never blocks: what is on the way is bounded by the reader's [`Pool`](super::Pool), whose
    /// bytes come back when the output drops the batch's text.
    ///
    /// # Errors
    /// When the outputs are gone.
    pub fn send(&self, batch: Batch) -> Result<(), Refused> {
        self.batches.send(batch).map_err(|refused| Refused(Box::new(refused.0)))
    }

    /// The files that the outputs want no more of for now.
    pub fn holds(&self) -> &Holds {
        &self.holds
    }
}

/// The channel between the reader and the outputs.
///
/// The output keeps back-pressure alive by holding on to a batch's text (or what it made of it) until it is sent:
/// dropping [`Batch::text`] tells the reader that there is room for more. Ticket and text may be dropped apart.
#[expect(clippy::disallowed_methods, reason = "the reader's pool bounds it: see Outlet::send")]
pub fn channel() -> (Outlet, Receiver<Batch>) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    (Outlet { batches: sender, holds: Holds::default() }, receiver)
}
