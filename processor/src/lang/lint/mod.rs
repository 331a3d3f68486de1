//! What is legal and yet surprises people: findings that are warnings, from the tree alone.

use super::ast::{Config, Statement};
use super::diagnostic::Diagnostic;

pub mod backtracking;
mod branches;
mod conditions;
mod fields;
mod mutate;

/// All warnings about a configuration, in the order of the kinds of warnings.
pub fn lint(config: &Config) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for section in &config.sections {
        body(&section.body, &mut findings);
    }
    fields::unset(config, &mut findings);
    findings
}

fn body(statements: &[Statement], findings: &mut Vec<Diagnostic>) {
    branches::after_drop(statements, findings);
    for statement in statements {
        match statement {
            Statement::Plugin(plugin) if plugin.name == "mutate" => mutate::order(plugin, findings),
            Statement::Plugin(_) => {}
            Statement::Branch(branch) => {
                branches::repeated(branch, findings);
                for arm in &branch.arms {
                    conditions::check(&arm.condition, findings);
                    body(&arm.body, findings);
                }
                body(branch.otherwise.as_deref().unwrap_or_default(), findings);
            }
        }
    }
}

#[cfg(test)]
mod tests;
