//! Where no native code is made, there is none.

use std::convert::Infallible;
use std::marker::PhantomData;

use crate::budget::{Halt, Meter};
use crate::program::Program;
use crate::search::{Attempts, FirstBytes, Search};
use crate::vm::Scratch;

/// The memory of native code.
#[derive(Debug, Default)]
pub(crate) struct Memory;

/// The code of a program.
#[derive(Debug)]
pub(crate) struct Native(Infallible);

/// What runs it.
pub(crate) struct NativeMachine<'a>(Infallible, PhantomData<&'a ()>);

impl Native {
    pub(crate) fn new(_: &Program, _: &FirstBytes) -> Option<Native> {
        None
    }
}

impl<'a> NativeMachine<'a> {
    pub(crate) fn new(native: &Native, _: &Program, _: &'a [u8], _: usize, _: &'a mut Scratch) -> Self {
        NativeMachine(native.0, PhantomData)
    }
}

impl Attempts for NativeMachine<'_> {
    fn attempt(&mut self, _: usize, _: &mut Meter) -> Result<bool, Halt> {
        match self.0 {}
    }

    fn attempt_any(&mut self, _: &Search, _: usize, _: usize, _: &mut Meter) -> Result<bool, Halt> {
        match self.0 {}
    }
}
