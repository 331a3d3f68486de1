//! Bracket classes, with nesting, ranges, POSIX names and `&&`.

use super::Parser;
use crate::ast::Node;
use crate::charset::CharSet;
use crate::error::Error;
use crate::fold;
use crate::unicode;

/// What can stand on either side of a range's hyphen.
enum Item {
    Char(char),
    Set(CharSet),
}

impl Parser<'_> {
    /// A class whose opening bracket (at `start`) is read.
    pub(super) fn class(&mut self, start: usize) -> Result<Node, Error> {
        let (set, negated) = self.class_body(start)?;
        if !self.flags.ignore_case {
            return Ok(Node::Set(if negated { set.negate() } else { set }));
        }
        if negated {
            return Ok(Node::Set(set.fold().negate()));
        }
        Ok(fold::fold_class(&set))
    }

    fn class_body(&mut self, start: usize) -> Result<(CharSet, bool), Error> {
        self.depth += 1;
        if self.depth > super::MAX_DEPTH {
            return Err(self.error("classes nest too deep"));
        }
        let negated = self.eat("^");
        let mut set = CharSet::default();
        let mut all: Option<CharSet> = None;
        let mut first = true;
        loop {
            let at = self.pos;
            let Some(c) = self.peek() else {
                return Err(Error::new(start, "the character class has no end"));
            };
            if c == ']' && !(first && self.closes_again()) {
                self.pos += 1;
                if first {
                    return Err(Error::new(start, "the character class is empty"));
                }
                break;
            }
            first = false;
            if self.eat("&&") {
                all = Some(intersection(all, std::mem::take(&mut set)));
                continue;
            }
            let item = self.class_item(at)?;
            self.class_range(item, at, &mut set)?;
        }
        self.depth -= 1;
        Ok((intersection(all, set), negated))
    }

    /// Whether a bracket after this one can close the class: then this one is text.
    fn closes_again(&self) -> bool {
        let mut escaped = false;
        self.rest()[1..].chars().any(|c| {
            let closes = c == ']' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        })
    }

    /// Adds an item, or the range that it starts.
    fn class_range(&mut self, item: Item, at: usize, set: &mut CharSet) -> Result<(), Error> {
        let low = match item {
            Item::Set(other) => {
                set.union(&other);
                // A hyphen after a class is text.
                if self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                    self.pos += 1;
                    set.add_range('-' as u32, '-' as u32);
                }
                return Ok(());
            }
            Item::Char(c) => c,
        };
        let ranged = self.rest().starts_with('-') && !self.rest().starts_with("-]") && !self.rest().starts_with("-&&");
        if !ranged {
            set.add_range(low as u32, low as u32);
            return Ok(());
        }
        self.pos += 1;
        let end = self.pos;
        match self.class_item(end)? {
            Item::Char(high) if high < low => Err(Error::new(at, format!("the range '{low}-{high}' runs backwards"))),
            Item::Char(high) => {
                set.add_range(low as u32, high as u32);
                if self.rest().starts_with('-') && !self.rest().starts_with("-]") {
                    self.pos += 1;
                    set.add_range('-' as u32, '-' as u32);
                }
                Ok(())
            }
            Item::Set(other) => {
                for text in [low, '-'] {
                    set.add_range(text as u32, text as u32);
                }
                set.union(&other);
                Ok(())
            }
        }
    }

    fn class_item(&mut self, at: usize) -> Result<Item, Error> {
        if self.rest().starts_with("[:")
            && let Some(set) = self.posix_bracket()
        {
            return Ok(Item::Set(set));
        }
        let Some(c) = self.next() else {
            return Err(Error::new(at, "the character class has no end"));
        };
        match c {
            '[' => {
                let (set, negated) = self.class_body(at)?;
                Ok(Item::Set(match (negated, self.flags.ignore_case) {
                    (false, _) => set,
                    (true, false) => set.negate(),
                    (true, true) => set.fold().negate(),
                }))
            }
            '\\' => self.class_escaped(at),
            other => Ok(Item::Char(other)),
        }
    }

    fn class_escaped(&mut self, at: usize) -> Result<Item, Error> {
        if self.eat("b") {
            return Ok(Item::Char('\x08'));
        }
        if self.eat("R") || self.eat("X") {
            let c = self.pattern.as_bytes()[self.pos - 1];
            return Ok(Item::Char(char::from(c)));
        }
        match self.class_escape(at)? {
            Some(set) => Ok(Item::Set(set)),
            None => self.escaped_char(at).map(Item::Char),
        }
    }

    /// `[:alpha:]` or `[:^alpha:]`; an unknown name makes it a class like any other.
    fn posix_bracket(&mut self) -> Option<CharSet> {
        let end = self.rest().find(":]")?;
        let name = self.rest().get(2..end)?;
        let (name, negated) = match name.strip_prefix('^') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let set = unicode::posix(name, self.flags.posix)?;
        self.pos += end + 2;
        Some(if negated { set.negate() } else { set })
    }
}

fn intersection(all: Option<CharSet>, set: CharSet) -> CharSet {
    match all {
        Some(all) => all.intersect(&set),
        None => set,
    }
}
