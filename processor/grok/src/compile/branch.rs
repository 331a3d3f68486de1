//! Alternatives.

use std::collections::HashMap;

use super::Compiler;
use crate::analysis::{Follow, before};
use crate::ast::Node;
use crate::error::Error;
use crate::program::{Op, SwitchTable};

impl Compiler {
    pub(super) fn alternate(&mut self, nodes: &[Node], follow: Follow) -> Result<(), Error> {
        if let [first, second] = nodes {
            return self.either(first, second, follow);
        }
        let heads: Vec<Follow> = nodes.iter().map(|node| before(node, follow)).collect();
        match Dispatch::of(&heads) {
            Some(dispatch) => self.switch(nodes, follow, dispatch),
            None => self.in_order(nodes, follow),
        }
    }

    fn either(&mut self, first: &Node, second: &Node, follow: Follow) -> Result<(), Error> {
        self.memo()?;
        let table = self.fork(before(first, follow), before(second, follow));
        let fork = self.op(Op::Fork { table, other: 0, lazy: false })?;
        self.clear(std::slice::from_ref(second))?;
        self.emit(first, follow)?;
        let jump = self.op(Op::Jump(0))?;
        self.program.ops[fork as usize] = Op::Fork { table, other: self.here(), lazy: false };
        self.clear(std::slice::from_ref(first))?;
        self.emit(second, follow)?;
        self.land(&[jump]);
        Ok(())
    }

    /// One after the other, without a look at what comes.
    fn in_order(&mut self, nodes: &[Node], follow: Follow) -> Result<(), Error> {
        let mut jumps = Vec::new();
        self.memo()?;
        for (index, node) in nodes.iter().enumerate() {
            if index + 1 == nodes.len() {
                self.clear_others(nodes, index)?;
                self.emit(node, follow)?;
                break;
            }
            let push = self.op(Op::Push(0))?;
            self.clear_others(nodes, index)?;
            self.emit(node, follow)?;
            jumps.push(self.op(Op::Jump(0))?);
            self.program.ops[push as usize] = Op::Push(self.here());
        }
        self.land(&jumps);
        Ok(())
    }

    /// Empties the groups of the branches but one.
    fn clear_others(&mut self, nodes: &[Node], branch: usize) -> Result<(), Error> {
        self.clear(&nodes[..branch])?;
        self.clear(&nodes[branch + 1..])
    }

    fn switch(&mut self, nodes: &[Node], follow: Follow, dispatch: Dispatch) -> Result<(), Error> {
        self.memo()?;
        let index = self.program.switches.len() as u32;
        // Its place is taken now: the branches may hold switches of their own.
        self.program.switches.push(SwitchTable { bytes: dispatch.bytes, end: dispatch.end, targets: Vec::new() });
        self.op(Op::Switch(index))?;
        let mut starts = Vec::with_capacity(nodes.len());
        let mut jumps = Vec::new();
        for node in nodes {
            starts.push(self.here());
            self.clear_others(nodes, starts.len() - 1)?;
            self.emit(node, follow)?;
            jumps.push(self.op(Op::Jump(0))?);
        }
        let mut targets = Vec::with_capacity(dispatch.lists.len());
        for list in &dispatch.lists {
            targets.push(match list[..] {
                [] => self.op(Op::Fail)?,
                [only] => starts[only],
                [..] => {
                    let chain = self.here();
                    // Pushed last to first, so that the second is the next way back.
                    for &branch in list[1..].iter().rev() {
                        self.op(Op::Push(starts[branch]))?;
                    }
                    self.op(Op::Jump(starts[list[0]]))?;
                    chain
                }
            });
        }
        self.program.switches[index as usize].targets = targets;
        self.land(&jumps);
        Ok(())
    }
}

/// Which branches can match, by the next byte.
struct Dispatch {
    bytes: [u8; 256],
    end: u8,
    lists: Vec<Vec<usize>>,
}

impl Dispatch {
    /// `None` when there would be too many different lists.
    fn of(heads: &[Follow]) -> Option<Dispatch> {
        let mut known: HashMap<Vec<usize>, u8> = HashMap::new();
        let mut lists: Vec<Vec<usize>> = Vec::new();
        let mut number = |list: Vec<usize>| -> Option<u8> {
            if let Some(&number) = known.get(&list) {
                return Some(number);
            }
            let number = u8::try_from(lists.len()).ok()?;
            lists.push(list.clone());
            known.insert(list, number);
            Some(number)
        };
        let mut bytes = [0; 256];
        for (byte, entry) in bytes.iter_mut().enumerate() {
            let able = |&branch: &usize| heads[branch].bytes.contains(byte as u8);
            *entry = number((0..heads.len()).filter(able).collect())?;
        }
        let end = number((0..heads.len()).filter(|&branch| heads[branch].end).collect())?;
        let pushes: usize = lists.iter().map(Vec::len).sum();
        (pushes <= heads.len() * 8 + 64).then_some(Dispatch { bytes, end, lists })
    }
}
