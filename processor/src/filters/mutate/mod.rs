//! Filter `mutate`: the small changes, in Logstash's fixed order whatever the order of the text.

use std::borrow::Cow;

use tailrace_common::{Event, FieldPath, Str, Value};
use tailrace_grok::Scratch;

use crate::options::{Invalid, Options, value_text};
use crate::plan::template::Template;
use crate::plan::text::ruby_to_s;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(in crate::filters) mod convert;
mod gsub;
pub(in crate::filters) mod strings;

use convert::Conversion;
use gsub::Substitution;
use strings::Case;

pub(in crate::filters) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "mutate",
    summary: "Renames, replaces, converts, splits, joins and otherwise changes fields.",
    example: "filter { mutate { rename => { \"host\" => \"[host][name]\" } convert => { \"took\" => \"integer\" } } }",
    build,
};

/// Something an operation could not do: the rest of the filter is skipped, and the event tagged.
struct Failed;

/// A reference as written; one that is malformed fails when it is used, as in Logstash.
struct Reference(Option<FieldPath>);

impl Reference {
    fn new(text: &str) -> Reference {
        Reference(FieldPath::parse(text).ok())
    }

    fn path(&self) -> Result<&FieldPath, Failed> {
        self.0.as_ref().ok_or(Failed)
    }
}

/// One operation on one field, or on a pair.
enum Operation {
    /// Gives a field that is null a value.
    Coerce(Reference, Template),
    Rename(Template, Template),
    /// Replaces the value of a field that exists.
    Update(Reference, Template),
    Replace(Reference, Template),
    Convert(Reference, Conversion),
    Gsub(Reference, Substitution),
    Case(Reference, Case),
    Strip(Reference),
    Split(Reference, String),
    Join(Reference, String),
    Merge(Reference, Vec<Reference>),
    Copy(Reference, Reference),
}

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let mut operations = Vec::new();
    values(&mut options, "coerce", &mut operations, Operation::Coerce);
    for (from, to) in options.hash("rename") {
        operations.push(Operation::Rename(Template::parse(&from), Template::parse(&value_text(&to))));
    }
    values(&mut options, "update", &mut operations, Operation::Update);
    values(&mut options, "replace", &mut operations, Operation::Replace);
    convert::read(&mut options, &mut operations);
    gsub::read(&mut options, &mut operations);
    for (option, case) in [("uppercase", Case::Upper), ("capitalize", Case::Capital), ("lowercase", Case::Lower)] {
        operations.extend(options.strings(option).iter().map(|field| Operation::Case(Reference::new(field), case)));
    }
    operations.extend(options.strings("strip").iter().map(|field| Operation::Strip(Reference::new(field))));
    for (field, separator) in options.hash("split") {
        operations.push(Operation::Split(Reference::new(&field), value_text(&separator)));
    }
    for (field, separator) in options.hash("join") {
        operations.push(Operation::Join(Reference::new(&field), value_text(&separator)));
    }
    for (field, added) in options.hash("merge") {
        let added = match added {
            Value::Array(fields) => fields.iter().map(|field| Reference::new(&value_text(field))).collect(),
            single => vec![Reference::new(&value_text(&single))],
        };
        operations.push(Operation::Merge(Reference::new(&field), added));
    }
    for (from, to) in options.hash("copy") {
        operations.push(Operation::Copy(Reference::new(&from), Reference::new(&value_text(&to))));
    }
    for gone in ["remove", "move"] {
        options.obsolete(gone, if gone == "remove" { "use 'remove_field'" } else { "use 'rename'" });
    }
    let tag = options.string("tag_on_failure").unwrap_or_else(|| "_mutate_error".into());
    options.finish()?;
    Ok(Box::new(Mutate { operations, tag }))
}

/// Reads an option of fields and the texts that they get.
fn values(
    options: &mut Options<'_>,
    option: &'static str,
    operations: &mut Vec<Operation>,
    operation: fn(Reference, Template) -> Operation,
) {
    for (field, value) in options.hash(option) {
        operations.push(operation(Reference::new(&field), Template::parse(&value_text(&value))));
    }
}

struct Mutate {
    operations: Vec<Operation>,
    tag: String,
}

impl Filter for Mutate {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        for operation in &self.operations {
            if operation.apply(event, context.scratch).is_err() {
                context.failed(event, &[&self.tag]);
                return;
            }
        }
        if context.try_matched(event).is_err() {
            context.failed(event, &[&self.tag]);
        }
    }
}

