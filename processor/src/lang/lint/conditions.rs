//! Conditions that do not mean what they seem to say.

use crate::lang::ast::{BooleanOp, CompareOp, Condition, ConditionKind, Operand, OperandKind};
use crate::lang::diagnostic::Diagnostic;

pub(super) fn check(condition: &Condition, findings: &mut Vec<Diagnostic>) {
    match &condition.kind {
        ConditionKind::Not(inner) => check(inner, findings),
        ConditionKind::Boolean(op, left, right) => {
            if *op == BooleanOp::And && is_bare_or(right) {
                findings.push(precedence(condition, left, right));
            }
            if *op == BooleanOp::And {
                contradiction(condition, findings);
            }
            check(left, findings);
            check(right, findings);
        }
        ConditionKind::In { positive, left, right } => one_element(*positive, left, right, findings),
        ConditionKind::Truthy(_) | ConditionKind::Compare(..) | ConditionKind::Match { .. } => {}
    }
}

/// An `or` without parentheses of its own. The span of a condition in parentheses begins before its left side does.
fn is_bare_or(condition: &Condition) -> bool {
    match &condition.kind {
        ConditionKind::Boolean(BooleanOp::Or, left, _) => condition.span.start == left.span.start,
        _ => false,
    }
}

/// `A and B and C or D`: the parser joins one operator before an `or` and no more.
fn precedence(condition: &Condition, left: &Condition, right: &Condition) -> Diagnostic {
    let message = format!("Logstash reads this as {} and ({})", shown(left), shown(right));
    Diagnostic::warning("and-or-precedence", &condition.span, message)
        .with_hint("put the parts that belong together into parentheses")
}

fn shown(condition: &Condition) -> String {
    let text = condition.span.text().split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= 40 { text } else { format!("{} …", text.chars().take(38).collect::<String>()) }
}

/// `[x] in ["one"]` is a field reference for the grammar.
fn one_element(positive: bool, left: &Operand, right: &Operand, findings: &mut Vec<Diagnostic>) {
    let OperandKind::Field(text) = &right.kind else { return };
    let Some(inside) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else { return };
    let inside = inside.trim();
    let quoted = |quote: char| inside.len() >= 2 && inside.starts_with(quote) && inside.ends_with(quote);
    let number = !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_digit());
    if !(quoted('"') || quoted('\'') || number) || inside.contains(['[', ']']) {
        return;
    }
    let answer = if positive { "never" } else { "always" };
    let message = format!("a list of one element is read as the field {text}, so this {answer} holds");
    let operator = if positive { "==" } else { "!=" };
    let hint = format!("write {} {operator} {inside}, or repeat the element: [{inside}, {inside}]", left.span.text());
    findings.push(Diagnostic::warning("one-element-list", &right.span, message).with_hint(hint));
}

/// `[a] == "x" and [a] == "y"`
fn contradiction(condition: &Condition, findings: &mut Vec<Diagnostic>) {
    let mut equal = Vec::new();
    conjuncts(condition, &mut equal);
    for (at, (field, value)) in equal.iter().enumerate() {
        if let Some((_, other)) = equal[..at].iter().find(|(held, other)| held == field && other != value) {
            let message = format!("{field} cannot be both {other} and {value}: this never holds");
            findings.push(Diagnostic::warning("never-taken", &condition.span, message).with_hint("is 'or' meant?"));
            return;
        }
    }
}

/// The comparisons of a field with a text that must all hold.
fn conjuncts<'c>(condition: &'c Condition, equal: &mut Vec<(&'c str, &'c str)>) {
    // Conditions nest by at most one level per operator of the text, and the left side is walked in a loop.
    let mut next = Some(condition);
    while let Some(condition) = next.take() {
        match &condition.kind {
            ConditionKind::Boolean(BooleanOp::And, left, right) => {
                conjuncts(left, equal);
                next = Some(right);
            }
            ConditionKind::Compare(CompareOp::Equal, left, right) => {
                if let (OperandKind::Field(field), OperandKind::String(_)) = (&left.kind, &right.kind) {
                    equal.push((field, right.span.text()));
                }
            }
            _ => {}
        }
    }
}
