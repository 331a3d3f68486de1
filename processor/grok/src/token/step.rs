//! One step of the automaton's making: from the places in the operations where a match can be,
//! over one byte, to those where it can be then.

use crate::ast::Assert;
use crate::program::{Beyond, Op, Program, SetTable};
use crate::token::Token;
use crate::vm::NONE;

/// Counts of single characters up to here are told apart; larger limits are left to the check of
/// the word's length.
const MAX_COUNTED: u32 = 24;
/// The most least counts.
const MAX_LEAST: u32 = 64;

/// A place in the operations, with how many characters its run has (in the low half) and how many
/// rounds the counted loop around it (in the high half).
pub(super) type Place = (u32, u32);

const ROUND: u32 = 1 << 16;

/// The automaton cannot be made, or not at a bearable price.
#[derive(Debug)]
pub(super) struct Refused;

/// What a byte leads to.
pub(super) enum Outcome {
    Dead,
    Accept,
    Bail,
    /// The part may end here or go on.
    Ambiguous,
    To(Vec<Place>),
}

/// The machinery of the steps.
pub(super) struct Stepper<'p> {
    program: &'p Program,
    token: &'p Token,
    /// The atomic groups: their start and end.
    atomics: Vec<(u32, u32)>,
    /// Whether what an operation does next can depend on the byte before.
    looks_behind: Vec<bool>,
    /// The last walk that came to each operation (without counts), by its number.
    visits: Vec<u32>,
    walks: u32,
    /// What is left to follow; kept for its memory.
    open: Vec<Walk>,
    /// Words up to here pass no limit that is not counted.
    pub(super) limit: usize,
    work: u32,
}

/// The state of one step.
struct Step {
    /// `None` at the edge of the text.
    before: Option<u8>,
    byte: Option<u8>,
    out: Vec<Place>,
    accepted: bool,
    /// The operations visited, with their counts.
    seen: Vec<Place>,
    /// A character past ASCII was compared in a way that single bytes do not decide.
    uncertain: bool,
    /// Runs and texts that took a byte past ASCII.
    long_runs: Vec<u32>,
    long_texts: bool,
    /// Atomic groups that were completed, and those in which the byte was taken.
    cut: Vec<bool>,
    inside: Vec<bool>,
}

impl<'p> Stepper<'p> {
    pub(super) fn new(program: &'p Program, token: &'p Token, limit: usize, work: u32) -> Result<Self, Refused> {
        let mut atomics = Vec::new();
        let mut open = Vec::new();
        let mut counted_to = token.first;
        for at in token.first..token.end {
            match program.ops[at as usize] {
                // One counter at a time.
                Op::CountFork { exit, .. } => {
                    if at < counted_to {
                        return Err(Refused);
                    }
                    counted_to = exit;
                }
                Op::AtomicStart => open.push(at),
                Op::AtomicEnd => atomics.push((open.pop().ok_or(Refused)?, at)),
                _ => {}
            }
        }
        let visits = vec![0; (token.end - token.first) as usize + 1];
        let mut stepper = Stepper {
            program,
            token,
            atomics,
            looks_behind: Vec::new(),
            visits,
            walks: 0,
            open: Vec::new(),
            limit,
            work,
        };
        stepper.looks_behind = stepper.find_looks_behind();
        Ok(stepper)
    }

    fn op(&self, place: u32) -> Op {
        self.program.ops[place as usize]
    }

