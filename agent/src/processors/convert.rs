//! `convert`: values of another type.

use std::net::IpAddr;
use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::edit::{FromTo, pair};
use super::field::{go_type, text_of};
use super::{Failure, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Long,
    Float,
    Double,
    Text,
    Boolean,
    Ip,
}

const KINDS: [(&str, Option<Kind>); 7] = [
    ("integer", Some(Kind::Integer)),
    ("long", Some(Kind::Long)),
    ("float", Some(Kind::Float)),
    ("double", Some(Kind::Double)),
    ("string", Some(Kind::Text)),
    ("boolean", Some(Kind::Boolean)),
    ("ip", Some(Kind::Ip)),
];

#[derive(Debug)]
struct Convert {
    fields: Vec<(FromTo, Option<Kind>)>,
    tag: String,
    ignore_missing: bool,
    fail_on_error: bool,
    rename: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.require("fields");
    let items = section.maps("fields");
    let fields = items.iter().filter_map(|item| {
        let kind = item.choice("type", &KINDS, None);
        if kind.is_none() && !item.is_set("to") {
            item.fail("each of 'fields' needs 'type', 'to', or both", None);
        }
        Some((pair(item, true)?, kind))
    });
    Some(Arc::new(Convert {
        fields: fields.collect(),
        tag: section.text("tag").unwrap_or_default().to_owned(),
        ignore_missing: section.boolean("ignore_missing", false),
        fail_on_error: section.boolean("fail_on_error", true),
        rename: section.choice("mode", &[("copy", false), ("rename", true)], false),
    }))
}

/// A value of the kind.
fn converted(value: &Value, kind: Kind) -> Result<Value, String> {
    let name = KINDS.iter().find(|(_, known)| *known == Some(kind)).map_or("", |(name, _)| name);
    let wrong = || format!("invalid conversion of [{}] to {name}", go_type(value));
    match (kind, value) {
        (Kind::Integer, value) => whole(value).ok_or_else(wrong)?.and_then(|number| {
            i32::try_from(number).map(Value::from).map_err(|_| format!("value out of range: {number}"))
        }),
        (Kind::Long, value) => whole(value).ok_or_else(wrong)?.map(Value::Int),
        (Kind::Float | Kind::Double, Value::String(text)) => {
            text.parse::<f64>().map(Value::Float).map_err(|_| format!("parsing \"{text}\": invalid syntax"))
        }
        (Kind::Float | Kind::Double, value) => value.as_f64().map(Value::Float).ok_or_else(wrong),
        (Kind::Text, Value::Null) => Err("invalid conversion of [null] to string".to_owned()),
        (Kind::Text, value) => Ok(Value::from(text_of(value))),
        (Kind::Boolean, Value::Bool(flag)) => Ok(Value::Bool(*flag)),
        (Kind::Boolean, Value::String(text)) => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
            _ => Err(format!("parsing \"{text}\": invalid syntax")),
        },
        (Kind::Ip, Value::String(text)) => match text.parse::<IpAddr>() {
            Ok(_) => Ok(value.clone()),
            Err(_) => Err("value is not a valid IP address".to_owned()),
        },
        (Kind::Boolean | Kind::Ip, _) => Err(wrong()),
    }
}

/// A whole number; floats lose their fraction, texts may be decimal or, after `0x`, hexadecimal.
fn whole(value: &Value) -> Option<Result<i64, String>> {
    match value {
        Value::Int(number) => Some(Ok(*number)),
        Value::String(text) => {
            let (negative, digits) = match text.as_str().strip_prefix(['+', '-']) {
                Some(digits) => (text.starts_with('-'), digits),
                None => (false, text.as_str()),
            };
            let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
            let unsigned = digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
            let number = match hexadecimal {
                Some(hex) if !hex.starts_with(['+', '-']) => i128::from_str_radix(hex, 16).ok(),
                Some(_) => None,
                None => digits.parse::<i128>().ok().filter(|_| unsigned),
            };
            let number = number.map(|number| if negative { -number } else { number });
            let number = number.and_then(|number| i64::try_from(number).ok());
            Some(number.ok_or_else(|| format!("parsing \"{text}\": invalid syntax")))
        }
        other => other.as_f64().map(|number| Ok(number as i64)),
    }
}

