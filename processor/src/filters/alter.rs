//! Filter `alter`: values that depend on values.

use tailrace_common::{Event, FieldPath, Value};

use crate::options::{Invalid, Options, value_text};
use crate::plan::template::{Template, TemplateError};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "alter",
    summary: "Rewrites fields that have a certain value, or takes the first value that there is.",
    example: "filter { alter { condrewrite => [\"level\", \"WARN\", \"warning\"] \
              coalesce => [\"client\", \"%{forwarded}\", \"%{remote}\", \"unknown\"] } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let mut rewrites = Vec::new();
    for row in rows::<3>(&mut options, "condrewrite") {
        let [field, expected, value] = row;
        let field = options.path("condrewrite", &field);
        rewrites.extend(field.map(|field| Rewrite {
            target: None,
            field,
            expected: Template::parse(&expected),
            value: Template::parse(&value),
        }));
    }
    for row in rows::<4>(&mut options, "condrewriteother") {
        let [field, expected, target, value] = row;
        let (field, target) = (options.path("condrewriteother", &field), options.path("condrewriteother", &target));
        rewrites.extend(field.zip(target).map(|(field, target)| Rewrite {
            target: Some(target),
            field,
            expected: Template::parse(&expected),
            value: Template::parse(&value),
        }));
    }
    let coalesce = coalesce(&mut options);
    options.finish()?;
    Ok(Box::new(Alter { rewrites, coalesce }))
}

/// A flat list cut into rows.
fn rows<const N: usize>(options: &mut Options<'_>, option: &'static str) -> Vec<[String; N]> {
    let values = options.strings(option);
    if !values.len().is_multiple_of(N) {
        options.error_at(option, format!("'{option}' takes {N} elements for each rule"));
    }
    values.as_chunks::<N>().0.to_vec()
}

fn coalesce(options: &mut Options<'_>) -> Option<(FieldPath, Vec<Template>)> {
    let values = options.list("coalesce");
    if options.is_set("coalesce") && values.len() < 2 {
        options.error_at("coalesce", "'coalesce' takes a field and at least one value");
        return None;
    }
    let (field, values) = values.split_first()?;
    let field = options.path("coalesce", &value_text(field))?;
    Some((field, values.iter().map(|value| Template::parse(&value_text(value))).collect()))
}

struct Alter {
    rewrites: Vec<Rewrite>,
    coalesce: Option<(FieldPath, Vec<Template>)>,
}

/// Gives a field a value when it, or another, has a certain one.
struct Rewrite {
    field: FieldPath,
    expected: Template,
    /// The field itself when not set.
    target: Option<FieldPath>,
    value: Template,
}

impl Filter for Alter {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match self.apply(event) {
            Ok(()) => context.matched(event),
            Err(TemplateError(reason)) => context.reject(event, reason),
        }
    }
}

impl Alter {
    fn apply(&self, event: &mut Event) -> Result<(), TemplateError> {
        for rewrite in &self.rewrites {
            rewrite.apply(event)?;
        }
        if let Some((field, values)) = &self.coalesce {
            for value in values {
                let text = value.render(event)?;
                if is_something(&text) {
                    set(event, field, text.into())?;
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Rewrite {
    fn apply(&self, event: &mut Event) -> Result<(), TemplateError> {
        let expected = self.expected.render(event)?;
        let equals = |value: &Value| value.as_str() == Some(expected.as_str());
        let hit = match event.get(&self.field) {
            Some(Value::Array(values)) => values.iter().any(equals),
            Some(value) => equals(value),
            None => false,
        };
        if !hit {
            return Ok(());
        }
        let value = Value::String(self.value.render(event)?);
        match (&self.target, event.get_mut(&self.field)) {
            (Some(target), _) => set(event, target, value),
            (None, Some(Value::Array(values))) => {
                values.iter_mut().filter(|held| equals(held)).for_each(|held| *held = value.clone());
                Ok(())
            }
            (None, _) => set(event, &self.field, value),
        }
    }
}

fn set(event: &mut Event, path: &FieldPath, value: Value) -> Result<(), TemplateError> {
    event.set(path, value).map_err(|error| TemplateError(error.to_string()))
}

/// Whether a text counts as a value for `coalesce`: a percent sign in it says that nothing was filled in, unless it is
/// that of a reference of one letter.
fn is_something(text: &str) -> bool {
    let one_letter = text.match_indices("%{").any(|(at, _)| {
        let mut letters = text[at + 2..].chars();
        letters.next().is_some_and(|letter| letter != '}') && letters.next() == Some('}')
    });
    text != "nil" && (!text.contains('%') || one_letter)
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn fields_are_rewritten() {
        let config =
            "alter { condrewrite => [\"s\", \"a\", \"%{x}\"] condrewriteother => [\"s\", \"b\", \"[o][t]\", \"hit\"] }";
        for (event, expected) in [
            (r#"{"s":"a","x":"1"}"#, r#"{"s":"1","x":"1"}"#),
            (r#"{"s":["a","b",5],"x":"1"}"#, r#"{"s":["1","b",5],"x":"1","o":{"t":"hit"}}"#),
            (r#"{"s":5}"#, r#"{"s":5}"#),
        ] {
            check(config, event, &[expected]);
        }
    }

    #[test]
    fn the_first_value_that_is_one_is_taken() {
        let config = "alter { coalesce => [\"c\", \"%{first}\", \"nil\", \"%{second}\", \"none\"] }";
        check(config, r#"{"second":"x"}"#, &[r#"{"second":"x","c":"x"}"#]);
        check(config, r#"{}"#, &[r#"{"c":"none"}"#]);
        check("alter { coalesce => [\"c\", \"%{a}\", \"none\"] }", r#"{}"#, &[r#"{"c":"%{a}"}"#]);
    }

    #[test]
    fn rules_are_whole() {
        for options in ["condrewrite => [\"a\", \"b\"]", "condrewriteother => [\"a\"]", "coalesce => [\"a\"]"] {
            assert!(run_with("v8", &format!("alter {{ {options} }}"), &[]).is_err(), "{options}");
        }
    }
}
