//! Processors: what changes events between reader and output (`processors` of an input and of the agent).

use std::fmt;
use std::sync::Arc;

use tailrace_common::Event;

use crate::pipeline::FileMeta;

/// One processor.
pub trait Processor: Send + Sync + fmt::Debug {
    /// Changes an event; `false` drops it.
    fn run(&self, event: &mut Event, file: &FileMeta) -> bool;
}

/// Processors in order.
#[derive(Clone, Debug, Default)]
pub struct Chain(Vec<Arc<dyn Processor>>);

impl Chain {
    /// These processors.
    pub fn new(processors: Vec<Arc<dyn Processor>>) -> Chain {
        Chain(processors)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Runs them; `false` when one dropped the event.
    pub fn run(&self, event: &mut Event, file: &FileMeta) -> bool {
        self.0.iter().all(|processor| processor.run(event, file))
    }
}
