//! The tables of a program: sets, forks, what comes next.

use super::Compiler;
use crate::analysis::Follow;
use crate::ast::Node;
use crate::bytes::ByteSet;
use crate::charset::{CharSet, INVALID};
use crate::needle::Needle;
use crate::program::{Beyond, ForkTable, Next, SetTable};
use crate::run::{ByteRun, Stops};

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
        };
        self.program.nexts.push(next);
        self.program.nexts.len() as u32 - 1
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
