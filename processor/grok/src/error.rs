//! What can be wrong with a pattern.

use thiserror::Error as ThisError;

/// A pattern that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{message} at byte {position} of the pattern")]
pub struct Error {
    /// Where in the pattern, in bytes.
    pub position: usize,
    /// What is wrong.
    pub message: String,
}

impl Error {
    pub(crate) fn new(position: usize, message: impl Into<String>) -> Self {
        Self { position, message: message.into() }
    }
}

/// A match was given up because it took more than its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
#[error("the match took longer than its budget")]
pub struct OutOfBudget;
