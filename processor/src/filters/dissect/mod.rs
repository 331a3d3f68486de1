//! Filter `dissect`: cuts text at fixed delimiters.

use tailrace_common::{Event, FieldPath, Str, Value};

use crate::options::{Diagnosis, Invalid, Options, value_text};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

mod mapping;

use mapping::Mapping;

pub(in crate::filters) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "dissect",
    summary: "Cuts text at fixed delimiters.",
    example: "filter { dissect { mapping => { \"message\" => \"%{time} %{level} [%{thread}] %{text}\" } } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let mut mappings = Vec::new();
    for (source, pattern) in options.hash("mapping") {
        let Some(source) = options.path("mapping", &source) else { continue };
        let pattern = value_text(&pattern);
        match Mapping::parse(&pattern) {
            Ok(mapping) => mappings.push((source, mapping)),
            Err(error) => {
                let diagnosis = Diagnosis { what: error.to_string(), hint: None };
                options.error_within("mapping", &pattern, 0..pattern.len(), diagnosis);
            }
        }
    }
    let mut conversions = Vec::new();
    for (name, kind) in options.hash("convert_datatype") {
        let kind = value_text(&kind);
        let to_float = match kind.as_str() {
            "int" => false,
            "float" => true,
            other => {
                options.error_at("convert_datatype", format!("'{other}' is no type; use int or float"));
                continue;
            }
        };
        if let Some(field) = options.path("convert_datatype", &name) {
            conversions.push(Conversion { field, name, to_float });
        }
    }
    let tags = options.tags("tag_on_failure", "_dissectfailure");
    options.finish()?;
    Ok(Box::new(Dissect { mappings, conversions, tags }))
}

struct Dissect {
    mappings: Vec<(FieldPath, Mapping)>,
    conversions: Vec<Conversion>,
    tags: Vec<String>,
}

struct Conversion {
    field: FieldPath,
    /// As written, for the tag.
    name: String,
    to_float: bool,
}

impl Filter for Dissect {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        for (source, mapping) in &self.mappings {
            let text = match event.get(source) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text.clone(),
                Some(other) => {
                    let mut json = Vec::new();
                    tailrace_common::json::write(other, &mut json);
                    Str::from(String::from_utf8_lossy(&json).as_ref())
                }
            };
            match mapping.dissect(&text, event) {
                Ok(()) => context.matched(event),
                Err(mapping::Missed) => context.failed(event, &self.tags),
            }
        }
        for conversion in &self.conversions {
            conversion.apply(event);
        }
    }
}

impl Conversion {
    fn apply(&self, event: &mut Event) {
        let kind = if self.to_float { "float" } else { "int" };
        let converted = match event.get(&self.field) {
            None | Some(Value::Null) => {
                event.tag(&format!("_dataconversionnullvalue_{}_{kind}", self.name));
                return;
            }
            Some(Value::String(text)) => self.of_text(text),
            Some(number) => number
                .as_f64()
                .map(|number| if self.to_float { Value::Float(number) } else { Value::Int(number as i64) }),
        };
        match converted {
            // The field is there, so it can be set.
            Some(value) => drop(event.set(&self.field, value)),
            None => event.tag(&format!("_dataconversionuncoercible_{}_{kind}", self.name)),
        }
    }

    fn of_text(&self, text: &str) -> Option<Value> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
            return None;
        }
        if self.to_float {
            return text.parse().ok().map(Value::Float);
        }
        text.parse().map(Value::Int).ok().or_else(|| text.parse::<f64>().ok().map(|number| Value::Int(number as i64)))
    }
}
