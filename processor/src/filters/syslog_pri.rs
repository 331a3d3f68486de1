//! Filter `syslog_pri`: the priority of syslog as facility and severity.

use num_bigint::BigInt;
use tailrace_common::syslog::{DEFAULT_PRIORITY, FACILITIES, SEVERITIES};
use tailrace_common::{Event, FieldPath, Str, Value};

use super::ruby::value_to_i;
use crate::options::{Invalid, Options, shared};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "syslog_pri",
    summary: "Reads the priority of a syslog line as facility and severity.",
    example: "filter { syslog_pri { syslog_pri_field_name => \"syslog_pri\" } }",
    build,
};

const FAILURE: &str = "_syslogpriparsefailure";

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let ecs = options.ecs().enabled();
    let name = |nested: &[&str], flat: &str| {
        if !ecs {
            return FieldPath::field(flat);
        }
        nested.iter().fold(FieldPath::field("log").child("syslog"), |path, step| path.child(step))
    };
    let source = options.field("syslog_pri_field_name").unwrap_or_else(|| name(&["priority"], "syslog_pri"));
    let labels = options.boolean("use_labels", true);
    let filter = SyslogPri {
        source,
        facility: Part {
            code: name(&["facility", "code"], "syslog_facility_code"),
            label: name(&["facility", "name"], "syslog_facility"),
            labels: words(&mut options, "facility_labels", FACILITIES),
        },
        severity: Part {
            code: name(&["severity", "code"], "syslog_severity_code"),
            label: name(&["severity", "name"], "syslog_severity"),
            labels: words(&mut options, "severity_labels", SEVERITIES),
        },
        labels,
    };
    options.finish()?;
    Ok(Box::new(filter))
}

/// The labels given, else the usual ones; this filter writes those in lower case, and one of them otherwise.
fn words<const N: usize>(options: &mut Options<'_>, option: &'static str, usual: [&str; N]) -> Vec<Str> {
    let given = options.strings(option);
    if options.is_set(option) {
        return given.iter().map(|label| shared(label)).collect();
    }
    let own = |label: &str| if label == "system" { "daemon".into() } else { label.to_lowercase() };
    usual.iter().map(|label| shared(&own(label))).collect()
}

struct SyslogPri {
    source: FieldPath,
    facility: Part,
    severity: Part,
    labels: bool,
}

/// Facility or severity: where they go, and what they are called.
struct Part {
    code: FieldPath,
    label: FieldPath,
    labels: Vec<Str>,
}

impl Filter for SyslogPri {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let priority = match event.get(&self.source) {
            None | Some(Value::Null | Value::Bool(false)) => Some(Value::Int(DEFAULT_PRIORITY.into())),
            Some(Value::Array(values)) => value_to_i(values.first().unwrap_or(&Value::Null)),
            Some(value) => value_to_i(value),
        };
        let Some((severity, facility)) = priority.as_ref().and_then(parts) else {
            context.reject(event, format!("'{}' is no priority", self.source));
            return;
        };
        let outcome = self.store(event, severity, facility);
        match outcome {
            Ok(true) => context.matched(event),
            Ok(false) => {
                context.failed(event, &[FAILURE]);
                context.matched(event);
            }
            Err(error) => context.reject(event, error.to_string()),
        }
    }
}

impl SyslogPri {
    /// False when there is no such facility.
    fn store(
        &self,
        event: &mut Event,
        severity: i64,
        facility: Value,
    ) -> Result<bool, tailrace_common::path::SetError> {
        let facility_code = facility.as_i64().unwrap_or(i64::MAX);
        event.set(&self.severity.code, severity)?;
        event.set(&self.facility.code, facility)?;
        if !self.labels {
            return Ok(true);
        }
        if facility_code >= self.facility.labels.len() as i64 {
            return Ok(false);
        }
        for (part, code) in [(&self.facility, facility_code), (&self.severity, severity)] {
            if let Some(label) = part.label_of(code) {
                event.set(&part.label, label.clone())?;
            }
        }
        Ok(true)
    }
}

impl Part {
    /// Ruby counts what is below zero from the end.
    fn label_of(&self, code: i64) -> Option<&Str> {
        let at = if code < 0 { code.checked_add(self.labels.len() as i64)? } else { code };
        self.labels.get(usize::try_from(at).ok()?)
    }
}

/// The last three bits, and those before them.
fn parts(priority: &Value) -> Option<(i64, Value)> {
    match priority {
        Value::Int(number) => Some((number & 7, Value::Int(number >> 3))),
        Value::BigInt(number) => {
            let severity = i64::try_from(number.as_ref() & BigInt::from(7)).ok()?;
            Some((severity, Value::from_bigint(number.as_ref() >> 3_u32)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::filters::testing::{check, run_with};

    #[test]
    fn priorities_of_all_kinds() {
        for (priority, severity, facility) in [
            ("\"165\"", "5,\"syslog_severity\":\"notice\"", "20,\"syslog_facility\":\"local4\""),
            ("-1", "7,\"syslog_severity\":\"debug\"", "-1,\"syslog_facility\":\"local7\""),
            ("[]", "0,\"syslog_severity\":\"emergency\"", "0,\"syslog_facility\":\"kernel\""),
            ("-1000", "0,\"syslog_severity\":\"emergency\"", "-125"),
            ("192", "0,\"tags\":[\"_syslogpriparsefailure\"]", "24"),
        ] {
            let event = format!("{{\"syslog_pri\":{priority}}}");
            let expected = format!(
                "{{\"syslog_pri\":{priority},\"syslog_severity_code\":{severity},\"syslog_facility_code\":{facility}}}"
            );
            check("syslog_pri { }", &event, &[&expected]);
        }
    }

    #[test]
    fn numbers_beyond_64_bits_are_no_facility() {
        let got = run_with("v8", "syslog_pri { }", &[r#"{"log":{"syslog":{"priority":18446744073709551623}}}"#]);
        let got = got.unwrap_or_default().concat();
        assert!(got.contains(r#""severity":{"code":7}"#) && got.contains("_syslogpriparsefailure"), "{got}");
    }

    #[test]
    fn what_is_no_number_is_rejected() {
        check("syslog_pri { }", r#"{"syslog_pri":{"a":1}}"#, &[]);
        check("syslog_pri { }", r#"{"syslog_pri":true}"#, &[]);
    }
}
