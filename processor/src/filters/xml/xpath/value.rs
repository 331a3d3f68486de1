//! What expressions come to.

use super::eval::Evaluator;
use super::functions::{number_of, text_of_number};

/// A node of a document, or an attribute of an element; ordered as in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeRef {
    pub(super) node: usize,
    /// 0 for the node itself, else one more than the place of the attribute.
    attribute: usize,
}

impl NodeRef {
    pub(super) fn node(node: usize) -> NodeRef {
        NodeRef { node, attribute: 0 }
    }

    pub(super) fn attribute(node: usize, at: usize) -> NodeRef {
        NodeRef { node, attribute: at + 1 }
    }

    pub(super) fn is_attribute(self) -> bool {
        self.attribute > 0
    }

    pub(super) fn attribute_index(self) -> Option<usize> {
        self.attribute.checked_sub(1)
    }
}

/// Why an expression comes to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::filters::xml) enum Failed {
    /// It uses a prefix that stands for no namespace.
    UnknownPrefix,
    /// It takes nodes of what are none.
    NoNodes,
    /// It looks at too many nodes.
    TooMuch,
}

/// A value of XPath.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// In the order of the document.
    Nodes(Vec<NodeRef>),
    Text(String),
    Number(f64),
    Boolean(bool),
}

impl Value {
    pub(super) fn boolean(&self) -> bool {
        match self {
            Value::Nodes(nodes) => !nodes.is_empty(),
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => *number != 0.0 && !number.is_nan(),
            Value::Boolean(flag) => *flag,
        }
    }

    pub(super) fn number(&self, evaluator: &Evaluator<'_>) -> Result<f64, Failed> {
        Ok(match self {
            Value::Number(number) => *number,
            Value::Boolean(flag) => f64::from(u8::from(*flag)),
            other => number_of(&other.text(evaluator)?),
        })
    }

    pub(super) fn text(&self, evaluator: &Evaluator<'_>) -> Result<String, Failed> {
        Ok(match self {
            Value::Nodes(nodes) => match nodes.first() {
                Some(first) => evaluator.text_of(*first)?,
                None => String::new(),
            },
            Value::Text(text) => text.clone(),
            Value::Number(number) => text_of_number(*number),
            Value::Boolean(flag) => flag.to_string(),
        })
    }

    pub(super) fn nodes(self) -> Result<Vec<NodeRef>, Failed> {
        match self {
            Value::Nodes(nodes) => Ok(nodes),
            _ => Err(Failed::NoNodes),
        }
    }
}
