//! What a search gives back.

use serde::Serialize;
use serde_json::value::RawValue;

/// The answer to a search.
#[derive(Debug, Serialize)]
pub struct SearchAnswer {
    /// How many documents match.
    pub total: u64,
    /// The newest of them.
    pub hits: Vec<Hit>,
    /// How many match over time, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub histogram: Option<Histogram>,
    /// The most frequent values of the fields that were asked for.
    pub terms: Vec<Terms>,
}

/// One document.
#[derive(Debug, Serialize)]
pub struct Hit {
    /// Its `_id`.
    pub id: String,
    /// Itself, as it was indexed.
    pub document: Box<RawValue>,
}

/// Counts over time.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// Width of a bucket, milliseconds.
    pub interval_ms: i64,
    /// Buckets in order, empty ones included.
    pub buckets: Vec<Bucket>,
}

/// One bucket of a histogram.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Bucket {
    /// Its start, milliseconds since the epoch.
    pub at: i64,
    /// Documents in it.
    pub count: u64,
}

/// The most frequent values of a field.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The field, such as `log.level`.
    pub field: String,
    /// Its values, most frequent first.
    pub values: Vec<TermCount>,
}

/// A value and how many documents have it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct TermCount {
    /// The value as text.
    pub value: String,
    /// Documents with it.
    pub count: u64,
}
