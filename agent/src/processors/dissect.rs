//! `dissect`: a text cut at fixed delimiters, `%{ip} - %{status|integer} %{rest}`.

use std::sync::Arc;

use tailrace_common::{Event, Str, Value};

use super::tokenizer::Tokenizer;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trim {
    None,
    Left,
    Right,
    All,
}

#[derive(Debug)]
struct Dissect {
    tokenizer: Tokenizer,
    field: Field,
    prefix: String,
    ignore_failure: bool,
    overwrite_keys: bool,
    trim: Trim,
    trim_chars: Vec<char>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let tokenizer = section
        .required("tokenizer")
        .and_then(|text| Tokenizer::parse(text).map_err(|error| section.error("tokenizer", error, None)).ok());
    let trims = [("none", Trim::None), ("left", Trim::Left), ("right", Trim::Right), ("all", Trim::All)];
    let prefix = section.text_or_empty("target_prefix").unwrap_or("dissect");
    let dissect = Dissect {
        tokenizer: tokenizer?,
        field: Field::new(section.text("field").unwrap_or("message")),
        prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}.") },
        ignore_failure: section.boolean("ignore_failure", false),
        overwrite_keys: section.boolean("overwrite_keys", false),
        trim: section.choice("trim_values", &trims, Trim::None),
        trim_chars: section.text("trim_chars").unwrap_or(" ").chars().collect(),
    };
    Some(Arc::new(dissect))
}

impl Dissect {
    fn trimmed(&self, value: Value) -> Value {
        let Value::String(text) = &value else { return value };
        let chars = self.trim_chars.as_slice();
        Value::String(Str::from(match self.trim {
            Trim::None => return value,
            Trim::Left => text.trim_start_matches(chars),
            Trim::Right => text.trim_end_matches(chars),
            Trim::All => text.trim_matches(chars),
        }))
    }

    fn dissect(&self, event: &mut Event) -> Result<(), Failure> {
        let name = self.field.name();
        let value = self.field.require(event)?;
        let Some(text) = value.as_str() else {
            return Err(Failure(format!("field is not a string, field: `{name}`")));
        };
        let Some(found) = self.tokenizer.dissect(text) else {
            super::add_tags::add_to(event, &Field::new("log.flags"), &["dissect_parsing_error".into()])?;
            return Err(Failure(format!("`{name}` does not match the tokenizer")));
        };
        let found = found.into_iter().map(|(key, value)| (Field::new(&format!("{}{key}", self.prefix)), value));
        let found: Vec<(Field, Value)> = found.map(|(field, value)| (field, self.trimmed(value))).collect();
        if !self.overwrite_keys
            && let Some((field, _)) = found.iter().find(|(field, _)| field.get(event).is_some())
        {
            return Err(Failure(format!("cannot override existing key with `{}`", field.name())));
        }
        let backup = event.clone();
        for (field, value) in found {
            if let Err(failure) = field.put(event, value) {
                *event = backup;
                return Err(Failure(format!("cannot override existing key with `{}`: {failure}", field.name())));
            }
        }
        Ok(())
    }
}

impl Processor for Dissect {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        match self.dissect(event) {
            Err(failure) if !self.ignore_failure => Err(failure),
            _ => Ok(Verdict::Keep),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::{changed, problems};

    #[test]
    fn texts_are_dissected() {
        let dissect = "- dissect: {tokenizer: '%{ip} %{status|integer} %{}', trim_values: all, trim_chars: '\"'}";
        assert_eq!(
            changed(dissect, r#"{"message":"\"1.1.1.1\" 200 x"}"#)["dissect"],
            json!({"ip": "1.1.1.1", "status": 200})
        );
        assert_eq!(
            changed(dissect, r#"{"message":"no","log":{"flags":["a"]}}"#),
            json!({"message": "no", "log": {"flags": ["a", "dissect_parsing_error"]}})
        );
        let root = "- dissect: {tokenizer: '%{message} %{b}', field: m, target_prefix: ''}";
        assert_eq!(changed(root, r#"{"m":"x y","message":"held"}"#), json!({"m": "x y", "message": "held"}));
        let over = "- dissect: {tokenizer: '%{message} %{b}', field: m, target_prefix: '', overwrite_keys: true}";
        assert_eq!(changed(over, r#"{"m":"x y","message":"held"}"#), json!({"m": "x y", "message": "x", "b": "y"}));
        assert_eq!(problems("- dissect: {tokenizer: 'no keys'}").len(), 1);
    }
}
