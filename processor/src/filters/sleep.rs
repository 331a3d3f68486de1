//! Filter `sleep`: makes the pipeline wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tailrace_common::{Clock, Event, Timestamp};

use super::ruby::to_f;
use crate::options::{Invalid, Options};
use crate::plan::template::{Template, TemplateError};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "sleep",
    summary: "Waits at every event, at every n-th, or as long as lay between the events.",
    example: "filter { sleep { time => \"0.001\" every => 100 } }",
    build,
};

/// No event makes the pipeline wait longer, whatever stands in its fields.
const LONGEST: Duration = Duration::from_secs(3600);

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let replay = options.boolean("replay", false);
    if !replay {
        options.require("time");
    }
    let time = options.template("time").unwrap_or_else(|| Template::parse("1"));
    let every = options.integer("every").map_or(1, |every| u64::try_from(every).unwrap_or(1).max(1));
    options.finish()?;
    let waits = matches!(build.clock, Clock::System);
    Ok(Box::new(Sleep { time, every, replay: replay.then(Mutex::default), count: AtomicU64::new(0), waits }))
}

struct Sleep {
    /// Seconds; how many times faster than it happened, when events are replayed.
    time: Template,
    every: u64,
    /// When the previous event happened, where the time between events counts.
    replay: Option<Mutex<Option<Timestamp>>>,
    count: AtomicU64,
    /// Where time stands still nobody waits.
    waits: bool,
}

impl Filter for Sleep {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match self.seconds(event) {
            Ok(seconds) => {
                let time = Duration::try_from_secs_f64(seconds).unwrap_or_default().min(LONGEST);
                if self.waits && !time.is_zero() {
                    std::thread::sleep(time);
                }
                context.matched(event);
            }
            Err(TemplateError(reason)) => context.reject(event, reason),
        }
    }
}

impl Sleep {
    fn seconds(&self, event: &Event) -> Result<f64, TemplateError> {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let time = to_f(&self.time.render(event)?);
        let (Some(previous), Some(now)) = (&self.replay, event.timestamp()) else {
            let due = self.replay.is_none() && count.is_multiple_of(self.every);
            return Ok(if due { time.min(LONGEST.as_secs_f64()) } else { 0.0 });
        };
        let before = previous.lock().unwrap_or_else(PoisonError::into_inner).replace(now);
        let passed = before.map_or(0, |before| now.as_millis().saturating_sub(before.as_millis()));
        Ok((passed as f64 / 1000.0 / time).min(LONGEST.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filters::testing::{check_all, run_with};

    fn sleep(time: &str, every: u64, replay: bool) -> Sleep {
        Sleep {
            time: Template::parse(time),
            every,
            replay: replay.then(Mutex::default),
            count: AtomicU64::new(0),
            waits: false,
        }
    }

    fn seconds(sleep: &Sleep, events: &[Event]) -> Vec<f64> {
        events.iter().map(|event| sleep.seconds(event).unwrap_or(f64::NAN)).collect()
    }

    #[test]
    fn every_nth_event_waits() {
        let events = vec![Event::new(Timestamp::EPOCH); 5];
        assert_eq!(seconds(&sleep("0.5", 2, false), &events), [0.0, 0.5, 0.0, 0.5, 0.0]);
        assert_eq!(seconds(&sleep("1e12", 1, false), &events[..1]), [3600.0]);
        assert_eq!(seconds(&sleep("%{delay}", 1, false), &events[..1]), [0.0]);
    }

    #[test]
    fn a_replay_waits_as_long_as_it_took() {
        let events = [0, 1000, 4000, 2000].map(|millis| Event::new(Timestamp::from_millis(millis)));
        assert_eq!(seconds(&sleep("2", 1, true), &events), [0.0, 0.5, 1.5, -1.0]);
    }

    #[test]
    fn where_time_stands_still_nobody_waits() {
        check_all("sleep { time => \"600\" add_tag => \"t\" }", &[r#"{"a":1}"#], &[r#"{"a":1,"tags":["t"]}"#]);
        assert!(run_with("v8", "sleep { }", &[]).is_err());
    }
}
