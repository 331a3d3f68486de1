//! Filter `truncate`: cuts texts that are too long.

use tailrace_common::{Event, FieldPath, Str, Value};

use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "truncate",
    summary: "Cuts texts to a number of bytes, at a whole character.",
    example: "filter { truncate { fields => [\"message\"] length_bytes => 10000 } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("length_bytes");
    let length = options.number("length_bytes").unwrap_or_default();
    let names = options.strings("fields");
    let fields = names.iter().filter_map(|name| Some((options.path("fields", name)?, name.contains('['))));
    let fields = fields.collect();
    let fields = options.is_set("fields").then_some(fields);
    options.finish()?;
    let length = (length >= 0.0).then_some(length as usize);
    Ok(Box::new(Truncate { fields, length }))
}

struct Truncate {
    /// The fields to cut, and whether each is written in brackets; all when not set.
    fields: Option<Vec<(FieldPath, bool)>>,
    /// Texts longer than this are cut; of less than nothing nothing remains.
    length: Option<usize>,
}

/// A map whose fields Logstash has no names for.
struct NoName(String);

impl Filter for Truncate {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match self.cut_event(event) {
            Ok(true) => context.matched(event),
            Ok(false) => {}
            Err(NoName(name)) => context.reject(event, format!("invalid field reference '{name}'")),
        }
    }
}

impl Truncate {
    /// Whether something was cut.
    fn cut_event(&self, event: &mut Event) -> Result<bool, NoName> {
        let mut any = false;
        let Some(fields) = &self.fields else {
            for (name, value) in event.fields_mut().iter_mut() {
                check_name(name)?;
                any |= self.cut(value)?;
            }
            return Ok(any);
        };
        for (path, bracketed) in fields {
            match event.get_mut(path) {
                // Logstash puts the names of the map behind the name of the field, which only works in brackets.
                Some(Value::Object(object)) if !bracketed => {
                    if let Some((name, _)) = object.iter().next() {
                        return Err(NoName(format!("{path}[{name}]")));
                    }
                }
                Some(value) => any |= self.cut(value)?,
                None => {}
            }
        }
        Ok(any)
    }

    /// Cuts a text, the texts of a list, and what is in a map; lists in lists and maps in lists stay.
    fn cut(&self, value: &mut Value) -> Result<bool, NoName> {
        let mut any = false;
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::String(_) => any |= self.cut_text(value),
                Value::Array(values) => values.iter_mut().for_each(|value| any |= self.cut_text(value)),
                Value::Object(object) => {
                    for (name, value) in object.iter_mut() {
                        check_name(name)?;
                        open.push(value);
                    }
                }
                _ => {}
            }
        }
        Ok(any)
    }

    fn cut_text(&self, value: &mut Value) -> bool {
        let Value::String(text) = value else { return false };
        let Some(length) = self.length else {
            *value = Value::Null;
            return true;
        };
        if text.len() <= length {
            return false;
        }
        let end = text.floor_char_boundary(length);
        *value = Value::String(Str::from(&text[..end]));
        true
    }
}

/// Names that no field reference can hold end Logstash.
fn check_name(name: &Str) -> Result<(), NoName> {
    if name.is_empty() || name.contains(['[', ']']) { Err(NoName(format!("[{name}]"))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn characters_are_kept_whole() {
        for (length, cut) in [(7, "中文"), (6, "中文"), (5, "中"), (2, ""), (0, "")] {
            let config = format!("truncate {{ fields => [\"a\"] length_bytes => {length} }}");
            check(&config, r#"{"a":"中文日志"}"#, &[&format!("{{\"a\":\"{cut}\"}}")]);
        }
    }

    #[test]
    fn decorates_only_what_it_cut() {
        let config = "truncate { fields => \"[a]\" length_bytes => 2 add_tag => [\"cut\"] }";
        check(
            config,
            r#"{"a":{"b":{"c":"xyz"},"l":["abc",["abc"],{"k":"abc"}]}}"#,
            &[r#"{"a":{"b":{"c":"xy"},"l":["ab",["abc"],{"k":"abc"}]},"tags":["cut"]}"#],
        );
        check(config, r#"{"a":"xy"}"#, &[r#"{"a":"xy"}"#]);
    }

    #[test]
    fn maps_need_a_name_in_brackets() {
        check("truncate { fields => [\"a\"] length_bytes => 2 }", r#"{"a":{"b":"xyz"}}"#, &[]);
        check("truncate { length_bytes => 2 }", r#"{"x[y":"xyz"}"#, &[]);
        check("truncate { fields => [\"a\"] length_bytes => -1 }", r#"{"a":"b"}"#, &[r#"{"a":null}"#]);
        assert!(run_with("disabled", "truncate { fields => [\"a\"] }", &[]).is_err());
    }
}
