//! The named character classes: `\w`, `[[:alpha:]]`, `\p{Greek}`.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, HirKind};

use crate::charset::CharSet;

/// Whether a class is limited to ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    Ascii,
    Unicode,
}

const ASCII: CharSetRange = (0, 0x7F);
type CharSetRange = (u32, u32);

/// `\w`, `[[:word:]]`
pub(crate) fn word(range: Range) -> CharSet {
    static UNICODE: OnceLock<CharSet> = OnceLock::new();
    match range {
        Range::Ascii => ascii(&[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')]),
        Range::Unicode => UNICODE.get_or_init(|| union(&["Alphabetic", "M", "Nd", "Pc"])).clone(),
    }
}

/// Whether the character is one of a word, for `\b`.
#[inline]
pub(crate) fn is_word(code: u32, ascii_only: bool) -> bool {
    static WORD: OnceLock<CharSet> = OnceLock::new();
    if let Ok(byte @ 0..0x80) = u8::try_from(code) {
        return byte.is_ascii_alphanumeric() || byte == b'_';
    }
    // Of Latin-1 Oniguruma has a table of its own, in which the raised digits and the fractions are word characters.
    let of_table = matches!(code, 0xB2 | 0xB3 | 0xB9 | 0xBC..=0xBE);
    !ascii_only && (of_table || WORD.get_or_init(|| word(Range::Unicode)).contains(code))
}

/// `\d`
pub(crate) fn digit(range: Range) -> CharSet {
    match range {
        Range::Ascii => ascii(&[(b'0', b'9')]),
        Range::Unicode => union(&["Nd"]),
    }
}

/// `\s`
pub(crate) fn space(range: Range) -> CharSet {
    match range {
        Range::Ascii => ascii(&[(b'\t', b'\r'), (b' ', b' ')]),
        Range::Unicode => union(&["White_Space"]),
    }
}

/// `\h`
pub(crate) fn hex_digit() -> CharSet {
    ascii(&[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')])
}

/// The class of a POSIX bracket, `alpha` in `[[:alpha:]]`.
pub(crate) fn posix(name: &str, range: Range) -> Option<CharSet> {
    let set = match name {
        "alnum" => union(&["Alphabetic", "Nd"]),
        "alpha" => union(&["Alphabetic"]),
        "ascii" => CharSet::new(&[ASCII]),
        "blank" => with(union(&["Zs"]), &[(9, 9)]),
        "cntrl" => union(&["Cc"]),
        "digit" => union(&["Nd"]),
        "graph" => graph(),
        "lower" => union(&["Lowercase"]),
        "print" => {
            let mut set = graph();
            set.union(&union(&["Zs"]));
            set
        }
        "punct" => with(
            union(&["P"]),
            &[(0x24, 0x24), (0x2B, 0x2B), (0x3C, 0x3E), (0x5E, 0x5E), (0x60, 0x60), (0x7C, 0x7C), (0x7E, 0x7E)],
        ),
        "space" => union(&["White_Space"]),
        "upper" => union(&["Uppercase"]),
        "word" => word(Range::Unicode),
        "xdigit" => hex_digit(),
        _ => return None,
    };
    Some(match range {
        Range::Unicode => set,
        Range::Ascii => set.intersect(&CharSet::new(&[ASCII])),
    })
}

/// The class of `\p{name}`. Case, blanks, `-` and `_` do not count in names.
pub(crate) fn property(name: &str) -> Option<CharSet> {
    let plain: String =
        name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
    if let Some(set) = posix(&plain, Range::Unicode) {
        return Some(set);
    }
    match plain.as_str() {
        "any" => Some(CharSet::new(&[(0, 0x10_FFFF)])),
        "assigned" => lookup("Cn").map(|set| set.negate().intersect(&CharSet::new(&[(0, 0x10_FFFF)]))),
        _ => lookup(name).or_else(|| lookup(&plain)),
    }
}

fn graph() -> CharSet {
    let mut without = union(&["White_Space", "Cc", "Cn"]);
    without.add_range(0xD800, 0xDFFF);
    without.negate().intersect(&CharSet::new(&[(0, 0x10_FFFF)]))
}

fn ascii(ranges: &[(u8, u8)]) -> CharSet {
    let ranges: Vec<_> = ranges.iter().map(|&(a, b)| (u32::from(a), u32::from(b))).collect();
    CharSet::new(&ranges)
}

fn with(mut set: CharSet, ranges: &[CharSetRange]) -> CharSet {
    set.union(&CharSet::new(ranges));
    set
}

fn union(names: &[&str]) -> CharSet {
    let mut set = CharSet::default();
    for name in names {
        let class = lookup(name);
        debug_assert!(class.is_some(), "a property that the tables have");
        set.union(&class.unwrap_or_default());
    }
    set
}

/// Reads a property from the tables of `regex-syntax`.
fn lookup(name: &str) -> Option<CharSet> {
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '=')) {
        return None;
    }
    let hir = regex_syntax::parse(&format!("\\p{{{name}}}")).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(CharSet::from(&class)),
        HirKind::Class(Class::Bytes(class)) => {
            let ranges: Vec<_> = class.iter().map(|r| (u32::from(r.start()), u32::from(r.end()))).collect();
            Some(CharSet::new(&ranges))
        }
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            text.chars().next().map(CharSet::single)
        }
        _ => None,
    }
}
