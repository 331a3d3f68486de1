//! From a tree to a program.
//!
//! Every node is compiled knowing what can follow it ([`Follow`]). A run of characters that
//! cannot start what follows is never given back; a choice whose sides start differently is made
//! by looking at the next byte, without a way back. For most log formats no way back remains.
//!
//! The *careful* form of a program leaves the runs out, does everything one character at a time
//! and remembers which choices it has made where: its time is linear in the text.

mod branch;
mod finish;
mod repeat;
mod tables;

use std::collections::HashMap;

use crate::analysis::{Follow, before, fixed_length, min_length};
use crate::ast::{Look, Node, Repeat};
use crate::charset::CharSet;
use crate::error::Error;
use crate::program::{ForkTable, Op, Program};
use crate::token::Token;

/// The most operations that a program may have.
const MAX_OPS: usize = 400_000;

/// Compiles a tree. `groups` counts the capturing groups and the whole match.
pub(crate) fn compile(node: &Node, groups: usize, careful: bool) -> Result<Program, Error> {
    let called = called_groups(node);
    let mut compiler = Compiler {
        program: Program { slots: groups * 2, registers: groups * 2, ..Program::default() },
        careful,
        sets: HashMap::new(),
        forks: HashMap::new(),
        has_calls: !called.is_empty(),
        routines: HashMap::new(),
        outside_memo: 0,
        forgetful: 0,
        undone: u32::from(node.any(&keeps_registers)),
        top: true,
    };
    let follow = if compiler.has_calls { Follow::UNKNOWN } else { Follow::ALWAYS };
    compiler.emit(node, follow)?;
    compiler.op(Op::Match)?;
    compiler.emit_routines(node, &called)?;
    compiler.finish()
}

struct Compiler {
    program: Program,
    careful: bool,
    sets: HashMap<CharSet, u32>,
    forks: HashMap<ForkTable, u32>,
    has_calls: bool,
    /// Where the routines of called groups start.
    routines: HashMap<u32, u32>,
    /// How many parts around the current node keep state that `Memo` does not know.
    outside_memo: u32,
    /// How many parts around the current node forget the ways through them at their end, or can come to a place again on
    /// the way that came to it first: there only what failed may be ruled out.
    forgetful: u32,
    /// How many parts around the current node need ways back to undo what was captured.
    undone: u32,
    /// Whether the current node is on the pattern's top level.
    top: bool,
}

/// Whether a node makes it matter what registers hold during a match.
fn keeps_registers(node: &Node) -> bool {
    matches!(node, Node::Backref(..) | Node::Call(_) | Node::Condition(..) | Node::Keep)
}

impl Compiler {
    fn op(&mut self, op: Op) -> Result<u32, Error> {
        if self.program.ops.len() >= MAX_OPS {
            return Err(Error::new(0, "the pattern is too large"));
        }
        self.program.ops.push(op);
        Ok(self.program.ops.len() as u32 - 1)
    }

    fn here(&self) -> u32 {
        self.program.ops.len() as u32
    }

    fn register(&mut self) -> u32 {
        self.program.registers += 1;
        self.program.registers as u32 - 1
    }

    /// In a careful program, a place that is tried once for every place of the text.
    fn memo(&mut self) -> Result<(), Error> {
        if self.careful && self.outside_memo == 0 {
            let memo = self.program.memos;
            self.program.memos += 1;
            self.op(if self.forgetful > 0 { Op::MemoFailed(memo) } else { Op::Memo(memo) })?;
        }
        Ok(())
    }

