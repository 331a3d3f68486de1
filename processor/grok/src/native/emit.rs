//! Code for the operations of a program.
//!
//! The registers: `rbx` the place, `r12` the text, `r13` its length, `rbp` the registers of the program, `r14` the end of
//! the ways back, `r15` the [`Context`](super::call::Context). The others hold nothing from one operation to the next.

use std::collections::HashMap;

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, VecAssembler, dynasm};

use super::call::{self, field};
use crate::program::{Op, Program};
use crate::run::ByteRun;
use crate::search::FirstBytes;
use crate::vm::NONE;

/// The code of a program that matches only where `starts` says so, and how many marks it uses; nothing when it has an
/// operation that there is no code for.
pub(super) fn code(program: &Program, starts: &FirstBytes) -> Option<(Vec<u8>, usize)> {
    let mut emitter = Emitter::new(program);
    emitter.prologue();
    emitter.search(starts);
    let mut at = 0;
    while at < program.ops.len() {
        if emitter.asm.offset().0 > MAX_CODE {
            return None;
        }
        let label = emitter.ops[at];
        dynasm!(emitter.asm; =>label);
        at = emitter.op(at as u32)? as usize;
    }
    emitter.epilogue();
    emitter.pool();
    let marks = emitter.marks;
    Some((emitter.asm.finalize().ok()?, marks))
}

/// More code than so many bytes is not worth its memory.
const MAX_CODE: usize = 4 << 20;
/// So many bytes of groups are emptied without a loop.
const MAX_UNROLLED: i32 = 512;

/// What is emitted after the operations, as it is rarely run.
pub(super) enum Cold {
    /// A jump back, which takes fuel.
    Back(DynamicLabel),
    /// An operation by its function; then on with the next.
    Step(u32),
    /// To the next character, which is one past ASCII, and on from there.
    NextCharacter(DynamicLabel),
}

pub(super) struct Emitter<'p> {
    pub(super) asm: VecAssembler<X64Relocation>,
    pub(super) program: &'p Program,
    pub(super) ops: Vec<DynamicLabel>,
    pub(super) fail: DynamicLabel,
    leave: DynamicLabel,
    pub(super) no_room: DynamicLabel,
    no_match: DynamicLabel,
    pub(super) slow: DynamicLabel,
    pub(super) restore: DynamicLabel,
    cold: Vec<(DynamicLabel, Cold)>,
    constants: HashMap<Vec<u8>, DynamicLabel>,
    /// The marks of the atomic groups and look-arounds around the current operation.
    pub(super) open: Vec<usize>,
    pub(super) marks: usize,
    /// Whether ways back may undo registers.
    pub(super) undoes: bool,
    /// Up to where the operations stand that decide what an automaton does not.
    pub(super) undecided: u32,
}

impl<'p> Emitter<'p> {
    fn new(program: &'p Program) -> Self {
        let mut asm = VecAssembler::new(0);
        let ops = (0..=program.ops.len()).map(|_| asm.new_dynamic_label()).collect();
        let mut label = || asm.new_dynamic_label();
        let (fail, leave, no_room, no_match) = (label(), label(), label(), label());
        let (slow, restore) = (label(), label());
        let undoes = |op: &Op| {
            use Op::{CountRound, CountStart, Keep, RoundStart, SaveUndo};
            matches!(op, SaveUndo(_) | RoundStart(_) | CountStart(_) | CountRound(_) | Keep)
        };
        Emitter {
            asm,
            program,
            ops,
            fail,
            leave,
            no_room,
            no_match,
            slow,
            restore,
            cold: Vec::new(),
            constants: HashMap::new(),
            open: Vec::new(),
            marks: 0,
            undoes: program.ops.iter().any(undoes),
            undecided: 0,
        }
    }

    pub(super) fn label(&mut self) -> DynamicLabel {
        self.asm.new_dynamic_label()
    }

    /// A constant that stands after the code, at a place that is a multiple of sixteen.
    pub(super) fn constant(&mut self, bytes: Vec<u8>) -> DynamicLabel {
        let asm = &mut self.asm;
        *self.constants.entry(bytes).or_insert_with(|| asm.new_dynamic_label())
    }

    fn prologue(&mut self) {
        dynasm!(self.asm
            ; push rbx
            ; push rbp
            ; push r12
            ; push r13
            ; push r14
            ; push r15
            ; sub rsp, 8
            ; mov r15, rdi
            ; mov rbx, rsi
            ; mov rbp, [r15 + field::REGISTERS]
            ; mov r12, [r15 + field::TEXT]
            ; mov r13, [r15 + field::LENGTH]
            ; mov r14, [r15 + field::WAYS]
            ; mov [r15 + field::LAST], rdx
        );
    }

