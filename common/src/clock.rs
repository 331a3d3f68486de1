//! What time it is: the machine's clock, or a frozen one for tests of configurations.

use crate::timestamp::Timestamp;

/// Where "now" comes from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Clock {
    /// The clock of the machine.
    #[default]
    System,
    /// Always the same moment.
    Frozen(Timestamp),
}

impl Clock {
    /// The current moment.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => Timestamp::now(),
            Clock::Frozen(moment) => *moment,
        }
    }
}
