//! `mutate` works in an order of its own, whatever the order of the text.

use std::collections::BTreeSet;

use crate::lang::ast::{Attribute, Literal, LiteralKind, Plugin};
use crate::lang::diagnostic::Diagnostic;

/// The order in which it works; the common options come last.
const ORDER: [&str; 18] = [
    "coerce",
    "rename",
    "update",
    "replace",
    "convert",
    "gsub",
    "uppercase",
    "capitalize",
    "lowercase",
    "strip",
    "split",
    "join",
    "merge",
    "copy",
    "add_field",
    "remove_field",
    "add_tag",
    "remove_tag",
];

/// What an option reads and writes.
#[derive(Default)]
struct Touched {
    reads: BTreeSet<String>,
    writes: BTreeSet<String>,
}

/// Warns of the first pair of options that stand in the other order and touch the same field.
pub(super) fn order(plugin: &Plugin, findings: &mut Vec<Diagnostic>) {
    let rank = |name: &str| ORDER.iter().position(|known| *known == name);
    let ranked: Vec<(usize, &Attribute, Touched)> = plugin
        .attributes
        .iter()
        .filter_map(|attribute| Some((rank(&attribute.name)?, attribute, touched(attribute))))
        .collect();
    for (at, (rank, attribute, touches)) in ranked.iter().enumerate() {
        let before = ranked[..at].iter().find_map(|(earlier, other, touched)| {
            let field = (earlier > rank).then(|| touched.meets(touches)).flatten()?;
            Some((other, field))
        });
        if let Some((other, field)) = before {
            let message = format!(
                "'{}' works before '{}', whatever the order of the text: both touch {field}",
                attribute.name, other.name
            );
            let hint = "to keep the order of the text, write a mutate { } for each";
            findings.push(Diagnostic::warning("mutate-order", &attribute.name_span, message).with_hint(hint));
            return;
        }
    }
}

impl Touched {
    /// A field that one of both writes and the other touches.
    fn meets(&self, other: &Touched) -> Option<String> {
        let written = self.writes.iter().find(|field| other.reads.contains(*field) || other.writes.contains(*field));
        written.or_else(|| other.writes.iter().find(|field| self.reads.contains(*field))).cloned()
    }
}

fn touched(attribute: &Attribute) -> Touched {
    let mut touched = Touched::default();
    let pairs = pairs(&attribute.value);
    match attribute.name.as_str() {
        "rename" | "copy" => {
            for (from, to) in pairs {
                touched.reads.extend([normal(from)]);
                touched.writes.extend([normal(to)]);
                if attribute.name == "rename" {
                    touched.writes.extend([normal(from)]);
                }
            }
        }
        "merge" => {
            for (into, from) in pairs {
                touched.writes.extend([normal(into)]);
                touched.reads.extend([normal(from)]);
            }
        }
        "coerce" | "update" | "replace" | "add_field" => {
            for (field, value) in pairs {
                touched.writes.extend([normal(field)]);
                touched.reads.extend(super::fields::references(value).map(normal));
            }
        }
        "convert" | "split" | "join" => touched.writes.extend(pairs.into_iter().map(|(field, _)| normal(field))),
        "gsub" => {
            let items = texts(&attribute.value);
            touched.writes.extend(items.chunks(3).filter_map(|three| three.first()).map(|field| normal(field)));
        }
        "add_tag" | "remove_tag" => {
            touched.writes.extend(["tags".to_string()]);
            touched.reads.extend(texts(&attribute.value).into_iter().flat_map(super::fields::references).map(normal));
        }
        _ => touched.writes.extend(texts(&attribute.value).into_iter().map(normal)),
    }
    touched
}

/// `[a]` and `a` are one field.
fn normal(field: &str) -> String {
    tailrace_common::FieldPath::parse(field).map_or_else(|_| field.to_string(), |path| path.to_string())
}

/// Keys and values of a hash, or of a flat list.
fn pairs(literal: &Literal) -> Vec<(&str, &str)> {
    match &literal.kind {
        LiteralKind::Hash(entries) => {
            let entries = entries.iter();
            entries
                .flat_map(|(key, value)| texts(value).into_iter().filter_map(move |value| Some((text(key)?, value))))
                .collect()
        }
        LiteralKind::Array(_) => texts(literal).chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        _ => Vec::new(),
    }
}

/// The texts of a value: itself, or its items.
pub(super) fn texts(literal: &Literal) -> Vec<&str> {
    match &literal.kind {
        LiteralKind::Array(items) => items.iter().filter_map(text).collect(),
        _ => text(literal).into_iter().collect(),
    }
}

pub(super) fn text(literal: &Literal) -> Option<&str> {
    match &literal.kind {
        LiteralKind::Bareword(text) | LiteralKind::String(text) | LiteralKind::Number(text) => Some(text),
        _ => None,
    }
}
