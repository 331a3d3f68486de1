//! `syslog`: a text in RFC 3164 or RFC 5424 becomes `log.syslog.*`, message and time.

use std::sync::Arc;

use tailrace_common::{Event, Object, Timestamp, Value};

use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::config::syslog_settings;
use crate::decode::syslog::{SyslogSettings, parse};
use crate::document::{deep_merge, syslog_fields};
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct ParseSyslog {
    field: Field,
    settings: SyslogSettings,
    overwrite_keys: bool,
    ignore_missing: bool,
    ignore_failure: bool,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    section.text("tag");
    Some(Arc::new(ParseSyslog {
        field: Field::new(section.text("field").unwrap_or("message")),
        settings: syslog_settings(section),
        overwrite_keys: section.boolean("overwrite_keys", true),
        ignore_missing: section.boolean("ignore_missing", false),
        ignore_failure: section.boolean("ignore_failure", false),
    }))
}

impl ParseSyslog {
    fn parse(&self, event: &mut Event) -> Result<(), Failure> {
        let Some(value) = self.field.get(event) else {
            if self.ignore_missing {
                return Ok(());
            }
            return self.field.require(event).map(|_| ());
        };
        let not_text = || Failure(format!("type of field {} is not string", self.field.name()));
        let line = value.as_str().ok_or_else(not_text)?.to_owned();
        let (moment, found, message) = parse(&self.settings, &line, Timestamp::now()).map_err(|position| {
            Failure(format!("Error parsing syslog message: parsing error at position {position}: unexpected EOF"))
        })?;
        if let Some(moment) = moment {
            event.set_timestamp(moment);
        }
        let log: Object = [("syslog", syslog_fields(&found))].into_iter().collect();
        let mut fields: Object = [("log", Value::Object(log))].into_iter().collect();
        fields.insert("message", message);
        deep_merge(event.fields_mut(), fields, self.overwrite_keys);
        Ok(())
    }
}

impl Processor for ParseSyslog {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        match self.parse(event) {
            Ok(()) => Ok(Verdict::Keep),
            Err(_) if self.ignore_failure => Ok(Verdict::Keep),
            Err(failure) => {
                super::edit::set_error_message(event, &failure);
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::processors::read::tests::changed;

    #[test]
    fn syslog_is_parsed() {
        let parse = "- syslog: {timezone: UTC}";
        let parsed =
            changed(parse, r#"{"message":"<165>1 2024-01-01T00:00:00Z host app 1 ID - text","log":{"offset":1}}"#);
        assert_eq!((&parsed["message"], &parsed["log"]["offset"]), (&json!("text"), &json!(1)));
        assert_eq!(parsed["log"]["syslog"]["hostname"], "host");
        let failed = changed(parse, r#"{"message":"plain"}"#);
        assert!(failed["error"]["message"].is_string() && failed["message"] == "plain");
        let ignored = changed("- syslog: {ignore_failure: true}", r#"{"message":"plain"}"#);
        assert_eq!(ignored, json!({"message": "plain"}));
    }
}
