//! Tree to plan: plugins looked up and built, conditions compiled, every error collected.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tailrace_common::nearest::nearest;
use tailrace_common::{FieldPath, Str, Value};
use tailrace_grok::Regex;

use super::condition::{Side, Test};
use super::counters::Counters;
use super::decorate::Decoration;
use super::run::{FilterNode, FilterPlan};
use super::tree::{Branch, Node};
use crate::filters;
use crate::lang::ast::{self, CompareOp, ConditionKind, Config, Kind, LiteralKind, Operand, OperandKind, Plugin, Span};
use crate::lang::diagnostic::Diagnostic;
use crate::options::{Expand, Options};
use crate::plugin::BuildContext;

/// Compiles all filter sections, joined in order. Errors are among the diagnostics; the plan is fit to run only when
/// there are none.
pub fn compile_filters(config: &Config, build: &BuildContext<'_>, diagnostics: &mut Vec<Diagnostic>) -> FilterPlan {
    let nodes = compile_sections(config, Kind::Filter, build.expand, diagnostics, &mut |plugin, diagnostics| {
        filter_node(plugin, build, diagnostics)
    });
    FilterPlan::new(nodes)
}

/// Compiles the sections of one kind; `plugin` builds what stands for a plugin, `None` when it is broken.
pub fn compile_sections<T>(
    config: &Config,
    kind: Kind,
    expand: &Expand<'_>,
    diagnostics: &mut Vec<Diagnostic>,
    plugin: &mut impl FnMut(&Plugin, &mut Vec<Diagnostic>) -> Option<T>,
) -> Vec<Node<T>> {
    let sections = config.sections.iter().filter(|section| section.kind == kind);
    let mut nodes = Vec::new();
    for section in sections {
        nodes.extend(compile_body(&section.body, expand, diagnostics, plugin));
    }
    nodes
}

fn compile_body<T>(
    body: &[ast::Statement],
    expand: &Expand<'_>,
    diagnostics: &mut Vec<Diagnostic>,
    plugin: &mut impl FnMut(&Plugin, &mut Vec<Diagnostic>) -> Option<T>,
) -> Vec<Node<T>> {
    let mut nodes = Vec::with_capacity(body.len());
    for statement in body {
        match statement {
            ast::Statement::Plugin(written) => nodes.extend(plugin(written, diagnostics).map(Node::Plugin)),
            ast::Statement::Branch(branch) => {
                let mut arms = Vec::with_capacity(branch.arms.len());
                for arm in &branch.arms {
                    let known = diagnostics.len();
                    let test = compile_condition(&arm.condition, expand, diagnostics);
                    if test.answer() == Some(false) && diagnostics.len() == known {
                        diagnostics.push(never_holds(&arm.condition));
                    }
                    arms.push((test, compile_body(&arm.body, expand, diagnostics, plugin)));
                }
                let otherwise = branch.otherwise.as_deref().unwrap_or_default();
                let otherwise = compile_body(otherwise, expand, diagnostics, plugin);
                let spans = branch.arms.iter().map(|arm| arm.condition.span.clone()).collect();
                let taken = (0..=branch.arms.len()).map(|_| AtomicU64::new(0)).collect();
                nodes.push(Node::Branch(Branch { arms, otherwise, spans, taken }));
            }
        }
    }
    nodes
}

fn never_holds(condition: &ast::Condition) -> Diagnostic {
    let message = "this condition never holds, so its branch is never taken";
    let diagnostic = Diagnostic::warning("never-taken", &condition.span, message);
    match &condition.kind {
        ConditionKind::In { .. } => diagnostic.with_hint("write [field] in [\"one\", \"other\"]"),
        _ => diagnostic.with_hint("a condition needs a [field] whose value is not known before"),
    }
}

