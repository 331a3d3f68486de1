//! The loop over the operations.

use super::{Frame, Machine, NONE, Repeat, check};
use crate::budget::{Halt, Meter};
use crate::program::{Op, SetTable};
use crate::token::Verdict;

/// Where an operation leads.
enum Step {
    /// To the next operation, at this place.
    To(usize),
    /// To another operation at the same place.
    Jump(u32),
    Back,
}

impl Machine<'_> {
    /// Runs the program from its start at the place.
    pub(super) fn execute(&mut self, at: usize, meter: &mut Meter) -> Result<bool, Halt> {
        let program = self.program;
        let text = self.text;
        let (mut op, mut pos) = (0u32, at);
        loop {
            let next = match program.ops[op as usize] {
                Op::Byte(byte) => {
                    if text.get(pos) == Some(&byte) {
                        Some(pos + 1)
                    } else {
                        None
                    }
                }
                Op::Literal { start, len } => {
                    let (start, len) = (start as usize, len as usize);
                    let literal = &program.literals[start..start + len];
                    match text.get(pos..pos + len) {
                        Some(found) if found == literal => Some(pos + len),
                        _ => None,
                    }
                }
                Op::Set(set) => check::one(&program.sets[set as usize], text, pos),
                Op::Span { set, min, max } => {
                    let end = check::run(&program.sets[set as usize], text, pos, min, max);
                    meter.spent += (end.unwrap_or(pos) - pos) as u64 >> 4;
                    end
                }
                Op::Run { set, min } => {
                    let end = run(&program.sets[set as usize], text, pos, min);
                    meter.spent += (end.unwrap_or(pos) - pos) as u64 >> 4;
                    end
                }
                Op::Maybe(set) => Some(pos + usize::from(is_next(&program.sets[set as usize], text, pos))),
                Op::SaveRun { set, min, register } => {
                    let end = run(&program.sets[set as usize], text, pos, min);
                    if let Some(end) = end {
                        meter.spent += (end - pos) as u64 >> 4;
                        self.capture(register, pos, end);
                    }
                    end
                }
                Op::Fork { table, other, lazy } => {
                    let table = &program.forks[table as usize];
                    let side = match text.get(pos) {
                        Some(&byte) => table.bytes[usize::from(byte)],
                        None => table.end,
                    };
                    match side {
                        1 => Some(pos),
                        2 => {
                            meter.spent += 1;
                            op = other;
                            continue;
                        }
                        3 => {
                            meter.spent += 1;
                            let (first, second) = if lazy { (other, op + 1) } else { (op + 1, other) };
                            self.push(Frame::Branch { op: second, pos: pos as u32 })?;
                            op = first;
                            continue;
                        }
                        _ => None,
                    }
                }
                Op::Switch(table) => {
                    let table = &program.switches[table as usize];
                    let target = match text.get(pos) {
                        Some(&byte) => table.bytes[usize::from(byte)],
                        None => table.end,
                    };
                    op = table.targets[usize::from(target)];
                    continue;
                }
                Op::Jump(target) => {
                    meter.spent += 1;
                    op = target;
                    continue;
                }
                Op::Save(register) => {
                    self.scratch.registers[register as usize] = pos as u32;
                    Some(pos)
                }
                Op::Token(token) => {
                    let token = &program.tokens[token as usize];
                    match token.decide(program, text, pos) {
                        Verdict::Ends(end) => {
                            meter.spent += (end - pos) as u64 >> 4;
                            pos = end;
                            op = token.end;
                            continue;
                        }
                        Verdict::Fails(at) => {
                            meter.spent += (at - pos) as u64 >> 4;
                            None
                        }
                        Verdict::Unknown => Some(pos),
                    }
                }
                Op::SaveToken { token, register } => {
                    let token = &program.tokens[token as usize];
                    match token.decide(program, text, pos) {
                        Verdict::Ends(end) => {
                            meter.spent += (end - pos) as u64 >> 4;
                            self.capture(register, pos, end);
                            pos = end;
                            // Past the `Save` at its end.
                            op = token.end + 1;
                            continue;
                        }
                        Verdict::Fails(at) => {
                            meter.spent += (at - pos) as u64 >> 4;
                            None
                        }
                        Verdict::Unknown => Some(pos),
                    }
                }
                Op::SaveSpan { set, min, max, register } => {
                    let end = check::run(&program.sets[set as usize], text, pos, min, max);
                    if let Some(end) = end {
                        meter.spent += (end - pos) as u64 >> 4;
                        self.capture(register, pos, end);
                    }
                    end
                }
                code @ Op::Lazy { min, max, .. } => {
                    let run = Repeat::new(program, code, text, &mut self.scratch.onces);
                    match run.and_then(|mut run| run.lazy(pos, min, max, &mut meter.spent)) {
                        Some(end) => {
                            self.push_rest(op, end)?;
                            Some(end.0)
                        }
                        None => None,
                    }
                }
                Op::Once(place) => {
                    let last = &mut self.scratch.onces[place as usize];
                    let new = *last != pos as u32;
                    *last = pos as u32;
                    new.then_some(pos)
                }
                Op::Clear { from, to } => {
                    self.scratch.registers[from as usize..to as usize].fill(NONE);
                    Some(pos)
                }
                Op::Push(other) => {
                    self.push(Frame::Branch { op: other, pos: pos as u32 })?;
                    Some(pos)
                }
                code @ Op::Greedy { min, max, .. } => {
                    let run = Repeat::new(program, code, text, &mut self.scratch.onces);
                    match run.and_then(|mut run| run.greedy(pos, min, max, &mut meter.spent)) {
                        Some(end) => {
                            self.push_rest(op, end)?;
                            Some(end.0)
                        }
                        None => None,
                    }
                }
                code @ (Op::Assert(_) | Op::Behind { .. } | Op::Ahead { .. }) => {
                    check::single(program, code, text, pos, self.search_start)
                }
                Op::Match => {
                    self.scratch.registers[1] = pos as u32;
                    return Ok(true);
                }
                other => match self.rare(other, op, pos)? {
                    Step::To(pos) => Some(pos),
                    Step::Jump(target) => {
                        op = target;
                        continue;
                    }
                    Step::Back => None,
                },
            };
            if let Some(next) = next {
                pos = next;
                op += 1;
                continue;
            }
            meter.spent += 1;
            if meter.spent >= meter.pause {
                meter.check()?;
            }
            match self.back() {
                Some(way) => (op, pos) = way,
                None => return Ok(false),
            }
        }
    }

    #[inline]
    fn capture(&mut self, register: u32, start: usize, end: usize) {
        if let Some([first, second]) = self.scratch.registers.get_mut(register as usize..register as usize + 2) {
            (*first, *second) = (start as u32, end as u32);
        }
    }

    /// The operations that are less often on the path.
    fn rare(&mut self, code: Op, op: u32, pos: usize) -> Result<Step, Halt> {
        let text = self.text;
        let program = self.program;
        let to = |place: Option<usize>| place.map_or(Step::Back, Step::To);
        Ok(match code {
            Op::SaveUndo(register) => {
                self.set_register(register, pos as u32);
                Step::To(pos)
            }
            Op::AtomicStart => {
                self.push(Frame::Atomic)?;
                Step::To(pos)
            }
            Op::AtomicEnd => {
                self.cut(|frame| *frame == Frame::Atomic);
                Step::To(pos)
            }
            Op::LookStart => {
                self.push(Frame::Look { pos: pos as u32 })?;
                Step::To(pos)
            }
            Op::LookEnd => match self.cut(|frame| matches!(frame, Frame::Look { .. })) {
                Some(Frame::Look { pos }) => Step::To(pos as usize),
                _ => Step::Back,
            },
            Op::NegativeStart(other) => {
                self.push(Frame::Negative { op: other, pos: pos as u32 })?;
                Step::To(pos)
            }
            Op::NegativeEnd => {
                self.abandon_negative();
                Step::Back
            }
            Op::Back(_) => to(check::single(program, code, text, pos, self.search_start)),
            Op::Backref { groups, ignore_case } => to(self.backref(groups, pos, ignore_case)),
            Op::IfSet { groups, otherwise } => {
                let set = |&group: &u32| self.scratch.registers[group as usize * 2 + 1] != NONE;
                if program.groups[groups as usize].iter().any(set) { Step::To(pos) } else { Step::Jump(otherwise) }
            }
            Op::Call(target) => self.call(target, op + 1)?.map_or(Step::Back, Step::Jump),
            Op::Return => self.return_from_call()?.map_or(Step::Back, Step::Jump),
            Op::RoundStart(register) => {
                self.set_register(register, pos as u32);
                Step::To(pos)
            }
            Op::RoundEnd { register, exit } => {
                if self.scratch.registers[register as usize] == pos as u32 {
                    Step::Jump(exit)
                } else {
                    Step::To(pos)
                }
            }
            Op::CountStart(counter) => {
                self.set_register(counter, 0);
                Step::To(pos)
            }
            Op::CountRound(counter) => {
                let rounds = self.scratch.registers[counter as usize];
                self.set_register(counter, rounds + 1);
                Step::To(pos)
            }
            Op::CountFork { .. } => self.count_fork(code, op, pos)?,
            Op::Keep => {
                self.set_register(0, pos as u32);
                Step::To(pos)
            }
            Op::Grapheme => to(check::grapheme(text, pos)),
            Op::Memo(memo) => {
                if self.first_visit(memo, pos) {
                    Step::To(pos)
                } else {
                    Step::Back
                }
            }
            Op::MemoFailed(memo) => {
                if self.may_succeed(memo, pos)? {
                    Step::To(pos)
                } else {
                    Step::Back
                }
            }
            Op::Nop => Step::To(pos),
            _ => Step::Back,
        })
    }

    fn count_fork(&mut self, code: Op, op: u32, pos: usize) -> Result<Step, Halt> {
        let Op::CountFork { counter, limits, table, exit, lazy } = code else {
            return Ok(Step::Back);
        };
        let (min, max) = self.program.limits[limits as usize];
        let rounds = self.scratch.registers[counter as usize];
        if rounds < min {
            return Ok(Step::To(pos));
        }
        if rounds >= max {
            return Ok(Step::Jump(exit));
        }
        let table = &self.program.forks[table as usize];
        let side = match self.text.get(pos) {
            Some(&byte) => table.bytes[usize::from(byte)],
            None => table.end,
        };
        Ok(match side {
            1 => Step::To(pos),
            2 => Step::Jump(exit),
            3 => {
                let (first, second) = if lazy { (exit, op + 1) } else { (op + 1, exit) };
                self.push(Frame::Branch { op: second, pos: pos as u32 })?;
                Step::Jump(first)
            }
            _ => Step::Back,
        })
    }

    fn backref(&self, groups: u32, pos: usize, ignore_case: bool) -> Option<usize> {
        for &group in self.program.groups[groups as usize].iter().rev() {
            let start = self.scratch.registers[group as usize * 2];
            let end = self.scratch.registers[group as usize * 2 + 1];
            if start == NONE || end == NONE || end < start {
                continue;
            }
            let captured = &self.text[start as usize..end as usize];
            if let Some(pos) = check::again(self.text, captured, pos, ignore_case) {
                return Some(pos);
            }
        }
        None
    }
}

/// The end of a run of characters that need not be told apart.
#[inline(always)]
fn run(set: &SetTable, text: &[u8], pos: usize, min: u32) -> Option<usize> {
    let end = set.run.as_ref()?.end(text, pos);
    (min == 0 || end > pos).then_some(end)
}

/// Whether the next byte is of a set without characters past ASCII.
#[inline]
fn is_next(set: &SetTable, text: &[u8], pos: usize) -> bool {
    text.get(pos).is_some_and(|&byte| set.bytes[usize::from(byte)])
}
