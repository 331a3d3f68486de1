//! `urldecode`: `%20` and `+` become what they stand for.

use std::sync::Arc;

use tailrace_common::Event;

use super::edit::{FromTo, Strictness, from_to};
use super::field::go_type;
use super::{Failure, Outcome, Processor};
use crate::config::section::Section;
use crate::document::to_text;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct UrlDecode {
    fields: Vec<FromTo>,
    strictness: Strictness,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    Some(Arc::new(UrlDecode { fields: from_to(section, true), strictness: Strictness::read(section) }))
}

/// The decoded bytes, or the escape that is none.
fn decode(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits
                    .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
                    .and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let Some(byte) = byte else {
                    let shown = &rest[..rest.len().min(2)];
                    return Err(format!("invalid URL escape \"%{}\"", String::from_utf8_lossy(shown)));
                };
                out.push(byte);
                rest = &after[2..];
            }
            byte => out.push(*byte),
        }
    }
    Ok(out)
}

impl Processor for UrlDecode {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        self.strictness.each(event, &self.fields, "failed to decode fields in urldecode processor", |event, item| {
            let Some(value) = self.strictness.value(&item.from, event)? else { return Ok(()) };
            let text = value.as_str().ok_or_else(|| {
                Failure(format!("invalid type for `from`, expecting a string received {}", go_type(value)))
            })?;
            let decoded =
                decode(text).map_err(|error| Failure(format!("error trying to URL-decode {text}: {error}")))?;
            item.to.put(event, to_text(&decoded))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::processors::read::tests::changed;

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(changed("- urldecode: {fields: [{from: a, to: b}]}", r#"{"a":"a%2Fb+c%E4%B8%AD"}"#)["b"], "a/b c中");
        assert_eq!(changed("- urldecode: {fields: [{from: a}]}", r#"{"a":"x%41"}"#), json!({"a": "xA"}));
        assert_eq!(decode("a%zz"), Err("invalid URL escape \"%zz\"".into()));
        assert_eq!(decode("a%4"), Err("invalid URL escape \"%4\"".into()));
    }
}
