//! `%{field}` of fields that nothing sets.
//!
//! Inputs and filters such as json may set anything, so a reference that nobody sets is only reported when the name of a
//! field that somebody does set is nearly the same: that is a slip of the hand.

use std::collections::{BTreeMap, BTreeSet};

use tailrace_common::FieldPath;
use tailrace_common::nearest::nearest;

use super::mutate::{text, texts};
use crate::lang::ast::{
    Attribute, Condition, ConditionKind, Config, Kind, Literal, LiteralKind, Operand, OperandKind, Plugin, Section,
    Span, Statement,
};
use crate::lang::diagnostic::Diagnostic;

/// Names that every event may have.
const WELL_KNOWN: [&str; 6] = ["message", "@timestamp", "@version", "tags", "type", "host"];

#[derive(Default)]
struct Names {
    /// Fields that some plugin sets by name.
    set: BTreeSet<String>,
    /// Fields that options and conditions name, where they come from outside.
    named: BTreeSet<String>,
    /// Fields that `%{...}` reads, and where first.
    read: BTreeMap<String, Span>,
}

/// Reports `%{...}` whose field is set nowhere and looks like one that is.
pub(super) fn unset(config: &Config, findings: &mut Vec<Diagnostic>) {
    let mut names = Names::default();
    for section in &config.sections {
        names.section(section);
    }
    for (field, span) in &names.read {
        if WELL_KNOWN.contains(&field.as_str()) || names.set.contains(field) || names.named.contains(field) {
            continue;
        }
        // A part of a field that is set whole, or a field whose parts are set.
        let related = |other: &String| within(field, other) || within(other, field);
        if names.set.iter().any(related) {
            continue;
        }
        if let Some(near) = nearest(field, names.set.iter().map(String::as_str)).filter(|near| slip(field, near)) {
            let message = format!("nothing sets the field {field}, so %{{{field}}} stays as it is written");
            findings.push(
                Diagnostic::warning("unset-field", span, message).with_hint(format!("did you mean %{{{near}}}?")),
            );
        }
    }
}

/// A few letters of difference, in a name long enough for that to mean something.
fn slip(one: &str, other: &str) -> bool {
    one.len() >= 4 && strsim::damerau_levenshtein(one, other) <= 2
}

/// Whether `inner` is `[outer][...]`.
fn within(inner: &str, outer: &str) -> bool {
    let outer = if outer.starts_with('[') { outer.to_string() } else { format!("[{outer}]") };
    inner.len() > outer.len() && inner.starts_with(&outer)
}

/// The references in a text: `%{...}` but for dates.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("%{").skip(1).filter_map(|rest| {
        let inside = &rest[..rest.find('}')?];
        (!inside.is_empty() && !inside.starts_with(['+', '{'])).then_some(inside)
    })
}

/// Names that grok captures: `%{PATTERN:name}`, `%{PATTERN:name:int}`, `(?<name>...)`.
fn captures(pattern: &str) -> impl Iterator<Item = &str> {
    let named = pattern.split("%{").skip(1).filter_map(|rest| {
        let inside = &rest[..rest.find('}')?];
        inside.split_once(':').map(|(_, name)| name.split([':', '=']).next().unwrap_or(name))
    });
    let groups = pattern.split("(?<").skip(1).filter_map(|rest| {
        let name = &rest[..rest.find('>')?];
        (!name.starts_with(['=', '!'])).then_some(name)
    });
    named.chain(groups)
}

impl Names {
    fn section(&mut self, section: &Section) {
        let mut bodies = vec![section.body.as_slice()];
        while let Some(body) = bodies.pop() {
            for statement in body {
                match statement {
                    Statement::Plugin(plugin) => self.plugin(plugin, section.kind),
                    Statement::Branch(branch) => {
                        branch.arms.iter().for_each(|arm| self.condition(&arm.condition));
                        bodies.extend(branch.arms.iter().map(|arm| arm.body.as_slice()));
                        bodies.extend(branch.otherwise.as_deref());
                    }
                }
            }
        }
    }

