//! The ndjson parser (and `json.*` of the log and container inputs).

use std::sync::Arc;

use tailrace_common::Object;

/// `ndjson` of filestream's parsers, `json.*` of the older inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NdjsonSettings {
    /// `target`: where the keys go; `Some("")` is the root of the document. The older inputs have `json` without
    /// `keys_under_root`, and the root with it.
    pub target: String,
    /// `overwrite_keys`
    pub overwrite_keys: bool,
    /// `expand_keys`
    pub expand_keys: bool,
    /// `add_error_key`
    pub add_error_key: bool,
    /// `message_key`
    pub message_key: String,
    /// `document_id`: the key whose text becomes `@metadata._id`; it is taken out of the document.
    pub document_id: String,
    /// `ignore_decoding_error`: do not log lines that are not JSON.
    pub ignore_decoding_error: bool,
}

/// What the parser found in one line.
///
/// The entry's message already is what Filebeat leaves: the text under `message_key`, nothing if the line decoded
/// without one, the unchanged line if it did not decode.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The parser's settings: they say where the fields go.
    pub settings: Arc<NdjsonSettings>,
    /// The line's keys. If the line did not decode and there is a `message_key`, that key with the line. Without
    /// `error`, which is written from the field of that name.
    pub fields: Object,
    /// `error.message`, with `error.type` "json": only under `add_error_key`.
    pub error: Option<String>,
}
