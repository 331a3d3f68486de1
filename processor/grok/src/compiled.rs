//! What runs of a pattern: its programs, its native code, and the order in which they are asked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::anchor::end_of;
use crate::ast::Node;
use crate::budget::{Budget, Halt, Meter};
use crate::compile::compile;
use crate::error::Error;
use crate::native::{Native, NativeMachine};
use crate::program::Program;
use crate::search::{Attempts, Search};
use crate::simplify::simplify;
use crate::vm::{Machine, Scratch};

/// The most memory that a careful match uses to remember where it was, in bits.
const MAX_MEMO_BITS: usize = 1 << 28;
/// After so many searches native code is made. That takes as long as some thousand searches, for large patterns some ten
/// thousand, and is earned back by about as many.
const OFTEN: u32 = 2000;
/// What one text in which the end was found adds to the doubt that it is worth looking for; one without takes 1 away.
const IN_VAIN: u32 = 8;
/// From here on it is not looked for any more.
const MAX_DOUBT: u32 = 8 * 128;

/// A pattern, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    node: Node,
    groups: usize,
    program: Program,
    /// The linear program, compiled when the fast one first turns out slow; `None` when the
    /// pattern has no such program.
    careful: OnceLock<Option<Program>>,
    search: Search,
    /// How often it was searched with before there was native code.
    searches: AtomicU32,
    /// Made when the pattern is searched with often.
    native: OnceLock<Option<Native>>,
    /// What every match ends with, for texts that lack it; compiled when one first does not match at once.
    end: OnceLock<Option<Box<Compiled>>>,
    end_doubt: AtomicU32,
}

/// What matches at one place.
trait Engine {
    type Machine<'m>: Attempts
    where
        Self: 'm;

    fn machine<'m>(&'m self, text: &'m [u8], start: usize, scratch: &'m mut Scratch) -> Self::Machine<'m>;
}

/// The machine that runs operations.
struct Operations<'p>(&'p Program);

impl Engine for Operations<'_> {
    type Machine<'m>
        = Machine<'m>
    where
        Self: 'm;

    fn machine<'m>(&'m self, text: &'m [u8], start: usize, scratch: &'m mut Scratch) -> Machine<'m> {
        Machine::new(self.0, text, start, scratch)
    }
}

/// Native code, and the program that it was made of.
struct Code<'p>(&'p Native, &'p Program);

impl Engine for Code<'_> {
    type Machine<'m>
        = NativeMachine<'m>
    where
        Self: 'm;

    fn machine<'m>(&'m self, text: &'m [u8], start: usize, scratch: &'m mut Scratch) -> NativeMachine<'m> {
        NativeMachine::new(self.0, self.1, text, start, scratch)
    }
}

impl Compiled {
    /// Compiles a tree. `groups` counts the capturing groups and the whole match.
    pub(crate) fn new(node: Node, groups: usize) -> Result<Compiled, Error> {
        let program = compile(&node, groups, false)?;
        let search = Search::new(&node, &program);
        Ok(Compiled {
            node,
            groups,
            program,
            careful: OnceLock::new(),
            search,
            searches: AtomicU32::new(0),
            native: OnceLock::new(),
            end: OnceLock::new(),
            end_doubt: AtomicU32::new(0),
        })
    }

    /// The fast program.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// The linear program.
    pub(crate) fn careful(&self) -> Option<&Program> {
        let careful = self.careful.get_or_init(|| {
            let hidden = self.node.any(&|node| matches!(node, Node::Backref(..) | Node::Call(_) | Node::Condition(..)));
            if hidden { None } else { compile(&self.node, self.groups, true).ok() }
        });
        careful.as_ref()
    }

    /// Searches as fast as can be: with native code where there is some.
    pub(crate) fn quickly(
        &self,
        text: &[u8],
        start: usize,
        scratch: &mut Scratch,
        meter: &mut Meter,
    ) -> Result<bool, Halt> {
        let native = match self.native.get() {
            Some(made) => made.as_ref(),
            None if self.searches.fetch_add(1, Relaxed) < OFTEN => None,
            None => self.make_native(),
        };
        if let Some(native) = native {
            match self.search(&Code(native, &self.program), true, text, start, scratch, meter) {
                Err(Halt::NoRoom) => {}
                outcome => return outcome,
            }
        }
        self.search(&Operations(&self.program), true, text, start, scratch, meter)
    }

    /// Searches with the linear program, where there is one and memory for its notes.
    pub(crate) fn carefully(
        &self,
        text: &[u8],
        start: usize,
        scratch: &mut Scratch,
        meter: &mut Meter,
    ) -> Result<bool, Halt> {
        let fits = |program: &&Program| program.memos as usize * (text.len() + 1) <= MAX_MEMO_BITS;
        let program = self.careful().filter(fits).unwrap_or(&self.program);
        self.search(&Operations(program), false, text, start, scratch, meter)
    }

    /// Searches with native code from the first time on; nothing when there is none.
    pub(crate) fn natively(
        &self,
        text: &[u8],
        start: usize,
        scratch: &mut Scratch,
        meter: &mut Meter,
    ) -> Option<Result<bool, Halt>> {
        let native = self.make_native()?;
        Some(self.search(&Code(native, &self.program), true, text, start, scratch, meter))
    }

    fn make_native(&self) -> Option<&Native> {
        self.native.get_or_init(|| Native::new(&self.program, self.search.first_bytes())).as_ref()
    }

    fn search(
        &self,
        engine: &impl Engine,
        quick: bool,
        text: &[u8],
        start: usize,
        scratch: &mut Scratch,
        meter: &mut Meter,
    ) -> Result<bool, Halt> {
        let search = &self.search;
        let misses = search.expects_miss();
        if quick && misses && self.lacks_end(text, start, scratch) {
            return Ok(false);
        }
        if search.asks_first() && search.lacks_text(text, start) {
            return Ok(false);
        }
        let Some(place) = search.first_place(text, start) else { return Ok(false) };
        if engine.machine(text, start, scratch).attempt(place, meter)? {
            search.expect_miss(false);
            return Ok(true);
        }
        let Some(places) = search.places_after(text, place) else { return Ok(false) };
        if quick && !misses && self.lacks_end(text, place, scratch) {
            search.expect_miss(true);
            return Ok(false);
        }
        search.others(&self.program, text, places, meter, &mut engine.machine(text, start, scratch))
    }

    /// Whether the text has nothing from `from` on that a match could end with.
    fn lacks_end(&self, text: &[u8], from: usize, scratch: &mut Scratch) -> bool {
        let doubt = self.end_doubt.load(Relaxed);
        if doubt >= MAX_DOUBT {
            return false;
        }
        let Some(end) = self.end.get_or_init(|| self.make_end()) else { return false };
        // What takes too long to say costs the match itself none of its steps.
        let mut meter = Meter::for_text(Budget::UNLIMITED, text);
        let found = end.quickly(text, from, scratch, &mut meter).unwrap_or(true);
        self.end_doubt.store(if found { doubt + IN_VAIN } else { doubt.saturating_sub(1) }, Relaxed);
        !found
    }

    fn make_end(&self) -> Option<Box<Compiled>> {
        let end = simplify(end_of(&self.node)?, &|_| false);
        let mut compiled = Compiled::new(end, 1).ok()?;
        // It starts with a rare text: where that is, trying costs less than looking for more.
        compiled.search.forget_texts();
        compiled.end.get_or_init(|| None);
        Some(Box::new(compiled))
    }
}
