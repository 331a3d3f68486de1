//! Repetitions.

use super::{Compiler, groups_in, is_run};
use crate::analysis::{Follow, before, min_length, size};
use crate::ast::{Mode, Node, Repeat, UNLIMITED};
use crate::bytes::ByteSet;
use crate::charset::CharSet;
use crate::error::Error;
use crate::needle::Head;
use crate::program::Op;

/// Rounds of a counted loop are written out up to so many nodes.
const UNROLL: u64 = 48;
/// The same in a careful program, where a counter would hide state.
const UNROLL_CAREFUL: u64 = 40_000;

impl Compiler {
    pub(super) fn repeat(&mut self, body: &Node, by: Repeat, follow: Follow) -> Result<(), Error> {
        if by.max == 0 {
            return Ok(());
        }
        if let Some((set, by)) = is_run(body, by) {
            let steps = if by.max == UNLIMITED { by.min } else { by.max };
            let one_way = by.mode == Mode::Possessive || (by.min == by.max && by.min > 8);
            if !self.careful || one_way || u64::from(steps) > UNROLL_CAREFUL {
                return self.run(&set, by, follow);
            }
        }
        if by.mode == Mode::Possessive {
            let greedy = Node::Repeat(Box::new(body.clone()), Repeat { mode: Mode::Greedy, ..by });
            return self.atomic(&greedy);
        }
        let lazy = by.mode == Mode::Lazy;
        if (by.min, by.max) == (0, 1) {
            return self.optional(body, lazy, follow);
        }
        // A group in a loop holds what an earlier round set until a later one sets it.
        self.undone += 1;
        let done = match (by.min, by.max) {
            (0, UNLIMITED) => self.star(body, lazy, follow),
            (1, UNLIMITED) => self.plus(body, lazy, follow),
            _ if self.unrolls(body, by) => self.unrolled(body, by, follow),
            _ => self.counted(body, by, follow),
        };
        self.undone -= 1;
        done
    }

    fn unrolls(&self, body: &Node, by: Repeat) -> bool {
        let limit = if self.careful { UNROLL_CAREFUL } else { UNROLL };
        self.has_calls || written_out(body, by) <= limit
    }

    /// A run of single characters.
    fn run(&mut self, set: &CharSet, by: Repeat, follow: Follow) -> Result<(), Error> {
        let Repeat { min, max, mode } = by;
        let own = ByteSet::leads(set);
        let mut disjoint = own.intersect(follow.bytes).is_empty();
        // Given back, the run's own characters would stand on both sides of a \b.
        if min > 0 && own.without(ByteSet::ascii_word()).is_empty() {
            disjoint |= own.intersect(follow.after_word).is_empty();
        }
        let index = self.set(set);
        let span = |min, max| Op::Span { set: index, min, max };
        let op = match mode {
            _ if min == max => span(min, max),
            Mode::Possessive => span(min, max),
            Mode::Greedy if disjoint || follow.always => span(min, max),
            Mode::Lazy if follow.always => span(min, min),
            Mode::Lazy if disjoint && max == UNLIMITED => span(min, max),
            Mode::Greedy => Op::Greedy { set: index, min, max, next: self.next(follow) },
            Mode::Lazy => Op::Lazy { set: index, min, max, next: self.next(follow) },
        };
        self.op(op).map(drop)
    }

    fn optional(&mut self, body: &Node, lazy: bool, follow: Follow) -> Result<(), Error> {
        self.memo()?;
        let table = self.fork(before(body, follow), follow);
        let fork = self.op(Op::Fork { table, other: 0, lazy })?;
        self.emit(body, follow)?;
        let body = std::slice::from_ref(body);
        if self.undone == 0 && groups_in(body).is_some() {
            let jump = self.op(Op::Jump(0))?;
            self.program.ops[fork as usize] = Op::Fork { table, other: self.here(), lazy };
            self.clear(body)?;
            self.land(&[jump]);
        } else {
            self.program.ops[fork as usize] = Op::Fork { table, other: self.here(), lazy };
        }
        Ok(())
    }

    fn star(&mut self, body: &Node, lazy: bool, follow: Follow) -> Result<(), Error> {
        let looped = again(body, follow);
        let start = self.here();
        self.memo()?;
        let table = self.fork(before(body, looped), follow);
        let fork = self.op(Op::Fork { table, other: 0, lazy })?;
        let round = self.round_start(body)?;
        self.emit(body, looped)?;
        let end = self.round_end(round)?;
        self.op(Op::Jump(start))?;
        self.program.ops[fork as usize] = Op::Fork { table, other: self.here(), lazy };
        self.patch_round(end);
        Ok(())
    }

