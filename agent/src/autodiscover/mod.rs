//! `filebeat.autodiscover`: an input for each container, as templates or the container's own hints say.
//!
//! What should be read is worked out from everything that is there now, each time something has changed, and not from
//! single events: none can be missed. Inputs go to the reader as they do when the configuration is read again.

mod containers;
mod fill;
mod hints;
mod pods;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tailrace_common::Object;
use tailrace_common::yaml::Node;

use crate::document::{Decor, deep_merge};
use crate::metadata::Changes;

pub(crate) use settings::{Autodiscover, read};

use settings::Provider;

/// Changes that come so soon after each other are taken together.
const TOGETHER: Duration = Duration::from_millis(100);
/// How often it is looked whether the time of a container that ended is over.
const TICK: Duration = Duration::from_millis(500);

/// Something that lines may be read of: a container.
#[derive(Debug)]
struct Target {
    /// Stays the same as long as it is the same.
    id: String,
    /// Whether it runs or is about to.
    active: bool,
    /// What `${data...}` and conditions see; once for each port.
    data: Vec<Object>,
    /// What its events get.
    meta: Object,
    /// What it says itself of how it is to be read.
    hints: hints::Hints,
}

/// An input that runs.
#[derive(Debug)]
struct Started {
    /// The configuration, with everything filled in.
    config: Node,
    /// As the configuration says it.
    plain: Decor,
    meta: Object,
    /// The same with the target's own fields.
    decor: Decor,
}

/// A target whose inputs run.
#[derive(Debug, Default)]
struct Followed {
    inputs: Vec<Started>,
    /// Since when it is no longer there.
    gone: Option<Instant>,
}

impl Followed {
    /// Whether it ended long enough ago.
    fn is_over(&self, cleanup: Duration) -> bool {
        self.gone.is_some_and(|at| at.elapsed() >= cleanup)
    }
}

/// How it stands with the thread.
#[derive(Debug, Default)]
struct State {
    /// Whether everything that is there at the start was told.
    complete: AtomicBool,
    stop: AtomicBool,
}

/// The thread that works out what should be read. Dropped, it stops.
#[derive(Debug)]
pub(crate) struct Discovery {
    state: Arc<State>,
    changes: Arc<Changes>,
    thread: Option<JoinHandle<()>>,
}

impl Discovery {
    /// Begins; `tell` gets the inputs that should run, each time these are others.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(
        settings: Arc<Autodiscover>,
        tell: impl Fn(Vec<Decor>) + Send + 'static,
    ) -> std::io::Result<Discovery> {
        let (state, changes) = (Arc::new(State::default()), Arc::new(Changes::default()));
        for provider in &settings.providers {
            provider.start(&changes);
        }
        let (finding, waiting) = (state.clone(), changes.clone());
        let run = move || follow(&settings, &finding, &waiting, tell);
        let thread = std::thread::Builder::new().name("autodiscover".into()).spawn(run)?;
        Ok(Discovery { state, changes, thread: Some(thread) })
    }

    /// Whether everything that is there at the start was found and told.
    pub(crate) fn is_complete(&self) -> bool {
        self.state.complete.load(Ordering::Acquire)
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        self.state.stop.store(true, Ordering::SeqCst);
        self.changes.happened();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("autodiscover panicked");
        }
    }
}

