//! The shape of a compiled section: plugins in order, with branches between them.

use super::condition::Test;

/// A plugin or a branch.
#[derive(Debug)]
pub enum Node<T> {
    /// A compiled plugin.
    Plugin(T),
    /// `if`, `else if`, `else`.
    Branch(Branch<T>),
}

/// A branch: the first arm whose test holds runs, else `otherwise`.
#[derive(Debug)]
pub struct Branch<T> {
    /// Tests with their bodies.
    pub arms: Vec<(Test, Vec<Node<T>>)>,
    /// The body of `else`; empty when there is none.
    pub otherwise: Vec<Node<T>>,
}

impl<T> Branch<T> {
    /// All bodies in order, that of `else` last.
    pub fn bodies(&self) -> impl Iterator<Item = &Vec<Node<T>>> {
        self.arms.iter().map(|(_, body)| body).chain([&self.otherwise])
    }
}

/// Calls `see` for every plugin in the order of the text.
pub fn walk<'n, T>(nodes: &'n [Node<T>], see: &mut impl FnMut(&'n T)) {
    for node in nodes {
        match node {
            Node::Plugin(plugin) => see(plugin),
            Node::Branch(branch) => branch.bodies().for_each(|body| walk(body, see)),
        }
    }
}
