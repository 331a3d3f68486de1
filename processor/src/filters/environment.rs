//! Filter `environment`: environment variables in `@metadata`.

use tailrace_common::{Event, FieldPath, Value};

use crate::options::{Invalid, Options, value_text};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "environment",
    summary: "Puts environment variables into @metadata.",
    example: "filter { environment { add_metadata_from_env => { \"region\" => \"REGION\" } } }",
    build,
};

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let mut values = Vec::new();
    for (field, variable) in options.hash("add_metadata_from_env") {
        let variable = value_text(&variable);
        // A variable that is not set gives null, as in Logstash.
        let value = (build.expand)(&format!("${{{variable}}}")).map_or(Value::Null, Value::from);
        values
            .extend(options.path("add_metadata_from_env", &format!("[@metadata][{field}]")).map(|path| (path, value)));
    }
    options.finish()?;
    Ok(Box::new(Environment { values }))
}

struct Environment {
    values: Vec<(FieldPath, Value)>,
}

impl Filter for Environment {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        for (path, value) in &self.values {
            if let Err(error) = event.set(path, value.clone()) {
                context.reject(event, error.to_string());
                return;
            }
        }
        context.matched(event);
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::check;

    #[test]
    fn variables_that_are_not_set_are_null() {
        check(
            "environment { add_metadata_from_env => { \"region\" => \"NO_SUCH_VARIABLE_HERE\" } }",
            r#"{"a":1}"#,
            &[r#"{"a":1,"@metadata":{"region":null}}"#],
        );
    }
}
