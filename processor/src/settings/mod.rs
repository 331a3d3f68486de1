//! Where configurations come from: files, variables.

pub mod files;
#[cfg(feature = "edges")]
pub mod keystore;
#[cfg(feature = "edges")]
mod remote;
pub mod variables;
#[cfg(feature = "edges")]
pub mod yaml;
