//! Conditions on the characters around a place.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

use super::call::field;
use super::emit::{Cold, Emitter};
use crate::ast::Assert;

/// For a byte: whether it is a character of a word; past ASCII it takes more than the byte to say.
const WORD: u8 = 1;
const UNCLEAR: u8 = 2;

impl Emitter<'_> {
    /// Whether the character ahead or behind is of a set.
    pub(super) fn neighbour(&mut self, at: u32, set: u32, negative: bool, ahead: bool) {
        let set = &self.program.sets[set as usize];
        let next = self.ops[at as usize + 1];
        let (inside, outside) = if negative { (self.fail, next) } else { (next, self.fail) };
        // What single bytes do not say: characters past ASCII, and bytes that are none.
        let long = self.cold(Cold::Step(at));
        let target = |byte: usize| match (set.bytes[byte], byte < 0x80) {
            (true, true) => inside,
            (false, true) => outside,
            _ => long,
        };
        let targets = std::array::from_fn(target);
        if ahead {
            self.next_byte(outside);
        } else {
            dynasm!(self.asm; test rbx, rbx; jz =>outside; movzx eax, BYTE [r12 + rbx - 1]);
        }
        self.decide(&targets, Some(next));
    }

    pub(super) fn assert(&mut self, at: u32, assert: Assert) {
        let (next, fail) = (self.ops[at as usize + 1], self.fail);
        match assert {
            Assert::LineStart => dynasm!(self.asm
                ; test rbx, rbx
                ; jz =>next
                ; cmp BYTE [r12 + rbx - 1], b'\n' as i8
                ; jne =>fail
                ; cmp rbx, r13
                ; jae =>fail
            ),
            Assert::LineEnd => dynasm!(self.asm
                ; cmp rbx, r13
                ; jae =>next
                ; cmp BYTE [r12 + rbx], b'\n' as i8
                ; jne =>fail
            ),
            Assert::TextStart => dynasm!(self.asm; test rbx, rbx; jnz =>fail),
            Assert::TextEnd => dynasm!(self.asm; cmp rbx, r13; jne =>fail),
            Assert::SearchStart => dynasm!(self.asm; cmp rbx, [r15 + field::SEARCH_START]; jne =>fail),
            Assert::WordBoundary(ascii) => self.boundary(at, ascii, true),
            Assert::NotWordBoundary(ascii) => self.boundary(at, ascii, false),
            Assert::TextEndOrNewline => self.step(at),
        }
    }

    /// Whether a word starts or ends here.
    fn boundary(&mut self, at: u32, ascii: bool, wanted: bool) {
        let kind = |byte: u8| match byte {
            b'_' => WORD,
            0x80.. if !ascii => UNCLEAR,
            _ => u8::from(byte.is_ascii_alphanumeric()),
        };
        let table = self.constant((0..=255).map(kind).collect());
        let (first, last) = (self.label(), self.label());
        dynasm!(self.asm
            ; lea rcx, [=>table]
            ; xor eax, eax
            ; xor edx, edx
            ; test rbx, rbx
            ; jz =>first
            ; movzx eax, BYTE [r12 + rbx - 1]
            ; movzx eax, BYTE [rcx + rax]
            ; =>first
            ; cmp rbx, r13
            ; jae =>last
            ; movzx edx, BYTE [r12 + rbx]
            ; movzx edx, BYTE [rcx + rdx]
            ; =>last
        );
        if !ascii {
            let unclear = self.cold(Cold::Step(at));
            dynasm!(self.asm; mov ecx, eax; or ecx, edx; test cl, UNCLEAR as i8; jnz =>unclear);
        }
        dynasm!(self.asm; cmp eax, edx);
        if wanted {
            dynasm!(self.asm; je =>self.fail);
        } else {
            dynasm!(self.asm; jne =>self.fail);
        }
    }
}
