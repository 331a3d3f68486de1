//! Files by pattern, as Ruby's `Dir.glob` finds them: `*`, `?`, `[a-z]`, `**`, and `{a,b}` for either; what begins with
//! a dot is found only where the pattern says the dot.

use std::path::PathBuf;

use glob::{GlobError, MatchOptions, PatternError};

/// The library finds no hidden file at all where a leading dot must be literal, not even for `.a*`.
fn matching(pattern: &str) -> MatchOptions {
    let names_hidden = pattern.split('/').any(|part| part.starts_with('.') && part.contains(['*', '?', '[']));
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: !names_hidden }
}

/// A pattern stands for at most so many others.
const MOST_ALTERNATIVES: usize = 1000;

/// What is wrong with a pattern, if anything is.
#[cfg(any(test, feature = "edges"))]
pub(crate) fn check(pattern: &str) -> Result<(), PatternError> {
    alternatives(pattern).iter().try_for_each(|one| glob::Pattern::new(one).map(drop))
}

/// What a pattern finds; each once, those of the first alternative first.
pub(crate) fn find(pattern: &str) -> Result<Vec<Result<PathBuf, GlobError>>, PatternError> {
    let mut found: Vec<Result<PathBuf, GlobError>> = Vec::new();
    let alternatives = alternatives(pattern);
    for one in &alternatives {
        for path in glob::glob_with(one, matching(one))? {
            let is_new = alternatives.len() == 1
                || path.as_ref().map_or(true, |path| !found.iter().flatten().any(|held| held == path));
            if is_new {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// The patterns that one with `{a,b}` stands for. A brace without its end is a character like others.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_string()];
    while let Some(pattern) = open.pop() {
        match first_braces(&pattern) {
            Some((before, choices, after)) if open.len() + done.len() < MOST_ALTERNATIVES => {
                open.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// The text before the first braces, the choices between them, and the text after.
fn first_braces(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = pattern.find('{')?;
    let (mut depth, mut start, mut choices) = (0_usize, open + 1, Vec::new());
    for (at, character) in pattern[open..].char_indices().map(|(at, character)| (open + at, character)) {
        match character {
            '{' => depth += 1,
            ',' if depth == 1 => {
                choices.push(&pattern[start..at]);
                start = at + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    choices.push(&pattern[start..at]);
                    return Some((&pattern[..open], choices, &pattern[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_pattern_is_too_strange(pattern in "[a{},é*]{0,30}") {
            prop_assert!(!alternatives(&pattern).is_empty());
        }
    }

    #[test]
    fn braces_stand_for_either() {
        for (pattern, wanted) in [
            ("a*.conf", &["a*.conf"][..]),
            ("/d/{in,out}-*.conf", &["/d/in-*.conf", "/d/out-*.conf"]),
            ("{a,b{c,d}}{,e}", &["a", "ae", "bc", "bce", "bd", "bde"]),
            ("a{b", &["a{b"]),
            ("a}b,c", &["a}b,c"]),
        ] {
            assert_eq!(alternatives(pattern), wanted, "{pattern}");
        }
        assert!(alternatives(&"{a,b}".repeat(64)).len() <= MOST_ALTERNATIVES + 1);
    }

    #[test]
    fn hidden_files_are_named_or_not_found() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.conf", "b.conf", ".a.conf.swp"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let count = |pattern: &str| find(&format!("{}/{pattern}", folder.path().display())).unwrap().len();
        assert_eq!((count("*"), count("{a,*}.conf"), count(".a*")), (2, 2, 1));
        assert!(check("a{b,[}").is_err());
    }
}
