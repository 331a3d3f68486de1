//! A program in readable form.

use std::fmt::Write as _;

use crate::ast::UNLIMITED;
use crate::charset::{CharSet, INVALID};
use crate::program::{Op, Program};
use crate::regex::Regex;

/// How many ranges of a set are shown.
const SHOWN_RANGES: usize = 12;

/// One operation of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it does, in words. Numbers are those of other steps.
    pub text: String,
    /// Whether it may remember another way to go on, which a later failure comes back to.
    pub keeps_way_back: bool,
}

impl Regex {
    /// The compiled program, for people to read.
    pub fn listing(&self) -> Vec<Step> {
        let Some(program) = self.compiled_program() else { return Vec::new() };
        program.ops.iter().enumerate().map(|(at, op)| step(program, at as u32, *op)).collect()
    }
}

fn step(program: &Program, at: u32, op: Op) -> Step {
    let next = at + 1;
    let set = |set: u32| set_text(&program.sets[set as usize].chars);
    let mut keeps_way_back = false;
    let text = match op {
        Op::Match => "the match is complete".to_owned(),
        Op::Fail => "fail".to_owned(),
        Op::Byte(byte) => format!("text {:?}", char::from(byte)),
        Op::Literal { start, len } => {
            let text = &program.literals[start as usize..(start + len) as usize];
            format!("text {:?}", String::from_utf8_lossy(text))
        }
        Op::Set(one) => format!("one of {}", set(one)),
        Op::Span { set: of, min, max } => format!("{} of {}, none given back", count(min, max), set(of)),
        Op::Greedy { set: of, min, max, .. } => {
            keeps_way_back = true;
            format!("{} of {}, given back one by one", count(min, max), set(of))
        }
        Op::Lazy { set: of, min, max, .. } => {
            keeps_way_back = true;
            format!("{} of {}, as few as will do", count(min, max), set(of))
        }
        Op::Jump(target) => format!("go on at {target}"),
        Op::Push(other) => {
            keeps_way_back = true;
            format!("try {next}, then {other}")
        }
        Op::Fork { table, other, lazy } => {
            let forks = &program.forks[table as usize];
            keeps_way_back = forks.end == 3 || forks.bytes.contains(&3);
            let (first, second) = if lazy { (other, next) } else { (next, other) };
            let both = if keeps_way_back { format!("; where both can, {first} first") } else { String::new() };
            format!("by the next byte {first} or {second}{both}")
        }
        Op::Switch(table) => {
            let mut targets = program.switches[table as usize].targets.clone();
            targets.sort_unstable();
            targets.dedup();
            let targets: Vec<String> = targets.iter().map(u32::to_string).collect();
            format!("by the next byte one of {}", targets.join(", "))
        }
        Op::Save(register) | Op::SaveUndo(register) => {
            format!("group {} {} here", register / 2, if register % 2 == 0 { "starts" } else { "ends" })
        }
        Op::Run { set: of, min } => format!("{} of {}, none given back", count(min, UNLIMITED), set(of)),
        Op::Maybe(of) => format!("one of {} or none, not given back", set(of)),
        Op::SaveRun { set: of, min, register } => {
            format!("group {}: {} of {}, none given back", register / 2, count(min, UNLIMITED), set(of))
        }
        Op::SaveSpan { set: of, min, max, register } => {
            format!("group {}: {} of {}, none given back", register / 2, count(min, max), set(of))
        }
        Op::Token(token) => token_text(program, token),
        Op::SaveToken { token, register } => format!("group {}: {}", register / 2, token_text(program, token)),
        Op::Once(_) => "fail when the search was here before".to_owned(),
        Op::Ahead { set: of, negative } => format!("{} comes next", not(negative, &set(of))),
        Op::Behind { set: of, negative } => format!("{} came last", not(negative, &set(of))),
        Op::Assert(assert) => format!("here is {assert:?}"),
        // The rest reads well enough as it is written in the source.
        other => {
            let text = format!("{other:?}");
            keeps_way_back = text.starts_with("CountFork") || text.starts_with("NegativeStart");
            text
        }
    };
    Step { text, keeps_way_back }
}

fn token_text(program: &Program, token: u32) -> String {
    let token = &program.tokens[token as usize];
    let how = if token.is_decided(program) { "by an automaton" } else { "step by step" };
    format!("the steps up to {}, {how}", token.end)
}

fn not(negative: bool, set: &str) -> String {
    if negative { format!("none of {set}") } else { format!("one of {set}") }
}

fn count(min: u32, max: u32) -> String {
    match (min, max) {
        (0, UNLIMITED) => "any number".to_owned(),
        (min, UNLIMITED) => format!("{min} or more"),
        (min, max) if min == max => format!("{min}"),
        (min, max) => format!("{min} to {max}"),
    }
}

/// A set as a class of the pattern language, the shorter of itself and its complement.
fn set_text(set: &CharSet) -> String {
    let others = set.negate();
    if others.is_empty() {
        return "all characters".to_owned();
    }
    let (sign, set) = if others.ranges().len() < set.ranges().len() { ("^", &others) } else { ("", set) };
    let mut text = format!("[{sign}");
    for &(low, high) in set.ranges().iter().take(SHOWN_RANGES) {
        write_char(low, &mut text);
        if high > low {
            text.push_str(if high > low + 1 { "-" } else { "" });
            write_char(high, &mut text);
        }
    }
    if set.ranges().len() > SHOWN_RANGES {
        // Writing to a String cannot fail.
        let _infallible = write!(text, " and {} ranges more", set.ranges().len() - SHOWN_RANGES);
    }
    text.push(']');
    text
}

fn write_char(code: u32, text: &mut String) {
    match char::from_u32(code) {
        Some(c @ ('[' | ']' | '-' | '^' | '\\')) => text.extend(['\\', c]),
        Some(c) if c.is_ascii_control() || (!c.is_ascii() && !c.is_alphanumeric()) => text.extend(c.escape_default()),
        Some(c) => text.push(c),
        None if code == INVALID => text.push_str("invalid"),
        None => text.push_str(&format!("\\u{{{code:x}}}")),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Options, Regex};

    fn texts(pattern: &str) -> Vec<(String, bool)> {
        let regex = Regex::new(pattern, Options::default()).unwrap();
        regex.listing().into_iter().map(|step| (step.text, step.keeps_way_back)).collect()
    }

    #[test]
    fn what_is_read_over_once_keeps_no_way_back() {
        let steps = texts(r"\d+ [^ \n]");
        assert!(steps.iter().all(|(_, keeps_way_back)| !keeps_way_back), "{steps:?}");
        assert!(steps.iter().any(|(text, _)| text.contains("[0-9]")), "{steps:?}");
    }

    #[test]
    fn what_may_be_given_back_is_marked() {
        let steps = texts(r"\w+a\w");
        assert!(
            steps.iter().any(|(text, keeps_way_back)| *keeps_way_back && text.contains("[0-9A-Z_a-z]")),
            "{steps:?}"
        );
    }
}