    /// Goes from place to place.
    fn search(&mut self, starts: &FirstBytes) {
        let (attempt, advance, long) = (self.label(), self.label(), self.label());
        let (search, skip) = (self.label(), self.label());
        let at_end = if starts.at_end { attempt } else { self.no_match };
        dynasm!(self.asm; jmp =>search);
        dynasm!(self.asm; =>skip);
        self.skip(&ByteRun::new(starts.bytes.map(|first| !first)));
        dynasm!(self.asm
            ; jmp =>search
            // The place led to nothing: on to the next character.
            ; =>advance
            ; dec QWORD [r15 + field::FUEL]
            ; js =>self.slow
            ; mov rbx, [r15 + field::PLACE]
            ; cmp rbx, r13
            ; jae =>self.no_match
            ; cmp BYTE [r12 + rbx], 0
            ; jl =>long
            ; inc rbx
            ; =>search
            ; cmp rbx, [r15 + field::LAST]
            ; ja =>self.no_match
        );
        self.next_byte(at_end);
        self.decide(&starts.bytes.map(|first| if first { attempt } else { skip }), Some(attempt));
        dynasm!(self.asm
            ; =>attempt
            ; mov [r15 + field::PLACE], rbx
            ; mov r14, [r15 + field::WAYS]
            // The last way back.
            ; lea rax, [=>advance]
            ; mov [r14], rax
            ; add r14, 16
        );
        self.empty_groups();
        self.save(0);
        self.cold.push((long, Cold::NextCharacter(search)));
    }

    /// Empties the registers that hold groups.
    fn empty_groups(&mut self) {
        let bytes = self.program.slots as i32 * 4;
        dynasm!(self.asm; pcmpeqd xmm0, xmm0);
        if bytes <= MAX_UNROLLED {
            (0..bytes / 16).for_each(|at| dynasm!(self.asm; movdqu [rbp + at * 16], xmm0));
        } else {
            let again = self.label();
            dynasm!(self.asm
                ; mov rax, rbp
                ; lea rcx, [rbp + bytes - 16]
                ; =>again
                ; movdqu [rax], xmm0
                ; add rax, 16
                ; cmp rax, rcx
                ; jbe =>again
            );
        }
        // Two registers for each group: there may be two left.
        dynasm!(self.asm; movq [rbp + bytes - 8], xmm0);
    }

    fn epilogue(&mut self) {
        let pop = self.label();
        while let Some((label, cold)) = self.cold.pop() {
            dynasm!(self.asm; =>label);
            match cold {
                Cold::Back(to) => dynasm!(self.asm; dec QWORD [r15 + field::FUEL]; js =>self.slow; jmp =>to),
                Cold::Step(op) => {
                    self.step(op);
                    dynasm!(self.asm; jmp =>self.ops[op as usize + 1]);
                }
                Cold::NextCharacter(then) => dynasm!(self.asm
                    ; mov rdi, r15
                    ; mov rsi, rbx
                    ; mov rax, QWORD call::next_character as *const () as i64
                    ; call rax
                    ; mov rbx, rax
                    ; jmp =>then
                ),
            }
        }
        dynasm!(self.asm
            ; =>self.ops[self.program.ops.len()]
            ; =>self.fail
            ; dec QWORD [r15 + field::FUEL]
            ; js =>self.slow
            ; =>pop
            ; sub r14, 16
            ; mov ebx, [r14 + 8]
            ; jmp QWORD [r14]
            // Undoes a register.
            ; =>self.restore
            ; mov ecx, [r14 + 12]
            ; mov [rbp + rbx * 4], ecx
            ; jmp =>pop
            ; =>self.no_match
            ; mov eax, call::NO_MATCH
            ; jmp =>self.leave
            ; =>self.slow
            ; mov eax, call::NO_FUEL
            ; jmp =>self.leave
            ; =>self.no_room
            ; mov eax, call::NO_ROOM
            ; =>self.leave
            ; add rsp, 8
            ; pop r15
            ; pop r14
            ; pop r13
            ; pop r12
            ; pop rbp
            ; pop rbx
            ; ret
        );
    }

    fn pool(&mut self) {
        for (bytes, label) in std::mem::take(&mut self.constants) {
            dynasm!(self.asm; .align 16; =>label; .bytes bytes.iter());
        }
    }

    /// Where to go for an operation: at once, or with a look at the fuel when it stands before.
    pub(super) fn target(&mut self, from: u32, to: u32) -> DynamicLabel {
        let label = self.ops[to as usize];
        if to > from { label } else { self.cold(Cold::Back(label)) }
    }

    pub(super) fn cold(&mut self, cold: Cold) -> DynamicLabel {
        let label = self.label();
        self.cold.push((label, cold));
        label
    }

    /// Goes back where there are no more bytes, and else reads the next one into `eax`.
    pub(super) fn next_byte(&mut self, edge: DynamicLabel) {
        dynasm!(self.asm; cmp rbx, r13; jae =>edge; movzx eax, BYTE [r12 + rbx]);
    }

    /// Stores the place in a register of the program.
    pub(super) fn save(&mut self, register: u32) {
        dynasm!(self.asm; mov [rbp + register as i32 * 4], ebx);
    }

