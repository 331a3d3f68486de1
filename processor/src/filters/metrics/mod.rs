//! Filter `metrics`: counts events and measures values, and reports them in events of its own.

mod meter;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tailrace_common::{Event, FieldPath, Timestamp, Value};

use self::meter::{Meter, Timer};
use super::ruby;
use crate::lookup::{Ordered, host_name};
use crate::options::{Invalid, Options, value_text};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "metrics",
    summary: "Counts events and measures values, and reports them in events of its own.",
    example: "filter { metrics { meter => [\"http_%{[http][status]}\"] timer => { \"duration\" => \"%{[http][duration]}\" } add_tag => [\"metric\"] } }",
    build,
};

/// Names that are followed.
const MOST_NAMES: usize = 100_000;
/// Seconds between two flushes.
const FLUSH_SECONDS: i64 = 5;
/// The windows of `rates`, in minutes.
const RATES: [i64; 3] = [1, 5, 15];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let meters = options.strings("meter").iter().map(|name| Template::parse(name)).collect();
    let timers = options.hash("timer");
    let timers =
        timers.iter().map(|(name, value)| (Template::parse(name), Template::parse(&value_text(value)))).collect();
    let ignore = options.number("ignore_older_than").unwrap_or(0.0);
    let flush_interval = options.integer("flush_interval").unwrap_or(5);
    let clear_interval = options.integer("clear_interval").unwrap_or(-1);
    let rates = numbers(&mut options, "rates", &RATES.map(|minutes| minutes as f64));
    if rates.iter().any(|rate| !RATES.iter().any(|known| *known as f64 == *rate)) {
        options.error_at("rates", "'rates' are some of 1, 5 and 15 minutes");
    }
    let percentiles = numbers(&mut options, "percentiles", &[1.0, 5.0, 10.0, 90.0, 95.0, 99.0, 100.0]);
    if percentiles.iter().any(|percentile| !(0.0..=100.0).contains(percentile)) {
        options.error_at("percentiles", "'percentiles' are from 0 to 100");
    }
    let split = options.boolean("split", false);
    let separator = options.string("split_seperator").filter(|text| !text.is_empty()).unwrap_or_else(|| ",".into());
    options.finish()?;
    Ok(Box::new(Metrics {
        meters,
        timers,
        ignore,
        flush_interval,
        clear_interval,
        rates: rates.iter().map(|rate| *rate as i64).collect(),
        percentiles,
        split: split.then_some(separator),
        state: Mutex::new(State::new()),
        untracked: AtomicU64::new(0),
    }))
}

fn numbers(options: &mut Options<'_>, option: &'static str, default: &[f64]) -> Vec<f64> {
    if !options.is_set(option) {
        return default.to_vec();
    }
    let values = options.list(option);
    let mut numbers = Vec::with_capacity(values.len());
    for value in &values {
        match value.as_f64().or_else(|| value.as_str()?.parse().ok()) {
            Some(number) => numbers.push(number),
            None => options.error_at(option, format!("'{option}' must be numbers, this is '{}'", value_text(value))),
        }
    }
    numbers
}

struct Metrics {
    meters: Vec<Template>,
    timers: Vec<(Template, Template)>,
    /// Seconds; 0 for no limit.
    ignore: f64,
    flush_interval: i64,
    clear_interval: i64,
    rates: Vec<i64>,
    percentiles: Vec<f64>,
    /// `split_seperator`, with `split`.
    split: Option<String>,
    state: Mutex<State>,
    untracked: AtomicU64,
}

struct State {
    meters: Ordered<Meter>,
    timers: Ordered<Timer>,
    /// Seconds since the last report, and since the counters were cleared.
    since_flush: i64,
    since_clear: i64,
}

impl State {
    fn new() -> State {
        State { meters: Ordered::new(MOST_NAMES), timers: Ordered::new(MOST_NAMES), since_flush: 0, since_clear: 0 }
    }
}

/// Works on the value of a name, which is made when it is new; false when there is no room for it.
fn with<V: Default>(values: &mut Ordered<V>, name: &str, work: impl FnOnce(&mut V)) -> bool {
    if values.get_mut(name).is_none() {
        if values.is_full() {
            return false;
        }
        values.insert(name, V::default());
    }
    values.get_mut(name).map(work).is_some()
}

