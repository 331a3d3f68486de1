//! Ruby's patterns for the library Oniguruma, whose Ruby syntax is not quite Ruby's: there `\w`, `\d` and `\s` are
//! Unicode's, in Ruby (and in Logstash) ASCII's. And groups of grok's names, which it does not take. What it makes of groups
//! that are called is kept from being wrong.

/// The pattern for the library.
pub(crate) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() * 2);
    let (mut rest, mut depth) = (pattern, 0u32);
    // Whether they capture, of the groups that are open.
    let (has_calls, mut groups) = (pattern.contains(r"\g<"), Vec::new());
    while let Some(c) = rest.chars().next() {
        if let Some(escaped) = rest.strip_prefix('\\') {
            let length = 1 + escaped.chars().next().map_or(0, char::len_utf8);
            match escaped.chars().next().and_then(ascii_class) {
                Some((false, members)) if depth > 0 => out.push_str(members),
                Some((true, members)) if depth > 0 => {
                    out.push_str("[^");
                    out.push_str(members);
                    out.push(']');
                }
                Some((negated, members)) => {
                    // Unlike a class they take no notice of (?i).
                    out.push_str(if negated { "(?-i:[^" } else { "(?-i:[" });
                    out.push_str(members);
                    out.push_str("])");
                }
                None => out.push_str(&rest[..length]),
            }
            rest = &rest[length..];
            continue;
        }
        if depth > 0 && rest.starts_with("[:") {
            let length = rest.find(":]").map_or(2, |at| at + 2);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        if c == '[' {
            depth += 1;
            // A bracket right at the start is a member.
            let head = ["[^]", "[]", "[^", "["].into_iter().find(|head| rest.starts_with(head)).unwrap_or("[");
            out.push_str(head);
            rest = &rest[head.len()..];
            continue;
        }
        if c == ']' && depth > 0 {
            depth -= 1;
        }
        if depth == 0 && c == '(' {
            // What a condition is about stands in brackets, too.
            groups.push(!rest.starts_with("(?") && !out.ends_with("(?") || group_name(rest).is_some());
        }
        if depth == 0 && c == ')' && groups.pop() == Some(true) && has_calls {
            // By what follows the group here, the library tells that a repetition at its end gives nothing back: also where
            // the group is called and something else follows.
            out.push_str("(?=)");
        }
        if depth == 0
            && let Some((name, length)) = group_name(rest)
        {
            out.push_str("(?<");
            out.extend(name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }));
            out.push('>');
            rest = &rest[length..];
            continue;
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Whether it is negated, and the members.
fn ascii_class(c: char) -> Option<(bool, &'static str)> {
    let members = match c.to_ascii_lowercase() {
        'w' => "a-zA-Z0-9_",
        'd' => "0-9",
        's' => r"\t\n\x0b\f\r\x20",
        _ => return None,
    };
    Some((c.is_ascii_uppercase(), members))
}

/// The name of the group that the text starts with, and how far it reaches.
fn group_name(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix("(?<")?;
    if inner.starts_with(['=', '!']) {
        return None;
    }
    let end = inner.find('>')?;
    Some((&inner[..end], 3 + end + 1))
}