    fn plugin(&mut self, plugin: &Plugin, kind: Kind) {
        for attribute in &plugin.attributes {
            match (plugin.name.as_str(), attribute.name.as_str()) {
                // In patterns `%{...}` means something else.
                ("grok", "match" | "pattern_definitions") => {
                    each_text(&attribute.value, &mut |text, _| self.sets(captures(text)));
                }
                ("dissect", "mapping") => each_text(&attribute.value, &mut |text, _| {
                    self.sets(
                        references(text).map(|name| name.trim_start_matches(['+', '?', '&']).trim_end_matches("->")),
                    );
                }),
                _ => self.attribute(attribute, kind),
            }
        }
    }

    fn attribute(&mut self, attribute: &Attribute, kind: Kind) {
        each_text(&attribute.value, &mut |text, span| {
            for reference in references(text) {
                self.read.entry(normal(reference)).or_insert_with(|| span.clone());
            }
        });
        let entries = match &attribute.value.kind {
            LiteralKind::Hash(entries) => entries.as_slice(),
            _ => &[],
        };
        match attribute.name.as_str() {
            "add_field" | "replace" | "update" | "coerce" | "merge" => {
                self.sets(entries.iter().filter_map(|(key, _)| text(key)));
            }
            "rename" | "copy" => {
                self.sets(entries.iter().filter_map(|(_, value)| text(value)));
                self.names(entries.iter().filter_map(|(key, _)| text(key)));
            }
            "target" | "target_field" | "destination" | "columns" => self.sets(texts(&attribute.value)),
            _ if kind == Kind::Filter => {
                self.names(texts(&attribute.value));
                self.names(entries.iter().filter_map(|(key, _)| text(key)));
            }
            _ => {}
        }
    }

    fn sets<'t>(&mut self, fields: impl IntoIterator<Item = &'t str>) {
        self.set.extend(fields.into_iter().filter(|field| !field.contains("%{")).map(normal));
    }

    fn names<'t>(&mut self, fields: impl IntoIterator<Item = &'t str>) {
        self.named.extend(fields.into_iter().map(normal));
    }

    fn condition(&mut self, condition: &Condition) {
        let mut open = vec![condition];
        while let Some(condition) = open.pop() {
            match &condition.kind {
                ConditionKind::Not(inner) => open.push(inner),
                ConditionKind::Boolean(_, left, right) => open.extend([left.as_ref(), right.as_ref()]),
                ConditionKind::Truthy(operand) => self.operand(operand),
                ConditionKind::Compare(_, left, right)
                | ConditionKind::In { left, right, .. }
                | ConditionKind::Match { left, pattern: right, .. } => {
                    self.operand(left);
                    self.operand(right);
                }
            }
        }
    }

    fn operand(&mut self, operand: &Operand) {
        if let OperandKind::Field(field) = &operand.kind {
            self.named.insert(normal(field));
        }
    }
}

fn normal(field: &str) -> String {
    FieldPath::parse(field).map_or_else(|_| field.to_string(), |path| path.to_string())
}

/// Calls `see` for every text in a value.
fn each_text(literal: &Literal, see: &mut impl FnMut(&str, &Span)) {
    let mut open = vec![literal];
    while let Some(literal) = open.pop() {
        match &literal.kind {
            LiteralKind::String(text) | LiteralKind::Bareword(text) => see(text, &literal.span),
            LiteralKind::Array(items) => open.extend(items),
            LiteralKind::Hash(entries) => open.extend(entries.iter().flat_map(|(key, value)| [key, value])),
            LiteralKind::Plugin(plugin) => open.extend(plugin.attributes.iter().map(|attribute| &attribute.value)),
            LiteralKind::Number(_) => {}
        }
    }
}