impl Operation {
    fn apply(&self, event: &mut Event, scratch: &mut Scratch) -> Result<(), Failed> {
        match self {
            Operation::Coerce(field, value) => match event.get(field.path()?) {
                Some(Value::Null) => set_text(event, field.path()?, value),
                _ => Ok(()),
            },
            Operation::Update(field, value) => match event.get(field.path()?) {
                Some(_) => set_text(event, field.path()?, value),
                None => Ok(()),
            },
            Operation::Replace(field, value) => set_text(event, field.path()?, value),
            Operation::Rename(from, to) => rename(event, from, to),
            Operation::Convert(field, conversion) => convert::apply(event, field.path()?, *conversion),
            Operation::Gsub(field, substitution) => substitution.apply(event, field.path()?, scratch),
            Operation::Case(field, case) => in_texts(event, field.path()?, |text| case.apply(text)),
            Operation::Strip(field) => {
                in_texts(event, field.path()?, |text| *text = text.slice_ref(strings::stripped(text)))
            }
            Operation::Split(field, separator) => {
                if let Some(value @ Value::String(_)) = event.get_mut(field.path()?) {
                    let parts = strings::split(value.as_str().unwrap_or_default(), separator);
                    *value = Value::Array(parts.into_iter().map(Value::from).collect());
                }
                Ok(())
            }
            Operation::Join(field, separator) => {
                if let Some(value @ Value::Array(_)) = event.get_mut(field.path()?) {
                    let mut text = String::new();
                    join(value.as_array().unwrap_or_default(), separator, &mut text);
                    *value = text.into();
                }
                Ok(())
            }
            Operation::Merge(field, added) => merge(event, field.path()?, added),
            Operation::Copy(from, to) => match event.get(from.path()?) {
                None | Some(Value::Null) => Ok(()),
                Some(value) => {
                    let value = value.clone();
                    event.set(to.path()?, value).map_err(|_| Failed)
                }
            },
        }
    }
}

fn set_text(event: &mut Event, path: &FieldPath, value: &Template) -> Result<(), Failed> {
    if let Some(constant) = value.as_constant()
        && let Ok(place) = event.place(path)
    {
        *place = Value::String(constant.clone());
        return Ok(());
    }
    let text = value.render(event).map_err(|_| Failed)?;
    event.set(path, text).map_err(|_| Failed)
}

fn rename(event: &mut Event, from: &Template, to: &Template) -> Result<(), Failed> {
    let read;
    let from = match from.as_constant_path() {
        Some(path) => path.as_ref().ok_or(Failed)?,
        None => {
            read = FieldPath::parse(&from.render(event).map_err(|_| Failed)?).map_err(|_| Failed)?;
            &read
        }
    };
    let target = match to.as_constant_path() {
        Some(Some(path)) => Ok(Cow::Borrowed(path)),
        Some(None) => Err(Failed),
        None => {
            let path = FieldPath::parse(&to.render(event).map_err(|_| Failed)?);
            path.map(Cow::Owned).map_err(|_| Failed)
        }
    };
    match event.remove(from) {
        // The source is gone even when the target is no reference.
        Some(value) => event.set(target?.as_ref(), value).map_err(|_| Failed),
        None => Ok(()),
    }
}

/// Changes a text, or the texts of a list; everything else stays.
fn in_texts(event: &mut Event, path: &FieldPath, change: impl Fn(&mut Str)) -> Result<(), Failed> {
    let change = |value: &mut Value| {
        if let Value::String(text) = value {
            change(text);
        }
    };
    match event.get_mut(path) {
        Some(Value::Array(values)) => values.iter_mut().for_each(change),
        Some(value) => change(value),
        None => {}
    }
    Ok(())
}

/// Ruby's `Array#join`: lists inside are joined with the same separator.
fn join(values: &[Value], separator: &str, out: &mut String) {
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push_str(separator);
        }
        match value {
            Value::Array(inner) => join(inner, separator, out),
            other => out.push_str(&ruby_to_s(other)),
        }
    }
}

/// A map takes the entries of a map; all else becomes a list of both. A map and something else stay as they are.
fn merge(event: &mut Event, path: &FieldPath, added: &[Reference]) -> Result<(), Failed> {
    let original = event.get(path).cloned();
    let mut held = original.clone();
    for field in added {
        let value = event.get(field.path()?).cloned();
        let merged = match (&mut held, value) {
            (Some(Value::Object(held)), Some(Value::Object(added))) => {
                for (name, value) in added {
                    held.insert(name, value);
                }
                Value::Object(held.clone())
            }
            (Some(Value::Object(_)), _) | (_, Some(Value::Object(_))) => continue,
            (held, value) => {
                let mut values = match &*held {
                    Some(Value::Array(values)) => values.clone(),
                    None | Some(Value::Null) => Vec::new(),
                    Some(single) => vec![single.clone()],
                };
                match value {
                    Some(Value::Array(added)) => values.extend(added),
                    None | Some(Value::Null) => {}
                    Some(single) => values.push(single),
                }
                // Ruby appends to a list in place, and to a copy of anything else.
                if matches!(original, Some(Value::Array(_))) {
                    *held = Some(Value::Array(values.clone()));
                }
                Value::Array(values)
            }
        };
        event.set(path, merged).map_err(|_| Failed)?;
    }
    Ok(())
}
