//! The shape of a compiled section: plugins in order, with branches between them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::condition::Test;
use crate::lang::ast::Span;

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
    /// Where the conditions stand.
    pub spans: Vec<Span>,
    /// How many events took each arm, and last those that took none.
    pub taken: Vec<AtomicU64>,
}

impl<T> Branch<T> {
    /// How many events took each arm, and last those that took none.
    pub fn taken(&self) -> impl Iterator<Item = u64> {
        self.taken.iter().map(|counter| counter.load(Ordering::Relaxed))
    }

    /// Counts the arms that the events of a batch took.
    pub fn count(&self, arms: &[usize]) {
        // Runs of events that go the same way are added at once.
        for run in arms.chunk_by(|one, other| one == other) {
            if let Some(counter) = run.first().and_then(|arm| self.taken.get(*arm)) {
                counter.fetch_add(run.len() as u64, Ordering::Relaxed);
            }
        }
    }

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
