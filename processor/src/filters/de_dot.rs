//! Filter `de_dot`: takes the dots out of names.

use tailrace_common::{Event, FieldPath, Value};

use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "de_dot",
    summary: "Replaces the dots in the names of fields, or makes nested fields of them.",
    example: "filter { de_dot { nested => true } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let separator = options.string("separator").unwrap_or_else(|| "_".into());
    if separator.contains('.') {
        options.error_at("separator", "'separator' cannot be or contain a dot");
    }
    let nested = options.boolean("nested", false);
    let recursive = options.boolean("recursive", false);
    let given = options.strings("fields");
    for name in &given {
        options.path("fields", name);
    }
    let fields = options.is_set("fields").then_some(given);
    let tags = options.tags("tag_on_failure", "_de_dot_error");
    options.finish()?;
    let separator = if nested { "][".to_string() } else { separator };
    Ok(Box::new(DeDot { separator, recursive, fields, tags }))
}

struct DeDot {
    /// `][` makes nested fields.
    separator: String,
    recursive: bool,
    /// References as written; all top-level fields when not set.
    fields: Option<Vec<String>>,
    tags: Vec<String>,
}

/// A name that is no reference, or has no place: the fields before it are renamed.
struct Failed;

impl Filter for DeDot {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let outcome = match &self.fields {
            Some(fields) => fields.iter().try_for_each(|field| self.field(event, field)),
            None => {
                let names = event.fields().keys().filter(|name| self.recursive || name.contains('.'));
                let names: Vec<String> = names.map(ToString::to_string).collect();
                names.iter().try_for_each(|field| self.field(event, field))
            }
        };
        match outcome {
            Ok(()) => context.matched(event),
            Err(Failed) => context.failed(event, &self.tags),
        }
    }
}

impl DeDot {
    /// Renames one field and, recursively, those below it.
    fn field(&self, event: &mut Event, written: &str) -> Result<(), Failed> {
        if !(self.recursive || written.contains('.')) || event.get(&path(written)?).is_none() {
            return Ok(());
        }
        // Names below are put behind the reference, as Logstash does it.
        let mut open = vec![written.to_string()];
        while let Some(reference) = open.pop() {
            let renamed = self.rename(event, reference)?;
            if self.recursive
                && let Some(Value::Object(object)) = event.get(&path(&renamed)?)
            {
                open.extend(object.iter().rev().map(|(name, _)| format!("{renamed}[{name}]")));
            }
        }
        Ok(())
    }

    /// The reference under which the field is found afterwards.
    fn rename(&self, event: &mut Event, mut reference: String) -> Result<String, Failed> {
        if self.recursive || self.separator == "][" {
            if !reference.starts_with('[') {
                reference.insert(0, '[');
            }
            if !reference.ends_with(']') {
                reference.push(']');
            }
        }
        if !reference.contains('.') {
            return Ok(reference);
        }
        let renamed = reference.replace('.', &self.separator);
        let (from, to, gone) = (path(&reference)?, path(&renamed)?, path(&first_dotted(&reference))?);
        // Makes room first, so that nothing is lost when there is none.
        event.set(&to, Value::Null).map_err(|_| Failed)?;
        let value = if gone == from { event.remove(&from) } else { event.get(&from).cloned() };
        event.set(&to, value.unwrap_or_default()).map_err(|_| Failed)?;
        event.remove(&gone);
        Ok(renamed)
    }
}

/// The reference up to the first name with a dot: the whole tree below goes.
fn first_dotted(reference: &str) -> String {
    let mut prefix = String::with_capacity(reference.len());
    let names = reference.replace('[', "");
    for name in names.split(']') {
        prefix.push('[');
        prefix.push_str(name);
        prefix.push(']');
        if name.contains('.') {
            break;
        }
    }
    prefix
}

fn path(reference: &str) -> Result<FieldPath, Failed> {
    FieldPath::parse(reference).map_err(|_| Failed)
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn dots_become_separators_or_levels() {
        for (config, event, expected) in [
            ("de_dot { }", r#"{"a.b.c":1,"d":2}"#, r#"{"a_b_c":1,"d":2}"#),
            ("de_dot { nested => true }", r#"{"a.b.c":1,"a":{"z":0}}"#, r#"{"a":{"z":0,"b":{"c":1}}}"#),
            (
                "de_dot { fields => [\"[o][x.y]\", \"no.pe\"] }",
                r#"{"o":{"x.y":3},"a.b":1}"#,
                r#"{"o":{"x_y":3},"a.b":1}"#,
            ),
            ("de_dot { recursive => true }", r#"{"a.b":{"c.d":{"e.f":1}}}"#, r#"{"a_b":{"c_d":{"e_f":1}}}"#),
            (
                "de_dot { recursive => true nested => true }",
                r#"{"a":{"b.c":1,"l":[{"x.y":1}]}}"#,
                r#"{"a":{"b":{"c":1},"l":[{"x.y":1}]}}"#,
            ),
        ] {
            check(config, event, &[expected]);
        }
    }

    #[test]
    fn a_text_in_the_way_is_tagged() {
        let expected = r#"{"x":{"y":1},"a.b":1,"a":"text","tags":["_de_dot_error"]}"#;
        check("de_dot { nested => true }", r#"{"x.y":1,"a.b":1,"a":"text"}"#, &[expected]);
        assert!(run_with("v8", "de_dot { separator => \".\" }", &[]).is_err());
    }
}
