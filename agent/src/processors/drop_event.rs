//! `drop_event`: the event goes nowhere.

use std::sync::Arc;

use tailrace_common::Event;

use super::{Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct DropEvent;

/// Without a condition of its own every event that comes here is dropped: right for a branch of `if`.
pub(super) fn read(_section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    Some(Arc::new(DropEvent))
}

impl Processor for DropEvent {
    fn run(&self, _event: &mut Event, _file: &FileMeta) -> Outcome {
        Ok(Verdict::Drop)
    }

    fn is_per_file(&self) -> bool {
        true
    }
}
