//! The same pattern for other engines: group names that all of them take, and for those that lack a construct of Ruby's
//! the nearest they have.

/// What an engine cannot take or means otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Everything is there; only names change.
    Ruby,
    /// `(?m)` is called `(?s)`, and `\h` means something else.
    Perl,
    /// As Perl's, without look-around (left out), atomic groups (plain ones instead) and possessive quantifiers (greedy).
    Automata,
}

/// A pattern after Ruby's grammar in another dialect. Groups are called `g1`, `g2`, ... in their order.
pub(crate) fn translate(pattern: &str, dialect: Dialect) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut rest, mut groups, mut in_class) = (pattern, 0, 0);
    while let Some(c) = rest.chars().next() {
        if let Some(escaped) = rest.strip_prefix('\\') {
            let length = 1 + escaped.chars().next().map_or(0, char::len_utf8);
            match &rest[..length] {
                "\\h" if dialect != Dialect::Ruby => out.push_str("[0-9a-fA-F]"),
                other => out.push_str(other),
            }
            rest = &rest[length..];
            continue;
        }
        let opens_class = c == '[' && (in_class == 0 || rest.starts_with("[:"));
        if opens_class || (c == ']' && in_class > 0) {
            in_class = if opens_class { in_class + 1 } else { in_class - 1 };
        } else if in_class == 0 && c == '(' {
            let (written, length) = group(rest, dialect, &mut groups);
            out.push_str(&written);
            rest = &rest[length..];
            continue;
        } else if in_class == 0 && c == '+' && dialect == Dialect::Automata && out.ends_with(['+', '*', '?']) {
            rest = &rest[1..];
            continue;
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// How the group that the text starts with is opened (or all of it, when it is left out) and how much of the text that is.
fn group(text: &str, dialect: Dialect, groups: &mut usize) -> (String, usize) {
    const LOOKS: [&str; 4] = ["(?=", "(?!", "(?<=", "(?<!"];
    if LOOKS.iter().any(|look| text.starts_with(look)) {
        return if dialect == Dialect::Automata { (String::new(), length_of_group(text)) } else { ("(".to_owned(), 1) };
    }
    if text.starts_with("(?>") && dialect == Dialect::Automata {
        return ("(?:".to_owned(), 3);
    }
    if text.starts_with("(?m)") && dialect != Dialect::Ruby {
        return ("(?s)".to_owned(), 4);
    }
    match text.strip_prefix("(?<").and_then(|name| name.find('>')) {
        Some(end) => {
            *groups += 1;
            (format!("(?<g{groups}>"), 3 + end + 1)
        }
        // Where there are named groups, Ruby's plain ones do not capture.
        None if !text.starts_with("(?") => ("(?:".to_owned(), 1),
        None => ("(".to_owned(), 1),
    }
}

/// Up to the closing parenthesis.
fn length_of_group(text: &str) -> usize {
    let (mut depth, mut escaped, mut in_class) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => depth += 1,
            ')' if !in_class && depth == 1 => return at + 1,
            ')' if !in_class => depth -= 1,
            _ => {}
        }
    }
    text.len()
}
