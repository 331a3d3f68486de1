//! `decode_base64_field`: a base64 text becomes what it stands for.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use tailrace_common::Event;

use super::edit::{FromTo, Strictness, pair};
use super::field::go_type;
use super::{Failure, Outcome, Processor};
use crate::config::section::Section;
use crate::document::to_text;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct DecodeBase64 {
    field: FromTo,
    strictness: Strictness,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("field");
    let field = pair(&section.section("field"), true);
    let strictness = Strictness::read(section);
    Some(Arc::new(DecodeBase64 { field: field?, strictness }))
}

impl Processor for DecodeBase64 {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let item = std::slice::from_ref(&self.field);
        self.strictness.each(event, item, "failed to decode base64 fields in processor", |event, item| {
            let Some(value) = self.strictness.value(&item.from, event)? else { return Ok(()) };
            let text = value.as_str().ok_or_else(|| {
                Failure(format!("invalid type for `from`, expecting a string received {}", go_type(value)))
            })?;
            let decoded = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
            let decoded = decoded.map_err(|error| Failure(format!("error trying to decode {text}: {error}")))?;
            item.to.put(event, to_text(&decoded))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn base64_is_decoded() {
        let decode = "- decode_base64_field: {field: {from: a, to: b}}";
        assert_eq!(
            changed(decode, r#"{"a":"Y29ycmVjdCBkYXRh"}"#),
            json!({"a": "Y29ycmVjdCBkYXRh", "b": "correct data"})
        );
        assert_eq!(changed(decode, r#"{"a":"Y29ycmVjdA"}"#)["b"], "correct");
        let message = changed(decode, r#"{"a":"!"}"#)["error"]["message"].to_string();
        assert!(message.contains("error trying to decode !"), "{message}");
    }
}
