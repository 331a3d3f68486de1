//! The reader's thread: waits for something to happen, and does it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::clock::Clock;
use super::files::{Files, Id};
use super::input::Input;
use super::quota::Quotas;
use super::waker::Waker;
use super::{Command, Done, Drained, EngineOptions, FileStats, Stats};
use crate::discover::{Seen, Watcher};
use crate::pipeline::{Acks, FileKey, Outlet, Pool};
use crate::registry::{FileState, Store, Writer};
use crate::tail::settings::InputSettings;

/// How often it is looked which files in directories that cannot be watched are due.
const POLL: Duration = Duration::from_millis(500);
/// The shortest such time, with a short `backoff.init`.
const SHORTEST_POLL: Duration = Duration::from_millis(10);
/// How much is read of one file before the next one gets its turn.
const STRETCH: usize = 128 << 10;
/// How many files are read before something else gets its turn.
const ROUND: usize = 64;

/// The reader is to end.
struct Stopping {
    /// Until then files are read on, where `read_until_eof` asks for it.
    read_until: Option<Instant>,
    /// How long acknowledgements are waited for after that.
    patience: Duration,
    deadline: Instant,
    reply: Sender<Drained>,
}

/// The state of the reader's thread.
pub(super) struct Reader {
    pub(super) clock: Clock,
    pub(super) options: EngineOptions,
    pub(super) inputs: Vec<Input>,
    pub(super) files: Files,
    pub(super) watcher: Watcher,
    /// Directories that could not be looked into at the last scan.
    pub(super) forbidden: Vec<PathBuf>,
    pub(super) outlet: Outlet,
    pub(super) acks: Acks,
    pub(super) pool: Pool,
    pub(super) quotas: Quotas,
    pub(super) registry: Writer,
    pub(super) seed: u64,
    /// States of the registry whose files were not found yet, by inode.
    pub(super) unmatched: HashMap<u64, Vec<FileState>>,
    /// Inputs that had states when the agent started.
    pub(super) known_scopes: HashSet<String>,
    /// The keys that the registry held at the start.
    pub(super) known_keys: HashSet<FileKey>,
    /// The copy in which the generation before the file being adopted goes on.
    pub(super) pending_chain: Option<Id>,
    pub(super) ready: VecDeque<Id>,
    /// Files that wait for room in the pool, or that the outputs hold back.
    pub(super) starved: Vec<Id>,
    pub(super) timers: BTreeSet<(Instant, Id)>,
    pub(super) next_scan: Instant,
    pub(super) scans: u64,
    pub(super) next_poll: Instant,
    pub(super) next_save: Option<Instant>,
    /// How long the last saving took.
    pub(super) save_took: Duration,
    pub(super) stats: Stats,
    pub(super) ends: Vec<u32>,
    /// How much is read at once.
    pub(super) stretch: usize,
    stopping: Option<Stopping>,
    pub(super) started: std::time::SystemTime,
    waker: Waker,
    done: Arc<Done>,
}

