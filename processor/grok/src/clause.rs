//! Texts of which a match must contain one: what a list of patterns is sifted by.

use crate::ast::{Node, Repeat};
use crate::bytes::usual;

/// Texts of which every match contains at least one.
pub(crate) type Clause = Vec<Vec<u8>>;

/// The most texts of a clause.
const MAX_TEXTS: usize = 64;
/// The most texts that are followed at a time.
const MAX_OPEN: usize = 16;
/// The most bytes of a text.
const MAX_LENGTH: usize = 24;
/// From this length on a text says enough: what is optional after it is left out.
const ENOUGH: usize = 3;

/// The clauses that hold for every match of the node.
pub(crate) fn clauses(node: &Node) -> Vec<Clause> {
    let mut walk = Walk { done: Vec::new(), open: vec![Vec::new()] };
    walk.node(node);
    walk.close();
    walk.done
}

/// How much a clause says, in bits, roughly: how unlikely it is that a text which has nothing to do with the pattern
/// fulfils it.
pub(crate) fn weight(clause: &[Vec<u8>]) -> u32 {
    let chance: u64 = clause.iter().map(|text| CERTAIN >> bits(text).min(40)).sum();
    CERTAIN.ilog2().saturating_sub(chance.max(1).ilog2())
}

/// A chance of one in one.
const CERTAIN: u64 = 1 << 40;

/// How unlikely it is to meet a text by chance, in bits.
pub(crate) fn bits(text: &[u8]) -> u32 {
    let of = |byte: &u8| match usual(*byte) {
        9.. => 3,
        6..=8 => 4,
        4..=5 => 5,
        2..=3 => 6,
        _ => 7,
    };
    text.iter().map(of).sum()
}

struct Walk {
    done: Vec<Clause>,
    /// The texts of which one ends where the walk is; at the start and after a gap the empty one.
    open: Vec<Vec<u8>>,
}

impl Walk {
    fn node(&mut self, node: &Node) {
        match node {
            Node::Concat(nodes) => nodes.iter().for_each(|node| self.node(node)),
            Node::Capture(_, body) | Node::Atomic(body) => self.node(body),
            Node::Empty | Node::Assert(_) | Node::Keep | Node::Look(..) => {}
            Node::Char(_) | Node::Set(_) => match exact(node) {
                Some(texts) => self.append(&texts),
                None => self.close(),
            },
            Node::Alternate(nodes) => match exact(node) {
                Some(texts) if texts.len() <= MAX_OPEN => self.append(&texts),
                _ => {
                    self.close();
                    self.any_of(nodes);
                }
            },
            Node::Repeat(_, Repeat { min: 0, max: 1, .. }) => {
                let short = self.open.iter().all(|text| text.len() < ENOUGH);
                match exact(node).filter(|_| short && !self.open.iter().all(Vec::is_empty)) {
                    Some(texts) => self.append(&texts),
                    None => self.close(),
                }
            }
            Node::Repeat(body, Repeat { min: 1.., .. }) => {
                self.close();
                self.node(body);
                self.close();
            }
            _ => self.close(),
        }
    }

    /// Every open text goes on with one of these.
    fn append(&mut self, texts: &[Vec<u8>]) {
        let fits = |text: &Vec<u8>| text.len() < MAX_LENGTH;
        if self.open.len() * texts.len() > MAX_OPEN || !self.open.iter().all(fits) {
            self.close();
        }
        self.open = product(&self.open, texts);
    }

    /// One of the branches: the best that can be said of each.
    fn any_of(&mut self, nodes: &[Node]) {
        let mut joined = Clause::new();
        for node in nodes {
            let Some(best) = clauses(node).into_iter().max_by_key(|clause| weight(clause)) else { return };
            joined.extend(best);
            if joined.len() > MAX_TEXTS {
                return;
            }
        }
        self.push(joined);
    }

    fn close(&mut self) {
        let open = std::mem::replace(&mut self.open, vec![Vec::new()]);
        self.push(open);
    }

    /// Keeps a clause, without the texts that contain another of its texts.
    fn push(&mut self, mut clause: Clause) {
        if clause.iter().any(Vec::is_empty) {
            return;
        }
        clause.sort_by_key(Vec::len);
        let mut least: Clause = Vec::new();
        for text in clause {
            if !least.iter().any(|other| contains(&text, other)) {
                least.push(text);
            }
        }
        if !least.is_empty() && !self.done.contains(&least) {
            self.done.push(least);
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn product(heads: &[Vec<u8>], tails: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> =
        heads.iter().flat_map(|head| tails.iter().map(move |tail| [&head[..], &tail[..]].concat())).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// All texts that a node matches, when they are few.
fn exact(node: &Node) -> Option<Vec<Vec<u8>>> {
    let encoded = |c: char| c.encode_utf8(&mut [0; 4]).as_bytes().to_vec();
    let texts = match node {
        Node::Empty | Node::Assert(_) => vec![Vec::new()],
        Node::Char(c) => vec![encoded(*c)],
        Node::Set(set) => {
            let count: u64 = set.ranges().iter().map(|&(low, high)| u64::from(high - low) + 1).sum();
            if count > 4 {
                return None;
            }
            let codes = set.ranges().iter().flat_map(|&(low, high)| low..=high);
            codes.map(|code| char::from_u32(code).map(encoded)).collect::<Option<_>>()?
        }
        Node::Capture(_, body) | Node::Atomic(body) => exact(body)?,
        Node::Concat(nodes) => {
            let mut texts = vec![Vec::new()];
            for node in nodes {
                texts = product(&texts, &exact(node)?);
                if texts.len() > MAX_OPEN {
                    return None;
                }
            }
            texts
        }
        Node::Alternate(nodes) => {
            let mut texts = Vec::new();
            for node in nodes {
                texts.extend(exact(node)?);
            }
            texts
        }
        Node::Repeat(body, Repeat { min: 0, max: 1, .. }) => {
            let mut texts = exact(body)?;
            texts.push(Vec::new());
            texts
        }
        _ => return None,
    };
    (texts.len() <= MAX_TEXTS && texts.iter().all(|text| text.len() <= MAX_LENGTH)).then_some(texts)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::parse::{Options, parse};

    fn of(pattern: &str) -> Vec<Vec<String>> {
        let node = parse(pattern, Options::default()).unwrap().node;
        let text = |text: &Vec<u8>| String::from_utf8(text.clone()).unwrap();
        clauses(&node).iter().map(|clause| clause.iter().map(text).collect()).collect()
    }

    #[test]
    fn finds_what_a_match_must_contain() {
        assert_eq!(of("ab.cd"), [["ab"], ["cd"]]);
        assert_eq!(of("(?:GET|PUT) x"), [["GET x", "PUT x"]]);
        assert_eq!(of("[Jj]an(?:uary)?|[Ff]eb(?:ruary)?"), [["Feb", "Jan", "feb", "jan"]]);
        assert_eq!(of("(?:a|b*)c"), [["c"]]);
        assert_eq!(of("(?:ab|c.d|ef\\d)"), [["d", "ab", "ef"]]);
        assert_eq!(of("a(?:b)?c"), [["ac", "abc"]]);
        assert_eq!(of("(?:xyz)+"), [["xyz"]]);
        assert!(of("(?:xyz)*|a").is_empty());
        assert!(of("(?!ab)\\d").is_empty());
        assert!(of("(?:ab)?").is_empty());
    }
}
