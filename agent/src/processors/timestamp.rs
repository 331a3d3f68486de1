//! `timestamp`: the moment in a text becomes `@timestamp`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tailrace_common::{Event, Timestamp, Value};

use super::golayout::Layout;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::decode::syslog::named_zone;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct ParseTimestamp {
    field: Field,
    target: Field,
    layouts: Vec<Kind>,
    zone: TimeZone,
    ignore_missing: bool,
    ignore_failure: bool,
}

#[derive(Debug)]
enum Kind {
    /// `UNIX`: seconds.
    Seconds,
    /// `UNIX_MS`
    Millis,
    Layout(Layout),
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let field = section.required("field");
    section.require("layouts");
    let layouts = section.raw_texts("layouts").into_iter().map(|layout| match layout.as_str() {
        "UNIX" => Kind::Seconds,
        "UNIX_MS" => Kind::Millis,
        other => Kind::Layout(Layout::new(other)),
    });
    let layouts = layouts.collect();
    let zone = match section.text("timezone") {
        None => TimeZone::UTC,
        Some("Local") => TimeZone::system(),
        Some(name) => named_zone(name).unwrap_or_else(|| {
            section.error("timezone", format!("'{name}' is no time zone"), None);
            TimeZone::UTC
        }),
    };
    let target = Field::new(section.text("target_field").unwrap_or("@timestamp"));
    section.text("id");
    let parse = ParseTimestamp {
        field: Field::new(field.unwrap_or_default()),
        target,
        layouts,
        zone,
        ignore_missing: section.boolean("ignore_missing", false),
        ignore_failure: section.boolean("ignore_failure", false),
    };
    for text in section.raw_texts("test") {
        if parse.moment(&Value::from(text.as_str())).is_none() {
            section.error("test", format!("the test '{text}' fits none of the layouts"), None);
        }
    }
    field.map(|_| -> Arc<dyn Processor> { Arc::new(parse) })
}

impl ParseTimestamp {
    fn moment(&self, value: &Value) -> Option<Timestamp> {
        if let Value::Timestamp(moment) = value {
            return Some(*moment);
        }
        self.layouts.iter().find_map(|kind| match (kind, value) {
            (Kind::Layout(layout), Value::String(text)) => layout.parse(text, &self.zone, this_year()),
            (Kind::Seconds, value) => unix(value, 1_000_000_000),
            (Kind::Millis, value) => unix(value, 1_000_000),
            (Kind::Layout(_), _) => None,
        })
    }
}

fn this_year() -> i16 {
    i16::try_from(Timestamp::now().date().year).unwrap_or(1970)
}

/// So many units of `nanos` nanoseconds since 1970.
fn unix(value: &Value, nanos: i64) -> Option<Timestamp> {
    let whole = match value {
        Value::Int(number) => Some(*number),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let nanos = match (whole, value) {
        (Some(number), _) => i128::from(number) * i128::from(nanos),
        (None, Value::String(text)) => (text.parse::<f64>().ok()? * nanos as f64) as i128,
        (None, value) => (value.as_f64()? * nanos as f64) as i128,
    };
    let second = 1_000_000_000;
    let secs = i64::try_from(nanos.div_euclid(second)).ok()?;
    Some(Timestamp { secs, nanos: u32::try_from(nanos.rem_euclid(second)).ok()? })
}

impl Processor for ParseTimestamp {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let Some(value) = self.field.get(event) else {
            if self.ignore_failure || self.ignore_missing {
                return Ok(Verdict::Keep);
            }
            return Err(Failure(format!("failed to get time field {}: key not found", self.field.name())));
        };
        let moment = self.moment(value).ok_or_else(|| {
            Failure(format!("failed parsing time field {}='{}'", self.field.name(), super::field::text_of(value)))
        });
        match moment.and_then(|moment| self.target.put(event, moment)) {
            Err(failure) if !self.ignore_failure => Err(failure),
            _ => Ok(Verdict::Keep),
        }
    }
}

#[cfg(test)]
mod tests {
    use tailrace_common::Timestamp;

    use crate::processors::read::tests::{changed, problems, run};

    #[test]
    fn the_first_layout_that_fits_counts() {
        let yaml = "- timestamp: {field: t, timezone: +08:00, layouts: [UNIX_MS, UNIX, '2006-01-02 15:04:05'], test: ['2024-01-01 00:00:00']}";
        for (event, millis) in [
            (r#"{"t":"2024-01-01 08:00:00"}"#, 1_704_067_200_000),
            (r#"{"t":1704067200123}"#, 1_704_067_200_123),
            (r#"{"t":"no"}"#, 1_700_000_000_123),
            ("{}", 1_700_000_000_123),
        ] {
            assert_eq!(run(yaml, event).1.timestamp(), Some(Timestamp::from_millis(millis)), "{event}");
        }
        let target = "- timestamp: {field: t, target_field: at, layouts: [UNIX]}";
        assert_eq!(changed(target, r#"{"t":1.5}"#)["at"], "1970-01-01T00:00:01.500Z");
        assert_eq!(
            problems("- timestamp: {field: t, layouts: ['2006'], test: [x]}"),
            ["the test 'x' fits none of the layouts"]
        );
    }
}
