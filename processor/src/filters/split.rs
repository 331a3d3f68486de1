//! Filter `split`: makes an event of each part of a text or list.

use tailrace_common::{Event, FieldPath, Value};

use super::mutate::strings;
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "split",
    summary: "Makes an event of each element of a list, or of each part of a text.",
    example: "filter { split { field => \"[data][rows]\" target => \"row\" } }",
    build,
};

const FAILURE: &str = "_split_type_failure";
const TOO_MANY: &str = "_split_too_many";

/// What has more parts stays whole: each becomes a copy of the event.
const LIMIT: usize = 100_000;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let terminator = options.string("terminator").unwrap_or_else(|| "\n".into());
    let field = options.field("field").unwrap_or_else(|| FieldPath::field("message"));
    let target = options.field("target");
    options.finish()?;
    Ok(Box::new(Split { terminator, field, target }))
}

struct Split {
    terminator: String,
    field: FieldPath,
    target: Option<FieldPath>,
}

impl Filter for Split {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match event.get(&self.field) {
            Some(Value::Array(values)) if values.len() > LIMIT => context.failed(event, &[TOO_MANY]),
            Some(Value::Array(values)) => {
                // Without a target the list itself makes room, and is not copied into every part.
                let values = match self.target {
                    Some(_) => values.clone(),
                    None => match event.remove(&self.field) {
                        Some(Value::Array(values)) => values,
                        _ => Vec::new(),
                    },
                };
                self.part(event, values.into_iter(), context);
            }
            Some(Value::String(text)) => {
                let text = text.clone();
                let parts = strings::split_all(&text, &self.terminator);
                if parts.len() > LIMIT {
                    context.failed(event, &[TOO_MANY]);
                } else if parts.len() != 1 {
                    let full = parts.into_iter().filter(|part| !part.is_empty());
                    let slices = full.map(|part| Value::String(text.slice_ref(part)));
                    self.part(event, slices, context);
                }
            }
            _ => context.failed(event, &[FAILURE]),
        }
    }
}

impl Split {
    /// Emits an event for each part that is not empty, and gives the event itself up.
    fn part(&self, event: &mut Event, parts: impl Iterator<Item = Value>, context: &mut FilterContext<'_>) {
        let target = self.target.as_ref().unwrap_or(&self.field);
        for part in parts.filter(|part| !part.is_null() && part.as_str() != Some("")) {
            let mut child = event.clone();
            if let Err(error) = child.set(target, part) {
                context.reject(event, error.to_string());
                return;
            }
            context.matched(&mut child);
            context.emit(child);
        }
        event.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::testing::{check, run};

    #[test]
    fn texts_are_cut_and_lists_taken_apart() {
        for (config, event, expected) in [
            ("split { }", r#"{"message":"a\n\nb\n"}"#, &[r#"{"message":"a"}"#, r#"{"message":"b"}"#][..]),
            ("split { }", r#"{"message":"a"}"#, &[r#"{"message":"a"}"#]),
            ("split { }", r#"{"message":""}"#, &[]),
            ("split { terminator => \" \" }", r#"{"message":" a  b "}"#, &[r#"{"message":"a"}"#, r#"{"message":"b"}"#]),
            ("split { terminator => \"\" }", r#"{"message":"ab"}"#, &[r#"{"message":"a"}"#, r#"{"message":"b"}"#]),
            ("split { field => \"l\" }", r#"{"l":[1,null,"",[]]}"#, &[r#"{"l":1}"#, r#"{"l":[]}"#]),
            ("split { field => \"l\" }", r#"{"l":[]}"#, &[]),
            ("split { field => \"l\" target => \"e\" }", r#"{"l":["x"]}"#, &[r#"{"l":["x"],"e":"x"}"#]),
            ("split { field => \"n\" }", r#"{"n":7}"#, &[r#"{"n":7,"tags":["_split_type_failure"]}"#]),
        ] {
            check(config, event, expected);
        }
    }

    #[test]
    fn what_has_too_many_parts_stays_whole() {
        for message in [format!("\"{}\"", "a\\n".repeat(LIMIT + 1)), format!("[{}1]", "1,".repeat(LIMIT))] {
            let got = run("split { }", &[&format!("{{\"message\":{message}}}")]);
            assert!(got.len() == 1 && got[0].contains(TOO_MANY));
        }
    }

    #[test]
    fn a_part_without_a_place_is_rejected() {
        check("split { field => \"l\" target => \"[s][x]\" }", r#"{"l":[1,2],"s":"text"}"#, &[]);
    }
}
