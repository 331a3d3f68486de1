//! What Elasticsearch says to a bulk request, and what is to be done.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::settings::Refusals;

/// The body of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct BulkResponse {
    #[serde(default)]
    pub(super) errors: bool,
    #[serde(default)]
    pub(super) items: Vec<HashMap<String, ItemResponse>>,
}

/// What became of one action.
#[derive(Debug, Deserialize)]
pub(super) struct ItemResponse {
    status: u16,
    error: Option<Value>,
}

/// What is to be done with an item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is in the index.
    Delivered,
    /// It is not, for this reason, and the configuration says that this is no loss.
    Dropped(String),
    /// It can never be: for this reason.
    Dead(String),
    /// Later, perhaps: for this reason.
    Retry(String),
}

impl ItemResponse {
    /// The verdict; `create` says that the action was one of which a conflict means success.
    pub(super) fn verdict(&self, create: bool, refusals: &Refusals) -> Verdict {
        let kind = self.error.as_ref().and_then(|error| error.get("type")).and_then(Value::as_str);
        match self.status {
            200..=299 => Verdict::Delivered,
            409 if create => Verdict::Delivered,
            _ if kind.is_some_and(|kind| refusals.dropped.iter().any(|dropped| dropped == kind)) => {
                Verdict::Dropped(self.reason())
            }
            status if refusals.dead.contains(&status) => Verdict::Dead(self.reason()),
            400 | 404 | 409 | 413 => Verdict::Dead(self.reason()),
            _ => Verdict::Retry(self.reason()),
        }
    }

    fn reason(&self) -> String {
        let part = |name: &str| {
            let value = self.error.as_ref().and_then(|error| error.get(name));
            value.map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_string))
        };
        let cause = self.error.as_ref().and_then(|error| error.pointer("/caused_by/reason")).and_then(Value::as_str);
        let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
        format!("{} {}: {}{cause}", self.status, part("type"), part("reason"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let text = r#"{"errors":true,"items":[{"create":{"status":201}},{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"x"}}},
            {"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"failed","caused_by":{"reason":"not a number"}}}},
            {"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}},{"create":{"status":403,"error":{"type":"cluster_block_exception"}}}]}"#;
        let response: BulkResponse = serde_json::from_str(text).unwrap();
        let verdicts: Vec<_> = response
            .items
            .iter()
            .flat_map(HashMap::values)
            .map(|item| item.verdict(true, &Refusals::default()))
            .collect();
        assert_eq!(verdicts[..2], [Verdict::Delivered, Verdict::Delivered]);
        assert_eq!(verdicts[2], Verdict::Dead("400 document_parsing_exception: failed (not a number)".into()));
        assert!(matches!((&verdicts[3], &verdicts[4]), (Verdict::Retry(_), Verdict::Retry(_))));
        let item = |at: usize| &response.items[at]["create"];
        assert!(matches!(item(1).verdict(false, &Refusals::default()), Verdict::Dead(_)));
        let refusals = Refusals { dead: vec![429], dropped: vec!["version_conflict_engine_exception".into()] };
        assert!(matches!(item(1).verdict(false, &refusals), Verdict::Dropped(_)));
        assert!(matches!(item(3).verdict(true, &refusals), Verdict::Dead(_)));
    }
}
