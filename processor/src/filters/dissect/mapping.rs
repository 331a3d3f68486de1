//! A dissect pattern: fields and the delimiters between them.

use memchr::memchr;
use memchr::memmem::Finder;
use smallvec::SmallVec;
use tailrace_common::{Event, FieldPath, Str};

/// A pattern such as `%{a} %{+a/2} %{?key}=%{&key} %{last->}`.
#[derive(Debug)]
pub(super) struct Mapping {
    /// Before the first field.
    prefix: String,
    parts: Vec<Part>,
    /// The parts that become fields, in the order in which they are set: plain ones, appended ones, indirect ones.
    stores: Vec<Store>,
}

/// A field and what ends it.
#[derive(Debug)]
struct Part {
    /// `None` for the last field that takes the rest.
    end: Option<Finder<'static>>,
    /// `->`: the delimiter may be repeated.
    padded: bool,
}

#[derive(Debug)]
struct Store {
    /// Which part's text.
    part: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Plain(FieldPath),
    /// `+`: added to what is there, with the delimiter that stands before it.
    Append(FieldPath, String),
    /// `&`: the text of another part is the name.
    Indirect(usize),
}

/// A pattern that cannot be.
#[derive(Debug, thiserror::Error)]
pub(super) enum PatternError {
    #[error("a dissect pattern needs at least one %{{field}}")]
    NoField,
    #[error(transparent)]
    Field(#[from] tailrace_common::path::BadReference),
    #[error("'&{0}' refers to no field; write %{{?{0}}} before it")]
    Unknown(String),
}

/// The text does not follow the pattern.
pub(super) struct Missed;

/// What stands between the braces.
struct Written<'p> {
    name: &'p str,
    sign: Option<char>,
    ordinal: usize,
    padded: bool,
}

impl Mapping {
    pub(super) fn parse(pattern: &str) -> Result<Mapping, PatternError> {
        let first = pattern.find("%{").ok_or(PatternError::NoField)?;
        let mut rest = &pattern[first..];
        let (mut written, mut parts, mut before) = (Vec::new(), Vec::new(), Vec::new());
        let mut delimiter = &pattern[..first];
        while let Some(inside) = rest.strip_prefix("%{") {
            let Some(end) = inside.find('}') else { break };
            let field = Written::parse(&inside[..end]);
            let after = &inside[end + 1..];
            let next = after.find("%{").filter(|at| after[*at..].contains('}')).unwrap_or(after.len());
            before.push(delimiter);
            delimiter = &after[..next];
            rest = &after[next..];
            let takes_rest = delimiter.is_empty() && rest.is_empty();
            let end = (!takes_rest).then(|| Finder::new(delimiter.as_bytes()).into_owned());
            parts.push(Part { end, padded: field.padded });
            written.push(field);
        }
        if parts.is_empty() {
            return Err(PatternError::NoField);
        }
        Ok(Mapping { prefix: pattern[..first].into(), stores: stores(&written, &before)?, parts })
    }

    /// Sets the fields when the whole pattern is found.
    pub(super) fn dissect(&self, text: &Str, event: &mut Event) -> Result<(), Missed> {
        let spans = self.spans(text).ok_or(Missed)?;
        // Delimiters are whole characters, so that what lies between them is text.
        let slice = |part: usize| text.get(spans[part].0..spans[part].1).unwrap_or_default();
        let mut appended: SmallVec<[(&FieldPath, String); 2]> = SmallVec::new();
        for store in &self.stores {
            let value = slice(store.part);
            match &store.kind {
                Kind::Plain(path) => set(event, path, text, value),
                Kind::Append(path, delimiter) => match appended.iter_mut().find(|(held, _)| *held == path) {
                    Some((_, held)) => {
                        held.push_str(delimiter);
                        held.push_str(value);
                    }
                    None => {
                        // A plain field of the same pattern begins the text.
                        let plain =
                            self.stores.iter().find(|store| matches!(&store.kind, Kind::Plain(plain) if plain == path));
                        let begun = plain.map(|plain| format!("{}{delimiter}{value}", slice(plain.part)));
                        appended.push((path, begun.unwrap_or_else(|| value.to_string())));
                    }
                },
                Kind::Indirect(name) => {
                    let name = slice(*name);
                    if !name.is_empty()
                        && let Ok(path) = FieldPath::parse(name)
                    {
                        set(event, &path, text, value);
                    }
                }
            }
        }
        for (path, value) in appended {
            let value = Str::from(value);
            set(event, path, &value, &value);
        }
        Ok(())
    }