    fn plus(&mut self, body: &Node, lazy: bool, follow: Follow) -> Result<(), Error> {
        let looped = again(body, follow);
        let start = self.here();
        let round = self.round_start(body)?;
        self.emit(body, looped)?;
        let end = self.round_end(round)?;
        self.memo()?;
        let table = self.fork(follow, before(body, looped));
        // The next operation leaves the loop, so a greedy loop prefers the other way.
        self.op(Op::Fork { table, other: start, lazy: !lazy })?;
        self.patch_round(end);
        Ok(())
    }

    /// The rounds written one after the other.
    fn unrolled(&mut self, body: &Node, by: Repeat, follow: Follow) -> Result<(), Error> {
        let lazy = by.mode == Mode::Lazy;
        let looped = again(body, follow);
        let mut exits = Vec::new();
        for round in 0..by.min {
            let last = round + 1 == by.min && by.max == by.min;
            // A round that has to come may fail, whatever follows the loop.
            let always = looped.always && round + 1 == by.min;
            let start = if is_counted(body, by) { self.round_start(body)? } else { None };
            self.emit(body, if last { follow } else { Follow { always, ..looped } })?;
            exits.extend(self.round_end(start)?);
        }
        if by.max == UNLIMITED {
            self.star(body, lazy, follow)?;
            self.leave_at_end(&exits);
            return Ok(());
        }
        let table = self.fork(before(body, looped), follow);
        for _ in by.min..by.max {
            self.memo()?;
            exits.push(self.op(Op::Fork { table, other: 0, lazy })?);
            let round = self.round_start(body)?;
            self.emit(body, looped)?;
            exits.extend(self.round_end(round)?);
        }
        self.leave_at_end(&exits);
        Ok(())
    }

    /// These operations leave a loop that ends here.
    fn leave_at_end(&mut self, exits: &[u32]) {
        let here = self.here();
        for &exit in exits {
            match &mut self.program.ops[exit as usize] {
                Op::Fork { other: to, .. } | Op::RoundEnd { exit: to, .. } => *to = here,
                _ => {}
            }
        }
    }

    fn counted(&mut self, body: &Node, by: Repeat, follow: Follow) -> Result<(), Error> {
        self.outside_memo += 1;
        let looped = again(body, Follow { always: follow.always && by.min == 0, ..follow });
        let counter = self.register();
        let limits = self.program.limits.len() as u32;
        self.program.limits.push((by.min, by.max));
        let lazy = by.mode == Mode::Lazy;
        self.op(Op::CountStart(counter))?;
        let table = self.fork(before(body, looped), follow);
        let start = self.op(Op::CountFork { counter, limits, table, exit: 0, lazy })?;
        let round = self.round_start(body)?;
        self.emit(body, looped)?;
        let end = self.round_end(round)?;
        self.op(Op::CountRound(counter))?;
        self.op(Op::Jump(start))?;
        let exit = self.here();
        self.program.ops[start as usize] = Op::CountFork { counter, limits, table, exit, lazy };
        self.patch_round(end);
        self.outside_memo -= 1;
        Ok(())
    }

    /// Marks the start of a round that may take nothing.
    fn round_start(&mut self, body: &Node) -> Result<Option<u32>, Error> {
        if min_length(body) > 0 {
            return Ok(None);
        }
        let register = self.register();
        self.op(Op::RoundStart(register))?;
        self.forgetful += 1;
        Ok(Some(register))
    }

    fn round_end(&mut self, register: Option<u32>) -> Result<Option<u32>, Error> {
        let Some(register) = register else { return Ok(None) };
        self.forgetful -= 1;
        self.op(Op::RoundEnd { register, exit: 0 }).map(Some)
    }

    fn patch_round(&mut self, end: Option<u32>) {
        let here = self.here();
        if let Some(end) = end
            && let Op::RoundEnd { exit, .. } = &mut self.program.ops[end as usize]
        {
            *exit = here;
        }
    }
}

/// The nodes of a loop's rounds one after the other.
fn written_out(body: &Node, by: Repeat) -> u64 {
    let rounds = if by.max == UNLIMITED { by.min + 1 } else { by.max };
    size(body).saturating_mul(u64::from(rounds))
}

/// Whether the rounds that have to come are counted: then one that takes nothing ends the loop, as Oniguruma has it. It
/// writes out what is small, and nothing of a lazy loop with an end.
fn is_counted(body: &Node, by: Repeat) -> bool {
    by.mode == Mode::Lazy && by.max != UNLIMITED && by.max > 1 || written_out(body, by) > UNROLL
}

/// What can follow a round of a loop: another one or the rest.
fn again(body: &Node, follow: Follow) -> Follow {
    let once = before(body, Follow { head: Head::NONE, ..follow }).or(follow);
    Follow { always: follow.always, ..once }
}
