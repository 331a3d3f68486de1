//! Field references: `message`, `[host][name]`, `[list][0]`, `[@metadata][index]`.
//!
//! The syntax and every refusal are those of Logstash's strict tokenizer.

use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::object::Key;
use crate::value::{Object, Str, Value};

/// A field reference, cut up once when a configuration is compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldPath {
    segments: SmallVec<[Segment; 2]>,
    root: Root,
}

/// Where a reference begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Root {
    Document,
    /// The first segment was `@metadata`; it is not among the segments.
    Metadata,
    /// `@timestamp` of the document, and nothing below it.
    Timestamp,
}

/// One step of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Segment {
    key: Key,
    /// The same as a list index, where it can be one; negative counts from the end.
    index: Option<i64>,
}

/// A reference that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid field reference '{0}'")]
pub struct BadReference(pub String);

/// Why a value could not be put where a reference points.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// Something on the way is neither a map nor a list.
    #[error("cannot set a field below '{0}', which is no map and no list")]
    NotAContainer(String),
    /// A list is indexed by something that is no index of it.
    #[error("'{0}' is no index of the list")]
    BadIndex(String),
    /// `@timestamp` takes nothing but a timestamp.
    #[error("the @timestamp field cannot be set to a {0}")]
    NotATimestamp(&'static str),
}

/// How field references write brackets that belong to a name (`config.field_reference.escape_style`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EscapeStyle {
    /// `none`: they cannot.
    #[default]
    None,
    /// `percent`: `%5B` and `%5D`, as in an address of the web.
    Percent,
    /// `ampersand`: `&#91;` and `&#93;`, as in HTML.
    Ampersand,
}

/// As in Logstash the style holds for the whole process: references are read from configurations and from events alike.
static STYLE: AtomicU8 = AtomicU8::new(0);

impl EscapeStyle {
    /// `none`, `percent` or `ampersand`.
    pub fn parse(text: &str) -> Option<EscapeStyle> {
        match text {
            "none" => Some(EscapeStyle::None),
            "percent" => Some(EscapeStyle::Percent),
            "ampersand" => Some(EscapeStyle::Ampersand),
            _ => None,
        }
    }

    /// Makes this the style of all references that are read from now on.
    pub fn install(self) {
        STYLE.store(self as u8, Ordering::Relaxed);
    }

    fn installed() -> EscapeStyle {
        match STYLE.load(Ordering::Relaxed) {
            1 => EscapeStyle::Percent,
            2 => EscapeStyle::Ampersand,
            _ => EscapeStyle::None,
        }
    }

    /// The name that is written so.
    fn unescape(self, name: &str) -> Cow<'_, str> {
        match self {
            EscapeStyle::Percent if name.contains('%') => replace(name, "%", |rest| {
                let hex = rest.get(..2).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
                Some((char::from(u8::from_str_radix(hex, 16).ok().filter(u8::is_ascii)?), 2))
            })
            .into(),
            EscapeStyle::Ampersand if name.contains("&#") => replace(name, "&#", |rest| {
                let digits = &rest[..rest.find(';')?];
                let number = digits.parse().ok().filter(|_| digits.len() >= 2)?;
                Some((char::from_u32(number)?, digits.len() + 1))
            })
            .into(),
            _ => Cow::Borrowed(name),
        }
    }
}

