//! How long a match may take.

use std::time::{Duration, Instant};

use crate::error::OutOfBudget;

/// Steps between two looks at the clock.
const STEPS_PER_LOOK: u64 = 1 << 16;

/// How long one match may take. The clock is read only after some ten thousand steps, so an
/// ordinary match never reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    millis: Option<u64>,
}

impl Budget {
    /// No limit. Patterns without look-around, back-references and calls still take time
    /// proportional to the text.
    pub const UNLIMITED: Budget = Budget { millis: None };

    /// So many milliseconds; 0 is no limit, as for grok's `timeout_millis`.
    pub const fn millis(millis: u64) -> Budget {
        Budget { millis: if millis == 0 { None } else { Some(millis) } }
    }
}

/// Why a run of the machine stopped without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// It took many steps for the length of its text: the careful program should take over.
    Slow,
    /// Native code had no room for its ways back: the machine should take over.
    NoRoom,
    OutOfBudget,
}

impl From<OutOfBudget> for Halt {
    fn from(_: OutOfBudget) -> Self {
        Halt::OutOfBudget
    }
}

/// Counts the steps of a match.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) spent: u64,
    /// Where `check` has to be called.
    pub(crate) pause: u64,
    /// Whether a pause means that the careful program takes over.
    hands_over: bool,
    budget: Budget,
    started: Option<Instant>,
}

impl Meter {
    /// A meter that halts as [`Halt::Slow`] after `patience` steps, if there is a limit to it.
    pub(crate) fn new(budget: Budget, patience: Option<u64>) -> Meter {
        Meter {
            spent: 0,
            pause: patience.unwrap_or(STEPS_PER_LOOK),
            hands_over: patience.is_some(),
            budget,
            started: None,
        }
    }

    /// A meter that halts as [`Halt::Slow`] after many steps for the length of a text.
    pub(crate) fn for_text(budget: Budget, text: &[u8]) -> Meter {
        Meter::new(budget, Some(text.len() as u64 * 16 + 4096))
    }

    /// The same budget without a hand-over.
    pub(crate) fn without_hand_over(self) -> Meter {
        Meter { hands_over: false, pause: self.spent + STEPS_PER_LOOK, ..self }
    }

    /// Counts a place where a match is tried.
    #[inline]
    pub(crate) fn step(&mut self) -> Result<(), Halt> {
        self.spent += 1;
        if self.spent >= self.pause { self.check() } else { Ok(()) }
    }

    /// To be called when `spent` has reached `pause`.
    #[cold]
    pub(crate) fn check(&mut self) -> Result<(), Halt> {
        if self.hands_over {
            return Err(Halt::Slow);
        }
        self.pause = self.spent + STEPS_PER_LOOK;
        let Some(millis) = self.budget.millis else { return Ok(()) };
        let started = *self.started.get_or_insert_with(Instant::now);
        if started.elapsed() >= Duration::from_millis(millis) {
            return Err(Halt::OutOfBudget);
        }
        Ok(())
    }
}
