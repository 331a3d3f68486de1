//! Groups, references to groups and options.

use std::collections::HashMap;

use super::{Flags, Groups, Parsed, Parser};
use crate::analysis::fixed_length;
use crate::ast::{Look, Node};
use crate::error::Error;
use crate::simplify::simplify;
use crate::unicode::Range;

impl Parser<'_> {
    /// A group; `None` for a comment.
    pub(super) fn group(&mut self) -> Result<Option<Node>, Error> {
        let start = self.pos;
        self.pos += 1;
        if !self.eat("?") {
            let inner = if self.groups.named { self.body(start)? } else { return self.capture(start, None) };
            return Ok(Some(inner));
        }
        let look = |behind, negative| Look { behind, negative };
        for (text, kind) in
            [("=", look(false, false)), ("!", look(false, true)), ("<=", look(true, false)), ("<!", look(true, true))]
        {
            if self.eat(text) {
                let body = self.body(start)?;
                if kind.behind && !has_fixed_branches(&body) && !has_fixed_branches(&simplify(body.clone(), &|_| true))
                {
                    return Err(Error::new(start, "a look-behind needs alternatives of fixed length"));
                }
                return Ok(Some(Node::Look(kind, Box::new(body))));
            }
        }
        match self.peek() {
            Some(':') => {
                self.pos += 1;
                self.body(start).map(Some)
            }
            Some('>') => {
                self.pos += 1;
                Ok(Some(Node::Atomic(Box::new(self.body(start)?))))
            }
            Some('#') => self.comment(start),
            Some(quote @ ('<' | '\'')) => {
                self.pos += 1;
                let name = self.group_name(quote)?;
                if name.starts_with(|c: char| c.is_ascii_digit() || c == '-') || name.is_empty() {
                    return Err(Error::new(start, format!("invalid group name '{name}'")));
                }
                self.capture(start, Some(name))
            }
            Some('(') => self.condition(start).map(Some),
            Some('~') => Err(Error::new(start, "the absent operator '(?~' is not supported")),
            _ => self.options(start).map(Some),
        }
    }

    fn comment(&mut self, start: usize) -> Result<Option<Node>, Error> {
        while let Some(c) = self.next() {
            match c {
                ')' => return Ok(None),
                '\\' => {
                    self.next();
                }
                _ => {}
            }
        }
        Err(Error::new(start, "the comment has no end"))
    }

    fn capture(&mut self, start: usize, name: Option<String>) -> Result<Option<Node>, Error> {
        let index = self.names.len() as u32;
        self.names.push(name);
        let body = self.body(start)?;
        Ok(Some(Node::Capture(index, Box::new(body))))
    }

    /// The rest of a group up to and with its closing parenthesis.
    fn body(&mut self, start: usize) -> Result<Node, Error> {
        let flags = self.flags;
        let node = self.alternation()?;
        self.flags = flags;
        if !self.eat(")") {
            return Err(Error::new(start, "the group has no closing parenthesis"));
        }
        Ok(node)
    }

    fn group_name(&mut self, open: char) -> Result<String, Error> {
        let close = if open == '<' { '>' } else { '\'' };
        let Some(end) = self.rest().find([close, ')']) else {
            return Err(self.error("the group name has no end"));
        };
        if !self.rest()[end..].starts_with(close) {
            return Err(self.error("the group name has no end"));
        }
        let name = self.rest()[..end].to_owned();
        self.pos += end + 1;
        Ok(name)
    }

    /// `(?i)`, `(?mx-i:...)`. Without a colon the options hold to the end of the group around,
    /// over its alternatives too: `a(?i)b|c` reads as `a(?i:b|c)`.
    fn options(&mut self, start: usize) -> Result<Node, Error> {
        let outer = self.flags;
        let mut on = true;
        loop {
            let Some(c) = self.next() else {
                return Err(Error::new(start, "the group has no closing parenthesis"));
            };
            match c {
                '-' => on = false,
                'i' => self.flags.ignore_case = on,
                'm' => self.flags.multi_line = on,
                'x' => self.flags.extended = on,
                'a' if on => self.set_ranges(Range::Ascii, Range::Ascii),
                'd' if on => self.set_ranges(Range::Ascii, Range::Unicode),
                'u' if on => self.set_ranges(Range::Unicode, Range::Unicode),
                ')' => {
                    let node = self.alternation()?;
                    self.flags = outer;
                    return Ok(node);
                }
                ':' => {
                    let node = self.alternation()?;
                    self.flags = outer;
                    if !self.eat(")") {
                        return Err(Error::new(start, "the group has no closing parenthesis"));
                    }
                    return Ok(node);
                }
                other => {
                    let at = self.pos - other.len_utf8();
                    return Err(Error::new(at, format!("undefined group option '{other}'")));
                }
            }
        }
    }

    fn set_ranges(&mut self, classes: Range, posix: Range) {
        self.flags = Flags { classes, posix, ..self.flags };
    }

    /// `(?(1)yes|no)`, `(?(<name>)yes|no)`
    fn condition(&mut self, start: usize) -> Result<Node, Error> {
        self.pos += 1;
        let Some(end) = self.rest().find(')') else {
            return Err(Error::new(start, "the condition has no end"));
        };
        let text = self.rest()[..end].to_owned();
        let bare = text
            .strip_prefix('<')
            .and_then(|t| t.strip_suffix('>'))
            .or_else(|| text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')))
            .unwrap_or(&text);
        let groups = self.resolve(bare, start)?;
        self.references = true;
        self.pos += end + 1;
        let (yes, no) = match self.body(start)? {
            Node::Alternate(branches) if branches.len() > 2 => {
                return Err(Error::new(start, "a condition has at most two branches"));
            }
            Node::Alternate(mut branches) => {
                let no = branches.pop().unwrap_or(Node::Empty);
                (branches.pop().unwrap_or(Node::Empty), no)
            }
            yes => (yes, Node::Empty),
        };
        Ok(Node::Condition(groups, Box::new(yes), Box::new(no)))
    }

    /// `\k<name>`, `\k<1>`, `\k<-1>`; a level as in `\k<name+0>` is not supported.
    pub(super) fn named_backref(&mut self, start: usize) -> Result<Node, Error> {
        let open = self.next().unwrap_or('<');
        let name = self.group_name(open)?;
        let groups = self.resolve(&name, start);
        if groups.is_err() && self.at_level(&name) {
            return Err(Error::new(start, "a back-reference to a level of recursion is not supported"));
        }
        let groups = groups?;
        self.references = true;
        Ok(Node::Backref(groups, self.flags.ignore_case))
    }

    /// Whether the name is that of a group and a level: `name+0`, `1-1`.
    fn at_level(&self, name: &str) -> bool {
        let Some(at) = name.rfind(['+', '-']) else { return false };
        let level = &name[at + 1..];
        !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_digit()) && self.resolve(&name[..at], 0).is_ok()
    }

    /// `\1`: a group when so many were opened before or it is one digit; else it is text.
    pub(super) fn numbered_backref(&mut self, start: usize) -> Result<Option<Node>, Error> {
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = self.rest()[..digits].parse().unwrap_or(u32::MAX);
        let opened = self.names.len() as u32 - 1;
        if number > 9 && number > opened {
            return Ok(None);
        }
        if self.groups.named {
            return Err(Error::new(start, "a pattern with named groups takes no numbered references"));
        }
        if number > self.groups.count {
            return Err(Error::new(start, format!("there is no group {number}")));
        }
        self.pos += digits;
        self.references = true;
        Ok(Some(Node::Backref(vec![number], self.flags.ignore_case)))
    }

    /// `\g<name>`, `\g<1>`, `\g<-1>`, `\g<+1>`, `\g<0>`
    pub(super) fn call(&mut self, start: usize) -> Result<Node, Error> {
        let open = self.next().unwrap_or('<');
        let name = self.group_name(open)?;
        self.references = true;
        if name == "0" {
            return Ok(Node::Call(0));
        }
        match self.resolve(&name, start)?[..] {
            [group] => Ok(Node::Call(group)),
            _ => Err(Error::new(start, format!("more than one group is called '{name}'"))),
        }
    }

    /// The groups of a name or a (relative) number.
    fn resolve(&self, name: &str, start: usize) -> Result<Vec<u32>, Error> {
        let number = name.strip_prefix('+').unwrap_or(name).parse::<i64>();
        let Ok(number) = number else {
            return match self.groups.of_name.get(name) {
                Some(groups) => Ok(groups.clone()),
                _ => Err(Error::new(start, format!("there is no group named '{name}'"))),
            };
        };
        if self.groups.named {
            return Err(Error::new(start, "a pattern with named groups takes no numbered references"));
        }
        let opened = self.names.len() as i64;
        let group = match number {
            n if n < 0 => opened + n,
            n if name.starts_with('+') => opened - 1 + n,
            n => n,
        };
        if group < 1 || group > i64::from(self.groups.count) {
            return Err(Error::new(start, format!("there is no group {name}")));
        }
        Ok(vec![group as u32])
    }
}