/// Puts a character in the place of every `start` that `read` knows how to go on with; it tells the length it took.
fn replace(text: &str, start: &str, read: impl Fn(&str) -> Option<(char, usize)>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(start) {
        out.push_str(&rest[..at]);
        let after = &rest[at + start.len()..];
        match read(after) {
            Some((character, length)) => {
                out.push(character);
                rest = &after[length..];
            }
            None => {
                out.push_str(start);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Bytes that a name has which may be more than a name.
const REFERENCE_SIGNS: [bool; 256] = {
    let mut signs = [false; 256];
    let (mut at, listed) = (0, b"[]@%&");
    while at < listed.len() {
        signs[listed[at] as usize] = true;
        at += 1;
    }
    signs
};

/// A reference of more steps is refused: what it makes would be nested as deep.
const SEGMENT_LIMIT: usize = 500;

/// A list grows by at most this many nulls when an index past its end is set.
const LIST_GROWTH_LIMIT: usize = 100_000;

impl FieldPath {
    /// Reads a reference.
    pub fn parse(text: &str) -> Result<FieldPath, BadReference> {
        let bad = || BadReference(text.to_string());
        let mut segments = SmallVec::new();
        if text.contains(['[', ']']) {
            let rest = groups(text, &mut segments, 0).ok_or_else(bad)?;
            if !rest.is_empty() {
                return Err(bad());
            }
        } else {
            segments.push(Segment::read(text));
        }
        if segments.first().is_some_and(|first: &Segment| first.name() == "@metadata") {
            segments.remove(0);
            return Ok(FieldPath { segments, root: Root::Metadata });
        }
        Ok(FieldPath::of_document(segments))
    }

    fn of_document(segments: SmallVec<[Segment; 2]>) -> FieldPath {
        let timestamp = matches!(segments.as_slice(), [only] if only.name() == "@timestamp");
        FieldPath { segments, root: if timestamp { Root::Timestamp } else { Root::Document } }
    }

    /// Whether a text is surely the name of a top-level field that takes any value, so that it need not be read as a
    /// reference: it has no bracket, nothing that stands for one, and no `@`.
    #[inline]
    pub fn is_plain_name(text: &str) -> bool {
        text.bytes().all(|byte| !REFERENCE_SIGNS[usize::from(byte)])
    }

    /// A top-level field of exactly this name, brackets and all.
    pub fn field(name: &str) -> FieldPath {
        FieldPath::of_document(SmallVec::from_iter([Segment::new(name)]))
    }

    /// `@metadata` as a whole; [`FieldPath::child`] leads into it.
    pub fn metadata() -> FieldPath {
        FieldPath { segments: SmallVec::new(), root: Root::Metadata }
    }

    /// This path with one more step at its end.
    pub fn child(&self, name: &str) -> FieldPath {
        let mut segments = self.segments.clone();
        segments.push(Segment::new(name));
        if self.is_metadata() { FieldPath { segments, root: self.root } } else { FieldPath::of_document(segments) }
    }

    /// Whether it points into (or at) `@metadata`.
    #[inline]
    pub fn is_metadata(&self) -> bool {
        self.root == Root::Metadata
    }

    /// Whether it points at `@timestamp`.
    #[inline]
    pub(crate) fn is_timestamp(&self) -> bool {
        self.root == Root::Timestamp
    }

    /// The name, if it points at a top-level field of the document.
    pub fn top_level(&self) -> Option<&Str> {
        match self.segments.as_slice() {
            [only] if !self.is_metadata() => Some(only.key.name()),
            _ => None,
        }
    }

    /// The names of its steps, `@metadata` left out.
    pub fn keys(&self) -> impl Iterator<Item = &Str> {
        self.segments.iter().map(|segment| segment.key.name())
    }

    /// The value below `root`; `None` when something on the way is missing.
    #[inline]
    pub fn get_in<'v>(&self, root: &'v Object) -> Option<&'v Value> {
        let (first, rest) = self.segments.split_first()?;
        rest.iter().try_fold(root.get_key(&first.key)?, |value, segment| segment.get(value))
    }

    /// The value below `root`, to be changed.
    #[inline]
    pub fn get_mut_in<'v>(&self, root: &'v mut Object) -> Option<&'v mut Value> {
        let (first, rest) = self.segments.split_first()?;
        rest.iter().try_fold(root.get_key_mut(&first.key)?, |value, segment| segment.get_mut(value))
    }

    /// Puts a value below `root`; missing maps on the way are made, lists are filled up with nulls. A reference to the
    /// root itself has no place in it.
    #[inline]
    pub fn set_in(&self, root: &mut Object, value: Value) -> Result<(), SetError> {
        match self.segments.as_slice() {
            [] => return Err(SetError::NotAContainer(self.to_string())),
            [only] => root.set_key(&only.key, value),
            _ => *self.place_in(root)? = value,
        }
        Ok(())
    }

    /// The place of the value below `root`, null when it is new; missing maps on the way are made, lists are filled up
    /// with nulls.
    #[inline]
    pub fn place_in<'v>(&self, root: &'v mut Object) -> Result<&'v mut Value, SetError> {
        match self.segments.as_slice() {
            [] => Err(SetError::NotAContainer(self.to_string())),
            [only] => Ok(root.entry(&only.key)),
            [first, middle @ .., last] => {
                let mut parent = root.entry(&first.key);
                let mut above = first;
                for segment in middle {
                    parent = segment.get_or_make(parent, above)?;
                    above = segment;
                }
                last.get_or_make(parent, above)
            }
        }
    }

    /// Takes the value out; later elements of a list move up.
    pub fn remove_in(&self, root: &mut Object) -> Option<Value> {
        let (last, parents) = self.segments.split_last()?;
        let Some((first, middle)) = parents.split_first() else { return root.remove_key(&last.key) };
        let parent = middle.iter().try_fold(root.get_key_mut(&first.key)?, |value, segment| segment.get_mut(value))?;
        match parent {
            Value::Object(object) => object.remove_key(&last.key),
            Value::Array(values) => {
                let at = list_position(last.index?, values.len())?;
                Some(values.remove(at))
            }
            _ => None,
        }
    }

    pub(crate) fn is_whole_root(&self) -> bool {
        self.segments.is_empty()
    }
}

