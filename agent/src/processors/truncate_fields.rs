//! `truncate_fields`: texts cut at so many bytes or characters.

use std::sync::Arc;

use tailrace_common::{Event, Str};

use super::edit::Strictness;
use super::field::go_type;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct TruncateFields {
    fields: Vec<Field>,
    limit: Limit,
    strictness: Strictness,
}

#[derive(Clone, Copy, Debug)]
enum Limit {
    Bytes(usize),
    Characters(usize),
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let fields = section.texts("fields").iter().map(|name| Field::new(name)).collect();
    let strictness = Strictness::read(section);
    let limit = match (section.count("max_bytes"), section.count("max_characters")) {
        (Some(bytes), None) => Limit::Bytes(bytes),
        (None, Some(characters)) => Limit::Characters(characters),
        _ => {
            section.fail("one of 'max_bytes' and 'max_characters' must be set", None);
            return None;
        }
    };
    Some(Arc::new(TruncateFields { fields, limit, strictness }))
}

impl Limit {
    /// Where to cut; nothing when the text is short enough. A character is not cut in two.
    fn cut(self, text: &str) -> Option<usize> {
        match self {
            Limit::Bytes(most) => (text.len() > most).then(|| text.floor_char_boundary(most)),
            Limit::Characters(most) => text.char_indices().nth(most).map(|(at, _)| at),
        }
    }
}

const FLAGS: &str = "log.flags";

impl Processor for TruncateFields {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &self.fields, "failed to truncate fields", |event, field| {
            let Some(value) = self.strictness.value(field, event)? else { return Ok(()) };
            let Some(text) = value.as_str() else {
                return Err(Failure(format!("value cannot be truncated: {} is no string", go_type(value))));
            };
            let Some(at) = self.limit.cut(text) else { return Ok(()) };
            let cut = Str::from(&text[..at]);
            field.put(event, cut)?;
            super::add_tags::add_to(event, &Field::new(FLAGS), &["truncated".into()])
        })?;
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::{changed, problems};

    #[test]
    fn texts_are_cut_between_characters() {
        let cut = "- truncate_fields: {fields: [a, b], max_bytes: 4}";
        assert_eq!(
            changed(cut, r#"{"a":"中文","b":"four"}"#),
            json!({"a": "中", "b": "four", "log": {"flags": ["truncated"]}})
        );
        assert_eq!(changed("- truncate_fields: {fields: [a], max_characters: 1}", r#"{"a":"中文"}"#)["a"], "中");
        assert_eq!(problems("- truncate_fields: {fields: [a]}").len(), 1);
    }
}
