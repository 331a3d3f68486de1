//! The functions of XPath 1.0.

use super::ast::{Expr, Function};
use super::eval::{Context, Evaluator};
use super::value::{Failed, NodeRef, Value};

/// Calls a function with as many arguments as it takes.
pub(super) fn call(
    evaluator: &Evaluator<'_>,
    function: Function,
    arguments: &[Expr],
    context: Context,
) -> Result<Value, Failed> {
    let value = |at: usize| match arguments.get(at) {
        Some(argument) => evaluator.expr(argument, context),
        // What is left out is the node at hand.
        None => Ok(Value::Nodes(vec![context.node])),
    };
    let text = |at: usize| value(at)?.text(evaluator);
    let number = |at: usize| value(at)?.number(evaluator);
    let first = || -> Result<Option<NodeRef>, Failed> { Ok(value(0)?.nodes()?.first().copied()) };
    Ok(match function {
        Function::Last => Value::Number(context.size as f64),
        Function::Position => Value::Number(context.position as f64),
        Function::Count => Value::Number(value(0)?.nodes()?.len() as f64),
        Function::LocalName => {
            let name = first()?.and_then(|node| evaluator.name_of(node));
            Value::Text(name.map(|name| name.local.to_string()).unwrap_or_default())
        }
        Function::NamespaceUri => {
            let name = first()?.and_then(|node| evaluator.name_of(node));
            Value::Text(name.and_then(|name| name.namespace.as_deref()).unwrap_or_default().to_string())
        }
        Function::Name => {
            let name = first()?.and_then(|node| evaluator.name_of(node));
            Value::Text(name.map(|name| name.qualified()).unwrap_or_default())
        }
        Function::String => Value::Text(text(0)?),
        Function::Concat => Value::Text((0..arguments.len()).map(text).collect::<Result<String, _>>()?),
        Function::StartsWith => Value::Boolean(text(0)?.starts_with(&text(1)?)),
        Function::Contains => Value::Boolean(text(0)?.contains(&text(1)?)),
        Function::SubstringBefore => {
            let (whole, part) = (text(0)?, text(1)?);
            Value::Text(whole.split_once(&part).map(|(before, _)| before.to_string()).unwrap_or_default())
        }
        Function::SubstringAfter => {
            let (whole, part) = (text(0)?, text(1)?);
            Value::Text(whole.split_once(&part).map(|(_, after)| after.to_string()).unwrap_or_default())
        }
        Function::Substring => {
            let length = if arguments.len() > 2 { Some(number(2)?) } else { None };
            Value::Text(substring(&text(0)?, number(1)?, length))
        }
        Function::StringLength => Value::Number(text(0)?.chars().count() as f64),
        Function::NormalizeSpace => {
            Value::Text(text(0)?.split(is_blank).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
        }
        Function::Translate => Value::Text(translated(&text(0)?, &text(1)?, &text(2)?)),
        Function::Boolean => Value::Boolean(value(0)?.boolean()),
        Function::Not => Value::Boolean(!value(0)?.boolean()),
        Function::True => Value::Boolean(true),
        Function::False => Value::Boolean(false),
        Function::Number => Value::Number(number(0)?),
        Function::Sum => {
            let nodes = value(0)?.nodes()?;
            let numbers = nodes.iter().map(|node| Ok(number_of(&evaluator.text_of(*node)?)));
            Value::Number(numbers.sum::<Result<f64, Failed>>()?)
        }
        Function::Floor => Value::Number(number(0)?.floor()),
        Function::Ceiling => Value::Number(number(0)?.ceil()),
        Function::Round => Value::Number(rounded(number(0)?)),
    })
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Halves go up.
fn rounded(number: f64) -> f64 {
    (number + 0.5).floor()
}

/// Characters are counted from 1; both bounds are rounded.
fn substring(text: &str, start: f64, length: Option<f64>) -> String {
    let start = rounded(start);
    let end = length.map_or(f64::INFINITY, |length| start + rounded(length));
    let places = text.chars().enumerate().filter(|(at, _)| {
        let position = (at + 1) as f64;
        position >= start && position < end
    });
    places.map(|(_, character)| character).collect()
}

fn translated(text: &str, from: &str, to: &str) -> String {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let replaced = text.chars().filter_map(|character| match from.iter().position(|known| *known == character) {
        None => Some(character),
        Some(at) => to.get(at).copied(),
    });
    replaced.collect()
}

/// The number that a text is, or none.
pub(super) fn number_of(text: &str) -> f64 {
    let text = text.trim_matches(is_blank);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.contains(|sign: char| sign.is_ascii_digit())
        && digits.chars().all(|sign| sign.is_ascii_digit() || sign == '.');
    if plain { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// Whole numbers are written without a point.
pub(super) fn text_of_number(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    if number == 0.0 { "0".into() } else { number.to_string() }
}
