//! `decode_duration`: `1m30s` becomes a number.

use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::{Section, parse_duration};
use crate::pipeline::FileMeta;

#[derive(Clone, Copy, Debug)]
enum Unit {
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

#[derive(Debug)]
struct DecodeDuration {
    field: Field,
    unit: Unit,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let units = [
        ("milliseconds", Unit::Milliseconds),
        ("seconds", Unit::Seconds),
        ("minutes", Unit::Minutes),
        ("hours", Unit::Hours),
    ];
    let unit = section.choice("format", &units, Unit::Milliseconds);
    Some(Arc::new(DecodeDuration { field: Field::new(section.required("field")?), unit }))
}

impl Processor for DecodeDuration {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let Some(text) = self.field.get(event).and_then(Value::as_str) else { return Ok(Verdict::Keep) };
        let (sign, size) = text.strip_prefix('-').map_or((1.0, text), |size| (-1.0, size));
        // A bare number is no duration for Go, except for 0.
        let duration =
            parse_duration(size).filter(|_| size == "0" || size.ends_with(|last: char| !last.is_ascii_digit()));
        let duration =
            duration.ok_or_else(|| Failure(format!("field '{}' is no duration: '{text}'", self.field.name())))?;
        let seconds = sign * duration.as_secs_f64();
        let number = match self.unit {
            Unit::Milliseconds => Value::Int((seconds * 1000.0) as i64),
            Unit::Seconds => Value::Float(seconds),
            Unit::Minutes => Value::Float(seconds / 60.0),
            Unit::Hours => Value::Float(seconds / 3600.0),
        };
        self.field.put(event, number).map(|()| Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn durations_become_numbers() {
        for (format, text, wanted) in [
            ("milliseconds", "1m30s", json!(90000)),
            ("seconds", "-1500ms", json!(-1.5)),
            ("minutes", "90s", json!(1.5)),
            ("hours", "90m", json!(1.5)),
            ("seconds", "12", json!("12")),
        ] {
            let yaml = format!("- decode_duration: {{field: d, format: {format}}}");
            assert_eq!(changed(&yaml, &format!("{{\"d\":\"{text}\"}}"))["d"], wanted, "{text}");
        }
    }
}
