//! The machine that runs a program over a text.
//!
//! It keeps the ways back on a stack of its own, never on the machine's stack, so no input can
//! overflow it. Registers (captures, counters) are undone by entries on the same stack.

mod check;
mod run;

use crate::budget::{Halt, Meter};
use crate::program::{Next, Op, Program};

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
    onces: Vec<u32>,
}

/// An entry of the stack.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Frame {
    /// Another way to go on.
    Branch { op: u32, pos: u32 },
    /// A run that can give characters back, down to `least`.
    Greedy { op: u32, least: u32, pos: u32 },
    /// A run that can take more characters, `left` at most.
    Lazy { op: u32, pos: u32, left: u32 },
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

/// A program, a text and the memory to match them.
pub(crate) struct Machine<'a> {
    program: &'a Program,
    text: &'a [u8],
    /// Where the search started, for `\G`.
    search_start: usize,
    scratch: &'a mut Scratch,
    call: u32,
    /// The furthest place that was reached and the operation that failed there, when wanted.
    pub(crate) furthest: Option<(usize, u32)>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(program: &'a Program, text: &'a [u8], search_start: usize, scratch: &'a mut Scratch) -> Self {
        // Those that hold groups are emptied for every attempt, the others are written before they are read.
        scratch.registers.resize(program.registers, NONE);
        if program.onces > 0 {
            scratch.onces.clear();
            scratch.onces.resize(program.onces, NONE);
        }
        if program.memos > 0 {
            let bits = program.memos as usize * (text.len() + 1);
            scratch.memo.clear();
            scratch.memo.resize(bits.div_ceil(64), 0);
        }
        Machine { program, text, search_start, scratch, call: NONE, furthest: None }
    }

    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Matches at one place. The captures are in the registers then.
    pub(crate) fn attempt(&mut self, at: usize, meter: &mut Meter) -> Result<bool, Halt> {
        self.scratch.stack.clear();
        self.scratch.calls.clear();
        self.call = NONE;
        self.scratch.registers[..self.program.slots].fill(NONE);
        self.scratch.registers[0] = at as u32;
        self.execute(at, meter)
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
                Frame::Greedy { op, least, pos } => {
                    if let Some(pos) = self.give_back(op, least as usize, pos as usize) {
                        return Some((op + 1, pos));
                    }
                }
                Frame::Lazy { op, pos, left } => {
                    if let Some(pos) = self.take_more(op, pos as usize, left) {
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

    /// Shortens a greedy run to the next place where what follows can start.
    fn give_back(&mut self, op: u32, least: usize, pos: usize) -> Option<usize> {
        let Op::Greedy { next, .. } = self.program.ops[op as usize] else { return None };
        let next = &self.program.nexts[next as usize];
        let pos = check::last_before(next, self.text, least, pos)?;
        if pos > least {
            let frame = Frame::Greedy { op, least: least as u32, pos: pos as u32 };
            self.scratch.stack.push(frame);
        }
        Some(pos)
    }

    /// Lengthens a lazy run to the next place where what follows can start.
    fn take_more(&mut self, op: u32, pos: usize, left: u32) -> Option<usize> {
        let Op::Lazy { set, next, .. } = self.program.ops[op as usize] else { return None };
        let set = &self.program.sets[set as usize];
        let next = &self.program.nexts[next as usize];
        let more = check::one(set, self.text, pos)?;
        let left = left - u32::from(left != NONE);
        let (pos, left) = check::lazy(set, next, self.text, more, left).ok()?;
        if next.tried != NONE && !self.is_new_end(next.tried, pos) {
            return None;
        }
        self.push_lazy(op, pos, left);
        Some(pos)
    }

    /// Whether a lazy run that takes everything has not ended here before. One run goes through all ends up to the
    /// last, so those that were tried are all between the first and the last that were.
    #[inline]
    fn is_new_end(&mut self, tried: u32, pos: usize) -> bool {
        let Some([first, last]) = self.scratch.onces.get_mut(tried as usize..tried as usize + 2) else { return true };
        let pos = pos as u32;
        if *first == NONE {
            (*first, *last) = (pos, pos);
            return true;
        }
        // What lies before the first is not noted, as it need not be without gaps.
        let new = pos < *first || pos > *last;
        *last = pos.max(*last);
        new
    }

    /// The end of a greedy run that takes everything, as far as runs that started later have not tried it, and the least
    /// one. Each run goes through all ends down to its least.
    #[inline]
    fn not_tried(&mut self, next: &Next, place: usize, least: usize) -> Option<(usize, usize)> {
        let tried = self.scratch.onces.get_mut(next.tried as usize)?;
        let from = *tried as usize;
        if least >= from {
            return None;
        }
        *tried = least as u32;
        if place < from {
            Some((place, least))
        } else {
            Some((check::last_before(next, self.text, least, from)?, least))
        }
    }

    #[inline]
    fn push_lazy(&mut self, op: u32, pos: usize, left: u32) {
        if left > 0 && pos < self.text.len() {
            self.scratch.stack.push(Frame::Lazy { op, pos: pos as u32, left });
        }
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
