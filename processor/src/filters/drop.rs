//! Filter `drop`: gives events up.

use std::sync::atomic::{AtomicU64, Ordering};

use tailrace_common::Event;

use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "drop",
    summary: "Gives events up; stands inside an 'if'.",
    example: "filter { if [level] == \"debug\" { drop { } } }",
    build,
};

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let percentage = options.number("percentage").unwrap_or(100.0);
    options.finish()?;
    Ok(Box::new(Drop { percentage, dice: AtomicU64::new(0x9e37_79b9_7f4a_7c15) }))
}

struct Drop {
    /// How many of a hundred events are given up.
    percentage: f64,
    dice: AtomicU64,
}

impl Filter for Drop {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        if self.percentage >= 100.0 || self.roll() < self.percentage {
            event.cancel();
            // Logstash decorates the event it drops; nobody sees it.
            context.matched(event);
        }
    }
}

impl Drop {
    /// A number from 0 to 100, by SplitMix64.
    fn roll(&self) -> f64 {
        let mut bits = self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 * 100.0
    }
}
