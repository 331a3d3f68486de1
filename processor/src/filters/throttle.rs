//! Filter `throttle`: finds events of which there are too few or too many in a time. It changes nothing by itself:
//! `add_tag` says which they are.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tailrace_common::Event;

use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "throttle",
    summary: "Finds events of which there are too few or too many in a time.",
    example: "filter { throttle { key => \"%{[host][name]}%{message}\" after_count => 3 period => 60 max_age => 120 add_tag => [\"throttled\"] } if \"throttled\" in [tags] { drop { } } }",
    build,
};

/// The age of counters is made shorter or longer by these percentages of `max_age`.
const STEP: i64 = 5;
/// It becomes longer again when there are fewer counters than this percentage of `max_counters`.
const ROOMY: i64 = 80;
/// Between two adjustments there may be this many times `max_counters`.
const OVERFLOW: i64 = 4;
/// Counters where `max_counters` is -1.
const MOST_COUNTERS: i64 = 10_000_000;

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    options.require("key");
    let key = options.template("key");
    let before = options.integer("before_count").unwrap_or(-1);
    let after = options.integer("after_count").unwrap_or(-1);
    let period = options.template("period").unwrap_or_else(|| Template::parse("60"));
    let max_age = options.integer("max_age").unwrap_or(3600);
    let max_counters = options.integer("max_counters").unwrap_or(100_000);
    options.finish()?;
    Ok(Box::new(Throttle {
        key: key.ok_or(Invalid)?,
        before,
        after,
        period,
        original_age: max_age,
        max_age: AtomicI64::new(max_age),
        max_counters,
        keys: Mutex::default(),
        untracked: AtomicU64::new(0),
    }))
}

struct Throttle {
    key: Template,
    before: i64,
    after: i64,
    period: Template,
    /// The option `max_age`, of which `max_age` is what the number of counters allows.
    original_age: i64,
    max_age: AtomicI64,
    max_counters: i64,
    keys: Mutex<Keys>,
    untracked: AtomicU64,
}

#[derive(Default)]
struct Keys {
    by_key: HashMap<Box<str>, Slots, foldhash::fast::RandomState>,
    counters: i64,
}

/// The counters of one key.
struct Slots {
    created: i64,
    latest: i64,
    counts: BTreeMap<i64, i64>,
}

impl Filter for Throttle {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let (Ok(key), Ok(period)) = (self.key.render(event), self.period.render(event)) else {
            context.failed(event, &[""; 0]);
            return;
        };
        let Some(moment) = event.timestamp() else {
            context.failed(event, &[""; 0]);
            return;
        };
        let period = super::ruby::to_i(&period).as_i64().filter(|seconds| *seconds > 0).unwrap_or(60);
        let count = self.count(&key, moment.secs, period);
        let too_few = self.before != -1 && count < self.before;
        let too_many = self.after != -1 && count > self.after;
        if too_few || too_many {
            context.matched(event);
        }
    }

    fn flushes(&self) -> bool {
        true
    }

    fn flush(&self, _last: bool, _context: &mut FilterContext<'_>) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.expire(self.max_age.load(Ordering::Relaxed));
        self.adjust(keys.counters);
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        vec![("untracked", self.untracked.load(Ordering::Relaxed))]
    }
}

impl Throttle {
    /// How many events of this key there have been in the slot of this second, this one included.
    fn count(&self, key: &str, second: i64, period: i64) -> i64 {
        let max_age = self.max_age.load(Ordering::Relaxed);
        let limit = if self.max_counters < 0 { MOST_COUNTERS } else { self.max_counters.saturating_mul(OVERFLOW) };
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.counters >= limit {
            keys.expire(max_age);
        }
        let Keys { by_key, counters } = &mut *keys;
        if !by_key.contains_key(key) {
            if *counters >= limit {
                self.untracked.fetch_add(1, Ordering::Relaxed);
                return 1;
            }
            by_key.insert(key.into(), Slots { created: second, latest: second, counts: BTreeMap::new() });
        }
        let Some(slots) = by_key.get_mut(key) else { return 1 };
        slots.latest = slots.latest.max(second);
        let slot = second - second.saturating_sub(slots.created).rem_euclid(period);
        let before = slots.counts.len();
        let count = slots.counts.entry(slot).or_insert(0);
        *count += 1;
        let count = *count;
        // The latest slot stays, whatever the event's own time is.
        if let Some(latest) = slots.counts.last_key_value().map(|(slot, _)| *slot) {
            slots.counts = match slots.counts.first_key_value() {
                Some((first, _)) if *first < latest.saturating_sub(max_age) => {
                    slots.counts.split_off(&latest.saturating_sub(max_age))
                }
                _ => std::mem::take(&mut slots.counts),
            };
        }
        *counters += slots.counts.len() as i64 - before as i64;
        count
    }

