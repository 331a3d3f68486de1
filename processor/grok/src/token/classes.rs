//! Which bytes an automaton need not tell apart.

use std::collections::HashMap;

use crate::program::{Op, Program};
use crate::token::Token;

/// The classes of bytes of a token.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) of: [u8; 256],
    /// A byte of every class.
    pub(super) samples: Vec<u8>,
    /// For every class (and the edge of the text, last) the first that looks the same from
    /// behind, to `\b` and look-behinds.
    pub(super) seen_behind: Vec<u8>,
}

impl Classes {
    /// `None` when there are too many.
    pub(super) fn of(program: &Program, token: &Token) -> Option<Classes> {
        let mut texts = [false; 256];
        let (mut sets, mut behind, mut switches) = (Vec::new(), Vec::new(), Vec::new());
        for op in &program.ops[token.first as usize..token.end as usize] {
            match *op {
                Op::Byte(byte) => texts[usize::from(byte)] = true,
                Op::Literal { start, len } => {
                    let bytes = &program.literals[start as usize..(start + len) as usize];
                    bytes.iter().for_each(|&byte| texts[usize::from(byte)] = true);
                }
                Op::Set(set)
                | Op::Span { set, .. }
                | Op::Run { set, .. }
                | Op::Maybe(set)
                | Op::Greedy { set, .. }
                | Op::Lazy { set, .. }
                | Op::Ahead { set, .. } => sets.push(set),
                Op::Behind { set, .. } => {
                    sets.push(set);
                    behind.push(set);
                }
                Op::Switch(table) => switches.push(&program.switches[table as usize].bytes),
                _ => {}
            }
        }
        sets.sort_unstable();
        sets.dedup();
        behind.sort_unstable();
        behind.dedup();
        let fixed = |byte: u8| -> Vec<u64> {
            let word = byte.is_ascii_alphanumeric() || byte == b'_';
            let bits = u64::from(word) | u64::from(byte == b'\n') << 1 | u64::from(byte >= 0x80) << 2;
            vec![bits]
        };
        let has = |of: &[u32], byte: u8, into: &mut Vec<u64>| {
            for chunk in of.chunks(64) {
                let bit =
                    |(at, &set): (usize, &u32)| u64::from(program.sets[set as usize].bytes[usize::from(byte)]) << at;
                into.push(chunk.iter().enumerate().map(bit).fold(0, |all, bit| all | bit));
            }
        };
        let mut classes = Classes { of: [0; 256], samples: Vec::new(), seen_behind: Vec::new() };
        let (mut known, mut known_behind) = (HashMap::new(), HashMap::new());
        for byte in 0..=255u8 {
            let mut signature = fixed(byte);
            signature[0] |= u64::from(token.follow.contains(byte)) << 3;
            signature[0] |= if texts[usize::from(byte)] { 1 << 4 | u64::from(byte) << 8 } else { 0 };
            has(&sets, byte, &mut signature);
            signature.extend(switches.iter().map(|targets| u64::from(targets[usize::from(byte)])));
            let next = classes.samples.len();
            let class = *known.entry(signature).or_insert(next);
            if class == next {
                classes.samples.push(byte);
                let mut signature = fixed(byte);
                has(&behind, byte, &mut signature);
                classes.seen_behind.push(*known_behind.entry(signature).or_insert(class as u8));
            }
            classes.of[usize::from(byte)] = u8::try_from(class).ok()?;
        }
        let edge = u8::try_from(classes.samples.len()).ok().filter(|edge| *edge < 120)?;
        classes.seen_behind.push(edge);
        Some(classes)
    }

    /// The class of the edge of the text.
    pub(super) fn edge(&self) -> u8 {
        self.samples.len() as u8
    }
}