impl Segment {
    fn new(key: &str) -> Segment {
        Segment { key: Key::new(Str::from(key)), index: key.parse().ok() }
    }

    fn name(&self) -> &str {
        self.key.name()
    }

    /// A step as a reference writes it.
    fn read(key: &str) -> Segment {
        Segment::new(&EscapeStyle::installed().unescape(key))
    }

    fn get<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match value {
            Value::Object(object) => object.get_key(&self.key),
            Value::Array(values) => values.get(list_position(self.index?, values.len())?),
            _ => None,
        }
    }

    fn get_mut<'v>(&self, value: &'v mut Value) -> Option<&'v mut Value> {
        match value {
            Value::Object(object) => object.get_key_mut(&self.key),
            Value::Array(values) => {
                let at = list_position(self.index?, values.len())?;
                values.get_mut(at)
            }
            _ => None,
        }
    }

    /// The place below `value` that this segment names; null there when it is new. A null parent becomes a map.
    fn get_or_make<'v>(&self, value: &'v mut Value, above: &Segment) -> Result<&'v mut Value, SetError> {
        if value.is_null() {
            *value = Value::Object(Object::new());
        }
        match value {
            Value::Object(object) => Ok(object.entry(&self.key)),
            Value::Array(values) => {
                let bad = || SetError::BadIndex(self.name().to_string());
                let index = self.index.ok_or_else(bad)?;
                let at = match list_position(index, values.len()) {
                    Some(at) => at,
                    None => usize::try_from(index)
                        .ok()
                        .filter(|at| *at < values.len() + LIST_GROWTH_LIMIT)
                        .ok_or_else(bad)?,
                };
                if at >= values.len() {
                    values.resize(at + 1, Value::Null);
                }
                Ok(&mut values[at])
            }
            _ => Err(SetError::NotAContainer(above.name().to_string())),
        }
    }
}

/// `-1` is the last element.
fn list_position(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < length)
}

