//! The tokenizer of `dissect`: compiled once, cut by searching for the delimiters.

use std::net::IpAddr;

use memchr::memmem;
use tailrace_common::Value;

/// A compiled tokenizer.
#[derive(Clone, Debug)]
pub(super) struct Tokenizer {
    /// What stands before the first key.
    start: String,
    parts: Vec<Part>,
}

/// A key and the delimiter behind it.
#[derive(Clone, Debug)]
struct Part {
    key: Key,
    delimiter: String,
    /// `->`: the delimiter may be repeated.
    padded: bool,
    /// `#4`: so many bytes.
    length: Option<usize>,
}

#[derive(Clone, Debug)]
struct Key {
    name: String,
    role: Role,
    kind: Option<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// `%{name}`
    Plain,
    /// `%{}`, `%{?name}`
    Skip,
    /// `%{+name}`, `%{+name/2}`
    Append(usize),
    /// `%{*name}`: its value is a key, whose value `%{&name}` has.
    NameOf,
    /// `%{&name}`
    ValueOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Whole,
    Number,
    Boolean,
    Ip,
    Text,
}

impl Tokenizer {
    /// Compiles a tokenizer; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Tokenizer, String> {
        let first = text.find("%{").ok_or("the tokenizer has no '%{key}'")?;
        let (start, mut rest) = text.split_at(first);
        let mut parts = Vec::new();
        while let Some(inner) = rest.strip_prefix("%{") {
            let end = inner.find('}').ok_or("'%{' is not closed")?;
            let behind = &inner[end + 1..];
            let next = behind.find("%{").unwrap_or(behind.len());
            parts.push(part(&inner[..end], &behind[..next])?);
            rest = &behind[next..];
        }
        for pair in parts.windows(2) {
            if pair[0].delimiter.is_empty() && pair[0].length.is_none() {
                return Err(format!("'%{{{}}}' needs a delimiter behind it", pair[0].key.name));
            }
        }
        let named = |role: Role| parts.iter().filter(move |part| part.key.role == role).map(|part| &part.key.name);
        if let Some(lost) = named(Role::ValueOf).find(|name| named(Role::NameOf).all(|known| known != *name)) {
            return Err(format!("'%{{&{lost}}}' has no '%{{*{lost}}}'"));
        }
        Ok(Tokenizer { start: start.to_owned(), parts })
    }

    /// The keys and values of a text; nothing if it does not fit.
    pub(super) fn dissect(&self, text: &str) -> Option<Vec<(String, Value)>> {
        let mut rest = text.strip_prefix(self.start.as_str())?;
        let mut pieces: Vec<&str> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let (piece, behind) = part.cut(rest)?;
            pieces.push(piece);
            rest = behind;
        }
        Some(self.values(&pieces))
    }

    fn values(&self, pieces: &[&str]) -> Vec<(String, Value)> {
        let mut values: Vec<(String, Value)> = Vec::with_capacity(pieces.len());
        let mut appended: Vec<(&str, usize, &str, &str)> = Vec::new();
        let mut delimiter = self.start.as_str();
        for (part, piece) in self.parts.iter().zip(pieces) {
            match part.key.role {
                Role::Plain => values.push((part.key.name.clone(), part.key.value(piece))),
                Role::Append(order) => appended.push((&part.key.name, order, delimiter, piece)),
                Role::ValueOf => {
                    let name = self
                        .parts
                        .iter()
                        .zip(pieces)
                        .find(|(other, _)| other.key.role == Role::NameOf && other.key.name == part.key.name);
                    values.extend(name.map(|(_, name)| ((*name).to_owned(), part.key.value(piece))));
                }
                Role::Skip | Role::NameOf => {}
            }
            delimiter = &part.delimiter;
        }
        appended.sort_by_key(|(_, order, ..)| *order);
        for (name, _, delimiter, piece) in appended {
            match values.iter_mut().find(|(known, _)| known == name) {
                Some((_, Value::String(held))) => *held = format!("{held}{delimiter}{piece}").into(),
                Some(_) => {}
                None => values.push((name.to_owned(), Value::from(piece))),
            }
        }
        values
    }
}

impl Part {
    /// The value at the start of the text, and what follows its delimiter.
    fn cut<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        if let Some(length) = self.length {
            let (piece, behind) = text.split_at_checked(length)?;
            return Some((piece, behind.strip_prefix(self.delimiter.as_str())?));
        }
        if self.delimiter.is_empty() {
            return Some((text, ""));
        }
        let at = memmem::find(text.as_bytes(), self.delimiter.as_bytes())?;
        let mut behind = &text[at + self.delimiter.len()..];
        while self.padded
            && let Some(next) = behind.strip_prefix(self.delimiter.as_str())
        {
            behind = next;
        }
        Some((&text[..at], behind))
    }
}