fn filter_node(plugin: &Plugin, build: &BuildContext<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<FilterNode> {
    let Some(definition) = filters::find(&plugin.name) else {
        diagnostics.push(unknown_plugin(plugin, "filter", filters::FILTERS.iter().map(|known| known.name)));
        return None;
    };
    let mut options = Options::new(plugin, build.ecs, build.expand, diagnostics);
    let decoration = Decoration::read(&mut options);
    let id = options.id().unwrap_or_else(|| automatic_id(plugin));
    let filter = (definition.build)(options, build).ok()?;
    let counters = Arc::new(Counters::default());
    Some(FilterNode { id, name: definition.name, span: plugin.span.clone(), filter, decoration, counters })
}

/// The id of a plugin without one: its name and place.
pub fn automatic_id(plugin: &Plugin) -> String {
    let position = plugin.span.position();
    format!("{}@{}:{}:{}", plugin.name, plugin.span.source.name, position.line, position.column)
}

/// The error for a plugin that does not exist here.
pub fn unknown_plugin(plugin: &Plugin, kind: &str, known: impl Iterator<Item = &'static str>) -> Diagnostic {
    let message = format!("unknown {kind} '{}'", plugin.name);
    let diagnostic = Diagnostic::error("unknown-plugin", &plugin.name_span, message);
    match (plugin.name.as_str(), nearest(&plugin.name, known)) {
        ("ruby", _) => {
            diagnostic.with_hint("ruby code does not run here; mutate, translate, dissect, csv and kv cover most uses")
        }
        (_, Some(near)) => diagnostic.with_hint(format!("did you mean '{near}'?")),
        _ => diagnostic.with_hint(format!("this {kind} is not supported")),
    }
}

/// Reports ids that two plugins bear.
pub fn check_ids(config: &Config, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut see = |plugin: &Plugin| {
        for attribute in plugin.attributes.iter().filter(|attribute| attribute.name == "id") {
            let (LiteralKind::String(id) | LiteralKind::Bareword(id)) = &attribute.value.kind else { continue };
            if let Some(line) = seen.insert(id.clone(), attribute.value.span.position().line) {
                let message = format!("the id '{id}' is taken by the plugin at line {line}");
                diagnostics.push(Diagnostic::error("duplicate-id", &attribute.value.span, message));
            }
        }
    };
    for section in &config.sections {
        each_plugin(&section.body, &mut see);
    }
}

/// Calls `see` for every plugin in a body and its branches.
pub fn each_plugin<'a>(body: &'a [ast::Statement], see: &mut impl FnMut(&'a Plugin)) {
    for statement in body {
        match statement {
            ast::Statement::Plugin(plugin) => see(plugin),
            ast::Statement::Branch(branch) => {
                branch.arms.iter().for_each(|arm| each_plugin(&arm.body, see));
                each_plugin(branch.otherwise.as_deref().unwrap_or_default(), see);
            }
        }
    }
}

/// Compiles one condition; what is wrong with it goes to the diagnostics and the condition never holds.
pub fn compile_condition(condition: &ast::Condition, expand: &Expand<'_>, diagnostics: &mut Vec<Diagnostic>) -> Test {
    ConditionCompiler { expand, diagnostics }.test(condition)
}

/// A byte of a pattern, where it stands as it is between its slashes or quotes; else the whole.
fn within(span: &Span, pattern: &str, position: usize) -> Span {
    let start = span.start + 1 + position;
    let part = Span { start, end: start + 1, ..span.clone() };
    let written = span.text().get(1..).is_some_and(|text| text.starts_with(pattern));
    if written && span.source.text.is_char_boundary(start) { part } else { span.clone() }
}

struct ConditionCompiler<'a> {
    expand: &'a Expand<'a>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl ConditionCompiler<'_> {
    fn test(&mut self, condition: &ast::Condition) -> Test {
        let test = match &condition.kind {
            ConditionKind::Truthy(operand) => match self.side(operand) {
                Side::Field(path) => Test::Truthy(path),
                _ => {
                    let message = "a constant alone is no condition";
                    self.error(operand, message, "compare a field with it: '[field] == \"value\"'");
                    Test::Always(false)
                }
            },
            ConditionKind::Not(inner) => Test::Not(Box::new(self.test(inner))),
            ConditionKind::Boolean(op, left, right) => {
                Test::Boolean(*op, Box::new(self.test(left)), Box::new(self.test(right)))
            }
            ConditionKind::Compare(op, left, right) => {
                let (left, right) = (self.side(left), self.side(right));
                match op {
                    CompareOp::Equal => Test::Equal(true, left, right),
                    CompareOp::NotEqual => Test::Equal(false, left, right),
                    other => Test::Order(*other, left, right),
                }
            }
            ConditionKind::Match { positive, left, pattern } => self.matching(*positive, left, pattern),
            ConditionKind::In { positive, left, right } => Test::In(*positive, self.side(left), self.side(right)),
        };
        test.folded()
    }

    fn matching(&mut self, positive: bool, left: &Operand, pattern: &Operand) -> Test {
        let left = self.side(left);
        let text = match &pattern.kind {
            OperandKind::Regex(text) => text.clone(),
            OperandKind::String(_) => match self.side(pattern) {
                Side::Constant(Value::String(text)) => text.to_string(),
                _ => String::new(),
            },
            _ => {
                self.error(pattern, "a regular expression must stand here", "write /pattern/ or \"pattern\"");
                return Test::Always(false);
            }
        };
        match Regex::new(&text, tailrace_grok::Options::default()) {
            Ok(regex) => Test::Match(positive, left, Box::new(regex)),
            Err(error) => {
                let operand = Operand { span: within(&pattern.span, &text, error.position), ..pattern.clone() };
                let message = format!("invalid regular expression: {}", error.message);
                self.error(&operand, &message, "Ruby's regular expressions are taken");
                Test::Always(false)
            }
        }
    }

    fn side(&mut self, operand: &Operand) -> Side {
        match &operand.kind {
            OperandKind::Field(text) => self.reference(operand, text),
            OperandKind::String(text) => Side::Constant(Value::from(self.expanded(operand, text))),
            OperandKind::Number(text) => Side::Constant(crate::options::number(text)),
            OperandKind::Regex(text) => Side::Constant(Value::from(text.as_str())),
            OperandKind::Array(items) => {
                let constants = items.iter().map(|item| match self.side(item) {
                    Side::Constant(value) => value,
                    _ => Value::Null,
                });
                Side::List(constants.collect())
            }
        }
    }

    fn reference(&mut self, operand: &Operand, text: &str) -> Side {
        let path = FieldPath::parse(text).unwrap_or_else(|error| {
            self.error(operand, &error.to_string(), "write [field] or [outer][inner]");
            FieldPath::field(text)
        });
        Side::Field(path)
    }

    fn expanded(&mut self, operand: &Operand, text: &str) -> Str {
        // Only a text that is a variable as a whole is expanded here.
        if !(text.starts_with("${") && text.ends_with('}')) {
            return Str::from(text);
        }
        match (self.expand)(text) {
            Ok(expanded) => Str::from(expanded),
            Err(message) => {
                self.diagnostics.push(Diagnostic::error("unset-variable", &operand.span, message));
                Str::from(text)
            }
        }
    }

    fn error(&mut self, operand: &Operand, message: &str, hint: &str) {
        self.diagnostics.push(Diagnostic::error("invalid-condition", &operand.span, message).with_hint(hint));
    }
}
