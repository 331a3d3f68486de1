//! What is written in a configuration as values: variables filled in, repeated attributes merged.

use tailrace_common::Value;

use super::{Expand, Options, value_text};
use crate::javahash::sort_as_hash_map;
use crate::lang::ast::{Literal, LiteralKind, Span};
use crate::lang::diagnostic::Diagnostic;

impl Options<'_> {
    pub(super) fn literal(&mut self, literal: &Literal, expand: &Expand<'_>) -> Value {
        match &literal.kind {
            LiteralKind::Bareword(word) => Value::from(word.as_str()),
            LiteralKind::String(text) => match self.expanded(text, &literal.span, expand) {
                expanded if expanded == *text => Value::from(expanded),
                expanded => refined(&expanded),
            },
            LiteralKind::Number(text) => number(text),
            LiteralKind::Array(items) => {
                let item = |item: &Literal| match &item.kind {
                    LiteralKind::String(text) => Value::from(self.expanded(text, &item.span, expand)),
                    _ => self.literal(item, expand),
                };
                Value::Array(items.iter().map(item).collect())
            }
            LiteralKind::Hash(entries) => self.hash_literal(entries, expand),
            LiteralKind::Plugin(plugin) => Value::from(plugin.name.as_str()),
        }
    }

    fn expanded(&mut self, text: &str, span: &Span, expand: &Expand<'_>) -> String {
        if !text.contains("${") {
            return text.into();
        }
        expand(text).unwrap_or_else(|message| {
            self.error("unset-variable", span, message);
            text.into()
        })
    }

    fn hash_literal(&mut self, entries: &[(Literal, Literal)], expand: &Expand<'_>) -> Value {
        let mut read: Vec<(String, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = match &key.kind {
                LiteralKind::Bareword(text) | LiteralKind::String(text) => text.clone(),
                LiteralKind::Number(text) => {
                    // Logstash parses it and then fails to cast a Long to a String.
                    let message = format!("the key {text} of a hash must be quoted");
                    self.report(
                        Diagnostic::error("number-key", &key.span, message).with_hint(format!("write \"{text}\"")),
                    );
                    text.clone()
                }
                _ => continue,
            };
            let value = self.literal(value, expand);
            read.push((name, value));
        }
        hash_value(read)
    }
}

/// Text that variables were filled into: quotes around it go, and `[a, "b"]` is a list (`replace_placeholders` in
/// `substitution_variables.rb`).
fn refined(text: &str) -> Value {
    let text = unquoted(text);
    let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
        return Value::from(text);
    };
    let mut items: Vec<&str> = inside.split(',').collect();
    while items.last().is_some_and(|item| item.is_empty()) {
        items.pop();
    }
    Value::Array(items.into_iter().map(|item| Value::from(unquoted(item.trim()))).collect())
}

/// Without single and then without double quotes around it.
fn unquoted(text: &str) -> &str {
    ['\'', '"'].into_iter().fold(text, |text, quote| {
        let inside = text.strip_prefix(quote).map(|rest| rest.strip_suffix(quote).unwrap_or(rest));
        inside.filter(|_| text.ends_with(quote)).unwrap_or(text)
    })
}

/// A map in the iteration order of Java's HashMap.
fn hash_value(mut entries: Vec<(String, Value)>) -> Value {
    sort_as_hash_map(&mut entries);
    Value::Object(entries.into_iter().collect())
}

/// What a repeated attribute does (`map_expr_attributes` in `lscl.rb`).
pub(super) fn merge(first: &mut Value, second: Value) {
    match (&mut *first, second) {
        (Value::Object(held), Value::Object(added)) => {
            let mut merged = std::mem::take(held);
            for (key, value) in added {
                match merged.get_mut(&key) {
                    Some(existing) => merge(existing, value),
                    None => drop(merged.insert(key, value)),
                }
            }
            *first = hash_value(merged.into_iter().map(|(key, value)| (key.to_string(), value)).collect());
        }
        (Value::Array(held), Value::Array(added)) => held.extend(added),
        (Value::Array(held), single) => held.push(single),
        (held, second) if *held == second => {}
        (held, second) => {
            let single = std::mem::take(held);
            *held = Value::Array(vec![single, second]);
        }
    }
}

/// Keys and values that alternate; a repeated key collects its values into a list. `None` when the length is odd.
pub(super) fn pairs(flat: Vec<Value>) -> Option<Vec<(String, Value)>> {
    if !flat.len().is_multiple_of(2) {
        return None;
    }
    let mut entries: Vec<(String, Value)> = Vec::new();
    let mut items = flat.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        let key = value_text(&key);
        match entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, Value::Array(values))) => values.push(value),
            Some((_, held)) => *held = Value::Array(vec![std::mem::take(held), value]),
            None => entries.push((key, value)),
        }
    }
    Some(entries)
}

/// A number as the language writes it; `5.` is a float.
pub fn number(text: &str) -> Value {
    if !text.contains('.') {
        return text.parse::<num_bigint::BigInt>().map_or(Value::Null, Value::from_bigint);
    }
    Value::Float(text.parse().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_may_hold_lists_and_quotes() {
        let list = |items: &[&str]| Value::Array(items.iter().map(|item| Value::from(*item)).collect());
        for (text, wanted) in [
            ("plain", Value::from("plain")),
            ("'\"both\"'", Value::from("both")),
            ("\"'inner stays'\"", Value::from("'inner stays'")),
            ("\"one side", Value::from("\"one side")),
            ("'", Value::from("")),
            ("[a, b]", list(&["a", "b"])),
            ("\"[ 'http://a:1' , \"b c\",, ]\"", list(&["http://a:1", "b c", "", ""])),
            ("[]", list(&[])),
            ("[a] b", Value::from("[a] b")),
        ] {
            assert_eq!(refined(text), wanted, "{text}");
        }
    }
}
