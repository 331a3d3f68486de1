//! A document as maps and lists, in the way of Ruby's XmlSimple, which Logstash uses.

use tailrace_common::{Object, Str, Value};

use super::tree::{Document, Kind};

/// How elements become values.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Whether an element that stands alone becomes a list, too.
    pub(super) force_array: bool,
    /// Whether a text alone becomes a map, too.
    pub(super) force_content: bool,
    /// Whether elements without anything are left out.
    pub(super) suppress_empty: bool,
}

/// Where the text of an element goes that has more than text.
const CONTENT: &str = "content";
/// An element of this name, alone, gives its list to the element around it.
const ANONYMOUS: &str = "anon";

impl Shape {
    /// The outermost element as a value.
    pub(super) fn of(self, document: &Document) -> Option<Value> {
        document.root().map(|root| self.element(document, root))
    }

    /// Elements lie at most 256 deep in one another.
    fn element(self, document: &Document, node: usize) -> Value {
        let Some(element) = document.element(node) else { return Value::Null };
        let mut fields = Object::new();
        for attribute in &element.attributes {
            fields.insert(attribute.name.qualified(), attribute.value.as_str());
        }
        let has_attributes = !element.attributes.is_empty();
        let texts = document.children(node).filter_map(|child| match &document.nodes[child].kind {
            Kind::Text(text) => Some(text),
            _ => None,
        });
        let texts: Vec<_> = texts.collect();
        let mut has_elements = false;
        for child in document.children(node) {
            let Some(inner) = document.element(child) else { continue };
            has_elements = true;
            let value = self.element(document, child);
            if !(is_empty(&value) && !has_attributes && self.suppress_empty) {
                self.merge(&mut fields, &inner.name.local, value);
            }
        }
        if has_elements {
            if texts.iter().any(|text| !text.value.trim().is_empty()) {
                let mut contents: Vec<Value> = texts.iter().map(|text| text.raw.as_str().into()).collect();
                let content = if contents.len() == 1 { contents.swap_remove(0) } else { Value::Array(contents) };
                fields.insert(CONTENT, content);
            }
        } else if !texts.is_empty() {
            let text: String = texts.iter().map(|text| text.value.as_str()).collect();
            return self.text(fields, &text, has_attributes);
        }
        if fields.values().filter(|value| value.as_array().is_some()).count() == 1
            && matches!(fields.get(ANONYMOUS), Some(Value::Array(_)))
        {
            return fields.remove(ANONYMOUS).unwrap_or_default();
        }
        if fields.is_empty() && self.suppress_empty { Value::Null } else { Value::Object(fields) }
    }

    /// An element with nothing but text and attributes.
    fn text(self, mut fields: Object, text: &str, has_attributes: bool) -> Value {
        if text.trim().is_empty() && !has_attributes {
            return Value::Object(Object::new());
        }
        if has_attributes || self.force_content {
            self.merge(&mut fields, CONTENT, text.into());
            return Value::Object(fields);
        }
        text.into()
    }

    fn merge(self, fields: &mut Object, name: &str, value: Value) {
        match fields.get_mut(name) {
            Some(Value::Array(values)) => values.push(value),
            Some(held) => *held = Value::Array(vec![std::mem::take(held), value]),
            None => {
                let listed = matches!(value, Value::Array(_)) || self.force_array && name != CONTENT;
                let value = if listed { Value::Array(vec![value]) } else { value };
                fields.insert(Str::from(name), value);
            }
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.is_empty(),
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_common::json::{Numbers, parse, write};

    use super::super::tree::Mode;
    use super::*;

    fn check(text: &str, [force_array, force_content, suppress_empty]: [bool; 3], expected: &str) {
        let shape = Shape { force_array, force_content, suppress_empty };
        let value = shape.of(&Document::parse(text, Mode::Strict).unwrap()).unwrap();
        let mut shown = Vec::new();
        write(&value, &mut shown);
        let expected = parse(&Str::from(expected), Numbers::Float).unwrap();
        assert_eq!(value, expected, "{text}: {}", String::from_utf8_lossy(&shown));
    }

    #[test]
    fn elements_become_maps_and_lists() {
        const DEFAULT: [bool; 3] = [true, false, true];
        for (text, options, expected) in [
            ("<r>text</r>", DEFAULT, r#""text""#),
            ("<r><k>v</k><k>w</k><l>x</l></r>", DEFAULT, r#"{"k":["v","w"],"l":["x"]}"#),
            ("<r><k>v</k></r>", [false, false, true], r#"{"k":"v"}"#),
            ("<r><k>v</k></r>", [true, true, true], r#"{"k":[{"content":"v"}]}"#),
            ("<r a='1'>t</r>", DEFAULT, r#"{"a":"1","content":"t"}"#),
            ("<r><k/><l> </l></r>", DEFAULT, "null"),
            ("<r><k/><l> </l></r>", [true, false, false], r#"{"k":[{}],"l":[{}]}"#),
            ("<r a='1'><k/></r>", DEFAULT, r#"{"a":"1","k":[null]}"#),
            ("<r>x &amp; <b>y</b>\n</r>", DEFAULT, r#"{"b":["y"],"content":["x &amp; ","\n"]}"#),
            ("<r>\n<b>y</b>\n</r>", DEFAULT, r#"{"b":["y"]}"#),
            ("<r>x<b>y</b></r>", DEFAULT, r#"{"b":["y"],"content":"x"}"#),
            ("<r><anon>1</anon><anon>2</anon></r>", DEFAULT, r#"["1","2"]"#),
            ("<r xmlns:p='u'><p:k p:a='1'>v</p:k></r>", DEFAULT, r#"{"xmlns:p":"u","k":[{"p:a":"1","content":"v"}]}"#),
            ("<r><![CDATA[<x>]]></r>", DEFAULT, r#""<x>""#),
        ] {
            check(text, options, expected);
        }
    }
}
