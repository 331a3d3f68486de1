//! What Ruby's core methods make of values, where filters depend on it.

use tailrace_common::Value;

use super::mutate::convert::truncated;

/// Longer numbers are not read: that takes time with the square of their length.
pub(super) const DIGITS_LIMIT: usize = 10_000;

/// `String#to_i`: the whole number that a text begins with, else zero.
pub(super) fn to_i(text: &str) -> Value {
    let digits = leading_number(text, false);
    match digits.parse::<i64>() {
        Ok(number) => Value::Int(number),
        Err(_) if digits.len() > DIGITS_LIMIT => Value::Int(0),
        Err(_) => digits.parse::<num_bigint::BigInt>().map_or(Value::Int(0), Value::from_bigint),
    }
}

/// `String#to_f`: the number that a text begins with, else zero.
pub(super) fn to_f(text: &str) -> f64 {
    leading_number(text, true).parse().unwrap_or(0.0)
}

/// `Integer(text)`: a whole number and nothing else, with `0x`, `0b`, `0o` and `0` before other bases.
pub(super) fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = unsigned(text);
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'd', ..] => (10, &lower[2..]),
        [b'0', b'_' | b'0'..=b'9', ..] => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    let digits = without_underscores(digits)?;
    if digits.len() > DIGITS_LIMIT || !digits.chars().all(|digit| digit.is_digit(base)) {
        return None;
    }
    let number = num_bigint::BigInt::parse_bytes(digits.as_bytes(), base)?;
    Some(Value::from_bigint(if negative { -number } else { number }))
}

/// `Float(text)`: a number and nothing else.
pub(super) fn float(text: &str) -> Option<f64> {
    let (negative, digits) = unsigned(text);
    if let Some(digits) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        let number = u64::from_str_radix(&without_underscores(digits)?, 16).ok()? as f64;
        return Some(if negative { -number } else { number });
    }
    let digits = without_underscores(digits)?;
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (digits.as_str(), None),
    };
    let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let whole_is_fine = all_digits(whole) || whole.is_empty() && fraction.is_some();
    if !whole_is_fine || !fraction.is_none_or(all_digits) || !exponent.is_none_or(all_digits) {
        return None;
    }
    let number: f64 = digits.parse().ok()?;
    Some(if negative { -number } else { number })
}

/// Without blanks around it and the sign before it, and whether that is a minus.
fn unsigned(text: &str) -> (bool, &str) {
    let text = text.trim_matches(|character: char| character.is_ascii_whitespace());
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Single underscores may stand between digits.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let lone = |at: usize| {
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_hexdigit);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    let fine = !text.is_empty() && memchr::memchr_iter(b'_', bytes).all(lone);
    fine.then(|| text.replace('_', ""))
}

/// `to_i` of a value; nothing for what has no such method, or is not finite.
pub(super) fn value_to_i(value: &Value) -> Option<Value> {
    match value {
        Value::Null => Some(Value::Int(0)),
        Value::Int(_) | Value::BigInt(_) => Some(value.clone()),
        Value::Float(number) => number.is_finite().then(|| truncated(*number)),
        Value::Decimal(number) => Some(Value::from_bigint(number.to_bigint())),
        Value::String(text) => Some(to_i(text)),
        Value::Timestamp(moment) => Some(Value::Int(moment.secs)),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The digits that a text begins with, underscores between them left out.
pub(super) fn leading_number(text: &str, fraction: bool) -> String {
    let text = text.trim_start_matches(|character: char| character.is_ascii_whitespace());
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    if let Some(sign) = characters.next_if(|sign| matches!(sign, '-' | '+'))
        && sign == '-'
    {
        out.push('-');
    }
    let (mut point, mut exponent) = (!fraction, !fraction);
    while let Some(character) = characters.next() {
        let digit_follows = characters.peek().is_some_and(char::is_ascii_digit);
        let after_digit = out.ends_with(|last: char| last.is_ascii_digit());
        match character {
            '0'..='9' => out.push(character),
            '_' if after_digit && digit_follows => {}
            '.' if !point && digit_follows => {
                point = true;
                out.push('.');
            }
            'e' | 'E' if !exponent && after_digit => {
                let mut rest = characters.clone();
                let sign = rest.next_if(|sign| matches!(sign, '-' | '+'));
                if !rest.peek().is_some_and(char::is_ascii_digit) {
                    break;
                }
                (point, exponent) = (true, true);
                out.push('e');
                if let Some(sign) = sign {
                    out.push(sign);
                    characters.next();
                }
            }
            _ => break,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_numbers() {
        for (text, number) in [
            ("12", Some(12)),
            (" -0x1f ", Some(-31)),
            ("0b11", Some(3)),
            ("017", Some(15)),
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("08", None),
            ("1__0", None),
            ("1.5", None),
            ("--1", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(integer(text), number.map(Value::Int), "{text}");
        }
        for (text, number) in [
            ("1.5", Some(1.5)),
            (" -1e3 ", Some(-1000.0)),
            (".5", Some(0.5)),
            ("0x10", Some(16.0)),
            ("1_0.0_1", Some(10.01)),
            ("1.", None),
            ("1e", None),
            ("NaN", None),
            ("inf", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(float(text), number, "{text}");
        }
    }

    #[test]
    fn numbers_are_what_a_text_begins_with() {
        for (text, number) in [("12ms", 12), (" -3.9", -3), ("1_000", 1000), ("abc", 0), ("", 0), ("+7", 7)] {
            assert_eq!(to_i(text), Value::Int(number), "{text}");
        }
        for (text, number) in [("1.5s", 1.5), ("1e3x", 1000.0), (".5", 0.5), ("-", 0.0), ("1_0.2_5", 10.25)] {
            assert_eq!(to_f(text), number, "{text}");
        }
    }
}