    fn set(&self, set: u32) -> &'p SetTable {
        &self.program.sets[set as usize]
    }

    /// Where an operation goes without taking anything.
    fn exits(&self, place: u32) -> Vec<u32> {
        let next = place + 1;
        match self.op(place) {
            Op::Fail | Op::Byte(_) | Op::Literal { .. } | Op::Set(_) => vec![],
            Op::Jump(to) => vec![to],
            Op::Push(other) => vec![next, other],
            Op::Fork { other, lazy, .. } => {
                if lazy {
                    vec![other, next]
                } else {
                    vec![next, other]
                }
            }
            Op::CountFork { exit, lazy, .. } => {
                if lazy {
                    vec![exit, next]
                } else {
                    vec![next, exit]
                }
            }
            Op::RoundEnd { exit, .. } => vec![next, exit],
            Op::Switch(table) => self.program.switches[table as usize].targets.clone(),
            _ => vec![next],
        }
    }

    fn find_looks_behind(&self) -> Vec<bool> {
        let first = self.token.first;
        let count = (self.token.end - first) as usize;
        let mut found: Vec<bool> = (first..self.token.end)
            .map(|at| {
                let assert = |assert: Assert| {
                    matches!(
                        assert,
                        Assert::LineStart | Assert::TextStart | Assert::WordBoundary(_) | Assert::NotWordBoundary(_)
                    )
                };
                match self.op(at) {
                    Op::Behind { .. } => true,
                    Op::Assert(a) => assert(a),
                    _ => false,
                }
            })
            .collect();
        loop {
            let mut changed = false;
            for at in (0..count).rev() {
                let reached = |to: &u32| *to < self.token.end && found[(to - first) as usize];
                if !found[at] && self.exits(first + at as u32).iter().any(reached) {
                    found[at] = true;
                    changed = true;
                }
            }
            if !changed {
                return found;
            }
        }
    }

    /// Whether the step from these places can depend on the byte before.
    pub(super) fn depends_on_before(&self, places: &[Place]) -> bool {
        places.iter().any(|&(op, _)| op < self.token.end && self.looks_behind[(op - self.token.first) as usize])
    }

    /// The places after `byte`, when `before` is the byte before it; `None` is the text's edge.
    pub(super) fn step(&mut self, from: &[Place], before: Option<u8>, byte: Option<u8>) -> Result<Outcome, Refused> {
        let groups = self.atomics.len();
        self.walks += 1;
        let mut step = Step {
            before,
            byte,
            out: Vec::new(),
            accepted: false,
            seen: Vec::new(),
            uncertain: false,
            long_runs: Vec::new(),
            long_texts: false,
            cut: vec![false; groups],
            inside: vec![false; groups],
        };
        for &place in from {
            let dropped = self.groups_around(place.0).any(|group| step.cut[group]);
            if !dropped {
                self.walk(place, &mut step)?;
            }
        }
        self.check_entered(from, &step)?;
        let high = byte.is_some_and(|byte| byte >= 0x80);
        let taken = !step.out.is_empty();
        if !taken && !step.accepted {
            return Ok(Outcome::Dead);
        }
        let mixed = step.long_runs.len() > 1 || (step.long_texts && !step.long_runs.is_empty());
        if step.uncertain || (high && (mixed || (taken && step.accepted))) {
            return Ok(Outcome::Bail);
        }
        match (taken, step.accepted) {
            (true, true) => Ok(Outcome::Ambiguous),
            (false, true) => Ok(Outcome::Accept),
            _ => Ok(Outcome::To(step.out)),
        }
    }

    /// The atomic groups around a place.
    fn groups_around(&self, op: u32) -> impl Iterator<Item = usize> {
        let around = move |&(_, &(start, end)): &(usize, &(u32, u32))| start < op && op <= end;
        self.atomics.iter().enumerate().filter(around).map(|(group, _)| group)
    }

    /// Two matches of one atomic group at a time are too much to follow.
    fn check_entered(&self, from: &[Place], step: &Step) -> Result<(), Refused> {
        for (group, &(start, end)) in self.atomics.iter().enumerate() {
            let counted = step.seen.iter().any(|&(op, _)| op == start);
            let entered = counted || self.visits[(start - self.token.first) as usize] == self.walks;
            let was_inside = from.iter().any(|&(op, _)| start < op && op <= end);
            if entered && (step.cut[group] || (was_inside && step.inside[group])) {
                return Err(Refused);
            }
        }
        Ok(())
    }

    /// Follows a place until the byte is taken, in the order of the ways to match.
    fn walk(&mut self, place: Place, step: &mut Step) -> Result<(), Refused> {
        let mut open = std::mem::take(&mut self.open);
        open.clear();
        open.push(Walk::Visit(place));
        while let Some(next) = open.pop() {
            self.work = self.work.checked_sub(1).ok_or(Refused)?;
            let place = match next {
                Walk::Visit(place) => place,
                Walk::Completed { group, taken, accepted } => {
                    // A way that goes on inside of the group comes first: which one holds is
                    // known only later.
                    let goes_on = step.out.len() > taken || step.accepted != accepted;
                    if goes_on && step.inside[group] {
                        return Err(Refused);
                    }
                    continue;
                }
            };
            if !self.is_new(place, step) {
                continue;
            }
            if place.0 >= self.token.end {
                step.accepted |= step.byte.map_or(self.token.follow_end, |byte| self.token.follow.contains(byte));
                continue;
            }
            self.visit(place, step, &mut open)?;
        }
        self.open = open;
        Ok(())
    }

    /// Whether this step comes to a place for the first time.
    fn is_new(&mut self, place: Place, step: &mut Step) -> bool {
        if place.1 == 0 {
            let at = place.0.min(self.token.end) - self.token.first;
            return std::mem::replace(&mut self.visits[at as usize], self.walks) != self.walks;
        }
        let new = !step.seen.contains(&place);
        if new {
            step.seen.push(place);
        }
        new
    }

    fn visit(&mut self, place: Place, step: &mut Step, open: &mut Vec<Walk>) -> Result<(), Refused> {
        let (op, count) = (place.0, place.1 % ROUND);
        let rounds = place.1 - count;
        let after = (op + 1, rounds);
        let code = self.op(op);
        match code {
            Op::Byte(byte) => {
                if step.byte == Some(byte) {
                    self.take(after, op, step);
                    step.long_texts |= byte >= 0x80;
                }
            }
            Op::Literal { start, len } => {
                let wanted = self.program.literals[(start + count) as usize];
                if step.byte == Some(wanted) {
                    let next = if count + 1 == len { after } else { (op, place.1 + 1) };
                    self.take(next, op, step);
                    step.long_texts |= wanted >= 0x80;
                }
            }
            Op::Set(set) => {
                if self.takes(set, false, op, step) {
                    self.take(after, op, step);
                }
            }
            Op::Span { .. } | Op::Run { .. } | Op::Maybe(_) | Op::Greedy { .. } | Op::Lazy { .. } => {
                self.run(place, code, step, open)?
            }
            Op::Assert(assert) => {
                if self.holds(assert, step) {
                    open.push(Walk::Visit(after));
                }
            }
            Op::Behind { set, negative } => {
                if self.is_in(set, step.before, step) != negative || step.uncertain {
                    open.push(Walk::Visit(after));
                }
            }
            Op::Ahead { set, negative } => {
                if self.is_in(set, step.byte, step) != negative || step.uncertain {
                    open.push(Walk::Visit(after));
                }
            }
            Op::AtomicEnd => {
                let group = self.atomics.iter().position(|&(_, end)| end == op).ok_or(Refused)?;
                step.cut[group] = true;
                // What else is inside of the group on this walk comes after it and is cut too.
                let (start, _) = self.atomics[group];
                open.retain(|walk| !matches!(walk, Walk::Visit((at, _)) if start < *at && *at <= op));
                open.push(Walk::Completed { group, taken: step.out.len(), accepted: step.accepted });
                open.push(Walk::Visit(after));
            }
            Op::AtomicStart => {
                let group = self.atomics.iter().position(|&(start, _)| start == op).ok_or(Refused)?;
                if step.cut[group] || step.inside[group] {
                    return Err(Refused);
                }
                open.push(Walk::Visit(after));
            }
            Op::CountStart(_) => open.push(Walk::Visit((op + 1, 0))),
            Op::CountRound(_) => {
                let rounds = (rounds + ROUND).min(MAX_COUNTED * ROUND);
                open.push(Walk::Visit((op + 1, rounds)));
            }
            Op::CountFork { limits, exit, .. } => {
                let (min, max) = self.program.limits[limits as usize];
                let (rounds, counted) = (rounds / ROUND, max <= MAX_COUNTED);
                if !counted && min > 0 {
                    return Err(Refused);
                }
                if !counted {
                    self.limit = self.limit.min(max as usize);
                }
                let more = !counted || rounds < max;
                let enough = rounds >= min;
                let next = Walk::Visit((op + 1, if counted { place.1 } else { 0 }));
                let exit = Walk::Visit((exit, 0));
                let lazy = matches!(code, Op::CountFork { lazy: true, .. });
                let ways = if lazy { [(more, next), (enough, exit)] } else { [(enough, exit), (more, next)] };
                open.extend(ways.into_iter().filter(|(able, _)| *able).map(|(_, way)| way));
            }
            Op::RoundEnd { .. } if self.groups_around(op).next().is_some() => return Err(Refused),
            Op::Fail => {}
            Op::Jump(to) => open.push(Walk::Visit((to, rounds))),
            Op::Fork { other, lazy, .. } => {
                let (first, second) = if lazy { (other, op + 1) } else { (op + 1, other) };
                open.extend([Walk::Visit((second, rounds)), Walk::Visit((first, rounds))]);
            }
            Op::Push(other) => open.extend([Walk::Visit((other, rounds)), Walk::Visit(after)]),
            Op::Switch(table) => {
                // The table knows which branches the byte can start.
                let table = &self.program.switches[table as usize];
                let target = step.byte.map_or(table.end, |byte| table.bytes[usize::from(byte)]);
                open.push(Walk::Visit((table.targets[usize::from(target)], rounds)));
            }
            _ => open.extend(self.exits(op).into_iter().rev().map(|to| Walk::Visit((to, rounds)))),
        }
        Ok(())
    }

    /// A run of single characters. The ways that take nothing are left on `open`.
    fn run(&mut self, place: Place, code: Op, step: &mut Step, open: &mut Vec<Walk>) -> Result<(), Refused> {
        let (op, count) = (place.0, place.1 % ROUND);
        let rounds = place.1 - count;
        let (set, min, max) = match code {
            Op::Span { set, min, max } | Op::Greedy { set, min, max, .. } | Op::Lazy { set, min, max, .. } => {
                (set, min, max)
            }
            Op::Run { set, min } => (set, min, NONE),
            Op::Maybe(set) => (set, 0, 1),
            _ => return Err(Refused),
        };
        let counted = max != NONE && max <= MAX_COUNTED;
        if min > MAX_LEAST || (max != NONE && !counted && min > 1) {
            return Err(Refused);
        }
        if max != NONE && !counted {
            self.limit = self.limit.min(max as usize);
        }
        let may_take = !counted || count < max;
        let takes = may_take && self.takes(set, max == NONE && min <= 1, op, step);
        let next = (op, rounds + if counted { count + 1 } else { (count + 1).min(min) });
        let may_end = count >= min;
        if may_end && !(takes && matches!(code, Op::Span { .. } | Op::Run { .. } | Op::Maybe(_))) {
            // The order of the ways matters only inside of an atomic group.
            if matches!(code, Op::Lazy { .. }) && self.groups_around(op).next().is_some() {
                return Err(Refused);
            }
            open.push(Walk::Visit((op + 1, rounds)));
        }
        if takes {
            self.take(next, op, step);
        }
        Ok(())
    }

    fn take(&self, next: Place, op: u32, step: &mut Step) {
        if !step.out.contains(&next) {
            step.out.push(next);
        }
        for group in self.groups_around(op) {
            step.inside[group] = true;
        }
    }

    /// Whether the next byte is of the set. A byte past ASCII is only when the set has all of
    /// them and a run of any length takes it.
    fn takes(&self, set: u32, in_run: bool, op: u32, step: &mut Step) -> bool {
        let Some(byte) = step.byte else { return false };
        let set = self.set(set);
        if !set.bytes[usize::from(byte)] {
            return false;
        }
        if byte >= 0x80 {
            if in_run && set.beyond == Beyond::All {
                if !step.long_runs.contains(&op) {
                    step.long_runs.push(op);
                }
            } else {
                step.uncertain = true;
            }
        }
        true
    }

    /// Whether a neighbouring character is of the set.
    fn is_in(&self, set: u32, byte: Option<u8>, step: &mut Step) -> bool {
        let Some(byte) = byte else { return false };
        let set = self.set(set);
        if byte >= 0x80 && set.beyond == Beyond::Some {
            step.uncertain = true;
        }
        if byte >= 0x80 { set.beyond == Beyond::All } else { set.bytes[usize::from(byte)] }
    }

    fn holds(&self, assert: Assert, step: &mut Step) -> bool {
        let mut word = |byte: Option<u8>, ascii: bool| {
            let high = byte.is_some_and(|byte| byte >= 0x80);
            step.uncertain |= high && !ascii;
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match assert {
            Assert::LineStart => match step.before {
                None => true,
                Some(before) => before == b'\n' && step.byte.is_some(),
            },
            Assert::LineEnd => step.byte.is_none_or(|byte| byte == b'\n'),
            Assert::TextStart => step.before.is_none(),
            Assert::TextEnd => step.byte.is_none(),
            Assert::WordBoundary(ascii) => (word(step.before, ascii) != word(step.byte, ascii)) || step.uncertain,
            Assert::NotWordBoundary(ascii) => (word(step.before, ascii) == word(step.byte, ascii)) || step.uncertain,
            Assert::TextEndOrNewline | Assert::SearchStart => {
                step.uncertain = true;
                true
            }
        }
    }
}

/// What is left to follow.
enum Walk {
    Visit(Place),
    /// Everything after an atomic group that ended was followed.
    Completed {
        group: usize,
        taken: usize,
        accepted: bool,
    },
}