impl Reader {
    pub(super) fn new(
        inputs: Vec<Arc<InputSettings>>,
        store: Store,
        outlet: Outlet,
        options: EngineOptions,
        waker: Waker,
        done: Arc<Done>,
    ) -> io::Result<Reader> {
        let acks = Acks::new();
        let wake = waker.clone();
        acks.on_commit(move || wake.wake());
        let wake = waker.clone();
        let pool = Pool::new(options.memory_limit, move || wake.wake());
        let store_keys = store.states().map(|state| state.key).collect();
        let wake = waker.clone();
        outlet.holds().on_release(move || wake.wake());
        let mut unmatched: HashMap<_, Vec<FileState>> = HashMap::new();
        for state in store.states() {
            // Mostly it stays the only one: room for more would be room for all files.
            unmatched.entry(state.inode).or_insert_with(|| Vec::with_capacity(1)).push(state.clone());
        }
        if store.is_empty()
            && let Some(directory) = &options.import_from
        {
            for state in crate::registry::import(directory).unwrap_or_default() {
                unmatched.entry(state.inode).or_default().push(state);
            }
        }
        let known_scopes = unmatched.values().flatten().map(|state| state.scope.clone()).collect();
        let clock = Clock::default();
        let now = clock.now();
        Ok(Reader {
            clock,
            inputs: inputs.into_iter().map(Input::new).collect(),
            files: Files::default(),
            watcher: Watcher::new(),
            forbidden: Vec::new(),
            outlet,
            acks,
            pool,
            quotas: Quotas::default(),
            seed: store.seed(),
            registry: Writer::start(store, options.registry_flush)?,
            known_keys: store_keys,
            unmatched,
            known_scopes,
            pending_chain: None,
            ready: VecDeque::new(),
            starved: Vec::new(),
            timers: BTreeSet::new(),
            next_scan: now,
            scans: 0,
            next_poll: now,
            next_save: None,
            save_took: Duration::ZERO,
            stats: Stats::default(),
            ends: Vec::new(),
            stretch: STRETCH,
            stopping: None,
            started: std::time::SystemTime::now(),
            options,
            waker,
            done,
        })
    }

    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        raise_file_limit();
        while self.turn(commands) {
            self.wait();
        }
    }

    /// Does what there is to do now, without waiting. `false` when the thread is to end.
    pub(super) fn turn(&mut self, commands: &Receiver<Command>) -> bool {
        if self.clock.now() >= self.next_scan && self.stopping.is_none() {
            self.scan();
        }
        self.take_changes();
        self.run_timers();
        self.read_round();
        if self.next_save.is_some_and(|at| at <= self.clock.now()) {
            self.save();
        }
        if !self.take_commands(commands) {
            return false;
        }
        if self.options.once && self.stopping.is_none() && self.is_done() {
            self.save();
            self.registry.flush(Duration::from_secs(30));
            self.done.set();
        }
        true
    }

    /// Waits for a change, a wake or the next timer; not at all while there is something to read.
    fn wait(&mut self) {
        let now = self.clock.now();
        let mut until = self.next_scan;
        let timers = self.timers.first().map(|(at, _)| *at);
        let stop = self.stopping.as_ref().map(|stopping| stopping.read_until.unwrap_or(stopping.deadline));
        for at in [timers, self.next_save, stop, self.watcher.polls().then_some(self.next_poll)].into_iter().flatten() {
            until = until.min(at);
        }
        let idle = self.ready.is_empty() || self.has_stopped_reading();
        let timeout = if idle { until.saturating_duration_since(now) } else { Duration::ZERO };
        let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() };
        let wake = self.waker.fd();
        let mut fds = vec![PollFd::from_borrowed_fd(wake, PollFlags::IN)];
        fds.extend(self.watcher.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if let Err(error) = poll(&mut fds, Some(&timeout))
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(error = %io::Error::from(error), "cannot wait for changes");
        }
        if fds[0].revents().contains(PollFlags::IN) {
            self.woken();
        }
    }

    /// There is room in the pool, something was acknowledged, or a command came.
    pub(super) fn woken(&mut self) {
        self.waker.reset();
        for id in std::mem::take(&mut self.starved) {
            if let Some(file) = self.files.get_mut(id) {
                file.starved = false;
                self.queue(id);
            }
        }
        self.plan_save();
    }

    /// Puts a file in the queue of those to be read.
    pub(super) fn queue(&mut self, id: Id) {
        if let Some(file) = self.files.get_mut(id)
            && !file.queued
        {
            file.queued = true;
            file.at_end = false;
            self.ready.push_back(id);
        }
    }

    fn read_round(&mut self) {
        if self.has_stopped_reading() {
            return;
        }
        for _ in 0..ROUND.min(self.ready.len()) {
            let Some(id) = self.ready.pop_front() else { return };
            if let Some(file) = self.files.get_mut(id) {
                file.queued = false;
                if self.stopping.is_some() && file.settings.read_until_eof.is_none() {
                    continue;
                }
                self.read(id);
            }
        }
    }

    fn take_changes(&mut self) {
        let mut seen = Vec::new();
        self.watcher.take(&mut seen);
        for change in seen {
            match change {
                Seen::Modified(watch, name) => {
                    for id in self.files.named(watch, &name) {
                        self.queue(id);
                    }
                }
                Seen::Appeared(watch, name) => self.appeared(watch, &name),
                Seen::Moved { from, to } => self.moved((from.0, &from.1), (to.0, &to.1)),
                Seen::Gone(watch, name) => {
                    for id in self.files.named(watch, &name) {
                        self.recheck(id);
                    }
                }
                Seen::DirectoryGone(watch) => {
                    for id in self.files.unwatch(watch) {
                        self.recheck(id);
                    }
                    self.next_scan = self.clock.now();
                }
                Seen::Overflow => self.next_scan = self.clock.now(),
            }
        }
        if self.watcher.polls() && self.clock.now() >= self.next_poll {
            self.next_poll = self.clock.now() + self.poll_interval();
            self.poll_files();
        }
    }

    fn poll_interval(&self) -> Duration {
        let shortest = self.inputs.iter().map(|input| input.settings.backoff.init).min();
        shortest.unwrap_or(POLL).clamp(SHORTEST_POLL, POLL)
    }

    fn run_timers(&mut self) {
        let now = self.clock.now();
        while let Some((at, id)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            if let Some(file) = self.files.get_mut(id)
                && file.timer == Some(at)
            {
                file.timer = None;
                self.on_timer(id);
            }
        }
    }

    /// Sets when a file is looked at again, if that is earlier than what is set.
    pub(super) fn set_timer(&mut self, id: Id, at: Instant) {
        if let Some(file) = self.files.get_mut(id)
            && file.timer.is_none_or(|set| at < set)
        {
            if let Some(set) = file.timer.replace(at) {
                self.timers.remove(&(set, id));
            }
            self.timers.insert((at, id));
        }
    }

    /// `false` when the thread is to end.
    fn take_commands(&mut self, commands: &Receiver<Command>) -> bool {
        while let Ok(command) = commands.try_recv() {
            match command {
                Command::Reload(inputs) => self.reload(inputs),
                Command::Stop(patience, reply) => self.stop(patience, reply),
                Command::Stats(reply) => drop(reply.send(self.stats())),
                Command::Abandon => return false,
            }
        }
        self.read_to_the_end();
        let Some(stopping) = &self.stopping else { return true };
        let left = self.acks.total_outstanding();
        if stopping.read_until.is_some() || left > 0 && self.clock.now() < stopping.deadline {
            return true;
        }
        let drained = if left == 0 { Drained::All } else { Drained::Left(left) };
        let reply = stopping.reply.clone();
        self.save();
        self.registry.flush(Duration::from_secs(10));
        reply.send(drained).ok();
        false
    }

    fn has_stopped_reading(&self) -> bool {
        self.stopping.as_ref().is_some_and(|stopping| stopping.read_until.is_none())
    }

    /// Begins to end. With `read_until_eof` files are read to their end first, others no further.
    fn stop(&mut self, patience: Duration, reply: Sender<Drained>) {
        let now = self.clock.now();
        let longest = self.inputs.iter().filter_map(|input| input.settings.read_until_eof).max();
        self.stopping =
            Some(Stopping { read_until: longest.map(|time| now + time), patience, deadline: now + patience, reply });
        let reads_on = |id: &Id| self.files.get(*id).is_some_and(|file| file.settings.read_until_eof.is_some());
        self.ready.retain(reads_on);
    }

    /// Ends reading, once there is nothing more to read or its time is over.
    fn read_to_the_end(&mut self) {
        if self.stopping.is_none() || self.has_stopped_reading() {
            return;
        }
        let now = self.clock.now();
        let is_read = self.files.iter().all(|(_, file)| {
            file.settings.read_until_eof.is_none() || file.at_end || file.copy_of.is_some() || file.trouble.is_some()
        });
        if let Some(stopping) = &mut self.stopping
            && stopping.read_until.is_some_and(|until| is_read || until <= now)
        {
            stopping.read_until = None;
            stopping.deadline = now + stopping.patience;
        }
    }

    fn reload(&mut self, settings: Vec<Arc<InputSettings>>) {
        let inputs: Vec<Input> = settings.into_iter().map(Input::new).collect();
        self.done.unset();
        // As long as the files still belong to the old inputs.
        self.save_all();
        let old = std::mem::replace(&mut self.inputs, inputs);
        // Every file is found anew under the new inputs; its position comes from what is acknowledged, so what is
        // still on its way keeps its place.
        let followed = self.files.ids();
        self.quotas.clear();
        self.move_to_new_inputs(&old, &followed);
        self.next_scan = self.clock.now();
    }

    /// Files of an input that stays go on under its new settings, the others are let go.
    fn move_to_new_inputs(&mut self, old: &[Input], followed: &[Id]) {
        let mut stay = Vec::with_capacity(followed.len());
        for id in followed {
            let Some(file) = self.files.get(*id) else { continue };
            let scope = &old[file.input].scope;
            let place = self.inputs.iter().position(|input| {
                input.scope == *scope && input.globs.iter().any(|glob| glob.matches(&file.meta.path) || file.rotated)
            });
            match place {
                Some(place) => stay.push((*id, place)),
                None => self.leave(*id, scope),
            }
        }
        self.files.move_to(&stay);
        for (id, place) in stay {
            if let Some(file) = self.files.get_mut(id) {
                file.settings = self.inputs[place].settings.clone();
                file.starved = false;
                file.timer = None;
            }
            self.inputs[place].scanned = true;
            self.watch_file(id);
            self.queue(id);
        }
        self.ready.retain(|id| self.files.get(*id).is_some_and(|file| file.queued));
        self.starved.clear();
    }

    /// Lets a file go that no input reads now. Should one come for it, it goes on behind what is acknowledged.
    fn leave(&mut self, id: Id, scope: &str) {
        let position = self.committed(id);
        let tail = self.tail_at(id, position.offset);
        let now = self.clock.wall().secs;
        if let Some(file) = self.files.remove(id) {
            self.unmatched.entry(file.meta.inode).or_default().push(file.state(scope, &position, tail, now));
        }
    }

    fn is_done(&self) -> bool {
        self.inputs.iter().all(|input| input.scanned || input.globs.is_empty())
            && self.ready.is_empty()
            && self.starved.is_empty()
            && self.files.iter().all(|(_, file)| file.at_end || file.copy_of.is_some() || file.trouble.is_some())
            && self.acks.total_outstanding() == 0
    }

    fn stats(&self) -> Stats {
        let status = self.registry.status();
        let files = self.files.iter().map(|(_, file)| {
            let acknowledged = self.acks.committed(file.key()).map_or(file.issued.offset, |position| position.offset);
            let behind = if file.size > acknowledged {
                self.clock.now().saturating_duration_since(file.active).as_millis() as u64
            } else {
                0
            };
            FileStats {
                path: file.meta.path.clone(),
                input_id: file.settings.id.clone(),
                device: file.meta.device,
                inode: file.meta.inode,
                read: file.offset,
                acknowledged,
                size: file.size,
                lost: file.lost,
                open: file.source.is_some(),
                behind_millis: behind,
            }
        });
        Stats {
            files: files.collect(),
            open_files: self.files.iter().filter(|(_, file)| file.source.is_some()).count() as u64,
            registry_writes: status.writes,
            registry_states: status.states,
            registry_error: status.error,
            bytes_in_flight: self.pool.used() as u64,
            ..self.stats.clone()
        }
    }
}

/// Every followed file may have to be open: takes as many handles as are allowed.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::debug!(error = %io::Error::from(error), "cannot raise the limit of open files");
    }
}
