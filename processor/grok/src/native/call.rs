//! How native code is called, and the functions that it calls.
#![allow(unsafe_code)]

use dynasmrt::ExecutableBuffer;
use dynasmrt::mmap::MutableBuffer;

use super::emit;
use crate::budget::{Halt, Meter};
use crate::program::{Op, Program};
use crate::search::{Attempts, FirstBytes, Search};
use crate::utf8;
use crate::vm::{Repeat, Scratch, single};

/// A place that is none: the operation failed.
pub(super) const FAILS: u64 = u64::MAX;

/// What the code returns.
pub(super) const NO_MATCH: i32 = 0;
pub(super) const MATCH: i32 = 1;
pub(super) const NO_FUEL: i32 = 2;
pub(super) const NO_ROOM: i32 = 3;

/// The room for ways back at first, and at most: 64 MiB.
const WAYS: usize = 512;
const MAX_WAYS: usize = 1 << 22;
/// The code of larger programs is not worth its memory.
const MAX_OPS: usize = 20_000;

/// The memory of native code.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    ways: Vec<Way>,
    marks: Vec<[u64; 2]>,
}

/// A way back as the code writes it: where in the code it goes on, the place, and what is left of a run or the old value
/// of a register.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    code: u64,
    pos: u32,
    extra: u32,
}

/// What the code works on. The places of the fields are known to it.
#[repr(C)]
pub(super) struct Context {
    registers: *mut u32,
    /// Where the room for ways back starts, and from where on there is none for two more.
    ways: *mut Way,
    ways_limit: *mut Way,
    /// Steps that may still be taken.
    fuel: i64,
    search_start: usize,
    onces: *mut u32,
    /// For every atomic group and look-around, where its ways start and the place.
    marks: *mut [u64; 2],
    /// Where the current token starts.
    token_start: u64,
    /// The place that is tried, and the last one that may be.
    place: usize,
    last: usize,
    text: *const u8,
    length: usize,
    onces_length: usize,
    program: *const Program,
}

/// Where the fields of a [`Context`] are.
pub(super) mod field {
    use std::mem::offset_of;

    use super::Context;

    pub(in super::super) const REGISTERS: i32 = offset_of!(Context, registers) as i32;
    pub(in super::super) const WAYS: i32 = offset_of!(Context, ways) as i32;
    pub(in super::super) const WAYS_LIMIT: i32 = offset_of!(Context, ways_limit) as i32;
    pub(in super::super) const FUEL: i32 = offset_of!(Context, fuel) as i32;
    pub(in super::super) const SEARCH_START: i32 = offset_of!(Context, search_start) as i32;
    pub(in super::super) const ONCES: i32 = offset_of!(Context, onces) as i32;
    pub(in super::super) const MARKS: i32 = offset_of!(Context, marks) as i32;
    pub(in super::super) const TOKEN_START: i32 = offset_of!(Context, token_start) as i32;
    pub(in super::super) const PLACE: i32 = offset_of!(Context, place) as i32;
    pub(in super::super) const LAST: i32 = offset_of!(Context, last) as i32;
    pub(in super::super) const TEXT: i32 = offset_of!(Context, text) as i32;
    pub(in super::super) const LENGTH: i32 = offset_of!(Context, length) as i32;
}

/// The code of a program.
pub(crate) struct Native {
    code: ExecutableBuffer,
    /// How many atomic groups and look-arounds it has.
    marks: usize,
}

impl std::fmt::Debug for Native {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Native({} bytes)", self.code.size())
    }
}

/// As [`Machine`](crate::vm::Machine), with code in place of operations.
pub(crate) struct NativeMachine<'a> {
    native: &'a Native,
    program: &'a Program,
    text: &'a [u8],
    search_start: usize,
    scratch: &'a mut Scratch,
}

impl Native {
    /// The code of a program; nothing when it has operations that there is no code for, or the system lets nobody run
    /// code that was made.
    pub(crate) fn new(program: &Program, starts: &FirstBytes) -> Option<Native> {
        if program.ops.len() > MAX_OPS || !is_x86_feature_detected!("ssse3") {
            return None;
        }
        let (bytes, marks) = emit::code(program, starts)?;
        let mut buffer = MutableBuffer::new(bytes.len()).ok()?;
        buffer.set_len(bytes.len());
        buffer.copy_from_slice(&bytes);
        Some(Native { code: buffer.make_exec().ok()?, marks })
    }
}

impl<'a> NativeMachine<'a> {
    pub(crate) fn new(
        native: &'a Native,
        program: &'a Program,
        text: &'a [u8],
        search_start: usize,
        scratch: &'a mut Scratch,
    ) -> Self {
        scratch.prepare(program);
        let Memory { ways, marks } = &mut scratch.native;
        if ways.len() < WAYS {
            ways.resize(WAYS, Way::default());
        }
        if marks.len() < native.marks {
            marks.resize(native.marks, [0; 2]);
        }
        NativeMachine { native, program, text, search_start, scratch }
    }
}

impl Attempts for NativeMachine<'_> {
    fn attempt(&mut self, at: usize, meter: &mut Meter) -> Result<bool, Halt> {
        self.attempt_all(at, at, meter)
    }

    fn attempt_any(&mut self, search: &Search, from: usize, last: usize, meter: &mut Meter) -> Result<bool, Halt> {
        if search.is_by_first() {
            self.attempt_all(from, last, meter)
        } else {
            search.one_by_one(self, self.text, (from, last), meter)
        }
    }
}

