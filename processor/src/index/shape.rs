//! How a document lies in the index.

use tantivy::schema::{
    DateOptions, DateTimePrecision, Field, IndexRecordOption, JsonObjectOptions, STORED, STRING, Schema,
    TextFieldIndexing, TextOptions,
};

use super::tokenizer;

/// Name of the field that holds all fields of the document but the message.
pub(super) const DOCUMENT: &str = "document";
/// Name of the field with the time.
pub(super) const TIMESTAMP: &str = "@timestamp";

/// The fields of the index.
#[derive(Clone)]
pub(super) struct Fields {
    /// Document id, as one term.
    pub(super) id: Field,
    /// `@timestamp`, for ranges, order and histograms.
    pub(super) timestamp: Field,
    /// `message`, as words.
    pub(super) message: Field,
    /// All other text of the document, as words; searched when a query names no field.
    pub(super) everything: Field,
    /// The document as a tree: words, numbers and dates by path; values by column for counting.
    pub(super) document: Field,
    /// The document as JSON text, as it came.
    pub(super) source: Field,
}

impl Fields {
    pub(super) fn of(schema: &Schema) -> tantivy::Result<Fields> {
        Ok(Fields {
            id: schema.get_field("_id")?,
            timestamp: schema.get_field(TIMESTAMP)?,
            message: schema.get_field("message")?,
            everything: schema.get_field("_all")?,
            document: schema.get_field(DOCUMENT)?,
            source: schema.get_field("_source")?,
        })
    }
}

pub(super) fn schema() -> Schema {
    let words = TextFieldIndexing::default()
        .set_tokenizer(tokenizer::NAME)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let text = TextOptions::default().set_indexing_options(words.clone());
    let mut schema = Schema::builder();
    schema.add_text_field("_id", STRING | STORED);
    let millis = DateOptions::default().set_indexed().set_fast().set_precision(DateTimePrecision::Milliseconds);
    schema.add_date_field(TIMESTAMP, millis);
    schema.add_text_field("message", text.clone());
    schema.add_text_field("_all", text);
    let tree = JsonObjectOptions::default().set_indexing_options(words).set_fast("raw").set_expand_dots_enabled();
    schema.add_json_field(DOCUMENT, tree);
    schema.add_text_field("_source", TextOptions::default().set_stored());
    schema.build()
}
