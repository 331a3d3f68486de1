//! The fields of the input `syslog`, which are older than ECS.

use tailrace_common::{Object, Value};

use crate::decode::syslog::Syslog;

/// `hostname`, `process`, `syslog`, `event.severity`.
pub(super) fn fields(found: &Syslog) -> Object {
    let (mut fields, mut syslog, mut process, mut event) = (Object::new(), Object::new(), Object::new(), Object::new());
    if let Some(hostname) = &found.hostname {
        fields.insert("hostname", hostname.as_str());
    }
    if let Some(priority) = found.priority {
        syslog.insert("priority", i64::from(priority));
    }
    if let Some((code, label)) = found.severity() {
        event.insert("severity", i64::from(code));
        syslog.insert("severity_label", label);
    }
    if let Some((code, label)) = found.facility() {
        syslog.insert("facility", i64::from(code));
        if let Some(label) = label {
            syslog.insert("facility_label", label);
        }
    }
    let number = |text: &String| text.parse::<i64>().ok();
    match &found.version {
        Some(version) => {
            syslog.insert("version", number(version).unwrap_or(1));
            insert(&mut process, "name", found.appname.as_deref());
            insert(&mut process, "entity_id", found.procid.as_deref());
            insert(&mut syslog, "msgid", found.msgid.as_deref());
        }
        None => {
            insert(&mut process, "program", found.appname.as_deref());
            if let Some(pid) = found.procid.as_ref().and_then(number) {
                process.insert("pid", pid);
            }
        }
    }
    if !found.structured_data.is_empty() {
        let elements = found.structured_data.iter().map(|(id, pairs)| {
            let pairs: Object = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            (id.as_str(), pairs)
        });
        syslog.insert("data", elements.collect::<Object>());
    }
    fields.insert("syslog", syslog);
    fields.insert("event", event);
    if !process.is_empty() {
        fields.insert("process", process);
    }
    fields
}

fn insert(object: &mut Object, name: &'static str, text: Option<&str>) {
    if let Some(text) = text {
        object.insert(name, Value::from(text));
    }
}
