//! `convert`: values to another type.

use num_bigint::BigInt;
use tailrace_common::{Event, FieldPath, Value};

use super::{Failed, Operation, Reference};
use crate::filters::ruby::DIGITS_LIMIT;
use crate::options::{Options, value_text};
use crate::plan::text::ruby_to_s;

/// What to convert to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    Integer,
    /// Points group digits, the comma begins the fraction.
    IntegerEu,
    Float,
    FloatEu,
    Text,
    Boolean,
}

const NAMES: [(&str, Conversion); 6] = [
    ("string", Conversion::Text),
    ("integer", Conversion::Integer),
    ("float", Conversion::Float),
    ("boolean", Conversion::Boolean),
    ("integer_eu", Conversion::IntegerEu),
    ("float_eu", Conversion::FloatEu),
];

pub(super) fn read(options: &mut Options<'_>, operations: &mut Vec<Operation>) {
    for (field, kind) in options.hash("convert") {
        let kind = value_text(&kind);
        match NAMES.iter().find(|(name, _)| *name == kind) {
            Some((_, conversion)) => operations.push(Operation::Convert(Reference::new(&field), *conversion)),
            None => {
                let names = NAMES.map(|(name, _)| name).join(", ");
                options.error_at("convert", format!("'{kind}' is no type; use one of {names}"));
            }
        }
    }
}

pub(super) fn apply(event: &mut Event, path: &FieldPath, conversion: Conversion) -> Result<(), Failed> {
    match event.get_mut(path) {
        None | Some(Value::Null | Value::Object(_)) => Ok(()),
        Some(Value::Array(values)) => {
            let converted = values.iter().map(|value| match value {
                Value::Null => Ok(Value::Null),
                value => conversion.of(value),
            });
            *values = converted.collect::<Result<_, _>>()?;
            Ok(())
        }
        // It may be `@timestamp`, which takes nothing else.
        Some(moment @ Value::Timestamp(_)) => {
            let converted = conversion.of(moment)?;
            event.set(path, converted).map_err(|_| Failed)
        }
        Some(place) => {
            *place = conversion.of(place)?;
            Ok(())
        }
    }
}

impl Conversion {
    fn of(self, value: &Value) -> Result<Value, Failed> {
        match self {
            Conversion::Text => Ok(ruby_to_s(value).into()),
            Conversion::Boolean => Ok(boolean(value)),
            Conversion::Integer | Conversion::IntegerEu => integer(value, self == Conversion::IntegerEu),
            Conversion::Float | Conversion::FloatEu => float(value, self == Conversion::FloatEu),
        }
    }
}

/// Words that mean true and false; all else stays.
fn boolean(value: &Value) -> Value {
    let text = match value {
        Value::String(_) | Value::Int(_) | Value::Float(_) => ruby_to_s(value).to_lowercase(),
        other => return other.clone(),
    };
    match text.as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Value::Bool(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" | "" => Value::Bool(false),
        _ => value.clone(),
    }
}

fn integer(value: &Value, eu: bool) -> Result<Value, Failed> {
    match value {
        Value::Bool(flag) => Ok(Value::Int(i64::from(*flag))),
        Value::Int(_) | Value::BigInt(_) => Ok(value.clone()),
        Value::Float(number) if number.is_finite() => Ok(truncated(*number)),
        Value::Decimal(number) => Ok(Value::from_bigint(number.to_bigint())),
        Value::String(text) => match small_integer(text) {
            Some(number) => Ok(Value::Int(number)),
            None => parse_integer(&plain_number(text, eu)).ok_or(Failed),
        },
        _ => Err(Failed),
    }
}

fn float(value: &Value, eu: bool) -> Result<Value, Failed> {
    match value {
        Value::Bool(flag) => Ok(Value::Float(f64::from(u8::from(*flag)))),
        Value::Int(_) | Value::BigInt(_) | Value::Decimal(_) => value.as_f64().map(Value::Float).ok_or(Failed),
        Value::Float(_) => Ok(value.clone()),
        Value::String(text) => {
            let text = plain_number(text, eu);
            if text.len() > DIGITS_LIMIT {
                return Err(Failed);
            }
            let number = hexadecimal(&text).and_then(|number| Value::from_bigint(number).as_f64());
            number.or_else(|| decimal(&text)?.parse().ok()).map(Value::Float).ok_or(Failed)
        }
        _ => Err(Failed),
    }
}

/// Digits and nothing else, which most numbers are.
fn small_integer(text: &str) -> Option<i64> {
    let plain = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.bytes().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}

/// Without what groups digits, with a point before the fraction.
fn plain_number(text: &str, eu: bool) -> String {
    if eu { text.replace('.', "").replace(',', ".") } else { text.replace(',', "") }
}

fn parse_integer(text: &str) -> Option<Value> {
    if text.len() > DIGITS_LIMIT {
        return None;
    }
    if let Some(number) = hexadecimal(text) {
        return Some(Value::from_bigint(number));
    }
    // What Ruby's BigDecimal takes, a percent sign included.
    let text = decimal(text.trim_end().strip_suffix('%').unwrap_or(text))?;
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return text.parse::<BigInt>().ok().map(Value::from_bigint);
    }
    let exact = tailrace_common::Decimal::parse(&text)?;
    Some(Value::from_bigint(exact.to_bigint()))
}

fn hexadecimal(text: &str) -> Option<BigInt> {
    let text = text.trim();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))?;
    let number =
        BigInt::parse_bytes(digits.as_bytes(), 16).filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some(if negative { -number } else { number })
}

/// A decimal number as Ruby reads one strictly: blanks around it, underscores between digits, an exponent with digits.
fn decimal(text: &str) -> Option<String> {
    let text = text.trim_matches(|character: char| character.is_ascii_whitespace());
    let bytes = text.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let underscores = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_');
    if underscores.clone().any(|(at, _)| !digit(at.checked_sub(1)) || !digit(Some(at + 1))) {
        return None;
    }
    let text = text.replace('_', "");
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let legal = (digits(whole) || (whole.is_empty() && digits(fraction)))
        && (digits(fraction) || fraction.is_empty())
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    legal.then(|| text.strip_prefix('+').unwrap_or(&text).to_string())
}

pub(in crate::filters) fn truncated(number: f64) -> Value {
    if number.abs() < 9e18 {
        return Value::Int(number as i64);
    }
    // Whole already; its digits are exact.
    format!("{number:.0}").parse::<BigInt>().map_or(Value::Null, Value::from_bigint)
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::run;

    /// Reading them would take the square of their length.
    #[test]
    fn numbers_of_too_many_digits_are_tagged() {
        let digits = "1".repeat(20_000_000);
        for kind in ["integer", "float", "integer_eu"] {
            for value in [digits.clone(), format!("0x{digits}")] {
                let config = format!("mutate {{ convert => {{ \"number\" => \"{kind}\" }} }}");
                let got = run(&config, &[&format!("{{\"number\":\"{value}\"}}")]).concat();
                assert!(got.contains("_mutate_error"), "{kind}");
            }
        }
    }
}
