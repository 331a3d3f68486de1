//! Running a plan over batches of events.
//!
//! A batch goes through one node after the other; at a branch it is parted by the tests, each part runs through its
//! body, and the parts are joined again: in the order of the input events, and among the descendants of one input event
//! those of an earlier arm first, as Logstash does it.

use std::sync::Arc;
use std::time::Instant;

use tailrace_common::{Event, Timestamp};
use tailrace_grok::Scratch;

use super::BatchTime;
use super::condition::ConditionError;
use super::counters::{Counters, Snapshot};
use super::decorate::Decoration;
use super::tree::{Branch, Node, walk};
use crate::lang::ast::Span;
use crate::plugin::{Filter, FilterContext};

/// One filter of a plan.
pub struct FilterNode {
    /// `id`, or one made from name and place.
    pub id: String,
    /// `mutate`.
    pub name: &'static str,
    /// Where it stands in the configuration.
    pub span: Span,
    /// What it does.
    pub filter: Box<dyn Filter>,
    /// Its `add_field` and kin.
    pub decoration: Decoration,
    /// What it has seen.
    pub counters: Arc<Counters>,
}

/// The filters of a pipeline, shared by its workers.
pub struct FilterPlan {
    nodes: Vec<Node<FilterNode>>,
    sequential: bool,
    flushes: bool,
}

/// An event that the filters gave up; it belongs into the dead letters.
#[derive(Debug)]
pub struct Rejected {
    /// The event as it was then.
    pub event: Event,
    /// Which plugin gave it up: its id, or `if-statement`.
    pub plugin: String,
    /// Why.
    pub reason: String,
}

/// What a worker keeps between batches.
#[derive(Default)]
pub struct Worker {
    scratch: Scratch,
    emitted: Vec<Event>,
    emitted_at: Vec<(usize, usize)>,
    arms: Vec<usize>,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Filtered {
    /// Events for the outputs, in order, their ordinals assigned.
    pub events: Vec<Event>,
    /// Events for the dead letters.
    pub rejected: Vec<Rejected>,
}

/// One pass of a batch, or a flush, through the nodes.
struct Pass<'a> {
    worker: &'a mut Worker,
    rejected: &'a mut Vec<Rejected>,
    now: Timestamp,
    /// Whether filters are flushed, and whether it is for the last time.
    flush: Option<bool>,
}

impl FilterPlan {
    /// A plan of these nodes.
    pub fn new(nodes: Vec<Node<FilterNode>>) -> FilterPlan {
        let (mut sequential, mut flushes) = (false, false);
        walk(&nodes, &mut |node| {
            sequential |= node.filter.sequential();
            flushes |= node.filter.flushes();
        });
        FilterPlan { nodes, sequential, flushes }
    }

    /// The nodes in order.
    pub fn nodes(&self) -> &[Node<FilterNode>] {
        &self.nodes
    }

    /// Whether [`FilterPlan::flush`] is to be called every few seconds and at the end.
    pub fn flushes(&self) -> bool {
        self.flushes
    }

    /// Takes a batch through all filters.
    pub fn run(&self, mut events: Vec<Event>, worker: &mut Worker, now: Timestamp) -> Filtered {
        for (slot, event) in events.iter_mut().enumerate() {
            event.slot = u32::try_from(slot).unwrap_or(u32::MAX);
        }
        let mut filtered = Filtered::default();
        let _time = BatchTime::begin(now);
        let mut pass = Pass { worker, rejected: &mut filtered.rejected, now, flush: None };
        filtered.events = if self.sequential {
            events.into_iter().flat_map(|event| pass.nodes(&self.nodes, vec![event])).collect()
        } else {
            pass.nodes(&self.nodes, events)
        };
        number_siblings(&mut filtered.events);
        filtered
    }

    /// Emits what time has made due; `last` when the pipeline ends.
    pub fn flush(&self, last: bool, worker: &mut Worker, now: Timestamp) -> Filtered {
        let mut filtered = Filtered::default();
        let _time = BatchTime::begin(now);
        let mut pass = Pass { worker, rejected: &mut filtered.rejected, now, flush: Some(last) };
        filtered.events = pass.nodes(&self.nodes, Vec::new());
        filtered
    }
}

/// Numbers the events that descend from one record, so that each has an id of its own.
fn number_siblings(events: &mut [Event]) {
    let mut previous: Option<(*const tailrace_common::event::Lane, i64, u32)> = None;
    for event in events {
        let Some(origin) = &mut event.origin else { continue };
        let lane = Arc::as_ptr(&origin.lane);
        origin.ordinal = match previous {
            Some((before, offset, ordinal)) if before == lane && offset == origin.offset => ordinal + 1,
            _ => 0,
        };
        previous = Some((lane, origin.offset, origin.ordinal));
    }
}

