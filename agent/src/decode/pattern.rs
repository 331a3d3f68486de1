//! Regular expressions as Filebeat writes them: Go's RE2 syntax and semantics, on bytes.

use std::fmt;

use regex::bytes::Regex;

/// A compiled regular expression of the configuration.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles Go's syntax: `\d`, `\s`, `\w` and `\b` are ASCII, `\Q...\E` quotes, `[` needs no escape in a class.
    ///
    /// # Errors
    /// When the expression is not valid, or too large.
    pub fn new(text: &str) -> Result<Pattern, regex::Error> {
        regex::bytes::RegexBuilder::new(&translate(text)).build().map(Pattern)
    }

    /// Whether it matches anywhere in the text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// The text with all matches replaced; `$1` and `${name}` stand for groups, as in Go.
    pub(crate) fn replace_all<'t>(&self, text: &'t [u8], replacement: &[u8]) -> std::borrow::Cow<'t, [u8]> {
        self.0.replace_all(text, replacement)
    }

    /// What the group of that name holds where it matches first.
    pub(crate) fn group<'t>(&self, text: &'t [u8], name: &str) -> Option<&'t [u8]> {
        Some(self.0.captures(text)?.name(name)?.as_bytes())
    }

    /// Whether there is a group of that name.
    pub(crate) fn has_group(&self, name: &str) -> bool {
        self.0.capture_names().flatten().any(|known| known == name)
    }

    /// Whether any of `patterns` matches.
    pub fn any(patterns: &[Pattern], text: &[u8]) -> bool {
        patterns.iter().any(|pattern| pattern.is_match(text))
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.0.as_str())
    }
}

/// Rewrites the few spots where Go's syntax and that of the `regex` crate differ in meaning.
fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut in_class = false;
    while let Some(first) = rest.chars().next() {
        let used = match first {
            '\\' => escape(rest, in_class, &mut out),
            '[' if in_class => class_member(rest, &mut out),
            '[' => {
                in_class = true;
                class_start(rest, &mut out)
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
                1
            }
            // Set operations of the crate, plain characters for Go.
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(first);
                1
            }
            // At the start of a class the first one stands for itself, elsewhere it makes a range that ends with the other.
            '-' if in_class && rest.starts_with("--") => {
                let starts = out.ends_with('[') || out.ends_with("[^");
                out.push_str(if starts { "\\-" } else { "-\\-" });
                if starts { 1 } else { 2 }
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[used..];
    }
    out
}

/// `[`, `[^`, and a `]` right behind it, which stands for itself.
fn class_start(rest: &str, out: &mut String) -> usize {
    let mut used = 1;
    out.push('[');
    if rest[used..].starts_with('^') {
        out.push('^');
        used += 1;
    }
    if rest[used..].starts_with(']') {
        out.push_str("\\]");
        used += 1;
    }
    used
}

/// `[` within a class: `[:alpha:]`, or itself.
fn class_member(rest: &str, out: &mut String) -> usize {
    if rest.starts_with("[:")
        && let Some(end) = rest.find(":]")
    {
        out.push_str(&rest[..end + 2]);
        return end + 2;
    }
    out.push_str("\\[");
    1
}

fn escape(rest: &str, in_class: bool, out: &mut String) -> usize {
    let Some(escaped) = rest[1..].chars().next() else {
        out.push('\\');
        return 1;
    };
    let ascii = match (escaped, in_class) {
        ('d', false) => "[0-9]",
        ('d', true) => "0-9",
        ('D', _) => "[^0-9]",
        ('s', false) => "[\\t\\n\\x0C\\r ]",
        ('s', true) => "\\t\\n\\x0C\\r ",
        ('S', _) => "[^\\t\\n\\x0C\\r ]",
        ('w', false) => "[0-9A-Za-z_]",
        ('w', true) => "0-9A-Za-z_",
        ('W', _) => "[^0-9A-Za-z_]",
        ('b', false) => "(?-u:\\b)",
        ('B', false) => "(?-u:\\B)",
        ('C', false) => "(?s-u:.)",
        ('Q', _) => {
            let quoted = &rest[2..];
            let end = quoted.find("\\E");
            out.push_str(&regex::escape(&quoted[..end.unwrap_or(quoted.len())]));
            return end.map_or(rest.len(), |end| end + 4);
        }
        _ => {
            out.push('\\');
            out.push(escaped);
            return 1 + escaped.len_utf8();
        }
    };
    out.push_str(ascii);
    2
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().is_match(text.as_bytes())
    }

    #[test]
    fn classes_are_ascii_as_in_go() {
        assert!(matches(r"^\d+$", "123"));
        assert!(!matches(r"\d", "٣"));
        assert!(!matches(r"\w", "é"));
        assert!(matches(r"^[\d\s]+$", "1 2"));
        assert!(matches(r"^[\D]$", "é"));
        assert!(matches(r"\bat\b", "look at it"));
    }

    #[test]
    fn what_go_allows_is_allowed() {
        assert!(matches(r"^\Qa.b[\E$", "a.b["));
        assert!(matches(r"\Qx+", "x+"));
        assert!(matches("^[[]x", "[x"));
        assert!(matches("^[]]$", "]"));
        assert!(matches("^[a&&b]+$", "&a"));
        assert!(matches("^[[:alpha:]]+$", "ab"));
        assert!(matches(r"(?P<n>x)\z", "x"));
        assert!(matches(r"\pL", "中"));
        assert!(matches(r"^[+--]$", ","));
        assert!(Pattern::new("(").is_err());
        assert!(Pattern::new("\\").is_err());
    }
}
