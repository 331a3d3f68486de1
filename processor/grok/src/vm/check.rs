//! Matching of single characters, runs, places and back-references.

use unicode_segmentation::UnicodeSegmentation;

use crate::ast::Assert;
use crate::program::{Beyond, Next, Op, Program, SetTable};
use crate::run::ByteRun;
use crate::unicode::is_word;
use crate::utf8;
use crate::vm::NONE;

/// Limits up to here are counted one by one.
const SHORT: u32 = 8;
/// How far a grapheme cluster may reach, in bytes.
const MAX_GRAPHEME: usize = 4096;

/// Where an operation leads that leads to one place or fails, and keeps nothing.
#[inline]
pub(crate) fn single(program: &Program, op: Op, text: &[u8], pos: usize, search_start: usize) -> Option<usize> {
    let set = |set: u32| &program.sets[set as usize];
    match op {
        Op::Set(of) => one(set(of), text, pos),
        Op::Span { set: of, min, max } | Op::SaveSpan { set: of, min, max, .. } => run(set(of), text, pos, min, max),
        Op::Assert(assert) => holds(assert, text, pos, search_start).then_some(pos),
        Op::Ahead { set: of, negative } => (one(set(of), text, pos).is_some() != negative).then_some(pos),
        Op::Behind { set: of, negative } => (behind(set(of), text, pos) != negative).then_some(pos),
        Op::Back(count) => back(text, pos, count),
        _ => None,
    }
}

/// The place after one character of the set.
#[inline]
pub(super) fn one(set: &SetTable, text: &[u8], pos: usize) -> Option<usize> {
    let &byte = text.get(pos)?;
    if !set.bytes[usize::from(byte)] {
        return None;
    }
    if byte < 0x80 { Some(pos + 1) } else { one_long(set, text, pos) }
}

fn one_long(set: &SetTable, text: &[u8], pos: usize) -> Option<usize> {
    let (code, length) = utf8::decode(text, pos);
    (set.beyond == Beyond::All || set.chars.contains(code)).then_some(pos + length)
}

/// The place after as many characters of the set as there are, up to `max`.
#[inline]
pub(super) fn run(set: &SetTable, text: &[u8], pos: usize, min: u32, max: u32) -> Option<usize> {
    if let Some(whole) = &set.run {
        if max == NONE && min <= 1 {
            let end = whole.end(text, pos);
            return (min == 0 || end > pos).then_some(end);
        }
        // Without characters past ASCII, bytes are characters.
        if set.beyond == Beyond::None && max > SHORT {
            let end = whole.end(text, pos).min(pos.saturating_add(max as usize));
            return (end - pos >= min as usize).then_some(end);
        }
    }
    let (mut at, mut count) = (pos, 0);
    while count < max {
        let Some(next) = one(set, text, at) else { break };
        at = next;
        count += 1;
    }
    (count >= min).then_some(at)
}

/// The place after exactly `count` characters of the set.
#[inline]
pub(super) fn skip(set: &SetTable, text: &[u8], pos: usize, count: u32) -> Option<usize> {
    let mut at = pos;
    for _ in 0..count {
        at = one(set, text, at)?;
    }
    Some(at)
}

/// Whether what follows can start at `pos`.
#[inline]
pub(super) fn can_start(next: &Next, text: &[u8], pos: usize) -> bool {
    text.get(pos).map_or(next.end, |&byte| next.bytes[usize::from(byte)])
}

/// The last place before `pos`, and not before `least`, where what follows can start.
pub(super) fn last_before(next: &Next, text: &[u8], least: usize, pos: usize) -> Option<usize> {
    if let Some(needle) = &next.text {
        return needle.find_last(text, least, pos);
    }
    if let Some(find) = next.find {
        return find.last(&text[least..pos]).map(|found| least + found);
    }
    let mut at = pos;
    while at > least {
        at = utf8::before(text, at);
        if next.bytes[usize::from(text[at])] {
            return Some(at);
        }
    }
    None
}

