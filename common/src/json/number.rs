//! Numbers from text, and doubles as text: Java's form (documents, sprintf) and Ruby's.

use num_bigint::BigInt;

use super::read::Numbers;
use crate::decimal::Decimal;
use crate::value::Value;

/// Jackson refuses whole numbers of more digits; we read them as doubles rather than spend quadratic time.
const BIG_NUMBER_DIGITS: usize = 1000;

/// A whole number that may not fit in 64 bits.
pub(super) fn big_number(text: &str) -> Value {
    if text.len() > BIG_NUMBER_DIGITS {
        return Value::Float(text.parse().unwrap_or(f64::NAN));
    }
    match text.parse::<i64>() {
        Ok(number) => Value::Int(number),
        Err(_) => text.parse::<BigInt>().map_or(Value::Null, |number| Value::BigInt(Box::new(number))),
    }
}

/// A number with a fraction or an exponent.
pub(super) fn fraction(text: &str, numbers: Numbers) -> Value {
    if numbers == Numbers::Decimal
        && let Some(decimal) = Decimal::parse(text)
    {
        return Value::Decimal(Box::new(decimal));
    }
    Value::Float(text.parse().unwrap_or(f64::NAN))
}

/// Appends a double as Java's `Double.toString` prints it: `1.5`, `1.0E-7`, `1.23456789E8`, `NaN`, `Infinity`.
pub fn write_float(number: f64, out: &mut Vec<u8>) {
    let magnitude = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&magnitude) {
        out.extend_from_slice(ryu::Buffer::new().format(number).as_bytes());
    } else if !number.is_finite() {
        out.extend_from_slice(non_finite(number).as_bytes());
    } else {
        scientific(number, out, |exponent, out| {
            out.push(b'E');
            out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
        });
    }
}

/// Appends a double as Ruby's `Float#to_s` prints it: `1.5`, `1.0e-07`, `123456789.0`, `1.0e+30`.
pub fn write_float_ruby(number: f64, out: &mut Vec<u8>) {
    let magnitude = number.abs();
    if number == 0.0 || (1e-4..1e16).contains(&magnitude) {
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format(number);
        if text.contains('e') {
            out.extend_from_slice(format!("{number:?}").as_bytes());
        } else {
            out.extend_from_slice(text.as_bytes());
        }
    } else if !number.is_finite() {
        out.extend_from_slice(non_finite(number).as_bytes());
    } else {
        scientific(number, out, |exponent, out| {
            out.extend_from_slice(format!("e{exponent:+03}").as_bytes());
        });
    }
}

fn non_finite(number: f64) -> &'static str {
    match (number.is_nan(), number > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    }
}

/// `d.ddd` and the exponent by `put_exponent`.
fn scientific(number: f64, out: &mut Vec<u8>, put_exponent: impl Fn(i32, &mut Vec<u8>)) {
    let text = format!("{number:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    out.extend_from_slice(mantissa.as_bytes());
    if !mantissa.contains('.') {
        out.extend_from_slice(b".0");
    }
    put_exponent(exponent.parse().unwrap_or_default(), out);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_java_and_like_ruby() {
        for (number, java, ruby) in [
            (1.0, "1.0", "1.0"),
            (0.0, "0.0", "0.0"),
            (-0.0, "-0.0", "-0.0"),
            (1e-7, "1.0E-7", "1.0e-07"),
            (123456789.125, "1.23456789125E8", "123456789.125"),
            (1e30, "1.0E30", "1.0e+30"),
            (0.0005, "5.0E-4", "0.0005"),
            (0.001, "0.001", "0.001"),
            (9999999.0, "9999999.0", "9999999.0"),
            (1e7, "1.0E7", "10000000.0"),
            (f64::INFINITY, "Infinity", "Infinity"),
        ] {
            let (mut as_java, mut as_ruby) = (Vec::new(), Vec::new());
            write_float(number, &mut as_java);
            write_float_ruby(number, &mut as_ruby);
            assert_eq!(String::from_utf8(as_java).unwrap(), java);
            assert_eq!(String::from_utf8(as_ruby).unwrap(), ruby);
        }
    }
}