impl Filter for Metrics {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        if self.ignore > 0.0 && event.timestamp().is_some_and(|moment| age(moment, context.now) > self.ignore) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for name in self.meters.iter().filter_map(|name| name.render(event).ok()) {
            let parts: Vec<&str> = match &self.split {
                Some(separator) => name.as_str().split(separator.as_str()).filter(|part| !part.is_empty()).collect(),
                None => vec![name.as_str()],
            };
            for part in parts {
                if !with(&mut state.meters, part, Meter::mark) {
                    self.untracked.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        for (name, value) in &self.timers {
            let (Ok(name), Ok(value)) = (name.render(event), value.render(event)) else { continue };
            if !with(&mut state.timers, &name, |timer| timer.update(ruby::to_f(&value))) {
                self.untracked.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn flushes(&self) -> bool {
        true
    }

    fn flush(&self, _last: bool, context: &mut FilterContext<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.since_flush += FLUSH_SECONDS;
        state.since_clear += FLUSH_SECONDS;
        state.meters.iter_mut().for_each(|(_, meter)| meter.tick());
        state.timers.iter_mut().for_each(|(_, timer)| timer.meter.tick());
        let nothing = state.meters.is_empty() && state.timers.is_empty();
        if state.since_flush < self.flush_interval || nothing {
            return;
        }
        let mut event = Event::new(context.now);
        event.fields_mut().insert("message", host_name());
        state.meters.iter().for_each(|(name, meter)| self.report_rates(&mut event, name, meter));
        for (name, timer) in state.timers.iter() {
            self.report_timer(&mut event, name, timer);
        }
        state.since_flush = 0;
        if self.clear_interval > 0 && state.since_clear >= self.clear_interval {
            *state = State::new();
        }
        drop(state);
        context.matched(&mut event);
        context.emit(event);
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        vec![("untracked", self.untracked.load(Ordering::Relaxed))]
    }
}

impl Metrics {
    fn report_rates(&self, event: &mut Event, name: &str, meter: &Meter) {
        put(event, name, "count", meter.count().into());
        for (window, minutes) in RATES.iter().enumerate() {
            if self.rates.contains(minutes) {
                put(event, name, &format!("rate_{minutes}m"), meter.rate(window).into());
            }
        }
    }

    fn report_timer(&self, event: &mut Event, name: &str, timer: &Timer) {
        self.report_rates(event, name, &timer.meter);
        for (what, value) in
            [("min", timer.min()), ("max", timer.max()), ("stddev", timer.deviation()), ("mean", timer.mean())]
        {
            put(event, name, what, value.into());
        }
        let sorted = timer.sorted();
        for percentile in &self.percentiles {
            put(event, name, &format!("p{percentile}"), sorted.at(percentile / 100.0).into());
        }
    }
}

/// Sets `[name][what]`. A name that is no reference, or has no place, is left out.
fn put(event: &mut Event, name: &str, what: &str, value: Value) {
    let path = if name.starts_with('[') { format!("{name}[{what}]") } else { format!("[{name}][{what}]") };
    if let Ok(path) = FieldPath::parse(&path) {
        let _no_place = event.set(&path, value);
    }
}

fn age(moment: Timestamp, now: Timestamp) -> f64 {
    (now.as_millis() - moment.as_millis()) as f64 / 1000.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;
    use tailrace_common::Clock;

    use crate::filters::testing::{event, findings, plan, shown};
    use crate::plan::run::Worker;

    /// The reports of the flushes after these events.
    fn reports(config: &str, events: &[&str], flushes: usize) -> Vec<serde_json::Value> {
        let plan = plan(config, Clock::System).unwrap();
        let mut worker = Worker::default();
        let now = Clock::System.now();
        plan.run(events.iter().map(|text| event(text, Clock::System)).collect(), &mut worker, now);
        (0..flushes).flat_map(|_| shown(&plan.flush(false, &mut worker, now).events)).collect()
    }

    #[test]
    fn meters_count_and_rate() {
        let events = [r#"{"s":200}"#; 10];
        let reports = reports("metrics { meter => \"http_%{s}\" rates => [1, 5] add_tag => metric }", &events, 2);
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[0]["http_200"], json!({ "count": 10, "rate_1m": 2.0, "rate_5m": 2.0 }));
        assert_eq!(reports[0]["tags"], json!(["metric"]));
        let rate = reports[1]["http_200"]["rate_1m"].as_f64().unwrap();
        assert!((rate - 2.0 * (-5.0_f64 / 60.0).exp()).abs() < 1e-9, "{rate}");
    }

    #[test]
    fn timers_measure() {
        let events: Vec<String> = (1..=4).map(|number| format!(r#"{{"d":{number}}}"#)).collect();
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let config = "metrics { timer => { \"t\" => \"%{d}\" } rates => [] percentiles => [0, 50, 90, 100] }";
        let timer = &reports(config, &events, 1)[0]["t"];
        assert_eq!(
            (&timer["count"], &timer["min"], &timer["max"], &timer["mean"]),
            (&json!(4), &json!(1.0), &json!(4.0), &json!(2.5))
        );
        assert!((timer["stddev"].as_f64().unwrap() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-9, "{timer}");
        assert_eq!(
            (&timer["p0"], &timer["p50"], &timer["p90"], &timer["p100"]),
            (&json!(1.0), &json!(2.5), &json!(4.0), &json!(4.0))
        );
    }

    #[test]
    fn intervals_splitting_and_old_events() {
        let reports_at = reports("metrics { meter => mm flush_interval => 10 clear_interval => 10 }", &["{}"], 4);
        assert_eq!(reports_at.len(), 1, "reported after 10 seconds, then cleared");
        let split =
            reports("metrics { meter => \"%{[tags]}\" split => true rates => [] }", &[r#"{"tags":["a","b"]}"#], 1);
        assert_eq!((&split[0]["a"]["count"], &split[0]["b"]["count"]), (&json!(1), &json!(1)));
        let old = r#"{"@timestamp":"2020-01-01T00:00:00Z"}"#;
        assert!(reports("metrics { meter => mm ignore_older_than => 60 }", &[old], 1).is_empty());
    }

    #[test]
    fn wrong_options_are_refused() {
        assert!(findings("metrics { rates => [2] }").contains("'rates' are some of 1, 5 and 15"));
        assert!(findings("metrics { percentiles => [101] }").contains("from 0 to 100"));
        assert!(findings("metrics { percentiles => [xx] }").contains("must be numbers"));
    }
}
