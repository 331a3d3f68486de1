//! Decisions by a byte, and runs of bytes sixteen at a time.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};

use super::call::field;
use super::emit::Emitter;
use crate::run::{ByteRun, Stops};

/// The most comparisons for one decision; where more would be needed a table tells the byte's kind first.
const MAX_COMPARED: usize = 6;

impl Emitter<'_> {
    /// Goes where the byte in `eax` leads to. `next` is what is emitted next: there no jump is needed.
    pub(super) fn decide(&mut self, targets: &[DynamicLabel; 256], next: Option<DynamicLabel>) {
        let ranges = ranges(targets);
        let usual = usual(&ranges);
        let mut others: Vec<_> = ranges.iter().filter(|range| range.target != usual).collect();
        if others.len() > MAX_COMPARED {
            return self.by_table(targets, next);
        }
        // Those for the most bytes first, but last what is emitted next: it is gone on with, unless the byte is another.
        others.sort_by_key(|range| (next == Some(range.target), std::cmp::Reverse(range.high - range.low)));
        let last = others.pop_if(|range| next == Some(range.target));
        for range in others {
            self.compare_range(range);
            self.jump_if(range, range.target);
        }
        if let Some(range) = last {
            self.compare_range(range);
            self.jump_unless(range, usual);
        } else if next != Some(usual) {
            dynasm!(self.asm; jmp =>usual);
        }
    }

    fn compare_range(&mut self, range: &Range) {
        match (range.low, range.high) {
            (low, high) if low == high => dynasm!(self.asm; cmp al, low as i8),
            (0, high) => dynasm!(self.asm; cmp al, high as i8),
            (low, 255) => dynasm!(self.asm; cmp al, low as i8),
            (low, high) => {
                dynasm!(self.asm; lea ecx, [rax - i32::from(low)]; cmp ecx, i32::from(high - low));
            }
        }
    }

    /// After the comparison: goes there when the byte is in the range.
    fn jump_if(&mut self, range: &Range, to: DynamicLabel) {
        match (range.low, range.high) {
            (low, high) if low == high => dynasm!(self.asm; je =>to),
            (1.., 255) => dynasm!(self.asm; jae =>to),
            _ => dynasm!(self.asm; jbe =>to),
        }
    }

    /// After the comparison: goes there when the byte is not in the range.
    fn jump_unless(&mut self, range: &Range, to: DynamicLabel) {
        match (range.low, range.high) {
            (low, high) if low == high => dynasm!(self.asm; jne =>to),
            (1.., 255) => dynasm!(self.asm; jb =>to),
            _ => dynasm!(self.asm; ja =>to),
        }
    }

    fn by_table(&mut self, targets: &[DynamicLabel; 256], next: Option<DynamicLabel>) {
        let mut kinds: Vec<(DynamicLabel, usize)> = Vec::new();
        for target in targets {
            match kinds.iter_mut().find(|(kind, _)| kind == target) {
                Some((_, count)) => *count += 1,
                None => kinds.push((*target, 1)),
            }
        }
        // Those for the most bytes last, and last of all what needs no jump.
        kinds.sort_by_key(|&(kind, count)| (next == Some(kind), count));
        let number = |target: &DynamicLabel| kinds.iter().position(|(kind, _)| kind == target).unwrap_or(0) as u8;
        let table = self.constant(targets.iter().map(number).collect());
        dynasm!(self.asm; lea rcx, [=>table]; movzx eax, BYTE [rcx + rax]);
        let last = kinds.len() - 1;
        for (at, (kind, _)) in kinds.iter().enumerate() {
            if at < last {
                dynasm!(self.asm; cmp al, at as i8; je =>*kind);
            } else if next != Some(*kind) {
                dynasm!(self.asm; jmp =>*kind);
            }
        }
    }

    /// Goes to the end of a run of bytes.
    pub(super) fn skip(&mut self, run: &ByteRun) {
        let bytes = run.bytes();
        let stops = Stops::of((0..=255u8).filter(|&byte| !bytes[usize::from(byte)]));
        if stops == Some(Stops::Never) {
            dynasm!(self.asm; mov rbx, r13);
            return;
        }
        let (done, short) = (self.label(), self.label());
        let high = bytes[0x80];
        if stops.is_some() || bytes[0x80..].iter().all(|&byte| byte == high) {
            self.by_sixteen(bytes, stops, done, short);
        }
        let table = self.constant(bytes.iter().map(|&byte| u8::from(byte)).collect());
        dynasm!(self.asm
            ; =>short
            ; lea rcx, [=>table]
            ; cmp rbx, r13
            ; jae =>done
            ; movzx eax, BYTE [r12 + rbx]
            ; cmp BYTE [rcx + rax], 0
            ; je =>done
            ; inc rbx
            ; jmp =>short
            ; =>done
        );
    }

    /// Sixteen bytes at a time, as long as the text is long enough.
    fn by_sixteen(&mut self, bytes: &[bool; 256], stops: Option<Stops>, done: DynamicLabel, short: DynamicLabel) {
        let (again, found, tail) = (self.label(), self.label(), self.label());
        dynasm!(self.asm
            ; =>again
            ; lea rax, [rbx + 16]
            ; cmp rax, r13
            ; ja =>tail
            ; movdqu xmm0, [r12 + rbx]
        );
        self.find_stops(bytes, stops);
        dynasm!(self.asm
            ; test eax, eax
            ; jnz =>found
            ; add rbx, 16
            ; dec QWORD [r15 + field::FUEL]
            ; jmp =>again
            // The text's last sixteen bytes, less those that were looked at.
            ; =>tail
            ; cmp r13, 16
            ; jb =>short
            ; movdqu xmm0, [r12 + r13 - 16]
        );
        self.find_stops(bytes, stops);
        dynasm!(self.asm
            ; lea ecx, [rbx + 16]
            ; sub ecx, r13d
            ; shr eax, cl
            ; test eax, eax
            ; jnz =>found
            ; mov rbx, r13
            ; jmp =>done
            ; =>found
            ; bsf eax, eax
            ; add rbx, rax
            ; jmp =>done
        );
    }

    /// Sets a bit in `eax` for each byte of `xmm0` that ends the run.
    fn find_stops(&mut self, bytes: &[bool; 256], stops: Option<Stops>) {
        let singles = match stops {
            Some(Stops::One(a)) => vec![a],
            Some(Stops::Two(a, b)) => vec![a, b],
            Some(Stops::Three(a, b, c)) => vec![a, b, c],
            _ => return self.find_by_nibbles(bytes),
        };
        for (at, single) in singles.into_iter().enumerate() {
            let sixteen = self.constant(vec![single; 16]);
            dynasm!(self.asm; movdqa xmm2, [=>sixteen]; pcmpeqb xmm2, xmm0);
            match at {
                0 => dynasm!(self.asm; movdqa xmm1, xmm2),
                _ => dynasm!(self.asm; por xmm1, xmm2),
            }
        }
        dynasm!(self.asm; pmovmskb eax, xmm1);
    }

    /// The same for any set of bytes of ASCII: the lower half of a byte says for which upper halves it is in the set, a
    /// bit for each of the eight.
    fn find_by_nibbles(&mut self, bytes: &[bool; 256]) {
        let row = |low: usize| (0..8).fold(0u8, |bits, high| bits | u8::from(bytes[high << 4 | low]) << high);
        let low = self.constant((0..16).map(row).collect());
        let high = self.constant((0..16).map(|high| if high < 8 { 1 << high } else { 0 }).collect());
        let half = self.constant(vec![0x0F; 16]);
        dynasm!(self.asm
            ; movdqa xmm1, [=>low]
            ; movdqa xmm2, [=>high]
            ; movdqa xmm3, xmm0
            ; psrlw xmm3, 4
            ; pand xmm3, [=>half]
            // Bytes past ASCII get zero.
            ; pshufb xmm1, xmm0
            ; pshufb xmm2, xmm3
            ; pand xmm1, xmm2
            ; pxor xmm2, xmm2
            ; pcmpeqb xmm1, xmm2
        );
        if bytes[0x80] {
            // Those that are past ASCII are in the set.
            dynasm!(self.asm; pandn xmm0, xmm1; pmovmskb eax, xmm0);
        } else {
            dynasm!(self.asm; pmovmskb eax, xmm1);
        }
    }
}

/// Bytes next to each other that lead to the same place.
struct Range {
    low: u8,
    high: u8,
    target: DynamicLabel,
}

fn ranges(targets: &[DynamicLabel; 256]) -> Vec<Range> {
    let mut found: Vec<Range> = Vec::new();
    for (byte, &target) in (0..=255u8).zip(targets) {
        match found.last_mut() {
            Some(last) if last.target == target => last.high = byte,
            _ => found.push(Range { low: byte, high: byte, target }),
        }
    }
    found
}

/// Where the most ranges lead to.
fn usual(ranges: &[Range]) -> DynamicLabel {
    let count = |target| {
        let of_it = || ranges.iter().filter(|range| range.target == target);
        (of_it().count(), of_it().map(|range| usize::from(range.high - range.low) + 1).sum::<usize>())
    };
    let best = ranges.iter().max_by_key(|range| count(range.target));
    best.map_or(ranges[0].target, |range| range.target)
}