impl Pass<'_> {
    fn nodes(&mut self, nodes: &[Node<FilterNode>], mut events: Vec<Event>) -> Vec<Event> {
        for node in nodes {
            if events.is_empty() && self.flush.is_none() {
                break;
            }
            events = match node {
                Node::Plugin(node) => self.filter(node, events),
                Node::Branch(branch) => self.branch(branch, events),
            };
        }
        events
    }

    fn filter(&mut self, node: &FilterNode, mut events: Vec<Event>) -> Vec<Event> {
        let started = Instant::now();
        let mut seen = Snapshot { events_in: events.len() as u64, ..Snapshot::default() };
        let mut cancelled = false;
        let fetched = node.filter.prefetch(&events, self.now);
        let mut context = FilterContext {
            now: self.now,
            scratch: &mut self.worker.scratch,
            id: &node.id,
            rejected: self.rejected,
            decoration: &node.decoration,
            emitted: &mut self.worker.emitted,
            matched: &mut seen.matched,
            failed: &mut seen.failed,
            fetched,
        };
        for (at, event) in events.iter_mut().enumerate() {
            let before = context.emitted.len();
            node.filter.filter(event, &mut context);
            cancelled |= event.is_cancelled();
            let added = context.emitted.len() - before;
            if added > 0 {
                context.emitted[before..].iter_mut().for_each(|child| child.slot = event.slot);
                self.worker.emitted_at.push((at, added));
            }
        }
        let flush = self.flush.filter(|_| node.filter.flushes());
        if let Some(last) = flush {
            node.filter.flush(last, &mut context);
        }
        if cancelled || !self.worker.emitted.is_empty() {
            events = self.woven(events);
        }
        seen.events_out = events.len() as u64;
        seen.time = started.elapsed();
        node.counters.add(&seen);
        events
    }

    /// The events without the cancelled ones, each followed by what was emitted for it.
    fn woven(&mut self, events: Vec<Event>) -> Vec<Event> {
        let mut all = Vec::with_capacity(events.len() + self.worker.emitted.len());
        let mut emitted = self.worker.emitted.drain(..);
        let mut places = self.worker.emitted_at.drain(..).peekable();
        for (at, event) in events.into_iter().enumerate() {
            if !event.is_cancelled() {
                all.push(event);
            }
            if let Some((_, count)) = places.next_if(|(place, _)| *place == at) {
                all.extend(emitted.by_ref().take(count).filter(|child| !child.is_cancelled()));
            }
        }
        all.extend(emitted.filter(|child| !child.is_cancelled()));
        all
    }

    fn branch(&mut self, branch: &Branch<FilterNode>, mut events: Vec<Event>) -> Vec<Event> {
        let mut arms = std::mem::take(&mut self.worker.arms);
        arms.clear();
        self.arms(branch, &mut events, &mut arms);
        branch.count(&arms);
        let same = arms.first().copied().filter(|first| arms.iter().all(|arm| arm == first));
        let results = match same {
            // Most often all events go one way: nothing is parted then, and nothing joined.
            Some(arm) if self.flush.is_none() => {
                self.worker.arms = arms;
                return branch.bodies().nth(arm).map_or(Vec::new(), |body| self.nodes(body, events));
            }
            _ => {
                let mut parts: Vec<Vec<Event>> = branch.bodies().map(|_| Vec::new()).collect();
                for (event, arm) in events.into_iter().zip(&arms) {
                    parts[*arm].push(event);
                }
                self.worker.arms = arms;
                let bodies = branch.bodies().zip(parts);
                let bodies = bodies.filter(|(_, part)| !part.is_empty() || self.flush.is_some());
                let bodies: Vec<_> = bodies.collect();
                bodies.into_iter().map(|(body, part)| self.nodes(body, part)).collect()
            }
        };
        joined(results)
    }

    /// The arm that each event takes; events for which a condition has no answer are rejected.
    fn arms(&mut self, branch: &Branch<FilterNode>, events: &mut Vec<Event>, arms: &mut Vec<usize>) {
        let mut rejected = false;
        for event in events.iter_mut() {
            match self.arm(branch, event) {
                Ok(arm) => arms.push(arm),
                Err(error) => {
                    rejected = true;
                    let reason = error.to_string();
                    self.rejected.push(Rejected { event: event.clone(), plugin: "if-statement".into(), reason });
                    event.cancel();
                }
            }
        }
        if rejected {
            events.retain(|event| !event.is_cancelled());
        }
    }

    /// Which arm an event takes; the number of arms stands for `else`.
    fn arm(&mut self, branch: &Branch<FilterNode>, event: &Event) -> Result<usize, ConditionError> {
        for (at, (test, _)) in branch.arms.iter().enumerate() {
            if test.holds(event, &mut self.worker.scratch)? {
                return Ok(at);
            }
        }
        Ok(branch.arms.len())
    }
}

/// Joins the parts of a branch by the input event that each event descends from, earlier parts first.
fn joined(mut parts: Vec<Vec<Event>>) -> Vec<Event> {
    parts.retain(|part| !part.is_empty());
    if parts.len() < 2 {
        return parts.pop().unwrap_or_default();
    }
    let mut all: Vec<Event> = parts.into_iter().flatten().collect();
    // Stable: the order of the parts stays within a slot.
    all.sort_by_key(|event| event.slot);
    all
}
