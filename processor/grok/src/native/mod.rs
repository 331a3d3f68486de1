//! Native code for programs that run often.
//!
//! A program's operations become machine code for x86-64, one after the other: what the loop over operations looks up
//! for every byte is decided when the code is made. The code does what the operations do, way back for way back; what
//! is rare or long winded (characters past ASCII, the next end of a run) it leaves to the functions of the machine that
//! runs operations, by calling them. It goes through the places of a text by itself, too. It reads the text within its bounds only, writes the registers, the
//! notes and the stack of ways back of a [`Scratch`](crate::vm::Scratch), and stops when its fuel or the room for ways
//! back is used up: then the machine starts over.
//!
//! - `emit`: the operations, each by one of the next.
//! - `runs`: texts, sets of characters and runs of them; `look`: conditions on what is around; `ways`: choices and ways
//!   back; `automaton`: what the automata of tokens decide.
//! - `bytes`: decisions by a byte, and runs of bytes by sixteen.
//! - `call`: how the code is called, and what it calls: all `unsafe` of native code.

#[cfg(all(feature = "native", target_arch = "x86_64"))]
mod automaton;
#[cfg(all(feature = "native", target_arch = "x86_64"))]
mod bytes;
#[cfg(all(feature = "native", target_arch = "x86_64"))]
mod call;
#[cfg(all(feature = "native", target_arch = "x86_64"))]
mod emit;
#[cfg(all(feature = "native", target_arch = "x86_64"))]
mod look;
#[cfg(all(feature = "native", target_arch = "x86_64"))]
mod runs;
#[cfg(all(feature = "native", target_arch = "x86_64"))]
mod ways;

#[cfg(all(feature = "native", target_arch = "x86_64"))]
pub(crate) use call::{Memory, Native, NativeMachine};

#[cfg(not(all(feature = "native", target_arch = "x86_64")))]
mod none;
#[cfg(not(all(feature = "native", target_arch = "x86_64")))]
pub(crate) use none::{Memory, Native, NativeMachine};
