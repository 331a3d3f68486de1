//! `now`: the time of processing in a field.

use std::sync::Arc;

use tailrace_common::{Event, Timestamp};

use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct Now(Field);

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    Some(Arc::new(Now(Field::new(section.required("field")?))))
}

impl Processor for Now {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.0.put(event, Timestamp::now().truncated_to_millis()).map(|()| Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use crate::processors::read::tests::changed;

    #[test]
    fn the_time_is_there() {
        assert!(changed("- now: {field: event.created}", "{}")["event"]["created"].is_string());
    }
}