fn follow(settings: &Autodiscover, state: &State, changes: &Changes, tell: impl Fn(Vec<Decor>)) {
    let mut providers: Vec<HashMap<String, Followed>> = settings.providers.iter().map(|_| HashMap::new()).collect();
    let mut said: Option<Vec<Decor>> = None;
    let mut seen = u64::MAX;
    while !state.stop.load(Ordering::SeqCst) {
        // Asked before what is there: then all of it was seen.
        let complete = settings.providers.iter().all(Provider::is_complete);
        let now = changes.count();
        if now != seen || (complete && !state.complete.load(Ordering::Relaxed)) {
            seen = now;
            for (provider, followed) in settings.providers.iter().zip(&mut providers) {
                reconcile(settings, provider, followed);
            }
        }
        for (provider, followed) in settings.providers.iter().zip(&mut providers) {
            // They stay known, lest they begin anew as long as they are listed.
            let over = followed.values_mut().filter(|target| target.is_over(provider.cleanup));
            over.for_each(|target| target.inputs.clear());
        }
        let decors = distinct(&providers);
        let news = match &said {
            // That there is nothing is news too, to who knows of what was there before the configuration was read again.
            None => complete || !decors.is_empty(),
            Some(said) => !is_same(said, &decors),
        };
        if news {
            said = Some(decors.clone());
            tell(decors);
        }
        if complete {
            state.complete.store(true, Ordering::Release);
        }
        changes.wait(seen, TICK);
        if !state.stop.load(Ordering::SeqCst) && changes.count() != seen {
            std::thread::sleep(TOGETHER);
        }
    }
}

/// Every input once, although several targets may ask for it.
fn distinct(providers: &[HashMap<String, Followed>]) -> Vec<Decor> {
    let mut ids: Vec<(&str, &Followed)> =
        providers.iter().flatten().map(|(id, target)| (id.as_str(), target)).collect();
    ids.sort_by_key(|(id, _)| *id);
    let mut inputs: Vec<&Started> = Vec::new();
    for started in ids.into_iter().flat_map(|(_, target)| &target.inputs) {
        let same = |other: &&Started| {
            other.config == started.config
                || (!started.plain.input.id.is_empty() && other.plain.input.id == started.plain.input.id)
        };
        if !inputs.iter().any(same) {
            inputs.push(started);
        }
    }
    inputs.into_iter().map(|started| started.decor.clone()).collect()
}

fn is_same(before: &[Decor], now: &[Decor]) -> bool {
    let same = |(one, other): (&Decor, &Decor)| Arc::ptr_eq(&one.input, &other.input) && one.added == other.added;
    before.len() == now.len() && before.iter().zip(now).all(same)
}

/// Brings what is followed of a provider in line with what is there.
fn reconcile(settings: &Autodiscover, provider: &Provider, followed: &mut HashMap<String, Followed>) {
    let now = Instant::now();
    let targets = provider.targets();
    followed.retain(|id, known| !known.is_over(provider.cleanup) || targets.iter().any(|target| target.id == *id));
    for (id, target) in followed.iter_mut() {
        if !targets.iter().any(|target| target.active && target.id == *id) {
            target.gone = target.gone.or(Some(now));
        }
    }
    for target in targets {
        let known = followed.get(&target.id);
        // What has ended is followed for its time, also when it had ended before it was found, but only once.
        if !target.active && known.is_some_and(|known| known.is_over(provider.cleanup)) {
            continue;
        }
        let configs = provider.configs(&target);
        let before = followed.remove(&target.id).unwrap_or_default();
        let gone = if target.active { None } else { before.gone.or(Some(now)) };
        let inputs = start(settings, &target, configs, before.inputs);
        followed.insert(target.id, Followed { inputs, gone });
    }
}

/// The inputs of a target; those that stay as they were stay the same to the reader.
fn start(settings: &Autodiscover, target: &Target, configs: Vec<Node>, mut before: Vec<Started>) -> Vec<Started> {
    let mut inputs = Vec::with_capacity(configs.len());
    for config in configs {
        let same = before.iter().position(|started| started.config == config);
        let plain = match same.map(|at| before.swap_remove(at)) {
            Some(started) if started.meta == target.meta => {
                inputs.push(started);
                continue;
            }
            Some(started) => Some(started.plain),
            None => match settings.input(&config) {
                Ok(plain) => plain,
                Err(problems) => {
                    tracing::error!(target = target.id, "an input of autodiscover does not work: {problems}");
                    None
                }
            },
        };
        if let Some(plain) = plain {
            let mut added = target.meta.clone();
            deep_merge(&mut added, plain.added.clone(), true);
            let decor = Decor { added, ..plain.clone() };
            inputs.push(Started { config, plain, meta: target.meta.clone(), decor });
        }
    }
    inputs
}

#[cfg(test)]
mod running;
#[cfg(test)]
mod tests;
