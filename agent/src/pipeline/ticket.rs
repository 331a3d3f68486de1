//! Acknowledgements: each file's committed position moves only over what is acknowledged without a gap.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use super::{FileKey, Position};

/// A position that a file reaches with a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The file.
    pub key: FileKey,
    /// Where it stands when the batch and all before it are acknowledged.
    pub position: Position,
}

/// The watermarks of all files. Cheap to clone.
#[derive(Clone, Default)]
pub struct Acks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    on_commit: Mutex<Option<Box<dyn Fn() + Send>>>,
}

#[derive(Default)]
struct State {
    files: HashMap<FileKey, Watermark>,
    /// Files whose committed position moved since the last [`Acks::take_commits`].
    moved: Vec<FileKey>,
}

/// One file's issued and acknowledged batches.
#[derive(Default)]
struct Watermark {
    /// Sequence number of the next batch.
    next: u64,
    /// Everything before this sequence number is acknowledged.
    done: u64,
    /// Acknowledged out of turn.
    waiting: BTreeMap<u64, Position>,
    committed: Option<Position>,
    moved: bool,
}

impl Watermark {
    /// Whether the committed position moved.
    fn acknowledge(&mut self, number: u64, position: Position) -> bool {
        if number != self.done {
            self.waiting.insert(number, position);
            return false;
        }
        self.done += 1;
        self.committed = Some(position);
        while let Some(position) = self.waiting.remove(&self.done) {
            self.done += 1;
            self.committed = Some(position);
        }
        true
    }
}

impl Acks {
    /// Nothing issued yet.
    pub fn new() -> Acks {
        Acks::default()
    }

    /// Calls `wake` when a committed position moved after [`Acks::take_commits`] had taken all.
    pub fn on_commit(&self, wake: impl Fn() + Send + 'static) {
        *self.0.on_commit.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(wake));
    }

    /// A ticket for a batch that brings files to these positions, mostly one. Batches of one file are issued in its order.
    pub fn issue(&self, commits: impl IntoIterator<Item = Commit>) -> Ticket {
        let mut state = self.0.lock();
        let numbered = commits.into_iter().map(|commit| {
            let file = state.files.entry(commit.key).or_default();
            file.next += 1;
            (commit, file.next - 1)
        });
        let commits = numbered.collect();
        Ticket { commits, acks: self.clone() }
    }

    /// The positions that moved since the last call.
    pub fn take_commits(&self) -> Vec<Commit> {
        let mut state = self.0.lock();
        let moved = std::mem::take(&mut state.moved);
        let commits = moved.into_iter().filter_map(|key| {
            let file = state.files.get_mut(&key)?;
            file.moved = false;
            file.committed.clone().map(|position| Commit { key, position })
        });
        commits.collect()
    }

    /// How many batches of a file are issued and not yet covered by its committed position.
    pub fn outstanding(&self, key: FileKey) -> u64 {
        self.0.lock().files.get(&key).map_or(0, |file| file.next - file.done)
    }

    /// How many batches of all files are issued and not yet covered by their committed positions.
    pub fn total_outstanding(&self) -> u64 {
        self.0.lock().files.values().map(|file| file.next - file.done).sum()
    }

    /// The position up to which a file is acknowledged without a gap, once anything was.
    pub fn committed(&self, key: FileKey) -> Option<Position> {
        self.0.lock().files.get(&key)?.committed.clone()
    }

    /// Forgets a file of which nothing is outstanding; keeps it otherwise. Commits that were not taken are kept too.
    pub fn forget(&self, key: FileKey) {
        let mut state = self.0.lock();
        if state.files.get(&key).is_some_and(|file| file.next == file.done && !file.moved) {
            state.files.remove(&key);
        }
    }

    fn acknowledge(&self, commits: SmallVec<[(Commit, u64); 1]>) {
        let mut state = self.0.lock();
        let State { files, moved } = &mut *state;
        let were_taken = moved.is_empty();
        for (commit, number) in commits {
            let Some(file) = files.get_mut(&commit.key) else { continue };
            if file.acknowledge(number, commit.position) && !file.moved {
                file.moved = true;
                moved.push(commit.key);
            }
        }
        let wake = were_taken && !moved.is_empty();
        drop(state);
        if wake && let Some(wake) = &*self.0.on_commit.lock().unwrap_or_else(PoisonError::into_inner) {
            wake();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acks({} files)", self.0.lock().files.len())
    }
}

