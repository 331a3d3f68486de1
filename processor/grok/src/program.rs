//! The compiled form of a pattern: operations, tables and what the search needs to know.

use crate::ast::Assert;
use crate::charset::CharSet;
use crate::needle::Needle;
use crate::run::{ByteRun, Stops};
use crate::token::Token;

/// One operation. Unless it says otherwise, an operation goes on with the next one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Op {
    /// The match is complete.
    Match,
    /// This path does not match.
    Fail,
    /// One byte.
    Byte(u8),
    /// A text of the literal pool.
    Literal {
        start: u32,
        len: u32,
    },
    /// One character of a set.
    Set(u32),
    /// As many characters of the set as there are, never given back.
    Span {
        set: u32,
        min: u32,
        max: u32,
    },
    /// `Span` without limits of characters that need not be told apart.
    Run {
        set: u32,
        min: u32,
    },
    /// `Span` of one character at most, of ASCII.
    Maybe(u32),
    /// As many as there are, given back one by one.
    Greedy {
        set: u32,
        min: u32,
        max: u32,
        next: u32,
    },
    /// As few as possible, more one by one.
    Lazy {
        set: u32,
        min: u32,
        max: u32,
        next: u32,
    },
    /// Goes on elsewhere.
    Jump(u32),
    /// Remembers another way to go on from here.
    Push(u32),
    /// Chooses between the next operation and `other` by the next byte: the table says which can
    /// match. When both can, the next operation (or `other`, when `lazy`) is tried first.
    Fork {
        table: u32,
        other: u32,
        lazy: bool,
    },
    /// Chooses among many by the next byte.
    Switch(u32),
    /// Stores the place in a register. Ways back do not undo it: where they lead, it is stored again or cleared.
    Save(u32),
    /// Stores the place in a register until a way back is taken.
    SaveUndo(u32),
    /// Empties the registers of groups that other ways may have set.
    Clear {
        from: u32,
        to: u32,
    },
    /// A part that an automaton may decide; see [`Token`].
    Token(u32),
    /// `Save`, a token and `Save` at its end; the operations that do the same without an automaton follow.
    SaveToken {
        token: u32,
        register: u32,
    },
    /// `Save`, `Run` and `Save`.
    SaveRun {
        set: u32,
        min: u32,
        register: u32,
    },
    /// `Save`, `Span` and `Save`.
    SaveSpan {
        set: u32,
        min: u32,
        max: u32,
        register: u32,
    },
    /// Fails when the search was here before, at the same place of the text.
    Once(u32),
    /// Starts a part whose ways to match are forgotten at its end.
    AtomicStart,
    /// Forgets the ways since the innermost `AtomicStart`.
    AtomicEnd,
    /// Starts a positive look-around.
    LookStart,
    /// Ends one: back to the place where it started.
    LookEnd,
    /// Starts a negative look-around; it goes on there when the part does not match.
    NegativeStart(u32),
    /// The part of a negative look-around matched: this path does not.
    NegativeEnd,
    /// So many characters back.
    Back(u32),
    /// The next character is of the set, or is not.
    Ahead {
        set: u32,
        negative: bool,
    },
    /// The last character is of the set, or is not.
    Behind {
        set: u32,
        negative: bool,
    },
    Assert(Assert),
    /// The text of a group again.
    Backref {
        groups: u32,
        ignore_case: bool,
    },
    /// Continues when one of the groups is set, else elsewhere.
    IfSet {
        groups: u32,
        otherwise: u32,
    },
    Call(u32),
    Return,
    /// Notes the place where a round of a loop starts.
    RoundStart(u32),
    /// Leaves the loop after a round that took nothing.
    RoundEnd {
        register: u32,
        exit: u32,
    },
    /// Sets a counter to zero.
    CountStart(u32),
    /// Leaves the loop when the counter is at `max`; chooses as `Fork` does from `min` on.
    CountFork {
        counter: u32,
        limits: u32,
        table: u32,
        exit: u32,
        lazy: bool,
    },
    /// Counts a round.
    CountRound(u32),
    /// `\K`
    Keep,
    /// `\X`
    Grapheme,
    /// Fails when this place of the program was tried at this place of the text before.
    Memo(u32),
    /// The same inside of a part that forgets its ways: only what failed there counts as tried.
    MemoFailed(u32),
    /// Does nothing; taken out at the end of compilation.
    Nop,
}

/// A set of characters made ready for matching.
#[derive(Debug)]
pub(crate) struct SetTable {
    /// Whether a byte below 0x80 is in the set, and whether one above is when `beyond` is not
    /// `Some`.
    pub(crate) bytes: [bool; 256],
    /// The characters past ASCII when it is neither none nor all of them.
    pub(crate) beyond: Beyond,
    /// How to find the end of a run, when its characters need not be told apart.
    pub(crate) run: Option<ByteRun>,
    pub(crate) chars: CharSet,
}

/// Which characters past ASCII a set has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beyond {
    None,
    Some,
    All,
}

/// What must come next for the rest of the match, to skip places where it cannot go on.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) bytes: [bool; 256],
    pub(crate) end: bool,
    /// How to find it: by its text, or by the few bytes that it can start with.
    pub(crate) text: Option<Needle>,
    pub(crate) find: Option<Stops>,
    /// For a run of all characters on the pattern's top level: where the search notes which of its ends were tried,
    /// so that a run that starts elsewhere does not try them again; else `NONE`.
    pub(crate) tried: u32,
}

/// Which of two ways can match, by the next byte: bit 0 the next operation, bit 1 the other.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
pub(crate) struct ForkTable {
    pub(crate) bytes: [u8; 256],
    pub(crate) end: u8,
}

/// Where to go on, by the next byte.
#[derive(Debug)]
pub(crate) struct SwitchTable {
    pub(crate) bytes: [u8; 256],
    pub(crate) end: u8,
    pub(crate) targets: Vec<u32>,
}

/// A compiled pattern.
#[derive(Debug, Default)]
pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) literals: Vec<u8>,
    pub(crate) sets: Vec<SetTable>,
    pub(crate) nexts: Vec<Next>,
    pub(crate) forks: Vec<ForkTable>,
    pub(crate) switches: Vec<SwitchTable>,
    pub(crate) limits: Vec<(u32, u32)>,
    pub(crate) groups: Vec<Vec<u32>>,
    pub(crate) tokens: Vec<Token>,
    /// How many numbers `Once` and runs note.
    pub(crate) onces: usize,
    /// Registers that hold captures: two for every group, the whole match first.
    pub(crate) slots: usize,
    /// All registers.
    pub(crate) registers: usize,
    /// How many places `Memo` tells apart.
    pub(crate) memos: u32,
}
