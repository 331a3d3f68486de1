//! Patterns on which a backtracking engine takes time that grows with the power of the text.

/// A group that repeats something which repeats itself, with nothing between two rounds that must be there: `(a+)+`,
/// `(\w+\s?)*`. Its text, when there is one.
pub fn nested_repetition(pattern: &str) -> Option<&str> {
    let bytes = pattern.as_bytes();
    let mut open: Vec<Group> = vec![Group::default()];
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        // What an element is: whether it must take part, and the group that it was.
        let closed = match bytes[at] {
            b'\\' => {
                at += 2;
                None
            }
            b'[' => {
                at = class_end(bytes, at);
                None
            }
            b'%' if bytes.get(at + 1) == Some(&b'{') => {
                at = bytes[at..].iter().position(|byte| *byte == b'}').map_or(bytes.len(), |end| at + end + 1);
                None
            }
            b'(' => {
                let (length, careful) = opening(&bytes[at..]);
                open.push(Group { start, careful, ..Group::default() });
                at += length;
                continue;
            }
            b')' if open.len() > 1 => {
                at += 1;
                open.pop()
            }
            b'|' => {
                at += 1;
                open.last_mut()?.alternative();
                continue;
            }
            _ => {
                at += 1;
                None
            }
        };
        let (repeats, optional, length) = quantifier(&bytes[at.min(bytes.len())..]);
        at += length;
        let mut inner = false;
        if let Some(group) = closed {
            inner = group.ambiguous();
            if repeats && inner {
                return pattern.get(group.start..at);
            }
        }
        open.last_mut()?.element(repeats || (inner && !optional), optional);
    }
    None
}

/// An open group, as far as its repetition goes.
#[derive(Clone, Copy, Default)]
struct Group {
    start: usize,
    /// Atomic, or a look-around: nothing in it is tried again.
    careful: bool,
    /// In this alternative: how many elements repeat, and how many others must be there.
    repeating: usize,
    solid: usize,
    /// An earlier alternative is ambiguous.
    found: bool,
}

impl Group {
    fn element(&mut self, repeats: bool, optional: bool) {
        if repeats {
            self.repeating += 1;
        } else if !optional {
            self.solid += 1;
        }
    }

    fn alternative(&mut self) {
        self.found |= self.repeating > 0 && self.solid == 0;
        (self.repeating, self.solid) = (0, 0);
    }

    fn ambiguous(mut self) -> bool {
        self.alternative();
        self.found && !self.careful
    }
}

/// The length of what opens a group, and whether nothing in it is tried again.
fn opening(text: &[u8]) -> (usize, bool) {
    for (prefix, careful) in
        [(&b"(?>"[..], true), (b"(?=", true), (b"(?!", true), (b"(?<=", true), (b"(?<!", true), (b"(?:", false)]
    {
        if text.starts_with(prefix) {
            return (prefix.len(), careful);
        }
    }
    if text.starts_with(b"(?<") {
        return (text.iter().position(|byte| *byte == b'>').map_or(text.len(), |end| end + 1), false);
    }
    if text.starts_with(b"(?") {
        let end = text.iter().position(|byte| matches!(byte, b':' | b')')).unwrap_or(text.len() - 1);
        return (if text[end] == b')' { end } else { end + 1 }, false);
    }
    (1, false)
}

/// Whether a quantifier repeats without end, whether it allows nothing, and its length; possessive ones repeat without
/// being tried again.
fn quantifier(text: &[u8]) -> (bool, bool, usize) {
    let (unbounded, optional, length) = match text.first() {
        Some(b'*') => (true, true, 1),
        Some(b'+') => (true, false, 1),
        Some(b'?') => (false, true, 1),
        Some(b'{') => match text.iter().position(|byte| *byte == b'}') {
            Some(end) => (text[..end].ends_with(b","), text.starts_with(b"{0") || text.starts_with(b"{,"), end + 1),
            None => (false, false, 0),
        },
        _ => (false, false, 0),
    };
    match text.get(length) {
        Some(b'?') if length > 0 => (unbounded, optional, length + 1),
        Some(b'+') if length > 0 => (false, optional, length + 1),
        _ => (unbounded, optional, length),
    }
}

/// One past the `]` of a class.
fn class_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    if bytes.get(at) == Some(&b'^') {
        at += 1;
    }
    let mut depth = 1;
    let first = at;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'[' => depth += 1,
            b']' if at > first => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::nested_repetition;

    #[test]
    fn finds_repetition_of_repetition() {
        for (pattern, found) in [
            (r"(a+)+", Some(r"(a+)+")),
            (r"^(?:\w+\s?)*$", Some(r"(?:\w+\s?)*")),
            (r"x(?<n>(?:.*))+y", Some(r"(?<n>(?:.*))+")),
            (r"(a|b+)*c", Some(r"(a|b+)*")),
            (r"([a-z]+){2,}", Some(r"([a-z]+){2,}")),
            (r"(?:\w+,)*", None),
            (r"(?>a+)+", None),
            (r"(a++)+", None),
            (r"(a+)?", None),
            (r"%{IP:a} (%{WORD:b} )*", None),
            (r"([(a+)]+)x", None),
            (r"\(a+\)+", None),
            ("(", None),
            ("[", None),
            ("(?", None),
            ("\\", None),
            (")+", None),
        ] {
            assert_eq!(nested_repetition(pattern), found, "{pattern}");
        }
    }
}
