//! Decimal numbers as the json filter makes them (Ruby's BigDecimal): exact, and unequal to any double.

use num_bigint::BigInt;
use std::cmp::Ordering;
use std::fmt;

/// `unscaled × 10^-scale`.
#[derive(Clone, Debug)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i64,
}

/// More digits or a larger exponent than this is no number anybody logged on purpose; such a literal is read as a double.
const LIMIT: i64 = 10_000;

impl Decimal {
    /// Reads a JSON number; nothing when it is not one or runs past 10,000 digits.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if exponent.abs() > LIMIT || mantissa.len() as i64 > LIMIT {
            return None;
        }
        let unscaled = match small_unscaled(whole, fraction) {
            Some(small) => BigInt::from(small),
            None => format!("{whole}{fraction}").parse().ok()?,
        };
        Some(Decimal { unscaled, scale: fraction.len() as i64 - exponent })
    }

    /// The nearest double.
    pub fn to_f64(&self) -> f64 {
        format!("{}e{}", self.unscaled, -self.scale).parse().unwrap_or(f64::NAN)
    }

    /// The part before the point.
    pub fn to_bigint(&self) -> BigInt {
        let ten = BigInt::from(10);
        match u32::try_from(self.scale.unsigned_abs()) {
            Ok(places) if self.scale > 0 => &self.unscaled / ten.pow(places),
            Ok(places) => &self.unscaled * ten.pow(places),
            Err(_) => BigInt::ZERO,
        }
    }

    /// Digits without trailing zeros, and the exponent `e` of `0.DIGITS × 10^e`.
    fn normalised(&self) -> (bool, String, i64) {
        let text = self.unscaled.to_string();
        let negative = text.starts_with('-');
        let digits = text.trim_start_matches('-');
        let exponent = digits.len() as i64 - self.scale;
        let trimmed = digits.trim_end_matches('0');
        if trimmed.is_empty() { (false, "0".into(), 1) } else { (negative, trimmed.into(), exponent) }
    }

    /// As Ruby prints a BigDecimal: `0.15e1`.
    pub fn to_ruby_string(&self) -> String {
        let (negative, digits, exponent) = self.normalised();
        if digits == "0" {
            return "0.0".into();
        }
        format!("{}0.{digits}e{exponent}", if negative { "-" } else { "" })
    }
}

/// The digits before and after the point as one number, when they are few and nothing but digits.
fn small_unscaled(whole: &str, fraction: &str) -> Option<i64> {
    let (negative, whole) = whole.strip_prefix('-').map_or((false, whole), |digits| (true, digits));
    let digits = || whole.bytes().chain(fraction.bytes());
    let fits = (1..=18).contains(&(whole.len() + fraction.len())) && digits().all(|digit| digit.is_ascii_digit());
    let magnitude = || digits().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
    fits.then(|| if negative { -magnitude() } else { magnitude() })
}

/// As Java prints a BigDecimal without trailing zeros kept from the text: plain, or `1E+21`, `1.5E-7`.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.unscaled.to_string();
        let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
        let adjusted = digits.len() as i64 - 1 - self.scale;
        if self.scale >= 0 && adjusted >= -6 {
            let scale = self.scale as usize;
            if scale == 0 {
                return write!(f, "{sign}{digits}");
            }
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            return write!(f, "{sign}{whole}.{fraction}");
        }
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        write!(f, "{sign}{first}{point}{rest}E{adjusted:+}")
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Decimal) -> bool {
        self.normalised() == other.normalised()
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        let ten = BigInt::from(10);
        let difference = self.scale - other.scale;
        let factor = ten.pow(u32::try_from(difference.unsigned_abs()).ok()?);
        Some(if difference >= 0 {
            self.unscaled.cmp(&(&other.unscaled * factor))
        } else {
            (&self.unscaled * factor).cmp(&other.unscaled)
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_java_and_like_ruby() {
        for (text, java, ruby) in [
            ("1.5", "1.5", "0.15e1"),
            ("0.1", "0.1", "0.1e0"),
            ("0.00001", "0.00001", "0.1e-4"),
            ("1e21", "1E+21", "0.1e22"),
            ("-2.50", "-2.50", "-0.25e1"),
            ("1.5e-9", "1.5E-9", "0.15e-8"),
            ("0.0", "0.0", "0.0"),
        ] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!(decimal.to_string(), java, "{text}");
            assert_eq!(decimal.to_ruby_string(), ruby, "{text}");
        }
    }

    #[test]
    fn compares_by_value() {
        let parse = |text| Decimal::parse(text).unwrap();
        assert_eq!(parse("1.50"), parse("1.5"));
        assert!(parse("1.49") < parse("1.5"));
        assert!(parse("1e3") > parse("999.99"));
        assert_eq!(parse("2.9").to_bigint(), BigInt::from(2));
        assert_eq!(parse("12.25").to_f64(), 12.25);
    }
}