impl Convert {
    fn convert(&self, event: &Event, item: &FromTo, kind: Option<Kind>) -> Result<Option<Value>, Failure> {
        let failed = |reason: &str, cause: &str| {
            let tag = if self.tag.is_empty() { String::new() } else { format!(" with instance_id={}", self.tag) };
            let target = if item.to.name() == item.from.name() {
                String::new()
            } else {
                format!(" with target field [{}]", item.to.name())
            };
            let kind = KINDS.iter().find(|(_, known)| *known == kind).map_or("[unset]", |(name, _)| name);
            let from = item.from.name();
            let text = format!(
                "failed in processor.convert{tag}: conversion of field [{from}] to type [{kind}]{target} failed: {reason}: {cause}"
            );
            Failure(text)
        };
        let value = match item.from.get(event) {
            Some(value) => value,
            None if self.ignore_missing => return Ok(None),
            None => return Err(failed(&format!("field [{}] is missing", item.from.name()), "key not found")),
        };
        let Some(kind) = kind else { return Ok(Some(value.clone())) };
        let unable = |cause: String| failed(&format!("unable to convert value [{}]", text_of(value)), &cause);
        converted(value, kind).map(Some).map_err(unable)
    }
}

impl Processor for Convert {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        // All are converted before any is written: a failure leaves the event as it was.
        let mut results = Vec::with_capacity(self.fields.len());
        for (item, kind) in &self.fields {
            match self.convert(event, item, *kind) {
                Ok(value) => results.extend(value.map(|value| (item, value))),
                Err(failure) if self.fail_on_error => return Err(failure),
                Err(_) => {}
            }
        }
        let backup = (self.fail_on_error && results.len() > 1).then(|| event.clone());
        for (item, value) in results {
            if let Err(failure) = item.to.put(event, value)
                && self.fail_on_error
            {
                if let Some(backup) = backup {
                    *event = backup;
                }
                return Err(failure);
            }
            if self.rename && item.to.name() != item.from.name() {
                item.from.remove(event);
            }
        }
        Ok(Verdict::Keep)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::processors::read::tests::{changed, problems};

    #[test]
    fn values_change_their_type() {
        for (from, kind, wanted) in [
            (Value::from("12"), Kind::Integer, Ok(Value::Int(12))),
            (Value::from("-0x1F"), Kind::Long, Ok(Value::Int(-31))),
            (Value::from("3000000000"), Kind::Integer, Err("value out of range: 3000000000")),
            (Value::from("1.5"), Kind::Long, Err("parsing \"1.5\": invalid syntax")),
            (Value::from("++1"), Kind::Long, Err("parsing \"++1\": invalid syntax")),
            (Value::Float(2.9), Kind::Long, Ok(Value::Int(2))),
            (Value::from("1.5e3"), Kind::Double, Ok(Value::Float(1500.0))),
            (Value::Int(7), Kind::Float, Ok(Value::Float(7.0))),
            (Value::Int(7), Kind::Text, Ok(Value::from("7"))),
            (Value::Bool(true), Kind::Text, Ok(Value::from("true"))),
            (Value::Null, Kind::Text, Err("invalid conversion of [null] to string")),
            (Value::from("T"), Kind::Boolean, Ok(Value::Bool(true))),
            (Value::from("yes"), Kind::Boolean, Err("parsing \"yes\": invalid syntax")),
            (Value::from("::1"), Kind::Ip, Ok(Value::from("::1"))),
            (Value::from("1.2.3"), Kind::Ip, Err("value is not a valid IP address")),
            (Value::Int(1), Kind::Ip, Err("invalid conversion of [int64] to ip")),
        ] {
            assert_eq!(converted(&from, kind), wanted.map_err(str::to_owned), "{from:?} {kind:?}");
        }
    }

    #[test]
    fn all_or_nothing() {
        let convert = "- convert: {fields: [{from: a, type: long}, {from: b, to: c, type: ip}], mode: rename}";
        assert_eq!(changed(convert, r#"{"a":"1","b":"10.0.0.1"}"#), json!({"a": 1, "c": "10.0.0.1"}));
        assert_eq!(changed(convert, r#"{"a":"1","b":"x"}"#), json!({"a": "1", "b": "x"}));
        let lenient = "- convert: {fields: [{from: a, type: long}, {from: b, type: ip}], fail_on_error: false}";
        assert_eq!(changed(lenient, r#"{"a":"1","b":"x"}"#), json!({"a": 1, "b": "x"}));
        assert_eq!(problems("- convert: {fields: [{from: a}]}"), ["each of 'fields' needs 'type', 'to', or both"]);
    }
}
