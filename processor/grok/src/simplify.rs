//! Rewrites a tree into one that matches the same with less work.

use crate::analysis::{Follow, before};
use crate::ast::{Mode, Node, Repeat, UNLIMITED};
use crate::bytes::ByteSet;
use crate::charset::CharSet;

/// Simplifies a tree. Groups that `keep` does not want are no longer captured.
pub(crate) fn simplify(node: Node, keep: &dyn Fn(u32) -> bool) -> Node {
    match node {
        Node::Concat(nodes) => Node::concat(nodes.into_iter().map(|node| simplify(node, keep)).collect()),
        Node::Alternate(nodes) => {
            let branches = nodes.into_iter().map(|node| simplify(node, keep)).collect();
            alternate(branches)
        }
        Node::Repeat(body, by) => repeat(simplify(*body, keep), by),
        Node::Capture(index, body) => {
            let body = simplify(*body, keep);
            if keep(index) { Node::Capture(index, Box::new(body)) } else { body }
        }
        Node::Atomic(body) => match simplify(*body, keep) {
            // One character has one way to match.
            body @ (Node::Char(_) | Node::Set(_) | Node::Empty | Node::Atomic(_)) => body,
            Node::Repeat(body, by) if is_single(&body) => {
                Node::Repeat(body, Repeat { mode: Mode::Possessive, ..lazy_is_least(by) })
            }
            body => Node::Atomic(Box::new(body)),
        },
        Node::Look(look, body) => Node::Look(look, Box::new(simplify(*body, keep))),
        Node::Condition(groups, yes, no) => {
            Node::Condition(groups, Box::new(simplify(*yes, keep)), Box::new(simplify(*no, keep)))
        }
        Node::Set(set) => set.only().map_or(Node::Set(set), Node::Char),
        other => other,
    }
}

/// An atomic lazy repetition takes the least it can.
fn lazy_is_least(by: Repeat) -> Repeat {
    if by.mode == Mode::Lazy { Repeat { max: by.min, ..by } } else { by }
}

fn is_single(node: &Node) -> bool {
    matches!(node, Node::Char(_) | Node::Set(_))
}

fn repeat(body: Node, by: Repeat) -> Node {
    // What is never matched may still be there to be called.
    let defines = by.max == 0 && body.any(&|node| matches!(node, Node::Capture(..)));
    if defines {
        return Node::Repeat(Box::new(body), by);
    }
    if by.max == 0 || body == Node::Empty {
        return Node::Empty;
    }
    if (by.min, by.max) == (1, 1) {
        return if by.mode == Mode::Possessive { Node::Atomic(Box::new(body)) } else { body };
    }
    // (?:x+)+ is x+ when x is one character: the same ends, longest first.
    if let Node::Repeat(single, inner) = &body
        && is_single(single)
        && inner.mode == Mode::Greedy
        && by.mode == Mode::Greedy
        && inner.max == UNLIMITED
        && by.max == UNLIMITED
        && inner.min <= 1
        && by.min <= 1
    {
        let by = Repeat { min: inner.min * by.min, ..by };
        return Node::Repeat(single.clone(), by);
    }
    Node::Repeat(Box::new(body), by)
}

fn alternate(branches: Vec<Node>) -> Node {
    match Node::alternate(branches) {
        Node::Alternate(branches) => Node::alternate(factor(merge_singles(branches))),
        only => only,
    }
}

/// Neighbouring branches of one character each become one set.
fn merge_singles(branches: Vec<Node>) -> Vec<Node> {
    let mut merged: Vec<Node> = Vec::with_capacity(branches.len());
    for branch in branches {
        if let (Some(last), Some(set)) = (merged.last_mut(), as_set(&branch))
            && let Some(mut union) = as_set(last)
        {
            union.union(&set);
            *last = Node::Set(union);
            continue;
        }
        merged.push(branch);
    }
    merged
}