/// The right to acknowledge one batch, once. Dropped without it, the batch counts as never delivered.
#[must_use = "a ticket that is dropped holds its file's position back until the next start"]
pub struct Ticket {
    commits: SmallVec<[(Commit, u64); 1]>,
    acks: Acks,
}

impl Ticket {
    /// Everything in the batch is safe: acknowledged by Kafka, written, or counted as dropped on purpose.
    pub fn acknowledge(self) {
        self.acks.acknowledge(self.commits);
    }

    /// A ticket to be acknowledged in `parts` parts, in any order, for outputs that acknowledge events one by one.
    /// Without parts it is acknowledged at once.
    pub fn share(self, parts: usize) -> SharedTicket {
        if parts == 0 {
            self.acknowledge();
            return SharedTicket(Arc::new(Parts { left: AtomicUsize::new(0), ticket: Mutex::new(None) }));
        }
        SharedTicket(Arc::new(Parts { left: AtomicUsize::new(parts), ticket: Mutex::new(Some(self)) }))
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.commits).finish()
    }
}

/// A ticket in parts: the last one acknowledges it.
#[derive(Clone, Debug)]
pub struct SharedTicket(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    left: AtomicUsize,
    ticket: Mutex<Option<Ticket>>,
}

impl SharedTicket {
    /// Nobody has this part: the ticket is never acknowledged, and what it stands for is read again at the next start.
    pub fn lose(&self) {
        self.0.ticket.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// One part is safe. To be called once for each part.
    pub fn part_done(&self) {
        if self.0.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            let ticket = self.0.ticket.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(ticket) = ticket {
                ticket.acknowledge();
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FILE: FileKey = FileKey([1; 16]);
    const OTHER: FileKey = FileKey([2; 16]);

    fn commit(key: FileKey, offset: u64) -> Commit {
        Commit { key, position: Position::at(offset) }
    }

    #[test]
    fn the_position_never_passes_a_gap() {
        let acks = Acks::new();
        let [first, second, third] = [10, 20, 30].map(|offset| acks.issue([commit(FILE, offset)]));
        third.acknowledge();
        second.acknowledge();
        assert_eq!(acks.take_commits(), []);
        assert_eq!(acks.outstanding(FILE), 3);
        first.acknowledge();
        assert_eq!(acks.take_commits(), [commit(FILE, 30)]);
        assert_eq!(acks.outstanding(FILE), 0);
    }

    #[test]
    fn a_dropped_ticket_holds_its_file_back_and_no_other() {
        let acks = Acks::new();
        drop(acks.issue([commit(FILE, 10)]));
        acks.issue([commit(FILE, 20)]).acknowledge();
        acks.issue([commit(OTHER, 5)]).acknowledge();
        assert_eq!(acks.take_commits(), [commit(OTHER, 5)]);
    }

    #[test]
    fn a_batch_across_two_generations_moves_both() {
        let acks = Acks::new();
        acks.issue([commit(FILE, 10), commit(OTHER, 5)]).acknowledge();
        assert_eq!(acks.take_commits(), [commit(FILE, 10), commit(OTHER, 5)]);
    }

    #[test]
    fn a_shared_ticket_waits_for_its_last_part() {
        let acks = Acks::new();
        let shared = acks.issue([commit(FILE, 10)]).share(2);
        shared.part_done();
        assert_eq!(acks.take_commits(), []);
        shared.clone().part_done();
        assert_eq!(acks.take_commits(), [commit(FILE, 10)]);
    }

    #[test]
    fn waking_happens_once_until_the_commits_are_taken() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = wakes.clone();
        let acks = Acks::new();
        acks.on_commit(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        acks.issue([commit(FILE, 10)]).acknowledge();
        acks.issue([commit(FILE, 20)]).acknowledge();
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        acks.take_commits();
        acks.issue([commit(FILE, 30)]).acknowledge();
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_file_is_forgotten_only_when_nothing_is_left_of_it() {
        let acks = Acks::new();
        let ticket = acks.issue([commit(FILE, 10)]);
        acks.forget(FILE);
        ticket.acknowledge();
        acks.forget(FILE);
        assert_eq!(acks.take_commits(), [commit(FILE, 10)]);
        acks.forget(FILE);
        assert_eq!(acks.committed(FILE), None);
    }
}
