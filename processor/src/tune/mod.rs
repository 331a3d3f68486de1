//! Tools for people who write configurations: they read the same tree and plan as the running processor.

pub mod cases;
pub mod check;
pub mod test;