fn as_set(node: &Node) -> Option<CharSet> {
    match node {
        Node::Char(c) => Some(CharSet::single(*c)),
        Node::Set(set) => Some(set.clone()),
        _ => None,
    }
}

/// Takes a common head out of neighbouring branches: `ab|ac` is `a(?:b|c)` where `a` has only one
/// way to match. This turns the standard IPv6 pattern's alternatives into one walk.
fn factor(branches: Vec<Node>) -> Vec<Node> {
    let mut lists: Vec<Vec<Node>> = branches.into_iter().map(as_list).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < lists.len() {
        let mut end = at + 1;
        let mut shared = 0;
        while end < lists.len() {
            let (left, right) = lists.split_at_mut(end);
            unroll_heads(&mut left[end - 1], &mut right[0]);
            let common = common_head(&lists[end - 1], &lists[end]);
            let mut common = if end == at + 1 { common } else { common.min(shared) };
            // What follows a run is what makes it unique: not shared, the run is not either.
            while common > 0 && !is_unique(&lists[at][common - 1], None) {
                common -= 1;
            }
            if common == 0 {
                break;
            }
            shared = common;
            end += 1;
        }
        let group = &lists[at..end];
        if end - at == 1 {
            out.push(Node::concat(group[0].clone()));
        } else {
            let mut head = group[0][..shared].to_vec();
            let rests = group.iter().map(|list| Node::concat(list[shared..].to_vec())).collect();
            head.push(alternate(rests));
            out.push(Node::concat(head));
        }
        at = end;
    }
    out
}

fn as_list(node: Node) -> Vec<Node> {
    match node {
        Node::Concat(nodes) => nodes,
        Node::Empty => Vec::new(),
        other => vec![other],
    }
}

/// Where two branches start with the same repeated part, or one with that part itself, writes
/// out its first round, so that the rounds can be shared.
fn unroll_heads(left: &mut Vec<Node>, right: &mut Vec<Node>) {
    let body_of = |list: &[Node]| match list.first() {
        Some(Node::Repeat(body, Repeat { min: 1.., mode: Mode::Greedy, .. })) if !is_single(body) => {
            Some(as_list((**body).clone()))
        }
        _ => None,
    };
    let (a, b) = (body_of(left), body_of(right));
    let same = match (&a, &b) {
        (Some(a), Some(b)) => a == b && left[0] != right[0],
        (Some(a), None) => right.starts_with(a),
        (None, Some(b)) => left.starts_with(b),
        (None, None) => false,
    };
    if same {
        unroll_head(left, a);
        unroll_head(right, b);
    }
}

fn unroll_head(list: &mut Vec<Node>, body: Option<Vec<Node>>) {
    let Some(body) = body else { return };
    if body.iter().any(|node| node.any(&|n| matches!(n, Node::Capture(..)))) {
        return;
    }
    let Node::Repeat(inner, by) = list.remove(0) else { return };
    let max = if by.max == UNLIMITED { by.max } else { by.max - 1 };
    let rest = repeat(*inner, Repeat { min: by.min - 1, max, ..by });
    let mut head = body;
    head.extend(as_list(rest));
    list.splice(0..0, head);
}

/// How many nodes two branches share at their head, as far as those have one way to match.
fn common_head(left: &[Node], right: &[Node]) -> usize {
    let same = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    (0..same).take_while(|&at| is_unique(&left[at], left[..same].get(at + 1))).count()
}

/// Whether a node has only one way to match before the next one.
fn is_unique(node: &Node, next: Option<&Node>) -> bool {
    match node {
        Node::Char(_) | Node::Set(_) | Node::Assert(_) => true,
        Node::Repeat(body, by) if is_single(body) => {
            by.min == by.max
                || by.mode == Mode::Possessive
                || next.is_some_and(|next| {
                    let next = before(next, Follow::UNKNOWN);
                    let own = before(body, Follow::UNKNOWN);
                    !next.end && next.bytes.intersect(own.bytes) == ByteSet::EMPTY
                })
        }
        _ => false,
    }
}
