//! Filter `bytes`: sizes such as `5.3 GB` as a number of bytes.

use tailrace_common::{Event, FieldPath, Value};
use tailrace_grok::{Budget, Options as RegexOptions, Regex, Scratch};

use super::mutate::convert::truncated;
use super::mutate::strings::stripped;
use super::ruby::to_f;
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "bytes",
    summary: "Reads a size such as '5.3 GB' as a number of bytes.",
    example: "filter { bytes { source => \"size\" target => \"[file][size]\" } }",
    build,
};

/// Number, prefix of the unit, the B of bytes.
const PATTERN: &str = r"^([0-9 _,.]*)\s*([kKmMgGtTpPeE]?)([bB]?)$";

/// A text may take the expression this long, in milliseconds.
const BUDGET: Budget = Budget::millis(30_000);

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let source = options.field("source").unwrap_or_else(|| FieldPath::field("message"));
    // Logstash starts without, and fails on every event.
    options.require("target");
    let target = options.field("target");
    let factor = match options.one_of("conversion_method", &["binary", "metric"], "binary") {
        "metric" => 1000.0,
        _ => 1024.0,
    };
    let separator = if options.one_of("decimal_separator", &[".", ","], ".") == "," { ',' } else { '.' };
    let tags = options.tags("tag_on_failure", "_bytesparsefailure");
    options.finish()?;
    let pattern = Regex::new(PATTERN, RegexOptions::default()).map_err(|_| Invalid)?;
    Ok(Box::new(Bytes { source, target: target.ok_or(Invalid)?, factor, separator, tags, pattern: Box::new(pattern) }))
}

struct Bytes {
    source: FieldPath,
    target: FieldPath,
    /// What a kilobyte is.
    factor: f64,
    /// Before the fraction; other signs between digits group them.
    separator: char,
    tags: Vec<String>,
    pattern: Box<Regex>,
}

impl Filter for Bytes {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let size = match event.get(&self.source) {
            None | Some(Value::Null | Value::Bool(false)) => None,
            Some(Value::String(text)) => self.size(stripped(text), context.scratch),
            Some(_) => {
                context.reject(event, format!("'{}' is no text", self.source));
                return;
            }
        };
        match size {
            None => context.failed(event, &self.tags),
            Some(size) => match event.set(&self.target, size) {
                Ok(()) => context.matched(event),
                Err(error) => context.reject(event, error.to_string()),
            },
        }
    }
}

impl Bytes {
    fn size(&self, text: &str, scratch: &mut Scratch) -> Option<Value> {
        let mut found = self.pattern.find_iter(text.as_bytes(), scratch, BUDGET);
        let captures = found.next_captures().ok()??;
        let group = |at: usize| captures.get(at).copied().flatten().and_then(|(start, end)| text.get(start..end));
        let number: String =
            group(1)?.chars().filter(|sign| sign.is_ascii_digit() || *sign == self.separator).collect();
        if number.is_empty() || number.matches(self.separator).count() > 1 {
            return None;
        }
        let power = match group(2).and_then(|prefix| prefix.chars().next()) {
            None => 0,
            Some(prefix) => "kmgtpe".find(prefix.to_ascii_lowercase())? as i32 + 1,
        };
        let size = to_f(&number.replace(self.separator, ".")) * self.factor.powi(power);
        size.is_finite().then(|| truncated(size.round()))
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn sizes_of_all_units() {
        for (options, text, size) in [
            ("", "40", Some(40)),
            ("", " 5.3GB ", Some(5_690_831_667_i64)),
            ("", "1 024 kB", Some(1_048_576)),
            ("", "1,024.5 k", Some(1_049_088)),
            ("conversion_method => metric", "2M", Some(2_000_000)),
            ("decimal_separator => \",\"", "1.000,5", Some(1001)),
            ("", "1.2.3", None),
            ("", "mb", None),
            ("", "", None),
            ("", "12 apples", None),
        ] {
            let event = format!("{{\"message\":\"{text}\"}}");
            let expected = match size {
                Some(size) => format!("{{\"message\":\"{text}\",\"size\":{size}}}"),
                None => format!("{{\"message\":\"{text}\",\"tags\":[\"_bytesparsefailure\"]}}"),
            };
            check(&format!("bytes {{ target => \"size\" {options} }}"), &event, &[&expected]);
        }
        check("bytes { target => \"size\" }", r#"{"message":5}"#, &[]);
        assert!(run_with("v8", "bytes { }", &[]).is_err());
    }
}
