//! Filter `extractnumbers`: the numbers in a text as fields of their own.

use tailrace_common::{Event, FieldPath, Str, Value};

use super::ruby;
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "extractnumbers",
    summary: "Puts the numbers of a text into int1, int2, float1, float2 and so on.",
    example: "filter { extractnumbers { source => \"message\" } }",
    build,
};

/// So many numbers of a text are taken; more of them are noise.
const LIMIT: usize = 10_000;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let source = options.field("source").unwrap_or_else(|| FieldPath::field("message"));
    options.finish()?;
    Ok(Box::new(ExtractNumbers { source }))
}

struct ExtractNumbers {
    source: FieldPath,
}

impl Filter for ExtractNumbers {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let text = match event.get(&self.source) {
            None | Some(Value::Null | Value::Bool(false)) => return,
            Some(Value::Array(values)) => values.first(),
            single => single,
        };
        let Some(Value::String(text)) = text else {
            context.reject(event, format!("'{}' is no text", self.source));
            return;
        };
        let (mut whole, mut fractions) = (0_usize, 0_usize);
        let text = text.clone();
        for word in text.as_str().split_ascii_whitespace().take(LIMIT) {
            let (name, value) = if let Some(number) = ruby::integer(word) {
                whole += 1;
                (format!("int{whole}"), number)
            } else if let Some(number) = ruby::float(word) {
                fractions += 1;
                (format!("float{fractions}"), Value::Float(number))
            } else {
                continue;
            };
            event.fields_mut().insert(Str::from(name), value);
        }
        context.matched(event);
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::check;

    #[test]
    fn numbers_are_counted_by_kind() {
        check(
            "extractnumbers { remove_field => \"message\" }",
            r#"{"message":"a 1 b 2.5 0x10 3ms -4 .5 1_0"}"#,
            &[r#"{"int1":1,"float1":2.5,"int2":16,"int3":-4,"float2":0.5,"int4":10}"#],
        );
        check("extractnumbers { }", r#"{"message":["7 8","9"]}"#, &[r#"{"message":["7 8","9"],"int1":7,"int2":8}"#]);
        check("extractnumbers { }", r#"{"message":5}"#, &[]);
    }
}
