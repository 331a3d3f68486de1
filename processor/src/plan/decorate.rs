//! The options that every filter has: `add_field`, `remove_field`, `add_tag`, `remove_tag` (`filters/base.rb`,
//! `util/decorators.rb`), applied in this order when a filter succeeds.

use std::borrow::Cow;

use tailrace_common::{Event, FieldPath, Str, Value};

use super::template::{Template, TemplateError};
use crate::options::{Options, value_text};

/// The common options of one filter.
#[derive(Debug, Default)]
pub struct Decoration {
    add_field: Vec<(Template, Vec<Template>)>,
    remove_field: Vec<Template>,
    add_tag: Vec<Template>,
    remove_tag: Vec<Template>,
    idle: bool,
}

impl Decoration {
    /// Reads the common options, `id`, `enable_metric` and `periodic_flush` among them.
    pub fn read(options: &mut Options<'_>) -> Decoration {
        for obsolete in ["type", "tags", "exclude_tags"] {
            options.obsolete(obsolete, "put the filter into an 'if' instead");
        }
        options.string("id");
        options.boolean("enable_metric", true);
        options.boolean("periodic_flush", false);
        let add_field = options.hash("add_field").into_iter().map(|(name, value)| {
            let values = match value {
                Value::Array(values) => values,
                single => vec![single],
            };
            (Template::parse(&name), values.iter().map(|value| Template::parse(&value_text(value))).collect())
        });
        let mut decoration = Decoration { add_field: add_field.collect(), ..Decoration::default() };
        let templates = |texts: Vec<String>| texts.iter().map(|text| Template::parse(text)).collect();
        decoration.remove_field = templates(options.strings("remove_field"));
        decoration.add_tag = templates(options.strings("add_tag"));
        decoration.remove_tag = templates(options.strings("remove_tag"));
        decoration.idle = decoration.add_field.is_empty()
            && decoration.remove_field.is_empty()
            && decoration.add_tag.is_empty()
            && decoration.remove_tag.is_empty();
        decoration
    }

    /// Applies them to an event.
    ///
    /// # Errors
    /// A reference or pattern turned out malformed, or a field cannot be set; what came before it stays done.
    pub fn apply(&self, event: &mut Event) -> Result<(), TemplateError> {
        if self.idle {
            return Ok(());
        }
        for (name, values) in &self.add_field {
            if values.is_empty() {
                let path = path_of(name, event)?;
                add_empty_list(event, &path)?;
            }
            for value in values {
                let text = value.render(event)?;
                let path = path_of(name, event)?;
                add_value(event, &path, text.into())?;
            }
        }
        for name in &self.remove_field {
            let path = path_of(name, event)?;
            event.remove(&path);
        }
        for tag in &self.add_tag {
            let tag = tag.render(event)?;
            event.push_tag(tag);
        }
        for tag in &self.remove_tag {
            let tag = tag.render(event)?;
            remove_tag(event, &tag);
        }
        Ok(())
    }
}

fn path_of<'t>(name: &'t Template, event: &Event) -> Result<Cow<'t, FieldPath>, TemplateError> {
    match name.as_constant_path() {
        Some(Some(path)) => Ok(Cow::Borrowed(path)),
        _ => {
            let text = name.render(event)?;
            let path = FieldPath::parse(&text).map_err(|error| TemplateError(error.to_string()))?;
            Ok(Cow::Owned(path))
        }
    }
}

/// `add_field` on a field that exists makes a list of the old and the new; a map becomes the list of its pairs.
pub fn add_value(event: &mut Event, path: &FieldPath, value: Value) -> Result<(), TemplateError> {
    let combined = match event.get_mut(path) {
        None => value,
        Some(Value::Array(values)) => {
            values.push(value);
            return Ok(());
        }
        Some(Value::Null) => Value::Array(vec![value]),
        Some(Value::Object(object)) => {
            let pairs = object.iter().map(|(key, held)| Value::Array(vec![key.clone().into(), held.clone()]));
            Value::Array(pairs.chain([value]).collect())
        }
        Some(scalar) => Value::Array(vec![scalar.clone(), value]),
    };
    event.set(path, combined).map_err(|error| TemplateError(error.to_string()))
}

/// `add_field => { "x" => [] }` makes an empty list of a field that is not there.
fn add_empty_list(event: &mut Event, path: &FieldPath) -> Result<(), TemplateError> {
    if event.get(path).is_some() {
        return Ok(());
    }
    event.set(path, Value::Array(Vec::new())).map_err(|error| TemplateError(error.to_string()))
}

fn remove_tag(event: &mut Event, tag: &Str) {
    let fields = event.fields_mut();
    match fields.get_mut("tags") {
        Some(Value::Array(tags)) => tags.retain(|held| held.as_str() != Some(tag.as_str())),
        // It becomes a list even when it is another tag.
        Some(single @ Value::String(_)) => {
            let kept = (single.as_str() != Some(tag.as_str())).then(|| single.clone());
            *single = Value::Array(kept.into_iter().collect());
        }
        _ => {}
    }
}