/// Reads `[a][b]…` up to the end or to a closing bracket that belongs outside, and hands back the rest.
fn groups<'t>(text: &'t str, segments: &mut SmallVec<[Segment; 2]>, depth: usize) -> Option<&'t str> {
    const DEPTH_LIMIT: usize = 64;
    let mut rest = text;
    let mut any = false;
    while let Some(inner) = rest.strip_prefix('[') {
        any = true;
        rest = if inner.starts_with('[') {
            if depth == DEPTH_LIMIT {
                return None;
            }
            groups(inner, segments, depth + 1)?.strip_prefix(']')?
        } else {
            let end = inner.find(['[', ']'])?;
            let (key, tail) = inner.split_at(end);
            if key.is_empty() || segments.len() == SEGMENT_LIMIT {
                return None;
            }
            segments.push(Segment::read(key));
            tail.strip_prefix(']')?
        };
    }
    any.then_some(rest)
}

/// `[a][b]`, or the bare name of a top-level field.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.segments.as_slice() {
            [only] if !self.is_metadata() => f.write_str(only.name()),
            segments => {
                if self.is_metadata() {
                    f.write_str("[@metadata]")?;
                }
                segments.iter().try_for_each(|segment| write!(f, "[{}]", segment.name()))
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(text: &str) -> FieldPath {
        FieldPath::parse(text).unwrap()
    }

    #[test]
    fn reads_what_logstash_reads() {
        for (text, printed) in [
            ("foo", "foo"),
            ("[foo]", "foo"),
            ("[a][b]", "[a][b]"),
            ("[[a][b]][c]", "[a][b][c]"),
            ("a.b", "a.b"),
            ("[@metadata][x]", "[@metadata][x]"),
            ("@metadata", "[@metadata]"),
        ] {
            assert_eq!(path(text).to_string(), printed, "{text}");
        }
        for text in ["foo[bar]", "[a]b", "[a", "[]", "a]", "[a]]", "[[a]", "[a[b]]", "[[a]b]"] {
            assert!(FieldPath::parse(text).is_err(), "{text}");
        }
        assert!(FieldPath::parse(&"[".repeat(100_000)).is_err());
        assert!(FieldPath::parse(&"[a]".repeat(100_000)).is_err());
    }

    #[test]
    fn lists_are_reached_from_both_ends_and_filled_up() {
        let mut root = Object::new();
        path("[a][b]").set_in(&mut root, Value::Array(vec![1.into(), 2.into()])).unwrap();
        assert_eq!(path("[a][b][-1]").get_in(&root), Some(&Value::Int(2)));
        path("[a][b][3]").set_in(&mut root, 4.into()).unwrap();
        assert_eq!(path("[a][b][2]").get_in(&root), Some(&Value::Null));
        assert_eq!(path("[a][b][0]").remove_in(&mut root), Some(Value::Int(1)));
        assert_eq!(path("[a][b][0]").get_in(&root), Some(&Value::Int(2)));
        assert!(path("[a][b][x]").set_in(&mut root, 1.into()).is_err());
        assert!(path("[a][b][-9]").set_in(&mut root, 1.into()).is_err());
        assert!(path("[a][b][9000000000]").set_in(&mut root, 1.into()).is_err());
    }

    #[test]
    fn nothing_is_set_in_place_of_the_root() {
        let mut root = Object::new();
        assert!(path("[@metadata]").set_in(&mut root, Value::Int(1)).is_err());
        assert!(root.is_empty());
    }

    #[test]
    fn styles_of_escaping() {
        for (style, written, name) in [
            (EscapeStyle::None, "a%5Bb", "a%5Bb"),
            (EscapeStyle::Percent, "a%5Bb%5d%25%zz%C3%", "a[b]%%zz%C3%"),
            (EscapeStyle::Ampersand, "a&#91;b&#93;&#38;&#1;&#x;&#", "a[b]&&#1;&#x;&#"),
        ] {
            assert_eq!(style.unescape(written), name, "{written}");
        }
    }

    #[test]
    fn scalars_have_nothing_below_them() {
        let mut root: Object = [("a", "text")].into_iter().collect();
        assert_eq!(path("[a][b]").set_in(&mut root, 1.into()), Err(SetError::NotAContainer("a".into())));
        assert_eq!(path("[a][b]").get_in(&root), None);
    }
}
