//! Branches and filters that no event reaches.

use crate::lang::ast::{Branch, Statement};
use crate::lang::diagnostic::Diagnostic;

/// The same condition twice in one chain of `if` and `else if`.
pub(super) fn repeated(branch: &Branch, findings: &mut Vec<Diagnostic>) {
    let normal = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut seen = std::collections::HashMap::new();
    for arm in &branch.arms {
        let span = &arm.condition.span;
        let line = span.position().line;
        if let Some(earlier) = seen.insert(normal(span.text()), line) {
            let message = format!("this branch is never taken: line {earlier} has the same condition");
            findings.push(Diagnostic::warning("never-taken", span, message));
        }
    }
}

/// Filters after a `drop` that nothing stands around.
pub(super) fn after_drop(statements: &[Statement], findings: &mut Vec<Diagnostic>) {
    let always = |statement: &Statement| match statement {
        Statement::Plugin(plugin) => {
            plugin.name == "drop" && !plugin.attributes.iter().any(|attribute| attribute.name == "percentage")
        }
        Statement::Branch(_) => false,
    };
    let Some(at) = statements.iter().position(always) else { return };
    let Some(next) = statements.get(at + 1) else { return };
    let span = match next {
        Statement::Plugin(plugin) => &plugin.name_span,
        Statement::Branch(branch) => match branch.arms.first() {
            Some(arm) => &arm.condition.span,
            None => &branch.span,
        },
    };
    let message = "no event comes here: the 'drop' before this takes all";
    findings.push(Diagnostic::warning("never-taken", span, message).with_hint("put the 'drop' into an 'if'"));
}
