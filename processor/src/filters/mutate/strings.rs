//! Ruby's `upcase`, `downcase`, `capitalize`, `strip` and `split`.

/// How letters are changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Case {
    Upper,
    Lower,
    /// The first upper, the rest lower.
    Capital,
}

impl Case {
    /// Full Unicode mapping letter by letter; a sigma at the end of a word is like any other.
    pub(super) fn of(self, text: &str) -> String {
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
pub(super) fn stripped(text: &str) -> &str {
    let blank = |character: char| matches!(character, ' ' | '\t'..='\r');
    text.trim_start_matches(blank).trim_end_matches(|character| blank(character) || character == '\0')
}

/// Empty parts at the end are left out; one blank as separator splits at runs of blanks.
pub(super) fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let mut parts: Vec<&str> = match separator {
        " " => text
            .split(|character: char| matches!(character, ' ' | '\t'..='\r' | '\0'))
            .filter(|part| !part.is_empty())
            .collect(),
        "" => text.char_indices().map(|(at, character)| &text[at..at + character.len_utf8()]).collect(),
        separator => text.split(separator).collect(),
    };
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    parts
}
