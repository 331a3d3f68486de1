//! The syntax tree of a pattern.

use crate::charset::CharSet;

/// No upper limit of a repetition.
pub(crate) const UNLIMITED: u32 = u32::MAX;

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// The empty string.
    Empty,
    /// Nothing: it never matches.
    Fail,
    /// One character, exactly.
    Char(char),
    /// One character in any case; replaced before the parser hands out the tree.
    Folded(char),
    /// One character of a set.
    Set(CharSet),
    /// One after the other.
    Concat(Vec<Node>),
    /// The first that leads to a match.
    Alternate(Vec<Node>),
    /// Again and again.
    Repeat(Box<Node>, Repeat),
    /// A capturing group and its number.
    Capture(u32, Box<Node>),
    /// `(?>...)`: the first way to match it is the only one.
    Atomic(Box<Node>),
    /// Look-ahead and look-behind.
    Look(Look, Box<Node>),
    /// A condition on the place.
    Assert(Assert),
    /// The text of the last of the groups that is set and fits; the flag ignores case.
    Backref(Vec<u32>, bool),
    /// `\g<n>`: the group's pattern again; 0 is the whole pattern.
    Call(u32),
    /// `(?(n)yes|no)`: by whether one of the groups is set.
    Condition(Vec<u32>, Box<Node>, Box<Node>),
    /// `\K`: the match is reported from here.
    Keep,
    /// `\X`: an extended grapheme cluster.
    Grapheme,
}

/// How often and how eagerly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeat {
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) behind: bool,
    pub(crate) negative: bool,
}

/// Conditions on a place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assert {
    /// `^`
    LineStart,
    /// `$`
    LineEnd,
    /// `\A`
    TextStart,
    /// `\z`
    TextEnd,
    /// `\Z`
    TextEndOrNewline,
    /// `\G`
    SearchStart,
    /// `\b`; the flag limits words to ASCII.
    WordBoundary(bool),
    /// `\B`
    NotWordBoundary(bool),
}

impl Node {
    /// Puts nodes one after the other, without needless nesting.
    pub(crate) fn concat(nodes: Vec<Node>) -> Node {
        if nodes.len() > 1 && !nodes.iter().any(|node| matches!(node, Node::Empty | Node::Concat(_))) {
            return Node::Concat(nodes);
        }
        let mut flat = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::Empty => {}
                Node::Concat(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Node::Empty,
            1 => flat.remove(0),
            _ => Node::Concat(flat),
        }
    }

    /// An alternation, without needless nesting.
    pub(crate) fn alternate(nodes: Vec<Node>) -> Node {
        let mut flat = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                Node::Alternate(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Node::Fail,
            1 => flat.remove(0),
            _ => Node::Alternate(flat),
        }
    }

    /// The nodes directly below.
    pub(crate) fn children(&self) -> &[Node] {
        match self {
            Node::Concat(nodes) | Node::Alternate(nodes) => nodes,
            Node::Repeat(node, _) | Node::Capture(_, node) | Node::Atomic(node) | Node::Look(_, node) => {
                std::slice::from_ref(node)
            }
            _ => &[],
        }
    }

    /// Calls `see` for this node and all below it.
    pub(crate) fn visit(&self, see: &mut dyn FnMut(&Node)) {
        see(self);
        if let Node::Condition(_, yes, no) = self {
            yes.visit(see);
            no.visit(see);
        }
        self.children().iter().for_each(|child| child.visit(see));
    }

    /// Whether `test` holds for this node or one below it.
    pub(crate) fn any(&self, test: &dyn Fn(&Node) -> bool) -> bool {
        test(self)
            || match self {
                Node::Condition(_, yes, no) => yes.any(test) || no.any(test),
                other => other.children().iter().any(|child| child.any(test)),
            }
    }
}
