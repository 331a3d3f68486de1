//! The maps of all aggregate filters of a pipeline.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};

use crate::lookup::Ordered;
use crate::plan::template::Template;

/// Seconds after which a map goes when no filter says otherwise.
const DEFAULT_TIMEOUT: f64 = 1800.0;
/// Maps of one pattern; beyond it the oldest count as expired.
const MOST_TASKS: usize = 1_000_000;

/// What one task has gathered.
pub(super) struct Element {
    /// When it began, by `timeout_timestamp_field` or the clock.
    pub(super) created: Timestamp,
    /// The same by the clock.
    created_clock: Timestamp,
    /// Its last event.
    pub(super) seen: Timestamp,
    /// The same by the clock.
    pub(super) seen_clock: Timestamp,
    pub(super) map: Object,
}

impl Element {
    pub(super) fn new(moment: Timestamp, now: Timestamp) -> Element {
        Element { created: moment, created_clock: now, seen: moment, seen_clock: now, map: Object::new() }
    }
}

/// What becomes of maps whose time is over.
#[derive(Default)]
pub(super) struct Eviction {
    pub(super) timeout: Option<f64>,
    pub(super) inactivity: Option<f64>,
    /// Whether they become events.
    pub(super) push: bool,
    pub(super) id_field: Option<FieldPath>,
    pub(super) tags: Vec<Template>,
}

/// The maps of one pattern of `task_id`.
pub(super) struct Maps {
    pub(super) elements: Ordered<Element>,
    eviction: Option<Eviction>,
    /// Whether events tell the time, and the clock only when they stay away.
    event_clock: bool,
}

/// All patterns.
#[derive(Default)]
pub(super) struct Tasks {
    maps: HashMap<String, Maps>,
    /// The shortest `timeout` of any filter.
    pub(super) default_timeout: Option<f64>,
    /// `aggregate_maps_path`.
    path: Option<PathBuf>,
}

impl Default for Maps {
    fn default() -> Maps {
        Maps { elements: Ordered::new(MOST_TASKS), eviction: None, event_clock: false }
    }
}

fn seconds_since(then: Timestamp, now: Timestamp) -> f64 {
    (now.as_millis() - then.as_millis()) as f64 / 1000.0
}

impl Tasks {
    pub(super) fn see_timeout(&mut self, timeout: Option<f64>) {
        self.default_timeout = match (self.default_timeout, timeout) {
            (Some(known), Some(given)) => Some(known.min(given)),
            (known, given) => known.or(given),
        };
    }

    pub(super) fn has_eviction(&self, pattern: &str) -> bool {
        self.maps.get(pattern).is_some_and(|maps| maps.eviction.is_some())
    }

    /// Whether a filter is the one of its pattern that evicts: the one with time-outs, else any.
    pub(super) fn may_evict(&self, pattern: &str, evicts: bool) -> bool {
        evicts || !self.has_eviction(pattern)
    }

    pub(super) fn maps_of(&mut self, pattern: &str, eviction: Option<Eviction>, event_clock: bool) {
        let maps = self.maps.entry(pattern.into()).or_default();
        if eviction.is_some() {
            maps.eviction = eviction;
        }
        maps.event_clock |= event_clock;
    }

    /// Works on the maps of a pattern.
    pub(super) fn see(&mut self, pattern: &str, work: impl FnOnce(&mut Maps) -> bool) -> bool {
        match self.maps.get_mut(pattern) {
            Some(maps) => work(maps),
            None => false,
        }
    }

    /// Reads the maps that were kept when the pipeline last ended, and remembers to keep them again.
    pub(super) fn keep_at(&mut self, path: PathBuf) -> Result<(), String> {
        if self.path.is_some() {
            return Err("'aggregate_maps_path' may be set in one filter only".into());
        }
        if path.exists() {
            let broken = |error: &dyn std::fmt::Display| format!("cannot read '{}': {error}", path.display());
            let text = fs::read_to_string(&path).map_err(|error| broken(&error))?;
            let kept = json::parse(&Str::from(text), Numbers::Float).map_err(|error| broken(&error))?;
            self.restore(kept).ok_or_else(|| broken(&"these are no maps of aggregate"))?;
            fs::remove_file(&path).map_err(|error| broken(&error))?;
        }
        self.path = Some(path);
        Ok(())
    }

