//! Reading JSON into values.

use super::canonical::canonical_map;
use super::number::{big_number, fraction};
use super::scan::plain_length;
use crate::object::Addition;
use crate::value::{Object, Str, Value};

/// What numbers with a fraction or an exponent become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Doubles: the json codec, the agent's ndjson.
    Float,
    /// Exact decimals: Logstash's json filter.
    Decimal,
}

/// Deeper nesting is refused, as Jackson does (`StreamReadConstraints`).
const DEPTH_LIMIT: usize = 1000;

/// Text that is not JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at byte {offset}")]
pub struct JsonError {
    /// What is wrong.
    pub message: &'static str,
    /// Where, counted from the start of the text.
    pub offset: usize,
}

/// Reads one JSON value; only blanks may follow. A byte order mark before it is skipped.
///
/// Long strings of the result are slices of `text`, and so are maps within a map until somebody asks for their fields. Of
/// repeated names the last wins.
pub fn parse(text: &Str, numbers: Numbers) -> Result<Value, JsonError> {
    read(text, numbers, true)
}

/// As [`parse`], but everything is read at once.
pub(crate) fn parse_all(text: &Str) -> Result<Value, JsonError> {
    read(text, Numbers::Float, false)
}

/// Reads a map's fields into `fields`, over those of the same name, as [`parse`] reads them. They are left as they are, and
/// `false` comes back, when the text is no map or has a name that `accept` refuses, or there are many fields already.
pub fn parse_into(
    text: &Str,
    numbers: Numbers,
    fields: &mut Object,
    accept: impl Fn(&str) -> bool,
) -> Result<bool, JsonError> {
    let mut reader = Reader::new(text, numbers, true);
    if reader.peek() != Some(b'{') {
        return Ok(false);
    }
    let Some(mut addition) = fields.add() else { return Ok(false) };
    let done = reader.fields_into(&mut addition, accept);
    if done != Ok(true) {
        addition.undo();
    }
    done
}

fn read(text: &Str, numbers: Numbers, lazy: bool) -> Result<Value, JsonError> {
    let mut reader = Reader::new(text, numbers, lazy);
    let mut value = Value::Null;
    reader.value(0, &mut value)?;
    reader.end()?;
    Ok(value)
}

struct Reader<'t> {
    record: &'t Str,
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    numbers: Numbers,
    /// Whether maps right below the outermost may stay unread.
    lazy: bool,
}

/// What stands between quotes.
enum Text<'t> {
    /// As it stands in the record.
    Plain(&'t str),
    /// With escapes resolved.
    Escaped(Str),
}

impl<'t> Reader<'t> {
    /// Stands at the first byte of the value.
    fn new(text: &'t Str, numbers: Numbers, lazy: bool) -> Reader<'t> {
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut reader = Reader { record: text, text, bytes: text.as_bytes(), at: start, numbers, lazy };
        reader.blanks();
        reader
    }

    fn end(&mut self) -> Result<(), JsonError> {
        self.blanks();
        if self.at < self.bytes.len() { Err(self.error("unexpected text after the value")) } else { Ok(()) }
    }

    /// Reads the outermost map; `false` at a name that is not accepted.
    fn fields_into(&mut self, addition: &mut Addition<'_>, accept: impl Fn(&str) -> bool) -> Result<bool, JsonError> {
        self.enter(1)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.end().map(|()| true);
        }
        loop {
            let place = match self.name()? {
                Text::Plain(name) if accept(name) => addition.place(self.record, name),
                Text::Escaped(name) if accept(&name) => addition.place(&name, &name),
                _ => return Ok(false),
            };
            self.colon()?;
            self.value(1, place)?;
            if !self.another(b'}', "expected ',' or '}'")? {
                return self.end().map(|()| true);
            }
        }
    }

