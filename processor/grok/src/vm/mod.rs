//! The machine that runs a program over a text.
//!
//! It keeps the ways back on a stack of its own, never on the machine's stack, so no input can
//! overflow it. Registers (captures, counters) are undone by entries on the same stack.

mod check;
mod repeat;
mod run;

use crate::budget::{Halt, Meter};
use crate::native::Memory;
use crate::program::{Op, Program};
use crate::search::{Attempts, Search};

#[cfg(all(feature = "native", target_arch = "x86_64"))]
pub(crate) use check::single;
use repeat::End;
pub(crate) use repeat::Repeat;

/// No place: a register that is not set.
pub(crate) const NONE: u32 = u32::MAX;
/// The most ways back that are kept, 64 MiB of them.
const MAX_FRAMES: usize = 1 << 22;
/// How deep sub-expression calls may nest.
const MAX_CALL_DEPTH: u32 = 4096;

/// The memory of a match, to be used again for the next. One per worker is enough for all
/// patterns; it grows to what the largest needs.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) registers: Vec<u32>,
    stack: Vec<Frame>,
    calls: Vec<Call>,
    /// One bit for every place of the program and of the text that was tried.
    memo: Vec<u64>,
    /// Where `Once` was last, by its number, and which ends of runs were tried.
    pub(crate) onces: Vec<u32>,
    pub(crate) native: Memory,
}

impl Scratch {
    /// Makes room for the registers and notes of a search. Both only grow.
    #[inline]
    pub(crate) fn prepare(&mut self, program: &Program) {
        // Those that hold groups are emptied for every attempt, the others are written before they are read.
        if self.registers.len() < program.registers {
            self.registers.resize(program.registers, NONE);
        }
        if self.onces.len() < program.onces {
            self.onces.resize(program.onces, NONE);
        }
        self.onces[..program.onces].iter_mut().for_each(|once| *once = NONE);
    }
}

/// An entry of the stack.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Frame {
    /// Another way to go on.
    Branch { op: u32, pos: u32 },
    /// A run that has more ends.
    Repeat { op: u32, pos: u32, rest: u32 },
    /// The old value of a register.
    Restore { register: u32, old: u32 },
    /// The old state of the calls.
    RestoreCall { current: u32, len: u32 },
    /// A place that has failed when this is met on the way back.
    Failing { memo: u32, pos: u32 },
    /// Where an atomic group starts.
    Atomic,
    /// Where a look-around starts.
    Look { pos: u32 },
    /// Where a negative one starts and where it goes on when its part does not match.
    Negative { op: u32, pos: u32 },
}

/// A sub-expression call that is not over.
#[derive(Debug, Clone, Copy)]
struct Call {
    back: u32,
    outer: u32,
    depth: u32,
}

impl Attempts for Machine<'_> {
    fn attempt(&mut self, at: usize, meter: &mut Meter) -> Result<bool, Halt> {
        self.scratch.stack.clear();
        self.scratch.calls.clear();
        self.call = NONE;
        self.scratch.registers[..self.program.slots].fill(NONE);
        self.scratch.registers[0] = at as u32;
        self.execute(at, meter)
    }

    fn attempt_any(&mut self, search: &Search, from: usize, last: usize, meter: &mut Meter) -> Result<bool, Halt> {
        search.one_by_one(self, self.text, (from, last), meter)
    }
}