    fn restore(&mut self, kept: Value) -> Option<()> {
        let Value::Object(patterns) = kept else { return None };
        for (pattern, elements) in patterns {
            let maps = self.maps.entry(pattern.to_string()).or_default();
            for element in elements.as_array()? {
                let element = element.as_object()?;
                let moment = |name: &str| Some(Timestamp::from_millis(element.get(name)?.as_i64()?));
                let restored = Element {
                    created: moment("created")?,
                    created_clock: moment("created_clock")?,
                    seen: moment("seen")?,
                    seen_clock: moment("seen_clock")?,
                    map: element.get("map")?.as_object()?.clone(),
                };
                maps.elements.insert(element.get("id")?.as_str()?, restored);
            }
        }
        Some(())
    }

    /// Keeps the maps that are left in a file.
    pub(super) fn save(&self) {
        let Some(path) = &self.path else { return };
        let mut patterns = Object::new();
        for (pattern, maps) in self.maps.iter().filter(|(_, maps)| !maps.elements.is_empty()) {
            let elements = maps.elements.iter().map(|(id, element)| {
                let millis = |moment: &Timestamp| Value::Int(moment.as_millis());
                let kept: Object = [
                    ("id", Value::String(id.clone())),
                    ("created", millis(&element.created)),
                    ("created_clock", millis(&element.created_clock)),
                    ("seen", millis(&element.seen)),
                    ("seen_clock", millis(&element.seen_clock)),
                    ("map", Value::Object(element.map.clone())),
                ]
                .into_iter()
                .collect();
                Value::Object(kept)
            });
            patterns.insert(pattern.as_str(), Value::Array(elements.collect()));
        }
        if patterns.is_empty() {
            return;
        }
        let mut text = Vec::new();
        json::write_object(&patterns, &mut text);
        let opened = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        if let Err(error) = opened.and_then(|mut file| file.write_all(&text)) {
            tracing::error!(path = %path.display(), %error, "cannot keep the maps of aggregate");
        }
    }
}

impl Maps {
    fn timeouts(&self, default_timeout: Option<f64>) -> (f64, f64) {
        let eviction = self.eviction.as_ref();
        let timeout = eviction.and_then(|eviction| eviction.timeout).or(default_timeout).unwrap_or(DEFAULT_TIMEOUT);
        (timeout, eviction.and_then(|eviction| eviction.inactivity).unwrap_or(timeout))
    }

    /// Puts a new element in; what has no room any more comes back as an event, where maps become events.
    pub(super) fn insert(&mut self, id: &str, element: Element, now: Timestamp) -> Option<Event> {
        let (id, displaced) = self.elements.insert(id, element)?;
        self.pushed(&id, displaced.map, now)
    }

    /// The map of this task, when its time is over at the moment of an event.
    pub(super) fn expired_at(&mut self, id: &str, moment: Timestamp, now: Timestamp) -> Option<Event> {
        let (timeout, inactivity) = self.timeouts(None);
        let element = self.elements.get_mut(id)?;
        let over = seconds_since(element.created, moment) > timeout || seconds_since(element.seen, moment) > inactivity;
        if !over {
            return None;
        }
        let element = self.elements.remove(id)?;
        self.pushed(id, element.map, now)
    }

    /// Takes out what is over by the clock; the events to which that leads.
    pub(super) fn expired(&mut self, default_timeout: Option<f64>, now: Timestamp) -> Vec<Event> {
        let (timeout, inactivity) = self.timeouts(default_timeout);
        let over = self.elements.take_if(|element| {
            seconds_since(element.created_clock, now) > timeout || seconds_since(element.seen_clock, now) > inactivity
        });
        over.into_iter().filter_map(|(id, element)| self.pushed(&id, element.map, now)).collect()
    }

    fn pushed(&self, id: &str, map: Object, now: Timestamp) -> Option<Event> {
        let push = self.eviction.as_ref().is_some_and(|eviction| eviction.push);
        push.then(|| self.event(id, map, now))
    }

    /// The event of a map.
    pub(super) fn event(&self, id: &str, map: Object, now: Timestamp) -> Event {
        let mut event = super::event_of(map, now);
        if let Some(eviction) = &self.eviction {
            if let Some(field) = &eviction.id_field {
                // In an event of a map there may be something in the way.
                let _no_place = event.set(field, Str::from(id.to_owned()));
            }
            for tag in eviction.tags.iter().filter_map(|tag| tag.render(&event).ok()).collect::<Vec<_>>() {
                event.push_tag(tag);
            }
        }
        event
    }
}
