//! A grok pattern's text as a sequence of elements, to see how far a line goes along with it.

use std::ops::Range;

/// One element with its quantifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// Where it stands in the pattern, in bytes.
    pub place: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// What an element is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `%{NAME...}` without a quantifier: the name.
    Reference(Range<usize>),
    /// A group without a quantifier that a match goes through once, such as `(...)` and `(?<name>...)`: what is inside.
    Group(Range<usize>),
    /// Anything else.
    Other,
}

/// The alternatives of a pattern (at least one), each a sequence of elements.
pub fn split(pattern: &str) -> Vec<Vec<Element>> {
    split_range(pattern, 0..pattern.len())
}

/// The same for a part of a pattern; places are those in the whole.
pub fn split_range(pattern: &str, range: Range<usize>) -> Vec<Vec<Element>> {
    let mut branches = vec![Vec::new()];
    let mut at = range.start;
    while at < range.end {
        if pattern[at..].starts_with('|') {
            branches.push(Vec::new());
            at += 1;
            continue;
        }
        let end = atom_end(pattern, at).min(range.end);
        let after = quantifier_end(pattern, end).min(range.end);
        let kind = if after == end { kind(pattern, at..end) } else { Kind::Other };
        if let Some(branch) = branches.last_mut() {
            push(branch, Element { place: at..after, kind }, pattern);
        }
        at = after;
    }
    branches
}

/// Letters and the like that stand together are one element.
fn push(branch: &mut Vec<Element>, element: Element, pattern: &str) {
    let is_plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '_');
    if let Some(last) = branch.last_mut()
        && is_plain(&pattern[last.place.clone()])
        && is_plain(&pattern[element.place.clone()])
    {
        last.place.end = element.place.end;
        return;
    }
    branch.push(element);
}

/// Where the atom that starts here ends.
fn atom_end(pattern: &str, at: usize) -> usize {
    let rest = &pattern[at..];
    let length = match rest.as_bytes().first() {
        Some(b'%') if rest.starts_with("%{") => rest.find('}').map_or(1, |end| end + 1),
        Some(b'\\') => escape_length(rest),
        Some(b'[') => class_length(rest),
        Some(b'(') => group_length(rest),
        _ => rest.chars().next().map_or(1, char::len_utf8),
    };
    at + length
}

fn escape_length(text: &str) -> usize {
    let mut characters = text.chars();
    let backslash = characters.next().map_or(0, char::len_utf8);
    let escaped = characters.next().map_or(0, char::len_utf8);
    let takes_braces = ["\\p{", "\\P{", "\\x{", "\\k<", "\\g<"].iter().any(|head| text.starts_with(head));
    let close = if takes_braces { text.find(['}', '>']) } else { None };
    close.map_or(backslash + escaped, |close| close + 1)
}

fn class_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with('\\') {
            at += escape_length(rest);
            continue;
        }
        if let Some(posix) = rest.strip_prefix("[:").filter(|_| depth > 0) {
            at += posix.find(":]").map_or(2, |end| end + 4);
            continue;
        }
        if rest.starts_with('[') {
            depth += 1;
            // A bracket right at the start is a member.
            at += ["[^]", "[]"].iter().find(|head| rest.starts_with(*head)).map_or(1, |head| head.len());
            continue;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
        if rest.starts_with(']') {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    text.len()
}

fn group_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text.as_bytes()[at] {
            b'(' => (depth, at) = (depth + 1, at + 1),
            b')' if depth == 1 => return at + 1,
            b')' => (depth, at) = (depth - 1, at + 1),
            b'\\' => at += escape_length(&text[at..]),
            b'[' => at += class_length(&text[at..]),
            _ => at += text[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    text.len()
}

/// Where a quantifier after an atom ends; the atom's end when there is none.
fn quantifier_end(pattern: &str, at: usize) -> usize {
    let rest = &pattern[at..];
    let mut length = match rest.as_bytes().first() {
        Some(b'*' | b'+' | b'?') => 1,
        Some(b'{') => match rest.find('}') {
            Some(end) if is_interval(&rest[1..end]) => end + 1,
            _ => 0,
        },
        _ => 0,
    };
    while length > 0 && rest[length..].starts_with(['*', '+', '?']) {
        length += 1;
    }
    at + length
}

fn is_interval(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b',') && text.bytes().any(|byte| byte.is_ascii_digit())
}

fn kind(pattern: &str, place: Range<usize>) -> Kind {
    let text = &pattern[place.clone()];
    if let Some(inner) = text.strip_prefix("%{") {
        let name = inner.find([':', '=', '}']).unwrap_or(inner.len());
        return Kind::Reference(place.start + 2..place.start + 2 + name);
    }
    if !text.starts_with('(') || !text.ends_with(')') {
        return Kind::Other;
    }
    let head = match text.strip_prefix("(?") {
        None => 1,
        Some(inner) if inner.starts_with([':', '>']) => 3,
        Some(inner) if inner.starts_with('<') && !inner.starts_with("<=") && !inner.starts_with("<!") => {
            match inner.find('>') {
                Some(end) => 2 + end + 1,
                None => return Kind::Other,
            }
        }
        Some(_) => return Kind::Other,
    };
    Kind::Group(place.start + head..place.end - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pattern: &str) -> Vec<Vec<&str>> {
        let branches = split(pattern);
        branches.iter().map(|branch| branch.iter().map(|element| &pattern[element.place.clone()]).collect()).collect()
    }

    #[test]
    fn elements_keep_their_quantifiers() {
        assert_eq!(
            texts(r#"%{IP:client}(?: - )?user \[%{DATA}\] [^]"]+?x{2}a{b"#),
            [vec![
                "%{IP:client}",
                "(?: - )?",
                "user ",
                r"\[",
                "%{DATA}",
                r"\]",
                " ",
                "[^]\"]+?",
                "x{2}",
                "a",
                "{",
                "b"
            ]]
        );
    }

    #[test]
    fn alternatives_are_those_outside_of_groups_and_classes() {
        assert_eq!(texts(r"a|(b|c)|[|]\|"), [vec!["a"], vec!["(b|c)"], vec!["[|]", r"\|"]]);
    }

    #[test]
    fn groups_that_are_gone_through_once_are_told_from_others() {
        let kinds = |pattern| split(pattern).remove(0).remove(0).kind;
        assert_eq!(kinds("(?<a>xy)"), Kind::Group(5..7));
        assert_eq!(kinds("(?>xy)"), Kind::Group(3..5));
        assert_eq!(kinds("(xy)"), Kind::Group(1..3));
        assert_eq!(kinds("(xy)?"), Kind::Other);
        assert_eq!(kinds("(?!xy)"), Kind::Other);
        assert_eq!(kinds("%{NAME:x:int}"), Kind::Reference(2..6));
    }

    #[test]
    fn what_is_not_closed_reaches_to_the_end() {
        for pattern in ["(a", "[a", "\\", "%{a", "[[:a", "(?<a", "a{2", "[^", "\\p{", "\u{e9}|("] {
            assert!(!split(pattern).is_empty());
        }
    }
}