    /// Where each part's text lies.
    fn spans(&self, text: &str) -> Option<SmallVec<[(usize, usize); 12]>> {
        if text.is_empty() || !text.starts_with(&self.prefix) {
            return None;
        }
        let bytes = text.as_bytes();
        let mut spans = SmallVec::new();
        let (mut left, mut from) = (self.prefix.len(), self.prefix.len());
        for part in &self.parts {
            let Some(end) = &part.end else {
                spans.push((left, bytes.len()));
                break;
            };
            let delimiter = end.needle();
            if delimiter.is_empty() {
                return None;
            }
            let found = from + find(end, &bytes[from..])?;
            spans.push((left.min(found), found));
            from = found + delimiter.len();
            while part.padded && bytes[from..].starts_with(delimiter) {
                from += delimiter.len();
            }
            // Logstash keeps a delimiter that the text begins with.
            left = if found == 0 { 0 } else { from };
        }
        Some(spans)
    }
}

/// Where a delimiter begins. They are short and stand near: a few looks at its first byte cost less than to begin a search
/// for the whole.
#[inline]
fn find(delimiter: &Finder<'_>, text: &[u8]) -> Option<usize> {
    const LOOKS: usize = 4;
    let needle = delimiter.needle();
    let (first, rest) = needle.split_first()?;
    let mut from = 0;
    for _ in 0..LOOKS {
        let at = from + memchr(*first, &text[from..])?;
        if text[at + 1..].starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
    delimiter.find(&text[from..]).map(|at| from + at)
}

/// Sets a field to a part of a text.
fn set(event: &mut Event, path: &FieldPath, text: &Str, part: &str) {
    // A field below one that is no map stays unset, as in Logstash.
    if let Ok(place) = event.place(path) {
        place.set_slice(text, part);
    }
}

impl Written<'_> {
    fn parse(text: &str) -> Written<'_> {
        let (text, padded) = text.strip_suffix("->").map_or((text, false), |name| (name, true));
        let sign = text.chars().next().filter(|sign| matches!(sign, '+' | '&' | '?'));
        let name = if sign.is_some() { &text[1..] } else { text };
        let (name, ordinal) = match name.rsplit_once('/') {
            Some((name, digits)) if sign == Some('+') => match digits.parse() {
                Ok(ordinal) => (name, ordinal),
                Err(_) => (name, 0),
            },
            _ => (name, 0),
        };
        // `%{}` is left out; `%{->}` is a field without a name.
        let sign = if name.is_empty() && sign.is_none() && !padded { Some('?') } else { sign };
        Written { name, sign, ordinal, padded }
    }
}

fn stores(written: &[Written<'_>], before: &[&str]) -> Result<Vec<Store>, PatternError> {
    let (mut plain, mut appended, mut indirect) = (Vec::new(), Vec::new(), Vec::new());
    for (part, field) in written.iter().enumerate() {
        match field.sign {
            None => plain.push(Store { part, kind: Kind::Plain(path(field.name)?) }),
            Some('+') => {
                let delimiter = if part == 0 { " " } else { before[part] };
                appended.push((field.ordinal, Store { part, kind: Kind::Append(path(field.name)?, delimiter.into()) }));
            }
            Some('&') => {
                let named =
                    written.iter().position(|other| other.name == field.name && matches!(other.sign, None | Some('?')));
                let named = named.ok_or_else(|| PatternError::Unknown(field.name.into()))?;
                indirect.push(Store { part, kind: Kind::Indirect(named) });
            }
            Some(_) => {}
        }
    }
    appended.sort_by_key(|(ordinal, _)| *ordinal);
    plain.extend(appended.into_iter().map(|(_, store)| store));
    plain.extend(indirect);
    Ok(plain)
}

fn path(name: &str) -> Result<FieldPath, PatternError> {
    Ok(FieldPath::parse(name)?)
}
