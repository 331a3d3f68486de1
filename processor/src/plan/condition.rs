//! Conditions, compiled (`ConditionCompiler` and `EventCondition.java`).
//!
//! Every quirk is Logstash's: numbers and text are never equal, a map or a missing field cannot be ordered, a list of one
//! literal is a field reference, only text matches a regular expression.

use std::cmp::Ordering;

use tailrace_common::{Event, FieldPath, Str, Value};
use tailrace_grok::{Budget, Regex, Scratch};

use super::text::ruby_to_s;
use crate::lang::ast::{BooleanOp, CompareOp};

/// Steps a regular expression of a condition may take, in milliseconds, before the condition counts as broken.
const REGEX_MILLIS: u64 = 30_000;

/// One side of a comparison.
#[derive(Debug)]
pub enum Side {
    /// What the event holds there.
    Field(FieldPath),
    /// A text or a number.
    Constant(Value),
    /// A list of texts and numbers.
    List(Vec<Value>),
}

/// A condition.
#[derive(Debug)]
pub enum Test {
    /// Decided when the configuration was compiled.
    Always(bool),
    /// `[field]`.
    Truthy(FieldPath),
    /// `!( ... )`.
    Not(Box<Test>),
    /// `and`, `or`, `xor`, `nand`; the first two stop at the first side that decides.
    Boolean(BooleanOp, Box<Test>, Box<Test>),
    /// `==` (true) and `!=` (false).
    Equal(bool, Side, Side),
    /// `<`, `>`, `<=`, `>=`.
    Order(CompareOp, Side, Side),
    /// `=~` (true) and `!~` (false).
    Match(bool, Side, Box<Regex>),
    /// `in` (true) and `not in` (false).
    In(bool, Side, Side),
}

/// The condition has no answer for this event: Logstash cancels the event and writes it to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// `<` and its kin between things that have no order.
    #[error("cannot order {0} and {1}")]
    NoOrder(&'static str, &'static str),
    /// The regular expression took too long.
    #[error("the regular expression exceeded its time limit")]
    TimedOut,
}

impl Test {
    /// Whether the event passes.
    pub fn holds(&self, event: &Event, scratch: &mut Scratch) -> Result<bool, ConditionError> {
        match self {
            Test::Always(answer) => Ok(*answer),
            Test::Truthy(path) => Ok(truthy(event.get(path))),
            Test::Not(inner) => Ok(!inner.holds(event, scratch)?),
            Test::Boolean(op, left, right) => {
                let first = left.holds(event, scratch)?;
                match op {
                    BooleanOp::And => Ok(first && right.holds(event, scratch)?),
                    BooleanOp::Or => Ok(first || right.holds(event, scratch)?),
                    BooleanOp::Xor => Ok(first != right.holds(event, scratch)?),
                    BooleanOp::Nand => Ok(!(first && right.holds(event, scratch)?)),
                }
            }
            Test::Equal(positive, left, right) => Ok(equal(left, right, event) == *positive),
            Test::Order(op, left, right) => order(*op, left.value(event), right.value(event)),
            Test::Match(positive, left, regex) => match left.value(event) {
                Some(Value::String(text)) => {
                    let found = regex.is_match(text.as_bytes(), scratch, Budget::millis(REGEX_MILLIS));
                    found.map(|found| found == *positive).map_err(|_| ConditionError::TimedOut)
                }
                _ => Ok(!positive),
            },
            Test::In(positive, left, right) => Ok(contained(left, right, event) == *positive),
        }
    }

    /// Answers now what does not depend on the event.
    pub fn folded(self) -> Test {
        let constant = match &self {
            Test::Not(inner) => inner.answer().map(|answer| !answer),
            Test::Boolean(BooleanOp::And, left, right) => match (left.answer(), right.answer()) {
                (Some(false), _) => Some(false),
                (Some(true), right) => right,
                _ => None,
            },
            Test::Boolean(BooleanOp::Or, left, right) => match (left.answer(), right.answer()) {
                (Some(true), _) => Some(true),
                (Some(false), right) => right,
                _ => None,
            },
            Test::Equal(_, left, right) | Test::Order(_, left, right) | Test::In(_, left, right)
                if left.is_constant() && right.is_constant() =>
            {
                self.decide()
            }
            Test::Match(_, left, _) if left.is_constant() => self.decide(),
            _ => None,
        };
        constant.map_or(self, Test::Always)
    }

