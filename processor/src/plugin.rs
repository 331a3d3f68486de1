//! What a filter is to the plan, and what the plan is to a filter.
//!
//! A filter is built once per plugin of the configuration and shared by all workers: it holds compiled options and, where
//! it must, state behind a lock. What changes per event comes through [`FilterContext`].

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use tailrace_common::{Clock, Event, Timestamp};

use crate::options::{Ecs, Expand, Invalid, Options};
use crate::plan::decorate::Decoration;
use crate::plan::run::Rejected;
use crate::plan::template::TemplateError;

/// A filter, compiled.
pub trait Filter: Send + Sync {
    /// Works on one event: changes it, cancels it ([`Event::cancel`]), adds events ([`FilterContext::emit`]).
    ///
    /// On success it calls [`FilterContext::matched`], which applies `add_field`, `add_tag`, `remove_field` and
    /// `remove_tag`; on failure it tags the event itself.
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>);

    /// Sees all events of a batch before [`Filter::filter`] sees each: the place to look many things up side by side
    /// (dns, http, memcached, elasticsearch), so that a slow peer costs a batch one time-out and not one per event. What
    /// it found, [`FilterContext::fetched`] hands to [`Filter::filter`].
    fn prefetch(&self, _events: &[Event], _now: Timestamp) -> Fetched {
        Fetched::default()
    }

    /// Whether events must come one at a time through the whole plan, because what one filter does to an event depends
    /// on what later filters did to earlier events (aggregate, elapsed).
    fn sequential(&self) -> bool {
        false
    }

    /// Whether [`Filter::flush`] is to be called every few seconds.
    fn flushes(&self) -> bool {
        false
    }

    /// Emits what time has made due (aggregate, elapsed, metrics); `last` when the pipeline ends.
    fn flush(&self, _last: bool, _context: &mut FilterContext<'_>) {}

    /// Counters of its own, for `/_node/stats` and `/metrics`: names and where they stand.
    fn numbers(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// What [`Filter::prefetch`] found for a batch.
#[derive(Default)]
pub struct Fetched(Option<Box<dyn Any>>);

impl Fetched {
    /// Anything that the filter knows to read.
    pub fn new(found: impl Any) -> Fetched {
        Fetched(Some(Box::new(found)))
    }
}

/// What a filter is built from, besides its options.
pub struct BuildContext<'a> {
    /// `pipeline.ecs_compatibility`.
    pub ecs: Ecs,
    /// The clock of the pipeline; frozen in tests.
    pub clock: Clock,
    /// The zone of the host, an IANA name, for dates without one; `UTC` unless told otherwise.
    pub timezone: String,
    /// `${NAME}` and `${NAME:default}`.
    pub expand: &'a Expand<'a>,
    /// Relative paths in options count from here.
    pub directory: PathBuf,
    /// What filters of one pipeline share.
    pub shared: Shared,
}

/// State that several filters of one pipeline use together (aggregate), by type and name.
#[derive(Default)]
pub struct Shared(RefCell<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>);

impl Shared {
    /// The state of that name; made when it is first asked for.
    pub fn get<T: Any + Default + Send + Sync>(&self, name: &str) -> Arc<T> {
        let mut held = self.0.borrow_mut();
        let key = (TypeId::of::<T>(), name.to_string());
        let state = held.entry(key).or_insert_with(|| Arc::new(T::default())).clone();
        // The key says what type it is.
        state.downcast().unwrap_or_default()
    }
}

/// Builds a filter from its options. Every error stands in the options' diagnostics.
pub type BuildFilter = fn(Options<'_>, &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid>;

/// A filter that configurations can name.
pub struct FilterDefinition {
    /// `mutate`.
    pub name: &'static str,
    /// One sentence for `--help` and the docs.
    pub summary: &'static str,
    /// A configuration that runs, for the docs and as a test.
    pub example: &'static str,
    /// Makes one.
    pub build: BuildFilter,
}

/// What a worker gives a filter for one event.
pub struct FilterContext<'a> {
    /// When the batch began; filters take the time from here and not from the clock.
    pub now: Timestamp,
    /// Scratch space of the worker for regular expressions.
    pub scratch: &'a mut tailrace_grok::Scratch,
    pub(crate) decoration: &'a Decoration,
    pub(crate) id: &'a str,
    pub(crate) rejected: &'a mut Vec<Rejected>,
    pub(crate) emitted: &'a mut Vec<Event>,
    pub(crate) matched: &'a mut u64,
    pub(crate) failed: &'a mut u64,
    pub(crate) fetched: Fetched,
}

impl FilterContext<'_> {
    /// What [`Filter::prefetch`] found for the batch; nothing when it found something of another type.
    pub fn fetched<T: Any>(&mut self) -> Option<&mut T> {
        self.fetched.0.as_mut()?.downcast_mut()
    }

    /// The filter did its work on this event: applies the common options. Where they cannot be applied the event is
    /// rejected.
    pub fn matched(&mut self, event: &mut Event) {
        if let Err(error) = self.try_matched(event) {
            self.reject(event, error.to_string());
        }
    }

    /// As [`FilterContext::matched`], for filters that tag what goes wrong.
    pub fn try_matched(&mut self, event: &mut Event) -> Result<(), TemplateError> {
        *self.matched += 1;
        self.decoration.apply(event)
    }

    /// The filter can do nothing with this event at all, and Logstash would have stopped: the event goes to the dead
    /// letters.
    pub fn reject(&mut self, event: &mut Event, reason: impl Into<String>) {
        *self.failed += 1;
        self.rejected.push(Rejected { event: event.clone(), plugin: self.id.to_string(), reason: reason.into() });
        event.cancel();
    }

    /// The filter failed on this event: counted, and tagged unless it bears the tag.
    pub fn failed(&mut self, event: &mut Event, tags: &[impl AsRef<str>]) {
        *self.failed += 1;
        for tag in tags {
            event.tag(tag.as_ref());
        }
    }

    /// Adds an event, which goes on with the filters that follow, right after the one at work (before it when that one is
    /// cancelled).
    pub fn emit(&mut self, event: Event) {
        self.emitted.push(event);
    }
}