    /// Does an operation by its function.
    pub(super) fn step(&mut self, op: u32) {
        dynasm!(self.asm
            ; mov rdi, r15
            ; mov esi, op as i32
            ; mov rdx, rbx
            ; mov rax, QWORD call::step as *const () as i64
            ; call rax
            ; cmp rax, -1
            ; je =>self.fail
            ; mov rbx, rax
        );
    }

    /// Emits an operation; says which is the next to be emitted.
    fn op(&mut self, at: u32) -> Option<u32> {
        let next = self.ops[at as usize + 1];
        match self.program.ops[at as usize] {
            Op::Match => dynasm!(self.asm; mov [rbp + 4], ebx; mov eax, call::MATCH; jmp =>self.leave),
            Op::Fail => dynasm!(self.asm; jmp =>self.fail),
            Op::Byte(byte) => self.text(&[byte]),
            Op::Literal { start, len } => {
                let program = self.program;
                self.text(&program.literals[start as usize..(start + len) as usize]);
            }
            Op::Set(set) => self.one_of(at, set),
            Op::Maybe(set) => self.one_of_or(set, next),
            Op::Run { set, min } => self.run(set, min)?,
            Op::SaveRun { set, min, register } => {
                self.save(register);
                self.run(set, min)?;
                self.save(register + 1);
            }
            Op::Span { set, min, max } => self.span(at, set, min, max),
            Op::SaveSpan { set, min, max, register } => {
                self.save(register);
                self.span(at, set, min, max);
                self.save(register + 1);
            }
            Op::Back(_) => self.step(at),
            Op::Greedy { .. } | Op::Lazy { .. } => self.repeat(at),
            Op::Jump(to) => {
                let to = self.target(at, to);
                dynasm!(self.asm; jmp =>to);
            }
            Op::Push(to) => {
                let to = self.target(at, to);
                self.push_way(to);
            }
            Op::Fork { table, other, lazy } => self.fork(at, table, other, lazy),
            Op::Switch(table) => self.switch(at, table),
            Op::Save(register) => self.save(register),
            Op::SaveUndo(register) | Op::RoundStart(register) => {
                self.keep_register(register);
                self.save(register);
            }
            Op::Keep => {
                self.keep_register(0);
                self.save(0);
            }
            Op::Clear { from, to } => {
                (from..to).for_each(|register| dynasm!(self.asm; mov DWORD [rbp + register as i32 * 4], NONE as i32));
            }
            Op::Token(token) => return Some(self.token(at, token, None)),
            Op::SaveToken { token, register } => return Some(self.token(at, token, Some(register))),
            Op::Once(place) => dynasm!(self.asm
                ; mov rax, [r15 + field::ONCES]
                ; cmp [rax + place as i32 * 4], ebx
                ; je =>self.fail
                ; mov [rax + place as i32 * 4], ebx
            ),
            Op::AtomicStart | Op::LookStart => self.mark(),
            Op::NegativeStart(other) => {
                self.mark();
                let other = self.target(at, other);
                self.push_way(other);
            }
            Op::AtomicEnd => {
                let mark = self.open.pop()?;
                self.cut(mark);
            }
            Op::LookEnd => {
                let mark = self.open.pop()?;
                self.cut(mark);
                dynasm!(self.asm; mov rax, [r15 + field::MARKS]; mov rbx, [rax + mark as i32 * 16 + 8]);
            }
            Op::NegativeEnd => {
                let mark = self.open.pop()?;
                self.abandon(mark);
            }
            Op::Ahead { set, negative } => self.neighbour(at, set, negative, true),
            Op::Behind { set, negative } => self.neighbour(at, set, negative, false),
            Op::Assert(assert) => self.assert(at, assert),
            Op::RoundEnd { register, exit } => {
                let exit = self.target(at, exit);
                dynasm!(self.asm; cmp [rbp + register as i32 * 4], ebx; je =>exit);
            }
            Op::CountStart(counter) => {
                self.keep_register(counter);
                dynasm!(self.asm; mov DWORD [rbp + counter as i32 * 4], 0);
            }
            Op::CountRound(counter) => {
                self.keep_register(counter);
                dynasm!(self.asm; inc DWORD [rbp + counter as i32 * 4]);
            }
            Op::CountFork { counter, limits, table, exit, lazy } => {
                let (min, max) = self.program.limits[limits as usize];
                let out = self.target(at, exit);
                dynasm!(self.asm
                    ; mov eax, [rbp + counter as i32 * 4]
                    ; cmp eax, min as i32
                    ; jb =>next
                    ; cmp eax, max as i32
                    ; jae =>out
                );
                self.fork(at, table, exit, lazy);
            }
            Op::Nop => {}
            Op::Backref { .. }
            | Op::IfSet { .. }
            | Op::Call(_)
            | Op::Return
            | Op::Grapheme
            | Op::Memo(_)
            | Op::MemoFailed(_) => return None,
        }
        Some(at + 1)
    }
}
