//! Parts of a program that are decided without ways back: tokens.
//!
//! Most of what a log pattern captures has one place where it can end: an address before a
//! blank, a date before a bracket. Of such a part it matters only whether the text up to there
//! is one of its words, whichever way, so a table driven automaton decides it in one pass. It is
//! made from the part's operations when they first run; where it would not be exact (two ends
//! are possible, a character past ASCII needs a table, too many states) the operations
//! themselves do the work, as they always can.

mod build;
mod classes;
mod step;

use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::analysis::Follow;
use crate::bytes::ByteSet;
use crate::program::{Op, Program};
use crate::run::ByteRun;

/// The answers: the part does not match, it ends here, the operations have to decide.
pub(crate) const DEAD: u16 = 0;
pub(crate) const ACCEPT: u16 = 1;
pub(crate) const BAIL: u16 = 2;
/// Numbers below are answers, the others are states.
pub(crate) const ANSWERS: u16 = 3;

/// A part of a program that may have an automaton.
#[derive(Debug)]
pub(crate) struct Token {
    /// The part's first operation and the one after its last.
    pub(crate) first: u32,
    pub(crate) end: u32,
    /// What can come after it.
    follow: ByteSet,
    follow_end: bool,
    automaton: OnceLock<Option<Box<Automaton>>>,
    /// Rises when the automaton cannot decide, falls when it can.
    doubt: AtomicU32,
}

/// What one word that the automaton cannot decide adds to the doubt; one that it can takes 1 away.
const UNDECIDED: u32 = 8;
/// From here on the automaton is asked no more.
const MAX_DOUBT: u32 = 8 * 1024;

/// What an automaton says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The part matches up to this place, and nowhere else before what follows.
    Ends(usize),
    /// It does not; the text was looked at up to this place.
    Fails(usize),
    /// The operations have to decide.
    Unknown,
}

/// A deterministic automaton over bytes. The states are numbered by their row's first entry.
#[derive(Debug)]
pub(crate) struct Automaton {
    classes: [u8; 256],
    /// The class of the end of the text; before the text it stands for no character.
    edge: u8,
    table: Vec<u16>,
    /// Where to start, by the class of the byte before.
    starts: Vec<u16>,
    /// States from this one on (less `ANSWERS`) stay as they are for long. The last entry of their row is the
    /// number of the run of such bytes.
    idle: u16,
    runs: Vec<ByteRun>,
    /// Where words end in any case, when they all end at such bytes.
    walls: Option<Walls>,
    /// Longer words may have passed a limit that the automaton does not count.
    limit: usize,
}

/// Bytes that no word of a token has. A word that starts before the next of them ends there or not at all, so where
/// one start leads to nothing, neither do the others up to there.
#[derive(Debug)]
pub(crate) struct Walls {
    /// The bytes that are none, and those that are none or of which the automaton does not say what they are.
    between: ByteRun,
    between_sure: ByteRun,
    kinds: [Wall; 256],
    edge: Wall,
}

/// What a byte means to the words before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wall {
    /// A word can end there, all words before do.
    Ends,
    /// None can.
    Blocks,
    /// Words can end at bytes before it, too.
    Unclear,
}

impl Walls {
    /// The next wall from `pos` on.
    #[inline]
    pub(crate) fn next(&self, text: &[u8], pos: usize) -> (usize, Wall) {
        let wall = self.between.end(text, pos);
        match text.get(wall).map_or(self.edge, |&byte| self.kinds[usize::from(byte)]) {
            Wall::Unclear => (self.between_sure.end(text, wall), Wall::Unclear),
            kind => (wall, kind),
        }
    }
}

impl Token {
    pub(crate) fn new(first: u32, end: u32, follow: Follow) -> Token {
        Token {
            first,
            end,
            follow: follow.bytes,
            follow_end: follow.end,
            automaton: OnceLock::new(),
            doubt: AtomicU32::new(0),
        }
    }

    /// Decides whether the part matches at `pos`.
    #[inline(always)]
    pub(crate) fn decide(&self, program: &Program, text: &[u8], pos: usize) -> Verdict {
        let doubt = self.doubt.load(Relaxed);
        let Some(automaton) = self.automaton(program) else { return Verdict::Unknown };
        if doubt >= MAX_DOUBT {
            return Verdict::Unknown;
        }
        let verdict = automaton.run(text, pos);
        // Counts that get lost between threads do not matter.
        if verdict == Verdict::Unknown {
            self.doubt.store(doubt + UNDECIDED, Relaxed);
        } else if doubt > 0 {
            self.doubt.store(doubt - 1, Relaxed);
        }
        verdict
    }

