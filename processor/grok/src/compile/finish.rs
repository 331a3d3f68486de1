//! The last steps: what leads nowhere is taken out, and what remains gets its places.

use super::Compiler;
use crate::error::Error;
use crate::program::{Beyond, Op, Program};
use crate::vm::NONE;

impl Compiler {
    /// Makes what leads to a jump lead to where that ends.
    fn shorten_jumps(&mut self) {
        let ops = &self.program.ops;
        let end_of = |from: u32| {
            let mut at = from;
            loop {
                while ops.get(at as usize) == Some(&Op::Nop) {
                    at += 1;
                }
                match ops.get(at as usize) {
                    // Only onwards: a loop's own jump back is no part of what is in it.
                    Some(Op::Jump(to)) if *to > at => at = *to,
                    _ => break,
                }
            }
            at
        };
        let shortened: Vec<Option<u32>> =
            ops.iter().map(|op| if let Op::Jump(to) = op { Some(end_of(*to)) } else { None }).collect();
        for (op, to) in self.program.ops.iter_mut().zip(shortened) {
            if let (Op::Jump(target), Some(to)) = (op, to) {
                *target = to;
            }
        }
    }

    /// Gives the commonest kinds of runs operations of their own.
    fn specialise_runs(&mut self) {
        let sets = &self.program.sets;
        let whole = |set: u32, min: u32, max: u32| max == NONE && min <= 1 && sets[set as usize].run.is_some();
        for op in &mut self.program.ops {
            *op = match *op {
                Op::Span { set, min, max } if whole(set, min, max) => Op::Run { set, min },
                Op::SaveSpan { set, min, max, register } if whole(set, min, max) => Op::SaveRun { set, min, register },
                Op::Span { set, min: 0, max: 1 } if sets[set as usize].beyond == Beyond::None => Op::Maybe(set),
                other => other,
            };
        }
    }

    /// Takes out what does nothing, joins texts and sets the calls' targets.
    pub(super) fn finish(mut self) -> Result<Program, Error> {
        for op in &mut self.program.ops {
            if let Op::Call(group) = op {
                *op = Op::Call(self.routines.get(group).copied().unwrap_or_default());
            }
        }
        self.shorten_jumps();
        self.specialise_runs();
        let mut places = Vec::with_capacity(self.program.ops.len() + 1);
        let mut count = 0;
        for op in &self.program.ops {
            places.push(count);
            count += u32::from(*op != Op::Nop);
        }
        places.push(count);
        self.program.ops.retain(|op| *op != Op::Nop);
        for op in &mut self.program.ops {
            if let Some(target) = targets(op) {
                *target = places[*target as usize];
            }
        }
        for token in &mut self.program.tokens {
            token.first = places[token.first as usize];
            token.end = places[token.end as usize];
        }
        for switch in &mut self.program.switches {
            for target in &mut switch.targets {
                *target = places[*target as usize];
            }
        }
        Ok(self.program)
    }
}

/// The places that an operation can go on at besides the next.
fn targets(op: &mut Op) -> Option<&mut u32> {
    match op {
        Op::Jump(target)
        | Op::Push(target)
        | Op::Call(target)
        | Op::NegativeStart(target)
        | Op::Fork { other: target, .. }
        | Op::IfSet { otherwise: target, .. }
        | Op::RoundEnd { exit: target, .. }
        | Op::CountFork { exit: target, .. } => Some(target),
        _ => None,
    }
}
