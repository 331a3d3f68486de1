//! `decode_xml`: XML becomes maps, lists and texts.

use std::sync::Arc;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as Xml};
use tailrace_common::{Event, Object, Str, Value};

use super::field::go_type;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::document::{deep_merge, set_error};
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct DecodeXml {
    field: Field,
    /// `None`: the root of the event.
    target: Option<Field>,
    overwrite_keys: bool,
    document_id: Option<Field>,
    to_lower: bool,
    ignore_missing: bool,
    ignore_failure: bool,
}

/// Elements stand within elements no deeper.
const DEEPEST: usize = 128;

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let field = section.text("field").unwrap_or("message");
    let target = section.text_or_empty("target_field").unwrap_or(field);
    Some(Arc::new(DecodeXml {
        field: Field::new(field),
        target: (!target.is_empty()).then(|| Field::new(target)),
        overwrite_keys: section.boolean("overwrite_keys", true),
        document_id: section.text("document_id").map(Field::new),
        to_lower: section.boolean("to_lower", true),
        ignore_missing: section.boolean("ignore_missing", false),
        ignore_failure: section.boolean("ignore_failure", false),
    }))
}

/// An element that is not closed yet.
struct Open {
    name: String,
    fields: Object,
    text: String,
}

impl Open {
    fn new(element: &BytesStart<'_>, to_lower: bool) -> Result<Open, String> {
        let mut fields = Object::new();
        for attribute in element.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value = quick_xml::escape::unescape(&attribute.value).map_err(|error| error.to_string())?;
            add(&mut fields, name_of(attribute.key.local_name().as_ref(), to_lower), Value::from(value.as_ref()));
        }
        Ok(Open { name: name_of(element.local_name().as_ref(), to_lower), fields, text: String::new() })
    }

    /// A text, if there is nothing else; else a map, with the text under `#text`.
    fn value(mut self) -> Value {
        let text = Str::from(self.text.trim());
        if self.fields.is_empty() {
            return Value::String(text);
        }
        if !text.is_empty() {
            self.fields.insert("#text", text);
        }
        Value::Object(self.fields)
    }
}

fn name_of(name: &str, to_lower: bool) -> String {
    if to_lower { name.to_lowercase() } else { name.to_owned() }
}

/// What comes more than once becomes a list.
fn add(fields: &mut Object, name: String, value: Value) {
    match fields.get_mut(&name) {
        None => drop(fields.insert(name, value)),
        Some(Value::Array(items)) => items.push(value),
        Some(held) => {
            let first = std::mem::take(held);
            *held = Value::Array(vec![first, value]);
        }
    }
}

/// The document as a map with its root element.
fn decode(text: &str, to_lower: bool) -> Result<Object, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = Object::new();
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Xml::Start(element) => {
                if open.len() >= DEEPEST {
                    return Err(format!("elements are nested more than {DEEPEST} deep"));
                }
                open.push(Open::new(&element, to_lower)?);
            }
            Xml::Empty(element) => {
                let element = Open::new(&element, to_lower)?;
                let parent = open.last_mut().map_or(&mut root, |parent| &mut parent.fields);
                add(parent, element.name.clone(), element.value());
            }
            Xml::End(_) => {
                let Some(element) = open.pop() else { return Err("an end without a start".to_owned()) };
                let parent = open.last_mut().map_or(&mut root, |parent| &mut parent.fields);
                add(parent, element.name.clone(), element.value());
            }
            Xml::Text(text) => push_text(&mut open, &text)?,
            Xml::CData(text) => push_text(&mut open, &text)?,
            Xml::GeneralRef(name) => {
                let entity = format!("&{};", &*name);
                let text = quick_xml::escape::unescape(&entity).map_err(|error| error.to_string())?;
                push_text(&mut open, &text)?;
            }
            Xml::Eof => break,
            Xml::Comment(_) | Xml::Decl(_) | Xml::PI(_) | Xml::DocType(_) => {}
        }
    }
    match open.last() {
        Some(element) => Err(format!("the element '{}' is not closed", element.name)),
        None if root.is_empty() => Err("there is no element".to_owned()),
        None => Ok(root),
    }
}

fn push_text(open: &mut [Open], text: &str) -> Result<(), String> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("there is text outside of the elements".to_owned()),
    }
    Ok(())
}

impl DecodeXml {
    fn run(&self, event: &mut Event) -> Result<(), Failure> {
        let Some(value) = self.field.get(event) else {
            if self.ignore_missing {
                return Ok(());
            }
            return self.field.require(event).map(|_| ());
        };
        let name = self.field.name();
        let wrong = || Failure(format!("field '{name}' must be a string, it is {}", go_type(value)));
        let text = value.as_str().ok_or_else(wrong)?;
        let decoded =
            decode(text, self.to_lower).map_err(|error| Failure(format!("error decoding XML field: {error}")))?;
        let mut decoded = Event::bare(decoded);
        if let Some(Value::String(id)) = self.document_id.as_ref().and_then(|id| id.remove(&mut decoded)) {
            event.metadata_mut().insert("_id", id);
        }
        let decoded = std::mem::take(decoded.fields_mut());
        match &self.target {
            None => deep_merge(event.fields_mut(), decoded, self.overwrite_keys),
            Some(target) if !self.overwrite_keys && target.name() != name && target.get(event).is_some() => {
                return Err(Failure(format!("target field '{}' already exists", target.name())));
            }
            Some(target) => target.put(event, decoded)?,
        }
        Ok(())
    }
}

impl Processor for DecodeXml {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        match self.run(event) {
            Ok(()) => Ok(Verdict::Keep),
            Err(_) if self.ignore_failure => Ok(Verdict::Keep),
            Err(failure) => {
                let message = format!("failed in decode_xml on the \"{}\" field: {failure}", self.field.name());
                set_error(event.fields_mut(), &message, None);
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::decode;
    use crate::processors::read::tests::changed;

    #[test]
    fn elements_and_attributes_become_fields() {
        let xml = r#"<?xml version=\"1.0\"?><Catalog><Book Seq=\"1\"><Author>G &amp; M</Author><Tag>a</Tag><Tag>b</Tag></Book><Empty/><T x=\"1\">text</T><![CDATA[]]></Catalog>"#;
        let made = changed("- decode_xml: {field: message, target_field: xml}", &format!("{{\"message\":\"{xml}\"}}"));
        let wanted = json!({"catalog": {
            "book": {"seq": "1", "author": "G & M", "tag": ["a", "b"]}, "empty": "", "t": {"x": "1", "#text": "text"}}});
        assert_eq!(made["xml"], wanted);
    }

    #[test]
    fn what_is_no_xml_is_flagged() {
        for text in ["<a>", "no", "<a></b>", "</a>"] {
            let made = changed("- decode_xml: ~", &format!("{{\"message\":\"{text}\"}}"));
            assert!(made["error"]["message"].is_string() && made["message"] == text, "{text}");
        }
        let ignored = changed("- decode_xml: {ignore_failure: true}", r#"{"message":"<a>"}"#);
        assert_eq!(ignored, json!({"message": "<a>"}));
        assert!(decode(&"<a>".repeat(1000), true).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[<>/a b=\"'&;!\\[\\]CDAT?x#-]{0,40}") {
            decode(&text, true).ok();
        }
    }
}
