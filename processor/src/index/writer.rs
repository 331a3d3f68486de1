//! Writing to the embedded index.

use tailrace_common::{Event, Object, Timestamp, Value};
use tantivy::schema::OwnedValue;
use tantivy::{DateTime, Index, IndexReader, IndexWriter, TantivyDocument, Term};

use super::IndexError;
use super::shape::{Fields, TIMESTAMP};

/// Memory for documents not yet written to disk, bytes.
const HEAP: usize = 64 << 20;
/// Deeper parts of a document are indexed as their JSON text.
const DEEPEST: usize = 32;

/// The writer of an index; there is one at a time.
pub struct LocalWriter {
    writer: IndexWriter,
    fields: Fields,
    reader: IndexReader,
}

impl LocalWriter {
    pub(super) fn new(index: &Index, fields: Fields, reader: IndexReader) -> Result<LocalWriter, IndexError> {
        let writer = index.writer_with_num_threads(1, HEAP)?;
        Ok(LocalWriter { writer, fields, reader })
    }

    /// Adds a document under an id, in the place of the one with that id. It is safe and can be found after
    /// [`LocalWriter::commit`].
    pub fn put(&self, id: &str, event: &Event) -> Result<(), IndexError> {
        self.writer.delete_term(Term::from_field_text(self.fields.id, id));
        self.writer.add_document(self.document(id, event))?;
        Ok(())
    }

    /// Makes all added documents durable and visible to searches of this process; other processes see them soon after.
    pub fn commit(&mut self) -> Result<(), IndexError> {
        self.writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    fn document(&self, id: &str, event: &Event) -> TantivyDocument {
        let mut source = Vec::with_capacity(512);
        event.write_json(&mut source);
        let mut document = TantivyDocument::new();
        document.add_text(self.fields.id, id);
        document.add_text(self.fields.source, String::from_utf8_lossy(&source));
        let mut tree = Vec::with_capacity(event.fields().len());
        for (name, value) in event.fields() {
            match (name.as_str(), value) {
                ("message", Value::String(text)) => document.add_text(self.fields.message, text),
                (TIMESTAMP, Value::Timestamp(moment)) => document.add_date(self.fields.timestamp, date(*moment)),
                _ => {
                    self.add_words(value, &mut document, 0);
                    tree.push((name.to_string(), owned(value, 0)));
                }
            }
        }
        document.add_field_value(self.fields.document, &OwnedValue::Object(tree));
        document
    }

    /// Adds all text below a value to what is searched when no field is named.
    fn add_words(&self, value: &Value, document: &mut TantivyDocument, depth: usize) {
        match value {
            Value::String(text) => document.add_text(self.fields.everything, text),
            Value::Array(values) if depth < DEEPEST => {
                values.iter().for_each(|value| self.add_words(value, document, depth + 1));
            }
            Value::Object(object) if depth < DEEPEST => {
                object.values().for_each(|value| self.add_words(value, document, depth + 1));
            }
            _ => {}
        }
    }
}

fn date(moment: Timestamp) -> DateTime {
    DateTime::from_timestamp_millis(moment.as_millis())
}

fn owned(value: &Value, depth: usize) -> OwnedValue {
    match value {
        Value::Null => OwnedValue::Null,
        Value::Bool(flag) => OwnedValue::Bool(*flag),
        Value::Int(number) => OwnedValue::I64(*number),
        Value::Float(number) => OwnedValue::F64(*number),
        Value::BigInt(_) | Value::Decimal(_) => value.as_f64().map_or(OwnedValue::Null, OwnedValue::F64),
        Value::String(text) => OwnedValue::Str(text.to_string()),
        Value::Timestamp(moment) => OwnedValue::Date(date(*moment)),
        Value::Array(_) | Value::Object(_) if depth >= DEEPEST => {
            let mut text = Vec::new();
            tailrace_common::json::write(value, &mut text);
            OwnedValue::Str(String::from_utf8_lossy(&text).into_owned())
        }
        Value::Array(values) => OwnedValue::Array(values.iter().map(|value| owned(value, depth + 1)).collect()),
        Value::Object(object) => owned_object(object, depth),
    }
}

fn owned_object(object: &Object, depth: usize) -> OwnedValue {
    OwnedValue::Object(object.iter().map(|(name, value)| (name.to_string(), owned(value, depth + 1))).collect())
}
