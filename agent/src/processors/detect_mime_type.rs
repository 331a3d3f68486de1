//! `detect_mime_type`: what kind of content a text holds.

use std::sync::Arc;

use serde::de::IgnoredAny;
use tailrace_common::{Event, Value};

use super::{Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct DetectMimeType {
    field: Field,
    target: Field,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let (field, target) = (section.required("field"), section.required("target"));
    Some(Arc::new(DetectMimeType { field: Field::new(field?), target: Field::new(target?) }))
}

/// By its first bytes; else JSON; else text, where it is nothing but text.
fn detect(text: &str) -> Option<&'static str> {
    if let Some(kind) = infer::get(text.as_bytes()) {
        return Some(kind.mime_type());
    }
    if text.is_empty() {
        return None;
    }
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok() {
        return Some("application/json");
    }
    let control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    (!text.bytes().any(control)).then_some("text/plain; charset=utf-8")
}

impl Processor for DetectMimeType {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        if let Some(kind) = self.field.get(event).and_then(Value::as_str).and_then(detect) {
            self.target.put(event, kind)?;
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use super::detect;
    use crate::processors::read::tests::changed;

    #[test]
    fn contents_are_told_apart() {
        for (text, wanted) in [
            ("%PDF-1.7 x", Some("application/pdf")),
            ("{\"a\": 1}", Some("application/json")),
            ("{not json", Some("text/plain; charset=utf-8")),
            ("\u{1}\u{2}", None),
            ("", None),
        ] {
            assert_eq!(detect(text), wanted, "{text}");
        }
        assert_eq!(changed("- detect_mime_type: {field: a, target: b}", r#"{"a":"[1]"}"#)["b"], "application/json");
    }
}
