//! The options that every input has: `add_field`, `tags`, `type` (`inputs/base.rb`).

use tailrace_common::{Event, FieldPath, Str, Value};

use crate::options::{Options, value_text};
use crate::plan::decorate::add_value;
use crate::plan::template::Template;

/// The common options of one input.
#[derive(Debug, Default)]
pub struct InputDecoration {
    kind: Option<Str>,
    tags: Vec<Str>,
    add_field: Vec<(FieldPath, Template)>,
}

impl InputDecoration {
    /// Reads the common options, `id` and `enable_metric` among them.
    pub fn read(options: &mut Options<'_>) -> InputDecoration {
        options.string("id");
        options.boolean("enable_metric", true);
        let kind = options.string("type").map(Str::from);
        let tags = options.strings("tags").into_iter().map(Str::from).collect();
        let fields = options.hash("add_field");
        let add_field = fields.into_iter().filter_map(|(name, value)| {
            Some((options.path("add_field", &name)?, Template::parse(&value_text(&value))))
        });
        InputDecoration { kind, tags, add_field: add_field.collect() }
    }

    /// Applies them to an event.
    pub fn apply(&self, event: &mut Event) {
        if let Some(kind) = &self.kind
            && !event.fields().contains("type")
        {
            event.fields_mut().insert("type", kind.clone());
        }
        for tag in &self.tags {
            event.push_tag(tag.clone());
        }
        for (path, template) in &self.add_field {
            let text = template.render_lenient(event);
            // A field below one that is no map stays unset.
            let _unset = add_value(event, path, Value::String(text));
        }
    }
}
