//! The answer to a bulk request.

use serde::Deserialize;

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is there.
    Delivered,
    /// It may be taken later, and why not now.
    Again(String),
    /// It will never be taken, and why.
    Never(String),
}

#[derive(Deserialize)]
struct Answer {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Result,
}

#[derive(Deserialize)]
struct Result {
    status: u16,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    reason: String,
}

/// What became of each of `count` documents; nothing when the answer is not one for so many.
pub(super) fn fates(answer: &[u8], count: usize) -> Option<Vec<Fate>> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    (answer.items.len() == count).then(|| answer.items.into_iter().map(|item| fate(item.create)).collect())
}

fn fate(result: Result) -> Fate {
    let reason = || match &result.error {
        Some(error) => format!("{}: {}", error.kind, error.reason),
        None => format!("status {}", result.status),
    };
    match result.status {
        // There already: it was delivered before.
        200..=299 | 409 => Fate::Delivered,
        429 | 500..=599 => Fate::Again(reason()),
        _ => Fate::Never(reason()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_has_its_fate() {
        let answer = br#"{"took":1,"errors":true,"items":[
            {"create":{"_index":"a","status":201}},
            {"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"exists"}}},
            {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},
            {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"no date"}}}]}"#;
        let wanted = vec![
            Fate::Delivered,
            Fate::Delivered,
            Fate::Again("es_rejected_execution_exception: full".into()),
            Fate::Never("document_parsing_exception: no date".into()),
        ];
        assert_eq!(fates(answer, 4), Some(wanted));
        assert_eq!(fates(answer, 3), None);
        assert_eq!(fates(b"<html>", 1), None);
    }
}