    fn decide(&self) -> Option<bool> {
        let nothing = Event::bare(tailrace_common::Object::new());
        self.holds(&nothing, &mut Scratch::default()).ok()
    }

    /// The answer, when it does not depend on the event.
    pub fn answer(&self) -> Option<bool> {
        match self {
            Test::Always(answer) => Some(*answer),
            _ => None,
        }
    }
}

impl Side {
    fn is_constant(&self) -> bool {
        !matches!(self, Side::Field(_))
    }

    fn value<'v>(&'v self, event: &'v Event) -> Option<&'v Value> {
        match self {
            Side::Field(path) => event.get(path),
            Side::Constant(value) => Some(value),
            // A list is compared by its first element.
            Side::List(values) => values.first(),
        }
    }
}

/// Missing, null, `""`, `false` and the text `false` are false; all else is true.
fn truthy(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty() && text != "false",
        Some(_) => true,
    }
}

fn equal(left: &Side, right: &Side, event: &Event) -> bool {
    match (left, right) {
        (Side::List(one), Side::List(other)) => one == other,
        _ => match (left.value(event), right.value(event)) {
            (Some(Value::Null) | None, _) | (_, Some(Value::Null) | None) => false,
            (Some(one), Some(other)) => one == other,
        },
    }
}

fn order(op: CompareOp, left: Option<&Value>, right: Option<&Value>) -> Result<bool, ConditionError> {
    let name = |value: Option<&Value>| value.map_or("a missing field", Value::type_name);
    let ordering = match (left, right) {
        // Ruby asks the left side, and these have no answer to anything.
        (Some(Value::Null | Value::Bool(_) | Value::Timestamp(_)), None) => Some(Ordering::Equal),
        _ => left.zip(right).and_then(|(left, right)| compare(left, right)),
    };
    let ordering = ordering.ok_or_else(|| ConditionError::NoOrder(name(left), name(right)))?;
    Ok(match op {
        CompareOp::Equal => ordering.is_eq(),
        CompareOp::NotEqual => ordering.is_ne(),
        CompareOp::Less => ordering.is_lt(),
        CompareOp::Greater => ordering.is_gt(),
        CompareOp::LessOrEqual => ordering.is_le(),
        CompareOp::GreaterOrEqual => ordering.is_ge(),
    })
}

/// As Ruby's `<=>`, with its nil (no answer) turned into "equal" for null, booleans and timestamps, as Logstash does.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.as_str().cmp(right.as_str())),
        (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => None,
        (Value::Null | Value::Bool(_) | Value::Timestamp(_), _)
        | (_, Value::Null | Value::Bool(_) | Value::Timestamp(_)) => Some(Ordering::Equal),
        (Value::String(_), _) | (_, Value::String(_)) => None,
        (left, right) => left.compare_numbers(right),
    }
}

fn contained(left: &Side, right: &Side, event: &Event) -> bool {
    match (left, right) {
        (Side::Field(path), Side::List(values)) => event.get(path).is_some_and(|found| in_constants(found, values)),
        (Side::Field(path), Side::Constant(value)) => match event.get(path) {
            None | Some(Value::Array(_) | Value::Object(_)) => false,
            Some(found) => ruby_to_s(value).contains(&ruby_to_s(found)),
        },
        (Side::Constant(value), Side::Field(path)) => match (value, event.get(path)) {
            (Value::String(part), Some(Value::String(whole))) => whole.contains(part.as_str()),
            (_, Some(Value::Array(values))) => values.contains(value),
            _ => false,
        },
        (Side::Field(part), Side::Field(whole)) => match (event.get(part), event.get(whole)) {
            (Some(Value::Object(_)), _) => false,
            (Some(Value::String(part)), Some(Value::String(whole))) => whole.contains(part.as_str()),
            (Some(part), Some(Value::Array(values))) => values.contains(part),
            (Some(part), Some(whole)) => part == whole,
            _ => false,
        },
        (Side::Constant(Value::String(part)), Side::Constant(Value::String(whole))) => whole.contains(part.as_str()),
        _ => false,
    }
}

/// A field in a list of literals compares as text.
fn in_constants(found: &Value, values: &[Value]) -> bool {
    match found {
        Value::Array(_) | Value::Object(_) => false,
        Value::String(text) => values.iter().any(|value| match value {
            Value::String(candidate) => candidate == text,
            other => ruby_to_s(other) == text.as_str(),
        }),
        other => {
            let text = Str::from(ruby_to_s(other));
            values.iter().any(|value| ruby_to_s(value) == text.as_str())
        }
    }
}
