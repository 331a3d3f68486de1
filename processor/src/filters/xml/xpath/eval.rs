//! Expressions over a document.

use std::cell::Cell;

use super::super::tree::{Document, Kind, Name, XML_NAMESPACE};
use super::ast::{Axis, Expr, Op, Start, Step, Test};
use super::functions;
use super::value::{Failed, NodeRef, Value};

/// An expression looks at so many nodes at most.
const VISITS_LIMIT: u64 = 20_000_000;

/// Copying so many bytes counts as looking at a node.
const BYTES_PER_VISIT: usize = 64;

/// A document, the prefixes that expressions may use, and how much was looked at.
pub(super) struct Evaluator<'d> {
    pub(super) document: &'d Document,
    namespaces: &'d [(String, String)],
    visits: Cell<u64>,
}

/// The node at hand, its place among others, and how many there are.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) node: NodeRef,
    pub(super) position: usize,
    pub(super) size: usize,
}

impl<'d> Evaluator<'d> {
    pub(super) fn new(document: &'d Document, namespaces: &'d [(String, String)]) -> Evaluator<'d> {
        Evaluator { document, namespaces, visits: Cell::new(0) }
    }

    pub(super) fn visit(&self, nodes: usize) -> Result<(), Failed> {
        self.visits.set(self.visits.get() + nodes as u64);
        if self.visits.get() > VISITS_LIMIT { Err(Failed::TooMuch) } else { Ok(()) }
    }

    pub(super) fn expr(&self, expr: &Expr, context: Context) -> Result<Value, Failed> {
        match expr {
            Expr::Literal(text) => Ok(Value::Text(text.clone())),
            Expr::Number(number) => Ok(Value::Number(*number)),
            Expr::Negate(inner) => Ok(Value::Number(-self.expr(inner, context)?.number(self)?)),
            Expr::Call(function, arguments) => functions::call(self, *function, arguments, context),
            Expr::Binary(op, left, right) => self.binary(*op, left, right, context),
            Expr::Path(start, steps) => self.path(start, steps, context),
        }
    }

    fn binary(&self, op: Op, left: &Expr, right: &Expr, context: Context) -> Result<Value, Failed> {
        let left = self.expr(left, context)?;
        match op {
            Op::Or if left.boolean() => return Ok(Value::Boolean(true)),
            Op::And if !left.boolean() => return Ok(Value::Boolean(false)),
            _ => {}
        }
        let right = self.expr(right, context)?;
        Ok(match op {
            Op::Or | Op::And => Value::Boolean(right.boolean()),
            Op::Union => {
                let mut nodes = left.nodes()?;
                nodes.extend(right.nodes()?);
                nodes.sort_unstable();
                nodes.dedup();
                Value::Nodes(nodes)
            }
            Op::Equal | Op::NotEqual => Value::Boolean(self.equality(op, &left, &right)?),
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => Value::Boolean(self.order(op, &left, &right)?),
            _ => {
                let (left, right) = (left.number(self)?, right.number(self)?);
                Value::Number(match op {
                    Op::Add => left + right,
                    Op::Subtract => left - right,
                    Op::Multiply => left * right,
                    Op::Divide => left / right,
                    _ => left % right,
                })
            }
        })
    }

    /// A set of nodes equals a value when one of its nodes does.
    fn equality(&self, op: Op, left: &Value, right: &Value) -> Result<bool, Failed> {
        let wanted = op == Op::Equal;
        match (left, right) {
            (Value::Nodes(left), Value::Nodes(right)) => {
                let texts = right.iter().map(|node| self.text_of(*node)).collect::<Result<Vec<_>, _>>()?;
                for node in left {
                    let text = self.text_of(*node)?;
                    self.visit(texts.len())?;
                    if texts.iter().any(|other| (*other == text) == wanted) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (nodes @ Value::Nodes(_), Value::Boolean(flag)) | (Value::Boolean(flag), nodes @ Value::Nodes(_)) => {
                Ok((nodes.boolean() == *flag) == wanted)
            }
            (Value::Nodes(nodes), single) | (single, Value::Nodes(nodes)) => {
                for node in nodes {
                    let text = Value::Text(self.text_of(*node)?);
                    if self.equality(op, &text, single)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (Value::Boolean(_), _) | (_, Value::Boolean(_)) => Ok((left.boolean() == right.boolean()) == wanted),
            (Value::Number(_), _) | (_, Value::Number(_)) => Ok((left.number(self)? == right.number(self)?) == wanted),
            (Value::Text(left), Value::Text(right)) => Ok((left == right) == wanted),
        }
    }

    fn order(&self, op: Op, left: &Value, right: &Value) -> Result<bool, Failed> {
        let numbers = |value: &Value| -> Result<Vec<f64>, Failed> {
            match value {
                Value::Nodes(nodes) => {
                    nodes.iter().map(|node| Ok(functions::number_of(&self.text_of(*node)?))).collect()
                }
                single => Ok(vec![single.number(self)?]),
            }
        };
        let (left, right) = (numbers(left)?, numbers(right)?);
        self.visit(left.len().saturating_mul(right.len()))?;
        let holds = |left: f64, right: f64| match op {
            Op::Less => left < right,
            Op::LessEqual => left <= right,
            Op::Greater => left > right,
            _ => left >= right,
        };
        Ok(left.iter().any(|left| right.iter().any(|right| holds(*left, *right))))
    }

    fn path(&self, start: &Start, steps: &[Step], context: Context) -> Result<Value, Failed> {
        let mut nodes = match start {
            Start::Root => vec![NodeRef::node(0)],
            Start::Here => vec![context.node],
            Start::From(expr, predicates) => {
                let nodes = self.expr(expr, context)?.nodes()?;
                predicates.iter().try_fold(nodes, |nodes, predicate| self.passing(nodes, predicate))?
            }
        };
        for step in steps {
            let mut reached = Vec::new();
            for node in nodes {
                let mut candidates = Vec::new();
                self.axis(node, step.axis, &mut candidates)?;
                let mut taken = Vec::with_capacity(candidates.len().min(16));
                for candidate in candidates {
                    if self.passes(candidate, step)? {
                        taken.push(candidate);
                    }
                }
                for predicate in &step.predicates {
                    taken = self.passing(taken, predicate)?;
                }
                reached.append(&mut taken);
            }
            reached.sort_unstable();
            reached.dedup();
            nodes = reached;
        }
        Ok(Value::Nodes(nodes))
    }

    /// The nodes, in the order of their axis, for which a predicate holds.
    fn passing(&self, nodes: Vec<NodeRef>, predicate: &Expr) -> Result<Vec<NodeRef>, Failed> {
        let size = nodes.len();
        let mut passing = Vec::new();
        for (at, node) in nodes.into_iter().enumerate() {
            self.visit(1)?;
            let context = Context { node, position: at + 1, size };
            let holds = match self.expr(predicate, context)? {
                Value::Number(number) => number == context.position as f64,
                other => other.boolean(),
            };
            if holds {
                passing.push(node);
            }
        }
        Ok(passing)
    }

    /// The nodes on an axis, the nearest first.
    fn axis(&self, from: NodeRef, axis: Axis, out: &mut Vec<NodeRef>) -> Result<(), Failed> {
        let document = self.document;
        let node = from.node;
        let end = document.nodes[node].end;
        let parent = match (from.is_attribute(), node) {
            (true, _) => Some(node),
            (false, 0) => None,
            (false, node) => Some(document.nodes[node].parent),
        };
        let ancestors = || {
            std::iter::successors(parent, |node| (*node != 0).then(|| document.nodes[*node].parent)).map(NodeRef::node)
        };
        match axis {
            Axis::Here => out.push(from),
            Axis::Parent => out.extend(parent.map(NodeRef::node)),
            Axis::Ancestor => out.extend(ancestors()),
            Axis::AncestorOrSelf => out.extend([from].into_iter().chain(ancestors())),
            Axis::DescendantOrSelf if from.is_attribute() => out.push(from),
            Axis::DescendantOrSelf => out.extend((node..end).map(NodeRef::node)),
            Axis::Following if from.is_attribute() => out.extend((node + 1..document.nodes.len()).map(NodeRef::node)),
            Axis::Following => out.extend((end..document.nodes.len()).map(NodeRef::node)),
            Axis::Preceding => {
                let before = (1..node).rev().filter(|other| document.nodes[*other].end <= node);
                out.extend(before.map(NodeRef::node));
                self.visit(node)?;
            }
            _ if from.is_attribute() => {}
            Axis::Child => out.extend(document.children(node).map(NodeRef::node)),
            Axis::Descendant => out.extend((node + 1..end).map(NodeRef::node)),
            Axis::Attribute => {
                let attributes = document.element(node).map_or(&[][..], |element| &element.attributes);
                let own = attributes.iter().enumerate().filter(|(_, attribute)| !attribute.is_declaration());
                out.extend(own.map(|(at, _)| NodeRef::attribute(node, at)));
            }
            Axis::FollowingSibling => {
                if let Some(parent) = parent {
                    out.extend(document.children(parent).filter(|sibling| *sibling > node).map(NodeRef::node));
                }
            }
            Axis::PrecedingSibling => {
                if let Some(parent) = parent {
                    out.extend(document.children(parent).take_while(|sibling| *sibling < node).map(NodeRef::node));
                    out.reverse();
                }
            }
        }
        self.visit(out.len() + 1)
    }

    fn passes(&self, node: NodeRef, step: &Step) -> Result<bool, Failed> {
        let (name, kind) = match node.attribute_index() {
            Some(_) => (self.name_of(node).filter(|_| step.axis == Axis::Attribute), None),
            None => {
                let name = self.name_of(node).filter(|_| step.axis != Axis::Attribute);
                (name, Some(&self.document.nodes[node.node].kind))
            }
        };
        Ok(match &step.test {
            Test::Node => true,
            Test::AnyName => name.is_some(),
            Test::AnyOf(prefix) => {
                let namespace = self.namespace(prefix)?;
                name.is_some_and(|name| name.namespace.as_deref() == Some(namespace))
            }
            Test::Name(prefix, local) => {
                let namespace = prefix.as_deref().map(|prefix| self.namespace(prefix)).transpose()?;
                name.is_some_and(|name| *name.local == **local && name.namespace.as_deref() == namespace)
            }
            Test::Text => matches!(kind, Some(Kind::Text(_))),
            Test::Comment => matches!(kind, Some(Kind::Comment(_))),
            Test::Instruction(wanted) => match kind {
                Some(Kind::Instruction { target, .. }) => wanted.as_ref().is_none_or(|wanted| wanted == target),
                _ => false,
            },
        })
    }

    fn namespace(&self, prefix: &str) -> Result<&str, Failed> {
        if prefix == "xml" {
            return Ok(XML_NAMESPACE);
        }
        let found = self.namespaces.iter().find(|(held, _)| held == prefix);
        found.map(|(_, namespace)| namespace.as_str()).ok_or(Failed::UnknownPrefix)
    }

    /// The name of an element or attribute.
    pub(super) fn name_of(&self, node: NodeRef) -> Option<&'d Name> {
        let element = self.document.element(node.node)?;
        match node.attribute_index() {
            Some(at) => element.attributes.get(at).map(|attribute| &attribute.name),
            None => Some(&element.name),
        }
    }

    /// The text of a node: that of an element is all text in it.
    pub(super) fn text_of(&self, node: NodeRef) -> Result<String, Failed> {
        let held = &self.document.nodes[node.node];
        if let Some(at) = node.attribute_index() {
            let attribute = self.document.element(node.node).and_then(|element| element.attributes.get(at));
            return Ok(attribute.map(|attribute| attribute.value.clone()).unwrap_or_default());
        }
        let text = match &held.kind {
            Kind::Text(text) => text.value.clone(),
            Kind::Comment(text) => text.clone(),
            Kind::Instruction { content, .. } => content.clone(),
            Kind::Document | Kind::Element(_) => {
                let below = &self.document.nodes[node.node..held.end];
                self.visit(below.len())?;
                let texts = below.iter().filter_map(|node| match &node.kind {
                    Kind::Text(text) => Some(text.value.as_str()),
                    _ => None,
                });
                texts.collect()
            }
        };
        self.visit(text.len() / BYTES_PER_VISIT)?;
        Ok(text)
    }
}
