//! Placeholder.

/// Memory that a worker keeps between matches.
#[derive(Debug, Default)]
pub struct Scratch {}
