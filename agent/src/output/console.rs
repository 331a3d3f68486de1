//! `output.console`: documents on the standard output, one a line.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Output, OutputStats};
use crate::document::Documents;
use crate::pipeline::Batch;

pub(super) struct Console {
    stats: Arc<OutputStats>,
    text: Vec<u8>,
}

impl Console {
    pub(super) fn new(stats: Arc<OutputStats>) -> Console {
        Console { stats, text: Vec::new() }
    }
}

impl Output for Console {
    fn publish(&mut self, batch: Batch, documents: &mut Documents) {
        self.text.clear();
        let mut count = 0;
        documents.write(&batch, |outgoing| {
            self.text.extend_from_slice(outgoing.bytes);
            self.text.push(b'\n');
            count += 1;
        });
        self.stats.took(batch.entries.len(), count as usize);
        let mut out = io::stdout().lock();
        match out.write_all(&self.text).and_then(|()| out.flush()) {
            Ok(()) => {
                self.stats.acknowledged.fetch_add(count, Ordering::Relaxed);
                batch.ticket.acknowledge();
            }
            Err(error) => tracing::error!(%error, "cannot print"),
        }
    }
}
