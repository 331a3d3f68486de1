//! Where no native code is made, there is none.

use crate::budget::{Halt, Meter};
use crate::program::Program;
use crate::search::{Attempts, FirstBytes, Search};
use crate::vm::Scratch;

/// The memory of native code.
#[derive(Debug, Default)]
pub(crate) struct Memory;

/// The code of a program.
#[derive(Debug)]
pub(crate) enum Native {}

/// What runs it.
pub(crate) enum NativeMachine {}

impl Native {
    pub(crate) fn new(_: &Program, _: &FirstBytes) -> Option<Native> {
        None
    }
}

impl NativeMachine {
    pub(crate) fn new(native: &Native, _: &Program, _: &[u8], _: usize, _: &mut Scratch) -> Self {
        match *native {}
    }
}

impl Attempts for NativeMachine {
    fn attempt(&mut self, _: usize, _: &mut Meter) -> Result<bool, Halt> {
        match *self {}
    }

    fn attempt_any(&mut self, _: &Search, _: usize, _: usize, _: &mut Meter) -> Result<bool, Halt> {
        match *self {}
    }
}
