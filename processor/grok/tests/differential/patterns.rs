//! Random patterns of Ruby's grammar.

use tailrace_grok::Options;

/// How deep groups nest.
const DEPTH: u32 = 3;

/// A pattern and how it is to be read. `choose` is asked for one of so many ways, from 0.
pub(crate) fn random(choose: &mut dyn FnMut(usize) -> usize) -> (String, Options) {
    let named = choose(2) == 1;
    let mut writer =
        Writer { out: String::new(), opened: 0, closed: Vec::new(), filled: Vec::new(), named, choose: &mut *choose };
    writer.alternation(DEPTH);
    let pattern = writer.out;
    let options = Options { multi_line: choose(2) == 1, ignore_case: choose(6) == 1, extended: choose(16) == 1 };
    (pattern, options)
}

struct Writer<'r> {
    out: String,
    opened: usize,
    /// References go to groups that are closed: none comes before its group or inside of it.
    closed: Vec<usize>,
    /// Those of them that cannot have taken nothing. Oniguruma's conditions do not see some of the others.
    filled: Vec<usize>,
    named: bool,
    choose: &'r mut dyn FnMut(usize) -> usize,
}

const CHARS: &[&str] =
    &["a", "a", "b", "b", "c", "A", "1", " ", "-", "_", "\u{e9}", "\\n", "x", "ab", "\u{4e2d}", "\\x61", "\\u00e9"];
const CLASSES: &[&str] = &[
    ".",
    ".",
    r"\w",
    r"\d",
    r"\s",
    r"\h",
    r"\W",
    r"\D",
    r"\S",
    r"\H",
    "[ab]",
    "[^a]",
    "[a-c]",
    "[a-c&&[^b]]",
    "[^b-c1]",
    "[[:alpha:]]",
    "[[:^digit:]]",
    "[[:upper:]_]",
    "[[:space:]]",
    r"[\w-]",
    r"[^\s]",
    r"[\d\s]",
    r"\p{L}",
    r"\p{Lu}",
    r"\P{Alpha}",
    "[\u{e9}a]",
    "[^\u{e9}]",
    r"\R",
    r"[^\W\d]",
    "[a&&b]",
    "[]a]",
    "[^]a]",
];
const ANCHORS: &[&str] = &["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z", r"\G"];
const QUANTIFIERS: &[&str] =
    &["*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{2,}", "{,2}", "{1,3}?", "{0,1}", "{0}"];

impl Writer<'_> {
    /// Whether what was written can match nothing, as for all that follow: a blank does where `(?x)` holds.
    fn of(&mut self, texts: &[&str]) -> bool {
        let text = texts[(self.choose)(texts.len())];
        self.out.push_str(text);
        text == " "
    }

    fn alternation(&mut self, depth: u32) -> bool {
        let mut empty = self.sequence(depth);
        while (self.choose)(3) == 2 {
            self.out.push('|');
            empty |= self.sequence(depth);
        }
        empty
    }

    fn sequence(&mut self, depth: u32) -> bool {
        let mut empty = true;
        let elements = if depth == DEPTH { 1 + (self.choose)(4) } else { (self.choose)(4) };
        for _ in 0..elements {
            empty &= self.element(depth);
        }
        empty
    }

    fn element(&mut self, depth: u32) -> bool {
        let empty = match (self.choose)(20) {
            0..=6 => self.of(CHARS),
            7..=10 => self.of(CLASSES),
            11 => {
                self.of(ANCHORS);
                return true;
            }
            12 if !self.closed.is_empty() => self.reference(),
            _ if depth > 0 => return self.group(depth - 1),
            _ => self.of(CHARS),
        };
        self.quantifier(empty)
    }

    /// No repetition of what can match nothing: how often an empty round is gone through, and what its groups hold then,
    /// differs even inside of Oniguruma, by how large the repeated part is.
    fn quantifier(&mut self, empty: bool) -> bool {
        if empty || (self.choose)(5) < 3 {
            return empty;
        }
        let quantifier = QUANTIFIERS[(self.choose)(QUANTIFIERS.len())];
        self.out.push_str(quantifier);
        quantifier.starts_with(['*', '?']) || quantifier.starts_with("{0") || quantifier.starts_with("{,")
    }

    fn closed_group(&mut self) -> usize {
        self.closed[(self.choose)(self.closed.len())]
    }

    fn reference(&mut self) -> bool {
        let group = self.closed_group();
        self.out += &if self.named { format!("\\k<g{group}>") } else { format!("\\{group}") };
        true
    }

    fn group(&mut self, depth: u32) -> bool {
        match (self.choose)(16) {
            0..=5 => return self.capture(depth),
            9 => self.of(&["(?>"]),
            10 => return self.look(depth),
            11 => return self.behind(),
            12 => self.of(&["(?i:", "(?m:", "(?-m:", "(?x:", "(?-i:"]),
            13 if !self.filled.is_empty() => return self.condition(depth),
            14 if !self.closed.is_empty() => return self.call(),
            _ => self.of(&["(?:"]),
        };
        let empty = self.alternation(depth);
        self.out.push(')');
        self.quantifier(empty)
    }

    fn capture(&mut self, depth: u32) -> bool {
        self.opened += 1;
        let group = self.opened;
        self.out += &if self.named { format!("(?<g{group}>") } else { "(".to_owned() };
        let empty = self.alternation(depth);
        self.out.push(')');
        self.closed.push(group);
        if !empty {
            self.filled.push(group);
        }
        self.quantifier(empty)
    }

    fn look(&mut self, depth: u32) -> bool {
        self.of(&["(?=", "(?!"]);
        self.alternation(depth);
        self.out.push(')');
        true
    }

    /// Look-behind: what is in it has a fixed length, or branches of different ones at its top.
    fn behind(&mut self) -> bool {
        self.of(&["(?<=", "(?<!"]);
        self.of(&["a", "b", "ab", "a|bc", r"\w", "[^a]", "^", r"\b", "a.", "(?:a|b)c", "\u{e9}", r"\n|a", "a{2}"]);
        self.out.push(')');
        true
    }

    fn condition(&mut self, depth: u32) -> bool {
        let group = self.filled[(self.choose)(self.filled.len())];
        self.out += &if self.named { format!("(?(<g{group}>)") } else { format!("(?({group})") };
        // Without anything in it this is a test of the group for Oniguruma, and nothing at all for others.
        self.of(CHARS);
        self.sequence(depth);
        if (self.choose)(2) == 1 {
            self.out.push('|');
            self.sequence(depth);
        }
        self.out.push(')');
        true
    }

    fn call(&mut self) -> bool {
        let group = self.closed_group();
        self.out += &if self.named { format!("\\g<g{group}>") } else { format!("\\g<{group}>") };
        true
    }
}
