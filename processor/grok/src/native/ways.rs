//! Choices, and the ways back that they leave.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

use super::call::field;
use super::emit::Emitter;

impl Emitter<'_> {
    /// Leaves a way back to `code`, with what `edx` holds.
    pub(super) fn push_way(&mut self, code: DynamicLabel) {
        dynasm!(self.asm
            ; cmp r14, [r15 + field::WAYS_LIMIT]
            ; ja =>self.no_room
            ; lea rax, [=>code]
            ; mov [r14], rax
            ; mov [r14 + 8], ebx
            ; mov [r14 + 12], edx
            ; add r14, 16
        );
    }

    /// Leaves a way back that gives a register its value again.
    pub(super) fn keep_register(&mut self, register: u32) {
        dynasm!(self.asm
            ; cmp r14, [r15 + field::WAYS_LIMIT]
            ; ja =>self.no_room
            ; lea rax, [=>self.restore]
            ; mov ecx, [rbp + register as i32 * 4]
            ; mov [r14], rax
            ; mov DWORD [r14 + 8], register as i32
            ; mov [r14 + 12], ecx
            ; add r14, 16
        );
    }

    pub(super) fn fork(&mut self, at: u32, table: u32, other: u32, lazy: bool) {
        let program = self.program;
        let table = &program.forks[table as usize];
        let (next, both) = (self.ops[at as usize + 1], self.label());
        let other = self.target(at, other);
        let fail = self.fail;
        let target = |side: u8| match side {
            1 => next,
            2 => other,
            3 => both,
            _ => fail,
        };
        let has_both = table.end == 3 || table.bytes.contains(&3);
        self.next_byte(target(table.end));
        self.decide(&table.bytes.map(target), Some(if has_both { both } else { next }));
        dynasm!(self.asm; =>both);
        if has_both {
            let (first, second) = if lazy { (other, next) } else { (next, other) };
            self.push_way(second);
            if lazy {
                dynasm!(self.asm; jmp =>first);
            }
        }
    }

    pub(super) fn switch(&mut self, at: u32, table: u32) {
        let program = self.program;
        let table = &program.switches[table as usize];
        let targets: Vec<DynamicLabel> = table.targets.iter().map(|&to| self.target(at, to)).collect();
        self.next_byte(targets[usize::from(table.end)]);
        self.decide(&table.bytes.map(|number| targets[usize::from(number)]), Some(self.ops[at as usize + 1]));
    }

    /// Notes where the ways back of a group start, and the place.
    pub(super) fn mark(&mut self) {
        let place = self.marks as i32 * 16;
        dynasm!(self.asm; mov rax, [r15 + field::MARKS]; mov [rax + place], r14; mov [rax + place + 8], rbx);
        self.open.push(self.marks);
        self.marks += 1;
    }

    /// Forgets the ways back since a mark; what they would have undone stays.
    pub(super) fn cut(&mut self, mark: usize) {
        dynasm!(self.asm; mov rax, [r15 + field::MARKS]; mov rax, [rax + mark as i32 * 16]);
        if self.undoes {
            let (again, skip, done) = (self.label(), self.label(), self.label());
            dynasm!(self.asm
                ; mov rcx, rax
                ; lea rdx, [=>self.restore]
                ; =>again
                ; cmp rcx, r14
                ; jae =>done
                ; cmp [rcx], rdx
                ; jne =>skip
                ; movdqu xmm0, [rcx]
                ; movdqu [rax], xmm0
                ; add rax, 16
                ; =>skip
                ; add rcx, 16
                ; jmp =>again
                ; =>done
            );
        }
        dynasm!(self.asm; mov r14, rax);
    }

    /// Undoes everything since a mark, and fails.
    pub(super) fn abandon(&mut self, mark: usize) {
        let again = self.label();
        dynasm!(self.asm
            ; mov rdx, [r15 + field::MARKS]
            ; mov rdx, [rdx + mark as i32 * 16]
            ; lea rsi, [=>self.restore]
            ; =>again
            ; cmp r14, rdx
            ; jbe =>self.fail
            ; sub r14, 16
            ; cmp [r14], rsi
            ; jne =>again
            ; mov eax, [r14 + 8]
            ; mov ecx, [r14 + 12]
            ; mov [rbp + rax * 4], ecx
            ; jmp =>again
        );
    }
}
