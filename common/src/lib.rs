//! What the agent and the processor share: events, field references, JSON, time, settings.

pub mod clock;
pub mod datetime;
pub mod decimal;
pub mod event;
pub mod json;
pub mod lumberjack;
pub mod nearest;
pub mod object;
pub mod path;
pub mod syslog;
pub mod telemetry;
pub mod timestamp;
pub mod tls;
pub mod value;
pub mod yaml;

pub use clock::Clock;
pub use event::Event;
pub use path::FieldPath;
pub use timestamp::Timestamp;
pub use value::{Decimal, Object, Str, Value};