    fn emit(&mut self, node: &Node, follow: Follow) -> Result<(), Error> {
        let top = std::mem::replace(&mut self.top, false);
        match node {
            Node::Empty => Ok(()),
            Node::Fail => self.op(Op::Fail).map(drop),
            Node::Char(c) | Node::Folded(c) => self.text(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Node::Set(set) => {
                let set = self.set(set);
                self.op(Op::Set(set)).map(drop)
            }
            Node::Concat(nodes) => {
                self.top = top;
                self.concat(nodes, follow)
            }
            Node::Alternate(nodes) => self.token(follow, |compiler| compiler.alternate(nodes, follow)),
            Node::Repeat(body, by) if tables::single(body).is_some() => self.repeat(body, *by, follow),
            Node::Repeat(body, by) => self.token(follow, |compiler| compiler.repeat(body, *by, follow)),
            Node::Capture(group, body) => self.capture(*group, body, follow),
            Node::Atomic(body) => self.atomic(body),
            // What cannot come anyway needs no look.
            Node::Look(Look { behind: false, negative: true }, body) if is_ruled_out(body, follow) => Ok(()),
            Node::Look(look, body) => self.look(*look, body),
            Node::Assert(assert) => self.op(Op::Assert(*assert)).map(drop),
            Node::Backref(groups, ignore_case) => {
                let groups = self.group_list(groups);
                self.op(Op::Backref { groups, ignore_case: *ignore_case }).map(drop)
            }
            Node::Call(group) => {
                let place = self.op(Op::Call(*group))?;
                debug_assert!(self.has_calls, "call {place} was counted");
                Ok(())
            }
            Node::Condition(groups, yes, no) => self.condition(groups, yes, no, follow),
            Node::Keep => self.op(Op::Keep).map(drop),
            Node::Grapheme => self.op(Op::Grapheme).map(drop),
        }
    }

    fn capture(&mut self, group: u32, body: &Node, follow: Follow) -> Result<(), Error> {
        let register = group * 2;
        let whole = self.op(Op::Nop)?;
        self.save(register)?;
        // Without groups inside there is nothing to clear inside.
        let plain = u32::from(groups_in(std::slice::from_ref(body)).is_none());
        self.undone += plain;
        self.token(follow, |compiler| compiler.emit(body, follow))?;
        self.undone -= plain;
        let end = self.here();
        self.save(register + 1)?;
        if self.undone > 0 {
            return Ok(());
        }
        let at = |place: usize| self.program.ops[place];
        let first = whole as usize + 2;
        let inner: Vec<usize> = (first..end as usize).filter(|&place| at(place) != Op::Nop).take(2).collect();
        match inner[..] {
            [only] => {
                if let Op::Span { set, min, max } = at(only) {
                    self.program.ops[whole as usize] = Op::SaveSpan { set, min, max, register };
                    self.program.ops[whole as usize + 1..].fill(Op::Nop);
                }
            }
            [token, _] => {
                if let Op::Token(token) = at(token)
                    && self.program.tokens[token as usize].end == end
                {
                    self.program.ops[whole as usize] = Op::SaveToken { token, register };
                    self.program.ops[first] = Op::Nop;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn save(&mut self, register: u32) -> Result<(), Error> {
        self.op(if self.undone > 0 { Op::SaveUndo(register) } else { Op::Save(register) }).map(drop)
    }

    /// Empties the groups that another way may have set on its try.
    fn clear(&mut self, others: &[Node]) -> Result<(), Error> {
        if self.undone > 0 {
            return Ok(());
        }
        match groups_in(others) {
            Some((first, last)) => self.op(Op::Clear { from: first * 2, to: last * 2 + 2 }).map(drop),
            None => Ok(()),
        }
    }

    /// Compiles a part that an automaton may decide.
    fn token(&mut self, follow: Follow, emit: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if self.careful || self.has_calls || follow.always {
            return emit(self);
        }
        let start = self.op(Op::Nop)?;
        emit(self)?;
        let end = self.here();
        // A part that is a token as a whole needs no second one.
        if let Op::Token(inner) = self.program.ops[start as usize + 1..end as usize].first().copied().unwrap_or(Op::Nop)
            && self.program.tokens[inner as usize].end == end
        {
            return Ok(());
        }
        if crate::token::is_eligible(&self.program.ops[start as usize + 1..end as usize]) {
            self.program.tokens.push(Token::new(start + 1, end, follow));
            self.program.ops[start as usize] = Op::Token(self.program.tokens.len() as u32 - 1);
        }
        Ok(())
    }

    fn group_list(&mut self, groups: &[u32]) -> u32 {
        self.program.groups.push(groups.to_vec());
        self.program.groups.len() as u32 - 1
    }

    /// A text; it joins a text right before it.
    fn text(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let start = self.program.literals.len() as u32;
        if let [byte] = bytes {
            return self.op(Op::Byte(*byte)).map(drop);
        }
        self.program.literals.extend_from_slice(bytes);
        self.op(Op::Literal { start, len: bytes.len() as u32 }).map(drop)
    }

    fn concat(&mut self, nodes: &[Node], follow: Follow) -> Result<(), Error> {
        let mut follows = vec![follow; nodes.len() + 1];
        for at in (0..nodes.len()).rev() {
            follows[at] = before(&nodes[at], follows[at + 1]);
        }
        let once = std::mem::replace(&mut self.top, false) && !self.careful && self.undone == 0;
        // Different starts of the search, and different ways, come together after some parts.
        let mut ways = 2;
        let mut at = 0;
        while at < nodes.len() {
            let emitted = self.here();
            let mut text = Vec::new();
            while let Some(Node::Char(c)) = nodes.get(at) {
                text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += 1;
            }
            if text.is_empty() {
                self.emit(&nodes[at], follows[at + 1])?;
                at += 1;
                if once {
                    self.note_tried(emitted);
                }
            } else {
                self.text(&text)?;
            }
            ways += self.ways_through(emitted);
            if once && ways > 2 && at < nodes.len() {
                let place = self.program.onces as u32;
                self.program.onces += 1;
                self.op(Op::Once(place))?;
                ways = 0;
            }
        }
        Ok(())
    }

    /// How many ways, roughly, the operations from `start` on leave to come out at the same place.
    fn ways_through(&self, start: u32) -> u32 {
        let ways = |op: &Op| match op {
            Op::Span { .. } | Op::Token(_) | Op::SaveSpan { .. } | Op::SaveToken { .. } if start == 0 => 1,
            Op::Greedy { .. } | Op::Lazy { .. } | Op::Push(_) | Op::CountFork { .. } => 1,
            Op::Fork { table, .. } => {
                let table = &self.program.forks[*table as usize];
                u32::from(table.end == 3 || table.bytes.contains(&3))
            }
            _ => 0,
        };
        self.program.ops[start as usize..].iter().map(ways).sum()
    }

    fn atomic(&mut self, body: &Node) -> Result<(), Error> {
        self.memo()?;
        let start = self.op(Op::AtomicStart)?;
        self.forgetful += 1;
        self.emit(body, Follow::ALWAYS)?;
        self.forgetful -= 1;
        if self.is_straight(start + 1) {
            self.program.ops[start as usize] = Op::Nop;
            return Ok(());
        }
        self.op(Op::AtomicEnd).map(drop)
    }

    /// Whether the operations from `start` on leave no way back.
    fn is_straight(&self, start: u32) -> bool {
        self.program.ops[start as usize..].iter().all(|op| match op {
            Op::Fork { table, .. } => {
                let table = &self.program.forks[*table as usize];
                table.end != 3 && !table.bytes.contains(&3)
            }
            Op::Push(_)
            | Op::Greedy { .. }
            | Op::Lazy { .. }
            | Op::CountFork { .. }
            | Op::Call(_)
            | Op::AtomicStart
            | Op::LookStart
            | Op::NegativeStart(_) => false,
            _ => true,
        })
    }

    fn look(&mut self, look: Look, body: &Node) -> Result<(), Error> {
        if let Some(set) = crate::compile::tables::single(body) {
            let set = self.set(&set);
            let negative = look.negative;
            return self
                .op(if look.behind { Op::Behind { set, negative } } else { Op::Ahead { set, negative } })
                .map(drop);
        }
        self.memo()?;
        self.forgetful += 1;
        self.undone += 1;
        let branches = match body {
            Node::Alternate(nodes) if look.behind => nodes.as_slice(),
            other => std::slice::from_ref(other),
        };
        let start = self.op(if look.negative { Op::NegativeStart(0) } else { Op::LookStart })?;
        let mut jumps = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            let push = if index + 1 < branches.len() { Some(self.op(Op::Push(0))?) } else { None };
            if look.behind {
                let Some(length) = fixed_length(branch) else {
                    return Err(Error::new(0, "a look-behind needs alternatives of fixed length"));
                };
                self.op(Op::Back(length))?;
            }
            self.emit(branch, Follow::ALWAYS)?;
            if let Some(push) = push {
                jumps.push(self.op(Op::Jump(0))?);
                self.program.ops[push as usize] = Op::Push(self.here());
            }
        }
        self.land(&jumps);
        self.op(if look.negative { Op::NegativeEnd } else { Op::LookEnd })?;
        if look.negative {
            self.program.ops[start as usize] = Op::NegativeStart(self.here());
        }
        self.undone -= 1;
        self.forgetful -= 1;
        Ok(())
    }

    /// Makes jumps end here.
    fn land(&mut self, jumps: &[u32]) {
        let here = self.here();
        for &jump in jumps {
            self.program.ops[jump as usize] = Op::Jump(here);
        }
    }

    fn condition(&mut self, groups: &[u32], yes: &Node, no: &Node, follow: Follow) -> Result<(), Error> {
        let groups = self.group_list(groups);
        let test = self.op(Op::IfSet { groups, otherwise: 0 })?;
        self.emit(yes, follow)?;
        let jump = self.op(Op::Jump(0))?;
        self.program.ops[test as usize] = Op::IfSet { groups, otherwise: self.here() };
        self.emit(no, follow)?;
        self.land(&[jump]);
        Ok(())
    }

    fn emit_routines(&mut self, node: &Node, called: &[u32]) -> Result<(), Error> {
        for &group in called {
            self.routines.insert(group, self.here());
            if group == 0 {
                self.emit(node, Follow::UNKNOWN)?;
            } else if let Some(body) = find_group(node, group) {
                self.emit(body, Follow::UNKNOWN)?;
            }
            self.op(Op::Return)?;
        }
        Ok(())
    }
}

/// Whether what follows a negative look-ahead cannot start with what the look-ahead forbids.
fn is_ruled_out(body: &Node, follow: Follow) -> bool {
    let head = before(body, Follow::UNKNOWN);
    min_length(body) > 0 && head.bytes.intersect(follow.bytes).is_empty()
}

/// The least and the greatest number of the groups in a node.
fn groups_in(nodes: &[Node]) -> Option<(u32, u32)> {
    let join = |a: Option<(u32, u32)>, b: Option<(u32, u32)>| match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    };
    nodes.iter().fold(None, |all, node| {
        let own = match node {
            Node::Capture(group, _) => Some((*group, *group)),
            _ => None,
        };
        join(all, join(own, groups_in(node.children())))
    })
}

fn called_groups(node: &Node) -> Vec<u32> {
    fn collect(node: &Node, found: &mut Vec<u32>) {
        match node {
            Node::Call(group) if !found.contains(group) => found.push(*group),
            Node::Condition(_, yes, no) => {
                collect(yes, found);
                collect(no, found);
            }
            other => other.children().iter().for_each(|child| collect(child, found)),
        }
    }
    let mut found = Vec::new();
    collect(node, &mut found);
    found
}

fn find_group(node: &Node, group: u32) -> Option<&Node> {
    match node {
        Node::Capture(index, _) if *index == group => Some(node),
        Node::Condition(_, yes, no) => find_group(yes, group).or_else(|| find_group(no, group)),
        other => other.children().iter().find_map(|child| find_group(child, group)),
    }
}

/// Whether a repetition is of the kind that runs over single characters.
fn is_run(body: &Node, by: Repeat) -> Option<(CharSet, Repeat)> {
    tables::single(body).map(|set| (set, by))
}
