//! Ruby's `upcase`, `downcase`, `capitalize`, `strip` and `split`.

use tailrace_common::Str;

/// How letters are changed.
#[derive(Clone, Copy, Debug)]
pub(in crate::filters) enum Case {
    Upper,
    Lower,
    /// The first upper, the rest lower.
    Capital,
}

impl Case {
    /// Changes a text as [`Case::of`] does, in its place where all letters are ASCII.
    pub(super) fn apply(self, text: &mut Str) {
        match self {
            Case::Upper if text.is_ascii() => text.make_ascii_uppercase(),
            Case::Lower if text.is_ascii() => text.make_ascii_lowercase(),
            _ => *text = Str::from(self.of(text)),
        }
    }

    /// Full Unicode mapping letter by letter; a sigma at the end of a word is like any other.
    pub(in crate::filters) fn of(self, text: &str) -> String {
        match self {
            Case::Upper => text.chars().flat_map(char::to_uppercase).collect(),
            Case::Lower => text.chars().flat_map(char::to_lowercase).collect(),
            Case::Capital => {
                let mut letters = text.chars();
                let first = letters.next().map(titled).unwrap_or_default();
                first.chars().chain(letters.flat_map(char::to_lowercase)).collect()
            }
        }
    }
}

/// Title case: as upper case, but only the first of several letters is large (`ß` gives `Ss`).
fn titled(letter: char) -> String {
    let mut upper = letter.to_uppercase();
    let first = upper.next();
    first.into_iter().chain(upper.flat_map(char::to_lowercase)).collect()
}

/// Without ASCII blanks around it, and without NULs at the end.
pub(in crate::filters) fn stripped(text: &str) -> &str {
    let blank = |character: char| matches!(character, ' ' | '\t'..='\r');
    text.trim_start_matches(blank).trim_end_matches(|character| blank(character) || character == '\0')
}

/// Empty parts at the end are left out; one blank as separator splits at runs of blanks.
pub(in crate::filters) fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let mut parts = split_all(text, separator);
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}

/// As [`split`], with the empty parts at the end (`split(separator, -1)`).
pub(in crate::filters) fn split_all<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let blank = |character: char| matches!(character, ' ' | '\t'..='\r' | '\0');
    match separator {
        _ if text.is_empty() => Vec::new(),
        " " => {
            let mut parts: Vec<&str> = text.split(blank).filter(|part| !part.is_empty()).collect();
            if text.ends_with(blank) {
                parts.push("");
            }
            parts
        }
        "" => text.char_indices().map(|(at, character)| &text[at..at + character.len_utf8()]).chain([""]).collect(),
        separator => text.split(separator).collect(),
    }
}
