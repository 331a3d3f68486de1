//! Filter `uuid`: a random UUID in a field.

use tailrace_common::{Event, FieldPath, Value};

use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "uuid",
    summary: "Puts a random UUID into a field.",
    example: "filter { uuid { target => \"[event][id]\" } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("target");
    let target = options.field("target");
    let overwrite = options.boolean("overwrite", false);
    options.finish()?;
    Ok(Box::new(Uuid { target: target.ok_or(Invalid)?, overwrite }))
}

struct Uuid {
    target: FieldPath,
    overwrite: bool,
}

impl Filter for Uuid {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let vacant = matches!(event.get(&self.target), None | Some(Value::Null | Value::Bool(false)));
        if (self.overwrite || vacant)
            && let Err(error) = event.set(&self.target, ::uuid::Uuid::new_v4().to_string())
        {
            context.reject(event, error.to_string());
            return;
        }
        context.matched(event);
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run, run_with};

    #[test]
    fn a_value_is_kept_unless_it_may_be_overwritten() {
        check("uuid { target => \"u\" add_tag => \"t\" }", r#"{"u":"x"}"#, &[r#"{"u":"x","tags":["t"]}"#]);
        for config in ["uuid { target => \"u\" }", "uuid { target => \"u\" overwrite => true }"] {
            let got = run(
                &format!("{config} if [u] =~ /^[0-9a-f-]{{36}}$/ {{ mutate {{ add_tag => \"ok\" }} }}"),
                &[r#"{"u":null}"#, r#"{}"#],
            );
            assert!(got.iter().all(|event| event.contains("\"ok\"")), "{got:?}");
        }
        assert!(run_with("v8", "uuid { }", &[]).is_err());
    }
}
