//! `quota` of an input that reads files: how fast each of them may be read.

use super::section::{Section, parse_bytes};
use crate::tail::settings::{Excess, QuotaScope, QuotaSettings, QuotaUnit};

pub(super) fn read(section: &Section<'_>) -> Option<QuotaSettings> {
    let quota = section.section("quota");
    if !section.is_set("quota") {
        return None;
    }
    let limit = quota.required("limit").and_then(|text| {
        let limit = limit(text);
        if limit.is_none() {
            let hint = Some("for example: 1000/s, which counts lines, or 1MiB/s".to_owned());
            quota.error("limit", format!("'{text}' is no limit: a number or a size, '/', and s, m or h"), hint);
        }
        limit
    });
    let multiplier = quota.float("burst_multiplier").unwrap_or(1.0);
    if multiplier < 1.0 || !multiplier.is_finite() {
        quota.error("burst_multiplier", "'burst_multiplier' must be 1 or more", None);
    }
    let per = quota.choice("per", &[("file", QuotaScope::File), ("folder", QuotaScope::Folder)], QuotaScope::File);
    let excess = quota.choice("excess", &[("delay", Excess::Delay), ("drop", Excess::Drop)], Excess::Delay);
    let (count, seconds, unit) = limit?;
    Some(QuotaSettings { rate: count / seconds, burst: count * multiplier, unit, per, excess })
}

/// `1000/s`, `10000/m`, `1MiB/s`: how much, in how many seconds, of what.
fn limit(text: &str) -> Option<(f64, f64, QuotaUnit)> {
    let (amount, time) = text.split_once('/')?;
    let seconds = match time.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let amount = amount.trim();
    let (count, unit) = match amount.parse::<f64>() {
        Ok(lines) => (lines, QuotaUnit::Lines),
        Err(_) => (parse_bytes(amount)? as f64, QuotaUnit::Bytes),
    };
    (count.is_finite() && count > 0.0).then_some((count, seconds, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_lines_or_bytes() {
        for (text, wanted) in [
            ("1000/s", Some((1000.0, 1.0, QuotaUnit::Lines))),
            ("0.5 / m", Some((0.5, 60.0, QuotaUnit::Lines))),
            ("1MiB/h", Some((1_048_576.0, 3600.0, QuotaUnit::Bytes))),
            ("1000", None),
            ("0/s", None),
            ("-1/s", None),
            ("1MiB/d", None),
            ("x/s", None),
        ] {
            assert_eq!(limit(text), wanted, "{text}");
        }
    }
}