    /// The walls between which the words are.
    pub(crate) fn walls(&self, program: &Program) -> Option<&Walls> {
        self.automaton(program).and_then(|automaton| automaton.walls.as_ref())
    }

    /// The automaton, when it decides nearly all words.
    pub(crate) fn decider(&self, program: &Program) -> Option<&Automaton> {
        self.automaton(program).filter(|_| self.doubt.load(Relaxed) < MAX_DOUBT)
    }

    /// Whether an automaton decides it; for descriptions of a program.
    pub(crate) fn is_decided(&self, program: &Program) -> bool {
        self.automaton(program).is_some()
    }

    #[inline]
    fn automaton(&self, program: &Program) -> Option<&Automaton> {
        match self.automaton.get() {
            Some(made) => made.as_deref(),
            None => self.make(program),
        }
    }

    #[cold]
    #[inline(never)]
    fn make(&self, program: &Program) -> Option<&Automaton> {
        self.automaton.get_or_init(|| build::automaton(program, self).map(Box::new)).as_deref()
    }
}

impl Automaton {
    /// Where to start after a byte, or at the start of the text.
    pub(crate) fn start(&self, before: Option<u8>) -> u16 {
        self.starts[usize::from(self.class(before))]
    }

    /// The state after a byte, or what is answered there; `None` is the end of the text.
    pub(crate) fn after(&self, state: u16, byte: Option<u8>) -> u16 {
        self.table[usize::from(self.class(byte)) + usize::from(state)]
    }

    /// The bytes over which a state stays as it is, when it does for long.
    pub(crate) fn idle_run(&self, state: u16) -> Option<&ByteRun> {
        if state < self.idle + ANSWERS {
            return None;
        }
        self.runs.get(usize::from(self.table[usize::from(state) + usize::from(self.edge) + 1]))
    }

    /// Words that are longer are left to the operations.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    fn class(&self, byte: Option<u8>) -> u8 {
        byte.map_or(self.edge, |byte| self.classes[usize::from(byte)])
    }

    #[inline(always)]
    fn run(&self, text: &[u8], pos: usize) -> Verdict {
        let before = match pos.checked_sub(1).and_then(|at| text.get(at)) {
            Some(&byte) => self.classes[usize::from(byte)],
            None => self.edge,
        };
        let mut state = self.starts[usize::from(before)];
        let mut at = pos;
        if state >= ANSWERS {
            loop {
                let class = match text.get(at) {
                    Some(&byte) => self.classes[usize::from(byte)],
                    None => self.edge,
                };
                // Where the class is in a row is known before the state is, which has only one load to wait for.
                state = self.table[usize::from(class)..][usize::from(state)];
                if state.wrapping_sub(ANSWERS) < self.idle {
                    at += 1;
                    continue;
                }
                if state < ANSWERS {
                    break;
                }
                let run = self.table[usize::from(state) + usize::from(self.edge) + 1];
                let run = &self.runs[usize::from(run)];
                at = run.end(text, at + 1);
            }
        }
        match state {
            DEAD => Verdict::Fails(at),
            ACCEPT if at - pos <= self.limit => Verdict::Ends(at),
            _ => Verdict::Unknown,
        }
    }
}

/// Whether a part of a program can have an automaton and is worth one.
pub(crate) fn is_eligible(ops: &[Op]) -> bool {
    let known = |op: &Op| {
        matches!(
            op,
            Op::Fail
                | Op::Byte(_)
                | Op::Literal { .. }
                | Op::Set(_)
                | Op::Span { .. }
                | Op::Greedy { .. }
                | Op::Lazy { .. }
                | Op::Jump(_)
                | Op::Push(_)
                | Op::Fork { .. }
                | Op::Switch(_)
                | Op::AtomicStart
                | Op::AtomicEnd
                | Op::Ahead { .. }
                | Op::Behind { .. }
                | Op::Assert(_)
                | Op::RoundStart(_)
                | Op::RoundEnd { .. }
                | Op::CountStart(_)
                | Op::CountFork { .. }
                | Op::CountRound(_)
                | Op::Token(_)
                | Op::Nop
        )
    };
    // One operation does as well by itself.
    let works = |op: &Op| !matches!(op, Op::Nop | Op::Token(_) | Op::Byte(_) | Op::Literal { .. } | Op::Fail);
    ops.len() <= build::MAX_OPS && ops.iter().all(known) && ops.iter().filter(|op| works(op)).count() > 1
}