/// Whether a look-behind knows how far each of its alternatives goes back.
fn has_fixed_branches(body: &Node) -> bool {
    let branches = match body {
        Node::Alternate(nodes) => nodes.as_slice(),
        other => std::slice::from_ref(other),
    };
    branches.iter().all(|branch| fixed_length(branch).is_some())
}

/// Finds the groups of a pattern before it is parsed, since references may come first.
pub(super) fn scan_groups(pattern: &str, extended: bool) -> Groups {
    let (mut plain, mut named): (u32, Vec<String>) = (0, Vec::new());
    let bytes = pattern.as_bytes();
    let (mut pos, mut brackets) = (0, 0u32);
    while pos < bytes.len() {
        let rest = &pattern[pos..];
        match bytes[pos] {
            b'\\' => pos += 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            b'[' if rest.starts_with("[:") && brackets > 0 && rest.contains(":]") => {
                pos += rest.find(":]").map_or(1, |end| end + 2);
            }
            b'[' => {
                brackets += 1;
                pos += 1;
                if pattern[pos..].starts_with('^') {
                    pos += 1;
                }
                // A bracket that comes first is text when another closes the class.
                if pattern[pos..].starts_with(']') && pattern[pos + 1..].contains(']') {
                    pos += 1;
                }
            }
            b']' => {
                brackets = brackets.saturating_sub(1);
                pos += 1;
            }
            b'(' if brackets == 0 => {
                // A comment, or which group a condition is about: no group.
                if rest.starts_with("(?#") || rest.starts_with("(?(") {
                    pos += rest.find(')').map_or(rest.len(), |end| end + 1);
                    continue;
                }
                let name = name_after(rest);
                match name {
                    Some(name) => named.push(name),
                    None if rest.starts_with("(?") => {}
                    None => plain += 1,
                }
                pos += 1;
            }
            b'#' if extended && brackets == 0 => pos += rest.find('\n').unwrap_or(rest.len()),
            _ => pos += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    let count = if named.is_empty() { plain } else { named.len() as u32 };
    let mut groups = Groups { count, named: !named.is_empty(), of_name: HashMap::new() };
    for (number, name) in (1..).zip(named) {
        groups.of_name.entry(name).or_default().push(number);
    }
    groups
}

fn name_after(rest: &str) -> Option<String> {
    let (inner, close) = match rest.strip_prefix("(?<") {
        Some(inner) if !inner.starts_with(['=', '!']) => (inner, '>'),
        Some(_) => return None,
        None => (rest.strip_prefix("(?'")?, '\''),
    };
    inner.split_once(close).map(|(name, _)| name.to_owned())
}

/// Refuses references to groups that the parser did not see after all and calls that never end.
pub(super) fn check_references(parsed: &Parsed) -> Result<(), Error> {
    let count = parsed.names.len() as u32;
    let dangling = parsed.node.any(&|node| match node {
        Node::Backref(groups, _) | Node::Condition(groups, ..) => groups.iter().any(|&g| g >= count),
        Node::Call(group) => *group >= count,
        _ => false,
    });
    if dangling {
        return Err(Error::new(0, "a reference to a group that does not exist"));
    }
    if !parsed.node.any(&|node| matches!(node, Node::Call(_))) {
        return Ok(());
    }
    let mut bodies: Vec<Option<&Node>> = vec![None; parsed.names.len()];
    bodies[0] = Some(&parsed.node);
    collect_bodies(&parsed.node, &mut bodies);
    for group in 0..bodies.len() {
        if endless(bodies[group], &bodies, &mut vec![group as u32]) {
            return Err(Error::new(0, "a sub-expression call that never ends"));
        }
    }
    Ok(())
}

fn collect_bodies<'n>(node: &'n Node, bodies: &mut [Option<&'n Node>]) {
    if let Node::Capture(index, body) = node {
        bodies[*index as usize] = Some(body);
    }
    if let Node::Condition(_, yes, no) = node {
        collect_bodies(yes, bodies);
        collect_bodies(no, bodies);
    }
    for child in node.children() {
        collect_bodies(child, bodies);
    }
}

/// Whether every way to match the node calls a group that is being matched already, or one way
/// does so before it takes a character.
fn endless(node: Option<&Node>, bodies: &[Option<&Node>], open: &mut Vec<u32>) -> bool {
    let Some(node) = node else { return false };
    match node {
        Node::Call(group) => {
            if open.contains(group) {
                return true;
            }
            open.push(*group);
            let never = endless(bodies[*group as usize], bodies, open);
            open.pop();
            never
        }
        Node::Concat(nodes) => {
            for child in nodes {
                if endless(Some(child), bodies, open) {
                    return true;
                }
                if crate::analysis::min_length(child) > 0 {
                    return false;
                }
            }
            false
        }
        Node::Condition(_, yes, no) => endless(Some(yes), bodies, open) || endless(Some(no), bodies, open),
        other => other.children().iter().any(|child| endless(Some(child), bodies, open)),
    }
}
