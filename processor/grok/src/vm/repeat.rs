//! Runs with several ends: the first end, and the next one when what follows did not match.

use super::{NONE, check};
use crate::program::{Next, Op, Program, SetTable};

/// The end of a run, and what it can still do: the least end of a greedy one, how many more characters a lazy one takes.
pub(crate) type End = (usize, u32);

/// A greedy or a lazy run of a program, its text, and the notes of the search.
pub(crate) struct Repeat<'a> {
    set: &'a SetTable,
    next: &'a Next,
    text: &'a [u8],
    onces: &'a mut [u32],
}

impl<'a> Repeat<'a> {
    /// The run that the operation starts; nothing when it is none.
    #[inline]
    pub(crate) fn new(program: &'a Program, op: Op, text: &'a [u8], onces: &'a mut [u32]) -> Option<Self> {
        let (Op::Greedy { set, next, .. } | Op::Lazy { set, next, .. }) = op else { return None };
        Some(Repeat { set: &program.sets[set as usize], next: &program.nexts[next as usize], text, onces })
    }

    /// The first end of a greedy run from `pos` on. What was looked at is added to `spent`.
    #[inline]
    pub(crate) fn greedy(&mut self, pos: usize, min: u32, max: u32, spent: &mut u64) -> Option<End> {
        let least = check::skip(self.set, self.text, pos, min)?;
        let left = if max == NONE { NONE } else { max - min };
        let end = check::run(self.set, self.text, least, 0, left)?;
        *spent += (end - pos) as u64 >> 4;
        let end = if check::can_start(self.next, self.text, end) {
            end
        } else {
            check::last_before(self.next, self.text, least, end)?
        };
        if self.next.tried == NONE { Some((end, least as u32)) } else { self.not_tried(end, least) }
    }

    /// The next place where what follows can start, of a greedy run that ended at `pos`.
    pub(crate) fn give_back(&mut self, (pos, least): End) -> Option<End> {
        Some((check::last_before(self.next, self.text, least as usize, pos)?, least))
    }

    /// The first end of a lazy run from `pos` on. What was looked at is added to `spent`.
    #[inline]
    pub(crate) fn lazy(&mut self, pos: usize, min: u32, max: u32, spent: &mut u64) -> Option<End> {
        let least = check::skip(self.set, self.text, pos, min)?;
        let found = check::lazy(self.set, self.next, self.text, least, if max == NONE { NONE } else { max - min });
        let (Ok((reached, _)) | Err(reached)) = found;
        *spent += (reached - pos) as u64 >> 4;
        found.ok().filter(|&(end, _)| self.next.tried == NONE || self.is_new_end(end))
    }

    /// The next place where what follows can start, of a lazy run that ended at `pos`.
    pub(crate) fn take_more(&mut self, (pos, left): End) -> Option<End> {
        let more = check::one(self.set, self.text, pos)?;
        let left = left - u32::from(left != NONE);
        let found = check::lazy(self.set, self.next, self.text, more, left).ok();
        found.filter(|&(end, _)| self.next.tried == NONE || self.is_new_end(end))
    }

    /// Whether a lazy run that takes everything has not ended here before. One run goes through all ends up to the
    /// last, so those that were tried are all between the first and the last that were.
    #[inline]
    fn is_new_end(&mut self, pos: usize) -> bool {
        let tried = self.next.tried as usize;
        let Some([first, last]) = self.onces.get_mut(tried..tried + 2) else { return true };
        let pos = pos as u32;
        if *first == NONE {
            (*first, *last) = (pos, pos);
            return true;
        }
        // What lies before the first is not noted, as it need not be without gaps.
        let new = pos < *first || pos > *last;
        *last = pos.max(*last);
        new
    }

    /// The end of a greedy run that takes everything, as far as runs that started later have not tried it, and the least
    /// one. Each run goes through all ends down to its least.
    #[inline]
    fn not_tried(&mut self, end: usize, least: usize) -> Option<End> {
        let tried = self.onces.get_mut(self.next.tried as usize)?;
        let from = *tried as usize;
        if least >= from {
            return None;
        }
        *tried = least as u32;
        let end = if end < from { end } else { check::last_before(self.next, self.text, least, from)? };
        Some((end, least as u32))
    }
}
