//! Tools for people who write configurations: they read the same tree and plan as the running processor.

pub mod cases;
#[cfg(feature = "edges")]
pub mod check;
pub mod coverage;
pub mod grok;
#[cfg(feature = "edges")]
pub mod plugins;
pub mod report;
#[cfg(feature = "edges")]
pub mod runner;
pub mod suite;
#[cfg(feature = "edges")]
pub mod test;

/// Reads `pipeline.ecs_compatibility` on the command line.
fn ecs_mode(text: &str) -> Result<crate::options::Ecs, String> {
    crate::options::Ecs::parse(text).ok_or_else(|| "must be disabled, v1 or v8".into())
}