impl NativeMachine<'_> {
    /// Matches at the first place from `from` to `last` where there is a match.
    fn attempt_all(&mut self, from: usize, last: usize, meter: &mut Meter) -> Result<bool, Halt> {
        let scratch = &mut *self.scratch;
        let fuel = i64::try_from(meter.pause.saturating_sub(meter.spent)).unwrap_or(i64::MAX);
        let Memory { ways, marks } = &mut scratch.native;
        let room = ways.as_mut_ptr_range();
        let mut context = Context {
            registers: scratch.registers.as_mut_ptr(),
            ways: room.start,
            ways_limit: room.end.wrapping_sub(2),
            fuel,
            search_start: self.search_start,
            onces: scratch.onces.as_mut_ptr(),
            marks: marks.as_mut_ptr(),
            token_start: 0,
            place: from,
            last,
            text: self.text.as_ptr(),
            length: self.text.len(),
            onces_length: scratch.onces.len(),
            program: self.program,
        };
        let entry = self.native.code.ptr(dynasmrt::AssemblyOffset(0));
        // SAFETY: the buffer holds a whole function of this type, made by `emit::code` for this program (the caller
        // passes the program that `native` was made of). The context's pointers are to memory of the lengths that the
        // code relies on: registers and notes of the program's numbers, marks of the code's, ways up to the limit, the
        // text up to its length; nothing else uses that memory during the call.
        let outcome = unsafe {
            let entry: extern "sysv64" fn(&mut Context, usize, usize) -> i32 = std::mem::transmute(entry);
            entry(&mut context, from, last)
        };
        meter.spent = meter.spent.saturating_add_signed(fuel - context.fuel);
        match outcome {
            NO_MATCH => Ok(false),
            MATCH => Ok(true),
            NO_ROOM => {
                ways.resize((ways.len() * 4).min(MAX_WAYS), Way::default());
                Err(Halt::NoRoom)
            }
            _ => Err(Halt::Slow),
        }
    }
}

impl Context {
    /// The program, the text, the notes and the fuel.
    ///
    /// # Safety
    /// The context is one that [`NativeMachine::attempt_all`] made for a call that is under way.
    unsafe fn parts(&mut self) -> (&Program, &[u8], &mut [u32], &mut i64) {
        // SAFETY: the pointers and lengths are those of a program, a text and notes that are borrowed for the call, and
        // the code does not use them while it waits for the function that called this one.
        unsafe {
            (
                &*self.program,
                std::slice::from_raw_parts(self.text, self.length),
                std::slice::from_raw_parts_mut(self.onces, self.onces_length),
                &mut self.fuel,
            )
        }
    }
}

/// The place of the next character.
pub(super) extern "sysv64" fn next_character(context: &mut Context, pos: usize) -> u64 {
    // SAFETY: only native code calls this function, with its context.
    let (_, text, ..) = unsafe { context.parts() };
    (pos + utf8::decode(text, pos).1) as u64
}

/// An operation that leads to one place or fails.
pub(super) extern "sysv64" fn step(context: &mut Context, op: usize, pos: usize) -> u64 {
    let search_start = context.search_start;
    // SAFETY: only native code calls this function, with its context.
    let (program, text, _, fuel) = unsafe { context.parts() };
    let end = single(program, program.ops[op], text, pos, search_start);
    *fuel -= end.map_or(0, |end| end.saturating_sub(pos) as i64 >> 4);
    end.map_or(FAILS, |end| end as u64)
}

/// Where a run ends and what it can still do, as the code gets it in two registers.
#[repr(C)]
pub(super) struct Ends {
    pos: u64,
    rest: u64,
}

impl From<Option<(usize, u32)>> for Ends {
    fn from(end: Option<(usize, u32)>) -> Ends {
        end.map_or(Ends { pos: FAILS, rest: 0 }, |(pos, rest)| Ends { pos: pos as u64, rest: u64::from(rest) })
    }
}

/// The first end of a run with several.
pub(super) extern "sysv64" fn first_end(context: &mut Context, op: usize, pos: usize) -> Ends {
    // SAFETY: only native code calls this function, with its context.
    let (program, text, onces, fuel) = unsafe { context.parts() };
    let code = program.ops[op];
    let mut spent = 0;
    let end = Repeat::new(program, code, text, onces).and_then(|mut run| match code {
        Op::Greedy { min, max, .. } => run.greedy(pos, min, max, &mut spent),
        Op::Lazy { min, max, .. } => run.lazy(pos, min, max, &mut spent),
        _ => None,
    });
    *fuel -= spent as i64;
    end.into()
}

/// The next one.
pub(super) extern "sysv64" fn next_end(context: &mut Context, op: usize, pos: usize, rest: u32) -> Ends {
    // SAFETY: only native code calls this function, with its context.
    let (program, text, onces, _) = unsafe { context.parts() };
    let code = program.ops[op];
    let mut run = Repeat::new(program, code, text, onces);
    let end = run.as_mut().and_then(|run| match code {
        Op::Lazy { .. } => run.take_more((pos, rest)),
        _ => run.give_back((pos, rest)),
    });
    end.into()
}
