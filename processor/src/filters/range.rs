//! Filter `range`: what to do with numbers and lengths within bounds.

use tailrace_common::{Event, FieldPath, Str, Value};

use super::ruby;
use crate::options::{Invalid, Options, value_text};
use crate::plan::template::{Template, TemplateError};
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "range",
    summary: "Drops, tags or adds a field to events whose number, or length of a text, lies within bounds.",
    example: "filter { range { ranges => [\"took\", 0, 100, \"tag:fast\", \"took\", 1000, 99999, \"field:speed:slow\"] } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let values = options.list("ranges");
    if !values.len().is_multiple_of(4) {
        options.error_at("ranges", "'ranges' takes fours: field, lowest, highest, action");
    }
    let mut ranges: Vec<Range> = Vec::new();
    for four in values.as_chunks::<4>().0 {
        match read(&mut options, four) {
            // Ranges of one field are looked at one after the other.
            Some(range) => {
                let at = ranges.iter().rposition(|known| known.field == range.field);
                ranges.insert(at.map_or(ranges.len(), |at| at + 1), range);
            }
            None => continue,
        }
    }
    let negate = options.boolean("negate", false);
    options.finish()?;
    Ok(Box::new(RangeFilter { ranges, negate }))
}

fn read(options: &mut Options<'_>, [field, low, high, action]: &[Value; 4]) -> Option<Range> {
    let (Value::String(field), Value::String(action)) = (field, action) else {
        options.error_at("ranges", "the field and the action of a range must be strings");
        return None;
    };
    if !matches!((low, high), (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_))) {
        options.error_at("ranges", format!("the bounds of '{field}' must be numbers"));
        return None;
    }
    let parts: Vec<&str> = action.as_str().trim_end_matches(':').split(':').collect();
    let action = match parts.as_slice() {
        ["drop"] => Action::Drop,
        ["tag", tag] => Action::Tag(Template::parse(tag)),
        ["field", name, value] => Action::Field(Template::parse(name), AddedValue::read(value)),
        _ => {
            let message = format!("'{action}' is no action; use drop, tag:NAME or field:NAME:VALUE");
            options.error_at("ranges", message);
            return None;
        }
    };
    Some(Range { field: options.path("ranges", field)?, low: low.clone(), high: high.clone(), action })
}

struct RangeFilter {
    ranges: Vec<Range>,
    /// Whether what lies outside of a range matches.
    negate: bool,
}

struct Range {
    field: FieldPath,
    low: Value,
    high: Value,
    action: Action,
}

enum Action {
    Drop,
    Tag(Template),
    Field(Template, AddedValue),
}

enum AddedValue {
    Number(Value),
    Text(Template),
}

impl AddedValue {
    /// What Ruby prints as it is written is a number.
    fn read(text: &str) -> AddedValue {
        let numbers = [ruby::to_i(text), Value::Float(ruby::to_f(text))];
        match numbers.into_iter().find(|number| ruby_to_s(number) == text) {
            Some(number) => AddedValue::Number(number),
            None => AddedValue::Text(Template::parse(text)),
        }
    }

    fn text(&self, event: &Event) -> Result<Str, TemplateError> {
        match self {
            AddedValue::Number(number) => Ok(value_text(number).into()),
            AddedValue::Text(template) => template.render(event),
        }
    }
}

impl Filter for RangeFilter {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        for range in &self.ranges {
            let Some(value) = event.get(&range.field) else { continue };
            if range.contains(value) == self.negate {
                continue;
            }
            match range.act(event) {
                Ok(true) => {}
                Ok(false) => return event.cancel(),
                Err(TemplateError(reason)) => return context.reject(event, reason),
            }
        }
        context.matched(event);
    }
}

impl Range {
    /// Whole numbers, doubles, and texts by their length; nothing else is within bounds.
    fn contains(&self, value: &Value) -> bool {
        let length;
        let number = match value {
            Value::Int(_) | Value::BigInt(_) | Value::Float(_) => value,
            Value::String(text) => {
                length = Value::from(text.chars().count());
                &length
            }
            _ => return false,
        };
        let at_least = self.low.compare_numbers(number).is_some_and(std::cmp::Ordering::is_le);
        at_least && number.compare_numbers(&self.high).is_some_and(std::cmp::Ordering::is_le)
    }

    /// False when the event is to be dropped.
    fn act(&self, event: &mut Event) -> Result<bool, TemplateError> {
        match &self.action {
            Action::Drop => return Ok(false),
            Action::Tag(tag) => {
                let tag = tag.render(event)?;
                event.tag(&tag);
            }
            Action::Field(name, added) => {
                let name = name.render(event)?;
                let malformed = |error: &dyn std::fmt::Display| TemplateError(error.to_string());
                let path = FieldPath::parse(&name).map_err(|error| malformed(&error))?;
                let value = match event.get(&path).cloned() {
                    None | Some(Value::Null | Value::Bool(false)) => match added {
                        AddedValue::Number(number) => number.clone(),
                        AddedValue::Text(_) => added.text(event)?.into(),
                    },
                    Some(Value::Array(mut values)) => {
                        values.push(added.text(event)?.into());
                        Value::Array(values)
                    }
                    Some(single) => Value::Array(vec![single, added.text(event)?.into()]),
                };
                event.set(&path, value).map_err(|error| malformed(&error))?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, check_all, run_with};

    #[test]
    fn actions_follow_numbers_and_lengths() {
        let config = "range { ranges => [\"n\", 0, 10, \"tag:small\", \"m\", 1, 2, \"field:len:%{m}\", \"n\", 5, 7.5, \
                      \"field:mid:7\", \"n\", 100, 200, \"drop\"] }";
        check_all(
            config,
            &[
                r#"{"n":5.0}"#,
                r#"{"n":150,"m":"x"}"#,
                r#"{"m":"日本","len":"old"}"#,
                r#"{"n":"12345","mid":[1]}"#,
                r#"{"n":[1]}"#,
            ],
            &[
                r#"{"n":5.0,"tags":["small"],"mid":7}"#,
                r#"{"m":"日本","len":["old","日本"]}"#,
                r#"{"n":"12345","tags":["small"],"mid":[1,"7"]}"#,
                r#"{"n":[1]}"#,
            ],
        );
        check(
            "range { negate => true ranges => [\"n\", 0, 1, \"tag:out\"] }",
            r#"{"n":[]}"#,
            &[r#"{"n":[],"tags":["out"]}"#],
        );
    }

    #[test]
    fn ranges_are_checked_at_load() {
        for ranges in [
            "\"a\", 0, 1",
            "\"a\", \"0\", 1, \"drop\"",
            "\"a\", 0, 1, \"keep\"",
            "\"a\", 0, 1, \"tag\"",
            "\"a\", 0, 1, \"field:x\"",
            "5, 0, 1, \"drop\"",
        ] {
            assert!(run_with("v8", &format!("range {{ ranges => [{ranges}] }}"), &[]).is_err(), "{ranges}");
        }
    }
}