fn part(inner: &str, delimiter: &str) -> Result<Part, String> {
    let (inner, kind) = match inner.split_once('|') {
        Some((inner, kind)) => (inner, Some(kind_named(kind)?)),
        None => (inner, None),
    };
    let (inner, padded) = inner.strip_suffix("->").map_or((inner, false), |inner| (inner, true));
    let (inner, length) = match inner.split_once('#') {
        Some((inner, length)) => {
            (inner, Some(length.parse::<usize>().map_err(|_| format!("'#{length}' is no length"))?))
        }
        None => (inner, None),
    };
    let (role, name) = match inner.as_bytes().first() {
        None => (Role::Skip, ""),
        Some(b'?') => (Role::Skip, &inner[1..]),
        Some(b'*') => (Role::NameOf, &inner[1..]),
        Some(b'&') => (Role::ValueOf, &inner[1..]),
        Some(b'+') => match inner[1..].split_once('/') {
            Some((name, order)) => (Role::Append(order.parse().map_err(|_| format!("'/{order}' is no order"))?), name),
            None => (Role::Append(0), &inner[1..]),
        },
        Some(_) => (Role::Plain, inner),
    };
    if name.is_empty() && role != Role::Skip {
        return Err(format!("'%{{{inner}}}' has no name"));
    }
    Ok(Part { key: Key { name: name.to_owned(), role, kind }, delimiter: delimiter.to_owned(), padded, length })
}

fn kind_named(name: &str) -> Result<Kind, String> {
    Ok(match name {
        "integer" | "long" => Kind::Whole,
        "float" | "double" => Kind::Number,
        "boolean" => Kind::Boolean,
        "ip" => Kind::Ip,
        "string" => Kind::Text,
        other => return Err(format!("'{other}' is no type: use integer, long, float, double, string, boolean or ip")),
    })
}

impl Key {
    /// A value that is not of the kind stays text.
    fn value(&self, piece: &str) -> Value {
        let typed = match self.kind {
            None | Some(Kind::Text) => None,
            Some(Kind::Whole) => piece.parse().ok().map(Value::Int),
            Some(Kind::Number) => piece.parse().ok().map(Value::Float),
            Some(Kind::Boolean) => piece.parse().ok().map(Value::Bool),
            Some(Kind::Ip) => piece.parse::<IpAddr>().ok().map(|address| Value::from(address.to_string())),
        };
        typed.unwrap_or_else(|| Value::from(piece))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn dissected(tokenizer: &str, text: &str) -> Option<Vec<(String, String)>> {
        let found = Tokenizer::parse(tokenizer).unwrap().dissect(text)?;
        Some(found.into_iter().map(|(key, value)| (key, crate::processors::field::text_of(&value))).collect())
    }

    #[test]
    fn keys_take_what_stands_between_delimiters() {
        for (tokenizer, text, wanted) in [
            ("%{a} %{b}", "one two three", Some(vec![("a", "one"), ("b", "two three")])),
            ("<%{a}>", "<x>", Some(vec![("a", "x")])),
            ("%{a} - %{b}", "one two", None),
            ("%{a->} %{b}", "one    two", Some(vec![("a", "one"), ("b", "two")])),
            ("%{?skip} %{} %{b}", "1 2 3", Some(vec![("b", "3")])),
            ("%{a} %{+a} %{+a}", "1 2 3", Some(vec![("a", "1 2 3")])),
            ("%{+a/2},%{+a/1} %{b}", "2,1 x", Some(vec![("b", "x"), ("a", "12")])),
            ("%{*k}=%{&k}", "name=value", Some(vec![("name", "value")])),
            ("%{a#4}%{b#2}-%{c}", "202401-x", Some(vec![("a", "2024"), ("b", "01"), ("c", "x")])),
            ("%{a#4}%{b}", "中", None),
            ("%{n|integer} %{f|float} %{t|ip}", "7 1.50 x", Some(vec![("n", "7"), ("f", "1.5"), ("t", "x")])),
        ] {
            let wanted = wanted.map(|pairs| {
                pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect::<Vec<_>>()
            });
            assert_eq!(dissected(tokenizer, text), wanted, "{tokenizer}");
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for tokenizer in ["none", "%{a", "%{a}%{b}", "%{&k} x", "%{a|year}", "%{+} x", "%{a#x}"] {
            assert!(Tokenizer::parse(tokenizer).is_err(), "{tokenizer}");
        }
    }
}
