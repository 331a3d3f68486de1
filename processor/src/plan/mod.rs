//! The plan: a configuration compiled, resolved and checked, and the running of it.

pub mod compile;
pub mod condition;
pub mod counters;
pub mod decorate;
pub mod run;
pub mod template;
pub mod text;
pub mod tree;
