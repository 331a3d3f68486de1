//! Matching without regard to case: the parser's folded characters become sets and, where a
//! character folds to several (ß and ss), alternatives.

use crate::ast::Node;
use crate::charset::CharSet;
use crate::fold_table::MULTI;

/// Replaces the folded characters of a branch.
pub(crate) fn unfold(nodes: Vec<Node>) -> Node {
    if !nodes.iter().any(is_folded) {
        return Node::concat(nodes);
    }
    let mut out = Vec::with_capacity(nodes.len());
    let mut run = Vec::new();
    for node in nodes {
        match node {
            Node::Folded(c) => run.push(c),
            other => {
                flush(&mut run, &mut out);
                out.push(match other {
                    Node::Repeat(inner, by) => Node::Repeat(Box::new(unfold_repeated(*inner)), by),
                    other => other,
                });
            }
        }
    }
    flush(&mut run, &mut out);
    Node::concat(out)
}

fn is_folded(node: &Node) -> bool {
    match node {
        Node::Folded(_) => true,
        Node::Repeat(inner, _) => is_folded(inner),
        _ => false,
    }
}

fn unfold_repeated(node: Node) -> Node {
    match node {
        Node::Folded(c) => unfold(vec![Node::Folded(c)]),
        Node::Repeat(inner, by) => Node::Repeat(Box::new(unfold_repeated(*inner)), by),
        other => other,
    }
}

/// The class without regard to case, with the strings that its characters fold to.
pub(crate) fn fold_class(set: &CharSet) -> Node {
    let mut branches = vec![Node::Set(set.fold())];
    for &(c, folded) in MULTI {
        if set.contains(c as u32) {
            branches.push(Node::concat(folded.chars().map(single).collect()));
        }
    }
    branches.dedup();
    Node::alternate(branches)
}

fn single(c: char) -> Node {
    let set = CharSet::single(c).fold();
    match set.only() {
        Some(only) => Node::Char(only),
        None => Node::Set(set),
    }
}

fn flush(run: &mut Vec<char>, out: &mut Vec<Node>) {
    let mut at = 0;
    while at < run.len() {
        let (node, taken) = step(&run[at..]);
        out.push(node);
        at += taken;
    }
    run.clear();
}

/// The node for the head of a folded string and how many characters it covers.
fn step(run: &[char]) -> (Node, usize) {
    if let Some(&(_, folded)) = MULTI.iter().find(|(c, _)| *c == run[0]) {
        let mut branches = vec![single(run[0])];
        branches.extend(equivalents(folded).map(single));
        branches.push(Node::concat(folded.chars().map(single).collect()));
        branches.dedup();
        return (Node::alternate(branches), 1);
    }
    for length in [3, 2] {
        let Some(head) = run.get(..length) else { continue };
        let key: String = head.iter().flat_map(|c| c.to_lowercase()).collect();
        let wholes: Vec<Node> = equivalents(&key).map(single).collect();
        if !wholes.is_empty() {
            // The characters one by one come first, as they do in Oniguruma.
            let mut branches = vec![Node::concat(head.iter().map(|&c| single(c)).collect())];
            if length == 3 {
                branches[0] = Node::concat(vec![step(&head[..2]).0, single(head[2])]);
            }
            branches.extend(wholes);
            return (Node::alternate(branches), length);
        }
    }
    (single(run[0]), 1)
}

/// The characters that fold to exactly this string.
fn equivalents(folded: &str) -> impl Iterator<Item = char> {
    MULTI.iter().filter(move |(_, to)| *to == folded).map(|&(c, _)| c)
}
