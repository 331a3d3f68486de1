//! The ndjson parser (and `json.*` of the log and container inputs).

use std::sync::Arc;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Object, Str, Value};

use super::{gojson, pending};
use crate::pipeline::{Entry, Flags};

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

/// Decodes the entry's message as JSON. The message becomes what Filebeat leaves of it.
pub(super) fn decode(settings: &Arc<NdjsonSettings>, entry: &mut Entry, text: &mut Vec<u8>) {
    let line = String::from_utf8_lossy(entry.message.of(text));
    let mut parsed = Parsed { settings: settings.clone(), fields: Object::default(), error: None };
    match object(&line) {
        Ok(fields) => {
            let message = message_of(settings, &fields, &mut parsed);
            parsed.fields = fields;
            if parsed.fields.is_empty() && parsed.error.is_some() && settings.target.is_empty() {
                parsed.fields.insert("message", Value::String(Str::default()));
            }
            entry.message = pending::push(text, message.as_bytes());
            // The text is no longer docker's line.
            entry.flags.remove(Flags::NEWLINE);
        }
        Err(error) => {
            if !settings.ignore_decoding_error {
                tracing::debug!(error, "a line is not JSON");
            }
            if !settings.add_error_key {
                // Nothing was read: the older inputs say so by an empty `json`.
                if entry.message.len > 0 {
                    entry.extra_mut().json.push(parsed);
                }
                return;
            }
            // Docker's line end is part of the text under filestream.
            let end = if entry.flags.contains(Flags::NEWLINE) { "\n" } else { "" };
            if !(settings.message_key.is_empty() || line.is_empty() && end.is_empty()) {
                let whole = Str::from(format!("{line}{end}"));
                parsed.fields.insert(settings.message_key.as_str(), Value::String(whole));
            }
            parsed.error = Some(format!("Error decoding JSON: {error}"));
        }
    }
    entry.extra_mut().json.push(parsed);
}

/// The text under `message_key`.
fn message_of(settings: &NdjsonSettings, fields: &Object, parsed: &mut Parsed) -> Str {
    let key = settings.message_key.as_str();
    if key.is_empty() {
        return Str::default();
    }
    let problem = match fields.get(key) {
        Some(Value::String(text)) => return text.clone(),
        Some(_) => format!("Value of key '{key}' is not a string"),
        None => format!("Key '{key}' not found"),
    };
    parsed.error = settings.add_error_key.then_some(problem);
    Str::default()
}

/// The object at the start of the text; what follows it is left alone, as Go's decoder does.
fn object(line: &str) -> Result<Object, String> {
    let parse = |text: &str| json::parse(&Str::from(text), Numbers::Float);
    let value = match parse(line) {
        Ok(value) => value,
        Err(error) => {
            let end = gojson::first_value(line.as_bytes())?;
            parse(line.get(..end).unwrap_or_default()).map_err(|_| error.to_string())?
        }
    };
    let kind = match value {
        Value::Object(mut fields) => {
            for (_, value) in fields.iter_mut() {
                as_go(value);
            }
            return Ok(fields);
        }
        Value::Null => return Err("<nil>".to_owned()),
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Bool(_) => "bool",
        _ => "number",
    };
    Err(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
}

/// Doubles are exact up to here.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whole numbers beyond 64 bits are doubles for Filebeat, and doubles without a fraction are printed without one.
pub(crate) fn as_go(value: &mut Value) {
    match value {
        Value::BigInt(number) => *value = Value::Float(number.to_string().parse().unwrap_or(f64::INFINITY)),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => *value = Value::Int(*number as i64),
        Value::Array(items) => items.iter_mut().for_each(as_go),
        Value::Object(fields) => fields.iter_mut().for_each(|(_, value)| as_go(value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Span, Stream};

    fn decoded(settings: NdjsonSettings, line: &str) -> (String, Parsed) {
        let mut text = line.as_bytes().to_vec();
        let mut entry = Entry {
            message: Span { start: 0, len: text.len() as u32 },
            start: 0,
            end: 0,
            timestamp: tailrace_common::Timestamp::EPOCH,
            stream: Stream::None,
            flags: Flags::default(),
            extra: None,
        };
        decode(&Arc::new(settings), &mut entry, &mut text);
        let parsed = entry.extra_mut().json.pop();
        let message = String::from_utf8_lossy(entry.message.of(&text)).into_owned();
        (message, parsed.unwrap_or(Parsed { settings: Arc::default(), fields: Object::default(), error: None }))
    }

    fn with_message_key() -> NdjsonSettings {
        NdjsonSettings { message_key: "msg".into(), add_error_key: true, ..NdjsonSettings::default() }
    }

    #[test]
    fn the_message_is_what_filebeat_leaves() {
        let (message, parsed) = decoded(with_message_key(), r#"{"msg":"hi","n":12345678901234567890} rest"#);
        assert_eq!((message.as_str(), parsed.error), ("hi", None));
        assert_eq!(parsed.fields.get("n"), Some(&Value::Float(1.234_567_890_123_456_8e19)));
        assert_eq!(decoded(NdjsonSettings::default(), r#"{"a":1}"#).0, "");
        assert_eq!(decoded(NdjsonSettings::default(), "plain").0, "plain");
    }

    #[test]
    fn errors_are_worded_as_go_words_them() {
        for (line, error) in [
            ("not json", "Error decoding JSON: invalid character 'o' in literal null (expecting 'u')"),
            ("", "Error decoding JSON: EOF"),
            (r#"{"level":"warn","msg":"#, "Error decoding JSON: unexpected EOF"),
            ("[1]", "Error decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}"),
            ("{a}", "Error decoding JSON: invalid character 'a' looking for beginning of object key string"),
            (r#"{"a" 1}"#, "Error decoding JSON: invalid character '1' after object key"),
            (r#"{"a":1 2}"#, "Error decoding JSON: invalid character '2' after object key:value pair"),
            (r#"{"msg":17}"#, "Value of key 'msg' is not a string"),
            ("{}", "Key 'msg' not found"),
        ] {
            assert_eq!(decoded(with_message_key(), line).1.error.as_deref(), Some(error), "{line}");
        }
    }
}