/// The first place from `pos` on where what follows can start, with only characters of the set
/// in between, `left` at most; and how many are left. Where there is none, how far it looked.
pub(super) fn lazy(set: &SetTable, next: &Next, text: &[u8], pos: usize, left: u32) -> Result<(usize, u32), usize> {
    let takes_all = left == NONE && set.run.as_ref().is_some_and(ByteRun::is_all);
    if takes_all && let Some(needle) = &next.text {
        return needle.find(text, pos).map(|found| (found, left)).ok_or(text.len());
    }
    if takes_all && let Some(find) = next.find {
        let found = find.after(text, pos);
        return if found < text.len() || next.end { Ok((found, left)) } else { Err(found) };
    }
    let (mut at, mut left) = (pos, left);
    loop {
        if can_start(next, text, at) {
            return Ok((at, left));
        }
        if left == 0 {
            return Err(at);
        }
        at = one(set, text, at).ok_or(at)?;
        left -= u32::from(left != NONE);
    }
}

/// Whether the condition holds at `pos`.
#[inline]
fn holds(assert: Assert, text: &[u8], pos: usize, search_start: usize) -> bool {
    match assert {
        Assert::LineStart => pos == 0 || (text[pos - 1] == b'\n' && pos < text.len()),
        Assert::LineEnd => pos == text.len() || text[pos] == b'\n',
        Assert::TextStart => pos == 0,
        Assert::TextEnd => pos == text.len(),
        Assert::TextEndOrNewline => pos == text.len() || (pos + 1 == text.len() && text[pos] == b'\n'),
        Assert::SearchStart => pos == search_start,
        Assert::WordBoundary(ascii) => is_boundary(text, pos, ascii),
        Assert::NotWordBoundary(ascii) => !is_boundary(text, pos, ascii),
    }
}

#[inline]
fn is_boundary(text: &[u8], pos: usize, ascii: bool) -> bool {
    let before = pos > 0 && is_word(utf8::decode(text, utf8::before(text, pos)).0, ascii);
    let after = pos < text.len() && is_word(utf8::decode(text, pos).0, ascii);
    before != after
}

/// Whether the character before `pos` is of the set.
#[inline]
fn behind(set: &SetTable, text: &[u8], pos: usize) -> bool {
    pos > 0 && one(set, text, utf8::before(text, pos)).is_some()
}

/// The place `count` characters before `pos`.
fn back(text: &[u8], pos: usize, count: u32) -> Option<usize> {
    let mut at = pos;
    for _ in 0..count {
        if at == 0 {
            return None;
        }
        at = utf8::before(text, at);
    }
    Some(at)
}

/// The place after `captured` when it stands at `pos`.
pub(super) fn again(text: &[u8], captured: &[u8], pos: usize, ignore_case: bool) -> Option<usize> {
    if !ignore_case {
        return text[pos..].starts_with(captured).then_some(pos + captured.len());
    }
    let (mut at, mut from) = (pos, 0);
    while from < captured.len() {
        let (wanted, length) = utf8::decode(captured, from);
        from += length;
        if at == text.len() {
            return None;
        }
        let (found, length) = utf8::decode(text, at);
        at += length;
        if wanted != found && !same_folded(wanted, found) {
            return None;
        }
    }
    Some(at)
}

fn same_folded(a: u32, b: u32) -> bool {
    match (char::from_u32(a), char::from_u32(b)) {
        (Some(a), Some(b)) => a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase()),
        _ => false,
    }
}

/// The place after a grapheme cluster.
pub(super) fn grapheme(text: &[u8], pos: usize) -> Option<usize> {
    if pos >= text.len() {
        return None;
    }
    let part = &text[pos..text.len().min(pos + MAX_GRAPHEME)];
    let valid = match std::str::from_utf8(part) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&part[..error.valid_up_to()]).unwrap_or_default(),
    };
    let length = valid.graphemes(true).next().map_or(1, str::len);
    Some(pos + length)
}
