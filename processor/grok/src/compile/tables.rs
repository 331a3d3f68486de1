//! The tables of a program: sets, forks, what comes next.

use super::Compiler;
use crate::analysis::Follow;
use crate::ast::Node;
use crate::bytes::ByteSet;
use crate::charset::{CharSet, INVALID};
use crate::needle::Needle;
use crate::program::{Beyond, ForkTable, Next, Op, SetTable};
use crate::run::{ByteRun, Stops};
use crate::vm::NONE;

/// The set of a node that matches one character.
pub(super) fn single(node: &Node) -> Option<CharSet> {
    match node {
        Node::Char(c) => Some(CharSet::single(*c)),
        Node::Set(set) => Some(set.clone()),
        _ => None,
    }
}

impl Compiler {
    /// The number of a set's table.
    pub(super) fn set(&mut self, set: &CharSet) -> u32 {
        if let Some(&index) = self.sets.get(set) {
            return index;
        }
        let index = self.program.sets.len() as u32;
        self.program.sets.push(set_table(set));
        self.sets.insert(set.clone(), index);
        index
    }

    pub(super) fn next(&mut self, follow: Follow) -> u32 {
        let next = Next {
            bytes: std::array::from_fn(|byte| follow.bytes.contains(byte as u8)),
            end: follow.end,
            text: Some(follow.head.as_bytes()).filter(|text| text.len() > 1).and_then(Needle::new),
            find: Stops::of(follow.bytes.iter()).filter(|stops| *stops != Stops::Never),
            tried: NONE,
        };
        self.program.nexts.push(next);
        self.program.nexts.len() as u32 - 1
    }

    /// Lets a run of all characters, if that is what the operations from `start` on are, note which ends it has tried.
    /// That is right where nothing around it repeats it or forgets ways back: it is come to again only when all
    /// that followed from the last time has failed.
    pub(super) fn note_tried(&mut self, start: u32) {
        let ops = self.program.ops[start as usize..].iter();
        let mut ops = ops.filter(|op| !matches!(op, Op::Nop | Op::Save(_)));
        if let (Some(&(Op::Greedy { set, max: NONE, next, .. } | Op::Lazy { set, max: NONE, next, .. })), None) =
            (ops.next(), ops.next())
            && self.program.sets[set as usize].run.as_ref().is_some_and(ByteRun::is_all)
        {
            self.program.nexts[next as usize].tried = self.program.onces as u32;
            self.program.onces += 2;
        }
    }

    /// The table for a choice between two ways.
    pub(super) fn fork(&mut self, here: Follow, other: Follow) -> u32 {
        let side = |here: bool, other: bool| u8::from(here) | u8::from(other) << 1;
        let table = ForkTable {
            bytes: std::array::from_fn(|byte| side(here.bytes.contains(byte as u8), other.bytes.contains(byte as u8))),
            end: side(here.end, other.end),
        };
        let count = self.program.forks.len() as u32;
        let index = *self.forks.entry(table.clone()).or_insert(count);
        if index == count {
            self.program.forks.push(table);
        }
        index
    }
}

fn set_table(set: &CharSet) -> SetTable {
    let past_ascii = CharSet::new(&[(0x80, INVALID)]);
    let beyond = match set.intersect(&past_ascii) {
        part if part.is_empty() => Beyond::None,
        part if part == past_ascii => Beyond::All,
        _ => Beyond::Some,
    };
    let leads = ByteSet::leads(set);
    let bytes = std::array::from_fn(|byte| leads.contains(byte as u8));
    SetTable { bytes, beyond, run: (beyond != Beyond::Some).then(|| ByteRun::new(bytes)), chars: set.clone() }
}