/// A program, a text and the memory to match them.
pub(crate) struct Machine<'a> {
    program: &'a Program,
    text: &'a [u8],
    /// Where the search started, for `\G`.
    search_start: usize,
    scratch: &'a mut Scratch,
    call: u32,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(program: &'a Program, text: &'a [u8], search_start: usize, scratch: &'a mut Scratch) -> Self {
        scratch.prepare(program);
        if program.memos > 0 {
            let bits = program.memos as usize * (text.len() + 1);
            scratch.memo.clear();
            scratch.memo.resize(bits.div_ceil(64), 0);
        }
        Machine { program, text, search_start, scratch, call: NONE }
    }

    #[inline]
    fn set_register(&mut self, register: u32, value: u32) {
        let place = &mut self.scratch.registers[register as usize];
        let old = std::mem::replace(place, value);
        // Without a way back nothing will ever be undone.
        if !self.scratch.stack.is_empty() {
            self.scratch.stack.push(Frame::Restore { register, old });
        }
    }

    #[inline]
    fn push(&mut self, frame: Frame) -> Result<(), Halt> {
        if self.scratch.stack.len() >= MAX_FRAMES {
            return Err(Halt::OutOfBudget);
        }
        self.scratch.stack.push(frame);
        Ok(())
    }

    /// Forgets the ways back since the innermost frame that `starts`, which it returns; what
    /// they would have undone stays on the stack.
    fn cut(&mut self, starts: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let stack = &mut self.scratch.stack;
        let start = stack.iter().rposition(starts)?;
        let frame = stack[start];
        let mut kept = start;
        for at in start + 1..stack.len() {
            if matches!(stack[at], Frame::Restore { .. } | Frame::RestoreCall { .. }) {
                stack[kept] = stack[at];
                kept += 1;
            }
        }
        stack.truncate(kept);
        Some(frame)
    }

    /// Undoes everything since the innermost negative look-around, and it.
    fn abandon_negative(&mut self) {
        while let Some(frame) = self.scratch.stack.pop() {
            if matches!(frame, Frame::Negative { .. }) {
                return;
            }
            self.undo(frame);
        }
    }

    fn undo(&mut self, frame: Frame) {
        match frame {
            Frame::Restore { register, old } => self.scratch.registers[register as usize] = old,
            Frame::RestoreCall { current, len } => {
                self.call = current;
                self.scratch.calls.truncate(len as usize);
            }
            _ => {}
        }
    }

    /// Goes back to the last way that is left: the operation and the place.
    fn back(&mut self) -> Option<(u32, usize)> {
        loop {
            match self.scratch.stack.pop()? {
                Frame::Branch { op, pos } | Frame::Negative { op, pos } => {
                    return Some((op, pos as usize));
                }
                Frame::Repeat { op, pos, rest } => {
                    if let Some(pos) = self.next_end(op, (pos as usize, rest)) {
                        return Some((op + 1, pos));
                    }
                }
                Frame::Failing { memo, pos } => {
                    self.first_visit(memo, pos as usize);
                }
                frame => self.undo(frame),
            }
        }
    }

    /// The next end of a run on whose first one what follows did not match; what is left of it goes onto the stack.
    fn next_end(&mut self, op: u32, (pos, rest): End) -> Option<usize> {
        let code = self.program.ops[op as usize];
        let mut run = Repeat::new(self.program, code, self.text, &mut self.scratch.onces)?;
        let end = if let Op::Lazy { .. } = code { run.take_more((pos, rest)) } else { run.give_back((pos, rest)) }?;
        self.push_rest(op, end).ok()?;
        Some(end.0)
    }

    /// Remembers that a run has more ends, if it has.
    #[inline]
    fn push_rest(&mut self, op: u32, (pos, rest): End) -> Result<(), Halt> {
        let more = match self.program.ops[op as usize] {
            Op::Greedy { .. } => pos > rest as usize,
            _ => rest > 0 && pos < self.text.len(),
        };
        if more { self.push(Frame::Repeat { op, pos: pos as u32, rest }) } else { Ok(()) }
    }

    fn call(&mut self, target: u32, back: u32) -> Result<Option<u32>, Halt> {
        let depth = match self.call {
            NONE => 1,
            current => self.scratch.calls[current as usize].depth + 1,
        };
        if depth > MAX_CALL_DEPTH {
            return Ok(None);
        }
        let len = self.scratch.calls.len() as u32;
        self.push(Frame::RestoreCall { current: self.call, len })?;
        self.scratch.calls.push(Call { back, outer: self.call, depth });
        if self.scratch.calls.len() > MAX_FRAMES {
            return Err(Halt::OutOfBudget);
        }
        self.call = len;
        Ok(Some(target))
    }

    fn return_from_call(&mut self) -> Result<Option<u32>, Halt> {
        let Some(&Call { back, outer, .. }) = self.scratch.calls.get(self.call as usize) else {
            return Ok(None);
        };
        let len = self.scratch.calls.len() as u32;
        self.push(Frame::RestoreCall { current: self.call, len })?;
        self.call = outer;
        Ok(Some(back))
    }

    /// Whether this place has not failed yet; it will have when the ways from it are used up.
    fn may_succeed(&mut self, memo: u32, pos: usize) -> Result<bool, Halt> {
        let bit = memo as usize * (self.text.len() + 1) + pos;
        let failed = self.scratch.memo[bit / 64] >> (bit % 64) & 1 == 1;
        if !failed {
            self.push(Frame::Failing { memo, pos: pos as u32 })?;
        }
        Ok(!failed)
    }

    /// Whether this place is new; it is not from now on.
    fn first_visit(&mut self, memo: u32, pos: usize) -> bool {
        let bit = memo as usize * (self.text.len() + 1) + pos;
        let word = &mut self.scratch.memo[bit / 64];
        let new = *word >> (bit % 64) & 1 == 0;
        *word |= 1 << (bit % 64);
        new
    }
}