    #[inline]
    fn name(&mut self) -> Result<Text<'t>, JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a name in double quotes"));
        }
        self.string()
    }

    fn error(&self, message: &'static str) -> JsonError {
        JsonError { message, offset: self.at }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Reads a value into its place. Values are made where they stay: to move them right after they were written, piece by
    /// piece, costs the processor more than to make them.
    fn value(&mut self, depth: usize, place: &mut Value) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => return self.text(place),
            Some(b'{') => return self.object(depth + 1, place),
            Some(b'[') => return self.array(depth + 1, place),
            Some(b'-' | b'0'..=b'9') => *place = self.number()?,
            Some(b't') => *place = self.word("true", Value::Bool(true))?,
            Some(b'f') => *place = self.word("false", Value::Bool(false))?,
            Some(b'n') => *place = self.word("null", Value::Null)?,
            Some(_) => return Err(self.error("unexpected character")),
            None => return Err(self.error("unexpected end")),
        }
        Ok(())
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, JsonError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("unexpected word"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn enter(&mut self, depth: usize) -> Result<(), JsonError> {
        if depth > DEPTH_LIMIT {
            return Err(self.error("nested too deeply"));
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    fn object(&mut self, depth: usize, place: &mut Value) -> Result<(), JsonError> {
        if depth == 2
            && self.lazy
            && let Some(length) = canonical_map(&self.bytes[self.at..])
        {
            let start = self.at;
            self.at += length;
            *place = Value::Object(Object::unread(self.record.slice(start..self.at)));
            return Ok(());
        }
        self.enter(depth)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            *place = Value::Object(Object::new());
            return Ok(());
        }
        // A document has more fields than what is nested in it.
        *place = Value::Object(Object::with_capacity(if depth == 1 { 16 } else { 4 }));
        let Value::Object(object) = place else { return Ok(()) };
        loop {
            let value = match self.name()? {
                Text::Plain(name) => object.place(self.record, name),
                Text::Escaped(name) => object.place(&name, &name),
            };
            self.colon()?;
            self.value(depth, value)?;
            if !self.another(b'}', "expected ',' or '}'")? {
                return Ok(());
            }
        }
    }

    #[inline]
    fn colon(&mut self) -> Result<(), JsonError> {
        self.blanks();
        if self.peek() != Some(b':') {
            return Err(self.error("expected ':'"));
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// Whether a comma follows, and not the end of the list or map.
    #[inline]
    fn another(&mut self, end: u8, message: &'static str) -> Result<bool, JsonError> {
        self.blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.blanks();
                Ok(true)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ => Err(self.error(message)),
        }
    }

    fn array(&mut self, depth: usize, place: &mut Value) -> Result<(), JsonError> {
        self.enter(depth)?;
        let mut values = Vec::new();
        if self.peek() == Some(b']') {
            self.at += 1;
            *place = Value::Array(values);
            return Ok(());
        }
        loop {
            values.push(Value::Null);
            if let Some(value) = values.last_mut() {
                self.value(depth, value)?;
            }
            if !self.another(b']', "expected ',' or ']'")? {
                *place = Value::Array(values);
                return Ok(());
            }
        }
    }

    #[inline]
    fn text(&mut self, place: &mut Value) -> Result<(), JsonError> {
        match self.string()? {
            Text::Plain(text) => place.set_slice(self.record, text),
            Text::Escaped(text) => *place = Value::String(text),
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self) -> Result<Text<'t>, JsonError> {
        self.at += 1;
        let start = self.at;
        self.skip_plain();
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                Ok(Text::Plain(&self.text[start..self.at - 1]))
            }
            Some(b'\\') => self.escaped_string(start).map(Text::Escaped),
            Some(_) => Err(self.error("unescaped control character in a string")),
            None => Err(self.error("unexpected end in a string")),
        }
    }

    /// Stops at a quote, a backslash, a control character, or the end.
    #[inline]
    fn skip_plain(&mut self) {
        self.at += plain_length(&self.bytes[self.at..]);
    }

    fn escaped_string(&mut self, start: usize) -> Result<Str, JsonError> {
        let mut out = String::with_capacity((self.at - start) * 2 + 64);
        let mut plain = start;
        loop {
            out.push_str(&self.text[plain..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Str::from(out));
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(_) => return Err(self.error("unescaped control character in a string")),
                None => return Err(self.error("unexpected end in a string")),
            }
            plain = self.at;
            self.skip_plain();
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        self.at += 1;
        let character = match self.peek() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(quoted @ (b'"' | b'\\' | b'/')) => char::from(quoted),
            Some(b'u') => return self.unicode_escape(out),
            _ => return Err(self.error("unknown escape")),
        };
        self.at += 1;
        out.push(character);
        Ok(())
    }

    /// A lone surrogate stands for no character and is left out.
    fn unicode_escape(&mut self, out: &mut String) -> Result<(), JsonError> {
        let first = self.hex4()?;
        let mut code = u32::from(first);
        if (0xd800..0xdc00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u") {
            let before = self.at;
            self.at += 1;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                code = 0x10000 + ((u32::from(first) - 0xd800) << 10) + (u32::from(second) - 0xdc00);
            } else {
                self.at = before;
            }
        }
        out.extend(char::from_u32(code));
        Ok(())
    }

    fn hex4(&mut self) -> Result<u16, JsonError> {
        let digits = self.bytes.get(self.at + 1..self.at + 5).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let Some(digits) = digits else { return Err(self.error("expected four hexadecimal digits")) };
        self.at += 5;
        Ok(digits.iter().fold(0, |code, digit| code << 4 | (*digit as char).to_digit(16).unwrap_or(0) as u16))
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole_start = self.at;
        let (magnitude, fits) = self.whole_digits();
        let digits = self.at - whole_start;
        if digits == 0 || (digits > 1 && self.bytes[whole_start] == b'0') {
            return Err(self.error("malformed number"));
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        let text = &self.text[start..self.at];
        match (whole, fits) {
            (true, true) if whole_start > start => Ok(Value::Int(-magnitude)),
            (true, true) => Ok(Value::Int(magnitude)),
            (true, false) => Ok(big_number(text)),
            (false, _) => Ok(fraction(text, self.numbers)),
        }
    }

    /// The value of a run of digits, and whether it surely fits in 64 bits.
    fn whole_digits(&mut self) -> (i64, bool) {
        let start = self.at;
        let mut sum = 0_i64;
        while let Some(byte @ b'0'..=b'9') = self.peek() {
            sum = sum.wrapping_mul(10).wrapping_add(i64::from(byte - b'0'));
            self.at += 1;
        }
        (sum, self.at - start <= 18)
    }

    fn some_digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(self.error("malformed number")) } else { Ok(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Value, JsonError> {
        parse(&Str::from(text), Numbers::Float)
    }

    fn arbitrary_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
            "[a-z\"\\\\\u{1}é用 ]{0,40}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map("[a-z]{1,30}", inner, 0..50)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(json in arbitrary_json()) {
            prop_assert_eq!(read(&json.to_string()).unwrap(), Value::from(json.clone()));
            let pretty = serde_json::to_string_pretty(&json).unwrap();
            prop_assert_eq!(read(&pretty).unwrap(), Value::from(json));
        }

        #[test]
        fn accepts_and_rejects_as_serde_json_does(text in "[\\[\\]{}\",:0-9eE+.truefalsn \\\\u-]{0,24}") {
            // serde_json refuses numbers beyond the range of doubles and lone surrogates; we read both.
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let lenient = theirs.as_ref().is_err_and(|error| {
                let error = error.to_string();
                error.contains("out of range") || error.contains("surrogate") || error.contains("hex escape")
            });
            prop_assert!(lenient || theirs.is_ok() == read(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(read("1").unwrap(), Value::Int(1));
        assert_eq!(read("-9223372036854775808").unwrap(), Value::Int(i64::MIN));
        assert_eq!(read("1.0").unwrap(), Value::Float(1.0));
        assert!(matches!(read("99999999999999999999").unwrap(), Value::BigInt(_)));
        assert!(matches!(parse(&Str::from("1.5"), Numbers::Decimal).unwrap(), Value::Decimal(_)));
    }

    #[test]
    fn long_strings_are_slices_of_the_record() {
        let text = Str::from(format!(r#"{{"message":"{}"}}"#, "x".repeat(100)));
        let value = parse(&text, Numbers::Float).unwrap();
        let message = value.as_object().unwrap().get("message").unwrap().as_str().unwrap();
        assert!(text.try_slice_ref(message).is_some());
    }

    #[test]
    fn depth_is_limited() {
        assert!(read(&("[".repeat(1000) + &"]".repeat(1000))).is_ok());
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
