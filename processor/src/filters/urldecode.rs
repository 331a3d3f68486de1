//! Filter `urldecode`: turns `%41` back into what it stands for.

use std::borrow::Cow;

use tailrace_common::{Event, FieldPath, Str, Value};

use crate::charset::Charset;
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "urldecode",
    summary: "Decodes the percent signs of URLs in a field, or in all.",
    example: "filter { urldecode { field => \"[url][query]\" } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let field = options.field("field").unwrap_or_else(|| FieldPath::field("message"));
    let all_fields = options.boolean("all_fields", false);
    let tags = options.tags("tag_on_failure", "_urldecodefailure");
    let charset = Charset::read(&mut options);
    options.finish()?;
    Ok(Box::new(UrlDecode { field: (!all_fields).then_some(field), charset, tags }))
}

struct UrlDecode {
    /// All when not set.
    field: Option<FieldPath>,
    charset: Charset,
    tags: Vec<String>,
}

impl Filter for UrlDecode {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match &self.field {
            None => event.fields_mut().iter_mut().for_each(|(_, value)| self.decode_in(value)),
            Some(field) => {
                if let Some(value) = event.get_mut(field) {
                    self.decode_in(value);
                } else if event.set(field, Value::Null).is_err() {
                    // A field that is not there is made, where there is a place for it.
                    context.failed(event, &self.tags);
                }
            }
        }
        context.matched(event);
    }
}

impl UrlDecode {
    /// Decodes a text and every text in a list or map.
    fn decode_in(&self, value: &mut Value) {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => {
                    if let Some(decoded) = self.decoded(text) {
                        *text = decoded;
                    }
                }
                Value::Array(values) => open.extend(values),
                Value::Object(object) => open.extend(object.iter_mut().map(|(_, value)| value)),
                _ => {}
            }
        }
    }

    /// Nothing when the text stays as it is.
    fn decoded(&self, text: &str) -> Option<Str> {
        let bytes = unescaped(text);
        if matches!(bytes, Cow::Borrowed(_)) && (text.is_ascii() || matches!(self.charset, Charset::Utf8)) {
            return None;
        }
        Some(Str::from(self.charset.text(bytes.into_owned())))
    }
}

/// Percent signs with two hexadecimal digits as the bytes they stand for; others stay.
fn unescaped(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    let mut out: Option<Vec<u8>> = None;
    let mut copied = 0;
    for at in memchr::memchr_iter(b'%', bytes) {
        let digits = bytes.get(at + 1..at + 3);
        let byte = digits.and_then(|digits| Some(hexadecimal(digits[0])? << 4 | hexadecimal(digits[1])?));
        if let Some(byte) = byte {
            let out = out.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
            out.extend_from_slice(&bytes[copied..at]);
            out.push(byte);
            copied = at + 3;
        }
    }
    match out {
        None => Cow::Borrowed(bytes),
        Some(mut out) => {
            out.extend_from_slice(&bytes[copied..]);
            Cow::Owned(out)
        }
    }
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn texts_are_decoded_wherever_they_are() {
        for (config, event, expected) in [
            ("urldecode { }", r#"{"message":"a%20%E4%BD%A0+%zz%4"}"#, r#"{"message":"a 你+%zz%4"}"#),
            ("urldecode { }", r#"{"message":{"l":["%41",5]}}"#, r#"{"message":{"l":["A",5]}}"#),
            ("urldecode { field => \"x\" }", r#"{}"#, r#"{"x":null}"#),
            ("urldecode { all_fields => true }", r#"{"a":"%41","b":"%2541"}"#, r#"{"a":"A","b":"%41"}"#),
            ("urldecode { charset => \"cp1252\" }", r#"{"message":"%80%E9"}"#, r#"{"message":"€é"}"#),
            ("urldecode { charset => \"ISO-8859-1\" }", r#"{"message":"caf%E9"}"#, r#"{"message":"café"}"#),
            ("urldecode { charset => \"GBK\" }", r#"{"message":"%D3%D0"}"#, r#"{"message":"有"}"#),
            ("urldecode { }", r#"{"message":"%E4\"%BD%A0"}"#, r#"{"message":"\\xE4\\\"\\xBD\\xA0"}"#),
        ] {
            check(config, event, &[expected]);
        }
        assert!(run_with("v8", "urldecode { charset => \"KLINGON\" }", &[]).is_err());
    }
}
