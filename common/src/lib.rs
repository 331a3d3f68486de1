//! What the agent and the processor share: events, field references, JSON, time, settings.

pub mod clock;
pub mod nearest;
pub mod timestamp;
