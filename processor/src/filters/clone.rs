//! Filter `clone`: copies events.

use tailrace_common::{Event, Str};

use crate::lang::diagnostic::Diagnostic;
use crate::options::{Invalid, Options, shared};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "clone",
    summary: "Copies events; each copy bears its name as a tag, or as type when ECS is off.",
    example: "filter { clone { clones => [\"audit\"] } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("clones");
    let clones: Vec<Str> = options.strings("clones").iter().map(|name| shared(name)).collect();
    if options.is_set("clones") && clones.is_empty() {
        let span = options.span_of("clones");
        options.report(Diagnostic::warning("no-clones", &span, "'clones' is empty, so nothing is copied"));
    }
    let tagged = options.ecs().enabled();
    options.finish()?;
    Ok(Box::new(Clone { clones, tagged }))
}

struct Clone {
    clones: Vec<Str>,
    /// Whether a copy bears its name as a tag and not as `type`.
    tagged: bool,
}

impl Filter for Clone {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        for name in &self.clones {
            let mut copy = event.clone();
            if self.tagged {
                copy.tag(name);
            } else {
                copy.fields_mut().insert("type", name.clone());
            }
            context.matched(&mut copy);
            context.emit(copy);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn copies_follow_their_original_and_alone_are_decorated() {
        check(
            "clone { clones => [\"a\", \"b\"] add_tag => [\"copy\"] }",
            r#"{"n":1,"type":"x"}"#,
            &[
                r#"{"n":1,"type":"x"}"#,
                r#"{"n":1,"type":"a","tags":["copy"]}"#,
                r#"{"n":1,"type":"b","tags":["copy"]}"#,
            ],
        );
    }

    #[test]
    fn the_list_is_needed() {
        assert!(run_with("disabled", "clone { }", &[]).is_err());
    }
}
