#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::codec::testing::{codec, encode, read};

/// The document of one line, by the options of the codec.
fn document(options: &str, line: &str) -> Value {
    let mut documents = read(&*codec(&format!("cef {{ {options} }}")).unwrap(), &[line]);
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

#[test]
fn names_without_ecs() {
    let line = r"<13>Jan 1 h CEF:0|Sec|Thr\|eat|1\\.0|100|worm stopped|10| src=10.0.0.1  msg=a b \= c\nd cs1= cs1Label=Foo Bar x.y=1 request='u?k=v&a=b' rt=Sep 07 2018 14:50:39 dtz=Europe/Moscow list[1]=z";
    assert_eq!(
        document("", line),
        json!({
            "syslog": "<13>Jan 1 h", "cefVersion": "0", "deviceVendor": "Sec", "deviceProduct": "Thr|eat",
            "deviceVersion": "1\\.0", "deviceEventClassId": "100", "name": "worm stopped", "severity": "10",
            "sourceAddress": "10.0.0.1", "message": "a b = c\nd", "deviceCustomString1": "",
            "deviceCustomString1Label": "Foo Bar", "x.y": "1", "requestUrl": "'u?k=v&a=b'",
            "deviceReceiptTime": "Sep 07 2018 14:50:39", "deviceTimeZone": "Europe/Moscow", "list": { "1": "z" },
        })
    );
}

#[test]
fn names_under_ecs() {
    let line = "CEF:0|Sec|Prod|1.0|100|worm|10|dst=10.0.0.1 deviceAddress=10.0.0.2 dvchost=h cs15=v art=1500464384997 rt=Jul 19 2017 10:50:21.127 dtz=Europe/Moscow end= other=1";
    let ecs = document("ecs_compatibility => v8", line);
    assert_eq!(
        ecs,
        json!({
            "cef": { "version": "0", "name": "worm", "device_custom_string_15": { "value": "v" } },
            "observer": { "vendor": "Sec", "product": "Prod", "version": "1.0", "ip": "10.0.0.2", "hostname": "h" },
            "event": {
                "code": "100", "severity": "10", "created": "2017-07-19T11:39:44.997Z", "timezone": "Europe/Moscow",
            },
            "destination": { "ip": "10.0.0.1" },
            "other": "1",
            "@timestamp": "2017-07-19T07:50:21.127Z",
        })
    );
    let host = document("ecs_compatibility => v8 device => host raw_data_field => \"[event][original]\"", line);
    assert_eq!(host["host"], json!({ "ip": "10.0.0.2", "name": "h" }));
    assert_eq!(host["event"]["original"], line);
}

#[test]
fn what_is_no_cef_is_tagged() {
    for line in [
        "CEF:0|too|short",
        "CEF:0|a|b|c|d|e|f|no key",
        "CEF:0|a|b|c|d|e|f|rt=yesterday",
        "CEF:0|a|b|c|d|e|f|end=Jul 19 2017 10:50:21 dtz=Nowhere",
        "",
    ] {
        let document = document("ecs_compatibility => v1", line);
        assert_eq!(document, json!({ "message": line, "tags": ["_cefparsefailure"] }), "{line}");
    }
    let quoted = document("", "\"CEF:0|a|b|c|d|e|f|k=this =has = equals\\=\"");
    assert_eq!((&quoted["severity"], &quoted["k"]), (&"f".into(), &"this =has = equals=".into()));
}

#[test]
fn long_lines_take_no_longer_than_their_length() {
    for extensions in ["a= ".repeat(200_000), "a ".repeat(400_000) + "=", "k=v ".to_string() + &" x".repeat(400_000)] {
        document("", &format!("CEF:0|a|b|c|d|e|f|{extensions}"));
    }
}

#[test]
fn events_are_written() {
    let event = r#"{"v":"a|b\\\r\nc","s":"7.0","deviceAction":"x=y\\\nz","list":[1,"="],"destinationTimeZone":"UTC","null":null,"o_p":true}"#;
    let fields = "fields => [\"deviceAction\", \"list\", \"destinationTimeZone\", \"null\", \"missing\", \"o_p\"]";
    let cef = codec(&format!(
        "cef {{ vendor => \"%{{v}}\" severity => \"%{{s}}\" name => \"\" {fields} delimiter => \"\\r\\n\" }}"
    ));
    assert_eq!(
        encode(&*cef.unwrap(), &[event]),
        "CEF:0|a\\|b\\\\ c|Logstash|1.0|Logstash|Logstash|7|deviceAction=x\\=y\\\\\\nz list=[1,\"\\=\"] destinationTimeZone=UTC op=true\r\n"
    );
    let cef = codec(
        "cef { severity => \"11\" reverse_mapping => true ecs_compatibility => v8 fields => [\"[source][ip]\", \"[source][registered_domain]\", \"deviceAction\"] }",
    );
    let event = r#"{"source":{"ip":"1.1.1.1","registered_domain":"d"},"deviceAction":"a"}"#;
    let written = "CEF:0|Elasticsearch|Logstash|1.0|Logstash|Logstash|6|src=1.1.1.1 sourceDnsDomain=d act=a";
    assert_eq!(encode(&*cef.unwrap(), &[event]), written);
}

proptest! {
    #[test]
    fn no_line_is_too_strange(header in "[a|\\\\ :é]{0,12}", extensions in "[ab=\\\\ .\\[\\]1né|\"\n]{0,40}") {
        for line in [format!("{header}{extensions}"), format!("\"CEF:0|a|b|c|d|e|f|{extensions}")] {
            for options in ["", "ecs_compatibility => v8"] {
                document(options, &line);
            }
        }
    }
}
