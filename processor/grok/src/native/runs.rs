//! Texts, sets of characters and runs of them.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

use super::call::{self, field};
use super::emit::{Cold, Emitter};
use crate::needle::Needle;
use crate::program::{Beyond, Next, Op, SetTable};
use crate::run::ByteRun;
use crate::vm::NONE;

/// Limits up to here are counted one by one.
const SHORT: u32 = 8;
/// Limits from here on are left to functions.
const MAX_COUNTED: u32 = 1 << 20;

impl Emitter<'_> {
    /// Goes past a text.
    pub(super) fn text(&mut self, text: &[u8]) {
        if let [byte] = text {
            dynasm!(self.asm; cmp rbx, r13; jae =>self.fail; cmp BYTE [r12 + rbx], *byte as i8; jne =>self.fail; inc rbx);
            return;
        }
        let length = text.len() as i32;
        dynasm!(self.asm; lea rdx, [rbx + length]; cmp rdx, r13; ja =>self.fail);
        self.compare(text, 0, self.fail);
        dynasm!(self.asm; mov rbx, rdx);
    }

    /// Compares the text from `back` bytes before the place on, eight bytes at a time.
    fn compare(&mut self, text: &[u8], back: i32, other: DynamicLabel) {
        let mut at = 0;
        while at < text.len() {
            let left = text.len() - at;
            let size = left.next_power_of_two().min(8);
            // The last piece overlaps the one before, where that makes it one piece.
            let (from, size) = match text.len().checked_sub(size) {
                Some(last) if left < size => (last, size),
                _ => (at, 1 << left.min(8).ilog2()),
            };
            let piece = text[from..from + size].iter().rev().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
            let place = from as i32 - back;
            match size {
                8 => dynasm!(self.asm; mov rax, QWORD piece as i64; cmp [r12 + rbx + place], rax),
                4 => dynasm!(self.asm; cmp DWORD [r12 + rbx + place], piece as i32),
                2 => dynasm!(self.asm; cmp WORD [r12 + rbx + place], piece as i16),
                _ => dynasm!(self.asm; cmp BYTE [r12 + rbx + place], piece as i8),
            }
            dynasm!(self.asm; jne =>other);
            at = from + size;
        }
    }

    pub(super) fn one_of(&mut self, at: u32, set: u32) {
        let program = self.program;
        let set = &program.sets[set as usize];
        let long = if set.beyond == Beyond::None { self.fail } else { self.cold(Cold::Step(at)) };
        self.take(&set.bytes, self.fail, long);
    }

    /// One character of a set of ASCII, or none: then it goes on at `next`.
    pub(super) fn one_of_or(&mut self, set: u32, next: DynamicLabel) {
        let program = self.program;
        self.take(&program.sets[set as usize].bytes, next, next);
    }

    /// Takes a byte of a set; where the next one is not of it, it goes on at `none`. One past ASCII that is of it leads to
    /// `long`, but where that is `none` it is taken as well.
    fn take(&mut self, bytes: &[bool; 256], none: DynamicLabel, long: DynamicLabel) {
        let found = self.label();
        let high = if long == none { found } else { long };
        let target = |byte: usize| match (bytes[byte], byte < 0x80) {
            (false, _) => none,
            (true, true) => found,
            (true, false) => high,
        };
        self.next_byte(none);
        self.decide(&std::array::from_fn(target), Some(found));
        dynasm!(self.asm; =>found; inc rbx);
    }

    /// The characters of a set that need not be told apart.
    pub(super) fn run(&mut self, set: u32, min: u32) -> Option<()> {
        let program = self.program;
        let run = program.sets[set as usize].run.as_ref()?;
        if min > 0 {
            // The first byte is looked at by itself: then there is one.
            self.take(run.bytes(), self.fail, self.fail);
        }
        self.skip(run);
        Some(())
    }

    /// Characters of a set within limits.
    pub(super) fn span(&mut self, at: u32, set: u32, min: u32, max: u32) {
        let program = self.program;
        let set = &program.sets[set as usize];
        match &set.run {
            // Without characters past ASCII, bytes are characters.
            _ if set.beyond == Beyond::None && max <= SHORT => {
                let done = self.label();
                for count in 0..max {
                    let none = if count < min { self.fail } else { done };
                    self.take(&set.bytes, none, none);
                }
                dynasm!(self.asm; =>done);
            }
            Some(run) if set.beyond == Beyond::None && min < MAX_COUNTED && (max < MAX_COUNTED || max == NONE) => {
                dynasm!(self.asm; mov r8, rbx);
                self.skip(run);
                if max != NONE {
                    dynasm!(self.asm; lea rax, [r8 + max as i32]; cmp rbx, rax; cmova rbx, rax);
                }
                dynasm!(self.asm; lea rax, [r8 + min as i32]; cmp rbx, rax; jb =>self.fail);
            }
            _ => self.step(at),
        }
    }

    /// A run with several ends.
    pub(super) fn repeat(&mut self, at: u32) {
        let (again, rest, ends, done) = (self.label(), self.label(), self.label(), self.label());
        let slow = self.label();
        let program = self.program;
        match program.ops[at as usize] {
            Op::Greedy { set, min: min @ 0..=1, max, next } => {
                self.greedy(&program.sets[set as usize], (min, max), &program.nexts[next as usize], ends, slow);
            }
            Op::Lazy { set, min: 0, max: NONE, next } => {
                let all = program.sets[set as usize].run.as_ref().is_some_and(ByteRun::is_all);
                self.lazy(all, &program.nexts[next as usize], ends);
            }
            _ => {}
        }
        dynasm!(self.asm
            ; =>slow
            ; mov rdi, r15
            ; mov esi, at as i32
            ; mov rdx, rbx
            ; mov rax, QWORD call::first_end as *const () as i64
            ; =>rest
            ; call rax
            ; cmp rax, -1
            ; je =>self.fail
            ; mov rbx, rax
            ; =>ends
        );
        match self.program.ops[at as usize] {
            Op::Greedy { .. } => dynasm!(self.asm; cmp ebx, edx; jbe =>done),
            _ => dynasm!(self.asm; test edx, edx; jz =>done; cmp rbx, r13; jae =>done),
        }
        self.push_way(again);
        dynasm!(self.asm
            ; jmp =>done
            ; =>again
            ; mov rdi, r15
            ; mov esi, at as i32
            ; mov rdx, rbx
            ; mov ecx, [r14 + 12]
            ; mov rax, QWORD call::next_end as *const () as i64
            ; jmp =>rest
            ; =>done
        );
    }

    /// The first end of a greedy run whose characters need not be told apart: goes to `ends` with it and, in `edx`, the
    /// least one, or to `slow` where it is to be found by a function.
    fn greedy(&mut self, set: &SetTable, (min, max): (u32, u32), next: &Next, ends: DynamicLabel, slow: DynamicLabel) {
        // Without characters past ASCII, bytes are characters and can be counted.
        let counts = max == NONE || (set.beyond == Beyond::None && max < MAX_COUNTED);
        let Some(run) = set.run.as_ref().filter(|_| counts && next.tried == NONE) else { return };
        let (back, give, again, ready) = (self.label(), self.label(), self.label(), self.label());
        dynasm!(self.asm; mov r8, rbx);
        if min > 0 {
            let long = if run.bytes()[0x80] { again } else { self.fail };
            self.take(run.bytes(), self.fail, long);
        }
        dynasm!(self.asm; mov r9, rbx);
        self.skip(run);
        if max != NONE {
            dynasm!(self.asm; lea rax, [r9 + (max - min) as i32]; cmp rbx, rax; cmova rbx, rax);
        }
        let starts = |byte: usize| if next.bytes[byte] { ready } else { back };
        self.next_byte(if next.end { ready } else { back });
        self.decide(&std::array::from_fn(starts), Some(back));
        // The last place before where what follows can start.
        let gives = |byte: usize| match (next.bytes[byte], byte < 0x80) {
            (_, false) => again,
            (true, true) => ready,
            (false, true) => give,
        };
        dynasm!(self.asm
            ; =>give
            ; =>back
            ; cmp rbx, r9
            ; jbe =>self.fail
            ; dec rbx
            ; movzx eax, BYTE [r12 + rbx]
        );
        self.decide(&std::array::from_fn(gives), Some(again));
        dynasm!(self.asm
            ; =>again
            ; mov rbx, r8
            ; jmp =>slow
            ; =>ready
            ; mov edx, r9d
            ; jmp =>ends
        );
    }

    /// The first end of a lazy run of all characters: goes to `ends` with it.
    fn lazy(&mut self, all: bool, next: &Next, ends: DynamicLabel) {
        if !all {
            return;
        }
        if let Some(needle) = &next.text {
            self.find(needle);
        } else if next.find.is_some() {
            self.skip(&ByteRun::new(next.bytes.map(|stops| !stops)));
            if !next.end {
                dynasm!(self.asm; cmp rbx, r13; jae =>self.fail);
            }
        } else {
            return;
        }
        if next.tried != NONE {
            self.note_end(next.tried as i32 * 4);
        }
        dynasm!(self.asm; mov edx, NONE as i32; jmp =>ends);
    }

    /// Goes to the next place where a text stands.
    fn find(&mut self, needle: &Needle) {
        let (text, offset) = needle.rare();
        let rare = text[offset];
        let (again, other) = (self.label(), self.label());
        let (before, after) = (offset as i32, (text.len() - offset) as i32);
        if before > 0 {
            dynasm!(self.asm; add rbx, before);
        }
        dynasm!(self.asm; =>again);
        self.skip(&ByteRun::new(std::array::from_fn(|byte| byte != usize::from(rare))));
        dynasm!(self.asm; lea rdx, [rbx + after]; cmp rdx, r13; ja =>self.fail);
        if text.len() > 1 {
            let found = self.label();
            self.compare(text, before, other);
            dynasm!(self.asm; jmp =>found; =>other);
            // Each stands for bytes that the skip has not taken fuel for.
            dynasm!(self.asm; dec QWORD [r15 + field::FUEL]; js =>self.slow; inc rbx; jmp =>again; =>found);
        }
        if before > 0 {
            dynasm!(self.asm; sub rbx, before);
        }
    }

    /// Fails when a lazy run of all characters has ended here before; notes that it does now.
    fn note_end(&mut self, place: i32) {
        let (seen, new) = (self.label(), self.label());
        dynasm!(self.asm
            ; mov rax, [r15 + field::ONCES]
            ; mov ecx, [rax + place]
            ; cmp ecx, NONE as i32
            ; jne =>seen
            ; mov [rax + place], ebx
            ; mov [rax + place + 4], ebx
            ; jmp =>new
            ; =>seen
            ; cmp ebx, ecx
            ; jb =>new
            ; cmp ebx, [rax + place + 4]
            ; jbe =>self.fail
            ; mov [rax + place + 4], ebx
            ; =>new
        );
    }
}
