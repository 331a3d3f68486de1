//! `add_id`: a random id, for what has none. Lines of files have a deterministic one already, which is kept.

use std::sync::Arc;

use tailrace_common::Event;
use uuid::Uuid;

use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct AddId {
    target: Field,
}

const DEFAULT_TARGET: &str = "@metadata._id";

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.choice("type", &[("elasticsearch", ())], ());
    Some(Arc::new(AddId { target: Field::new(section.text("target_field").unwrap_or(DEFAULT_TARGET)) }))
}

impl Processor for AddId {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        if self.target.name() == DEFAULT_TARGET && self.target.get(event).is_some() {
            return Ok(Verdict::Keep);
        }
        self.target.put(event, Uuid::new_v4().simple().to_string()).map(|()| Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use crate::processors::read::tests::changed;

    #[test]
    fn ids_differ() {
        let made = |text: &str| changed("- add_id: {target_field: event.id}", text);
        assert_ne!(made("{}"), made("{}"));
        assert_eq!(made("{}")["event"]["id"].as_str().map(str::len), Some(32));
    }
}
