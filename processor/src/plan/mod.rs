//! The plan: a configuration compiled, resolved and checked, and the running of it.

pub mod decorate;
pub mod template;
pub mod text;