    /// Fewer counters when there are too many, by a shorter age.
    fn adjust(&self, counters: i64) {
        if self.max_counters == -1 {
            return;
        }
        let (age, step) = (self.max_age.load(Ordering::Relaxed), self.original_age * STEP / 100);
        if counters > self.max_counters && age > step {
            self.max_age.store(age - step, Ordering::Relaxed);
            tracing::warn!(
                max_age = age - step,
                counters,
                "throttle has more than 'max_counters'; a key with fewer values is better"
            );
        } else if age < self.original_age && counters < self.max_counters * ROOMY / 100 {
            self.max_age.store((age + step).min(self.original_age), Ordering::Relaxed);
        }
    }
}

impl Keys {
    /// Forgets the keys that have not been seen for so long.
    fn expire(&mut self, max_age: i64) {
        let latest = self.by_key.values().map(|slots| slots.latest).max().unwrap_or_default();
        self.by_key.retain(|_, slots| slots.latest >= latest.saturating_sub(max_age));
        self.counters = self.by_key.values().map(|slots| slots.counts.len() as i64).sum();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_common::Clock;

    use crate::filters::testing::documents;

    /// For each event, given as key and second, whether it is throttled.
    fn throttled(options: &str, events: &[(&str, i64)]) -> Vec<bool> {
        let texts: Vec<String> = events
            .iter()
            .map(|(key, second)| {
                format!(
                    r#"{{"k":"{key}","p":"10","@timestamp":"2024-01-01T00:{:02}:{:02}Z"}}"#,
                    second / 60,
                    second % 60
                )
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let config = format!("throttle {{ key => \"%{{k}}\" add_tag => tt {options} }}");
        let documents = documents(&config, &texts, Clock::System).unwrap();
        documents.iter().map(|document| document.get("tags").is_some()).collect()
    }

    #[test]
    fn too_few_and_too_many() {
        let events = [("a", 0), ("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 4), ("a", 61)];
        assert_eq!(
            throttled("before_count => 3 after_count => 4", &events),
            [true, true, false, false, true, true, true]
        );
        assert_eq!(throttled("", &events), [false; 7]);
    }

    #[test]
    fn slots_begin_with_the_first_event_and_may_be_filled_late() {
        let options = "after_count => 1 period => \"%{p}\"";
        let events = [("a", 5), ("a", 14), ("a", 15), ("a", 13), ("a", 25), ("a", 24)];
        assert_eq!(throttled(options, &events), [false, true, false, true, false, true]);
    }

    #[test]
    fn old_slots_are_forgotten() {
        let events = [("a", 0), ("a", 600), ("a", 1)];
        assert_eq!(throttled("after_count => 1 max_age => 120", &events), [false, false, false]);
        assert_eq!(throttled("after_count => 1 max_age => 3600", &events), [false, false, true]);
    }

    #[test]
    fn beyond_the_limit_new_keys_are_not_tracked() {
        let events: Vec<(String, i64)> = (0..20).map(|number| (number.to_string(), 0)).collect();
        let mut events: Vec<(&str, i64)> = events.iter().map(|(key, second)| (key.as_str(), *second)).collect();
        events.extend([("0", 0), ("19", 0)]);
        let throttled = throttled("after_count => 1 max_counters => 2", &events);
        assert_eq!(throttled[20..], [true, false]);
    }
}
