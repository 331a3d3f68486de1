//! Where configurations come from: files, variables.

pub mod files;
pub mod variables;
pub mod yaml;
