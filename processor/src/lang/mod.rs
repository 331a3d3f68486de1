//! The pipeline language: text in, tree or diagnostics out. No IO, no panics, linear time.

pub mod ast;
pub mod diagnostic;
pub mod lint;
pub mod parse;
pub mod render;

pub use parse::{ParseOptions, has_errors, parse};
