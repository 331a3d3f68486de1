#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::json;
use tailrace_common::Clock;

use super::mmdb;
use crate::filters::testing::{documents, findings};

fn city() -> Vec<u8> {
    let record = json!({
        "city": { "names": { "en": "Boxford" } },
        "continent": { "code": "EU", "names": { "en": "Europe" } },
        "country": { "iso_code": "GB", "names": { "en": "United Kingdom" } },
        "location": { "latitude": 51.75, "longitude": -1.25, "time_zone": "Europe/London", "metro_code": 501 },
        "postal": { "code": "OX1" },
        "subdivisions": [
            { "iso_code": "ENG", "names": { "en": "England" } },
            { "iso_code": "WBK", "names": { "en": "West Berkshire" } },
        ],
    });
    mmdb::database("GeoLite2-City", &[([2, 125, 160, 0], 20, record), ([9, 0, 0, 0], 8, json!({ "city": {} }))])
}

/// The document that one event becomes; `ecs` and the options are filled in.
fn located(database: &[u8], ecs: &str, options: &str, event: &str) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.mmdb");
    fs::write(&path, database).unwrap();
    let config = format!("geoip {{ ecs_compatibility => {ecs} database => \"{}\" {options} }}", path.display());
    documents(&config, &[event], Clock::System).unwrap().remove(0)
}

#[test]
fn a_city_without_ecs() {
    let document = located(&city(), "disabled", "source => ip", r#"{"ip":"2.125.160.216"}"#);
    assert_eq!(
        document["geoip"],
        json!({
            "ip": "2.125.160.216", "city_name": "Boxford", "continent_code": "EU", "country_name": "United Kingdom",
            "country_code2": "GB", "country_code3": "GB", "postal_code": "OX1", "dma_code": 501,
            "region_name": "West Berkshire", "region_code": "WBK", "timezone": "Europe/London",
            "location": { "lat": 51.75, "lon": -1.25 }, "latitude": 51.75, "longitude": -1.25,
        })
    );
}

#[test]
fn without_a_database_events_say_so() {
    // A machine that has one where it is looked for cannot be without.
    if super::FOLDERS.iter().any(|folder| std::path::Path::new(folder).join("GeoLite2-ASN.mmdb").exists()) {
        return;
    }
    let config = "geoip { source => ip default_database_type => ASN }";
    let document = documents(config, &[r#"{"ip":"2.125.160.216"}"#], Clock::System).unwrap().remove(0);
    assert_eq!(document["tags"], json!(["_geoip_expired_database"]));
    assert_eq!(document.get("geoip"), None);
}

#[test]
fn a_city_under_ecs() {
    let document =
        located(&city(), "v8", "source => \"[client][ip]\"", r#"{"client":{"ip":"::ffff:2.125.160.216","port":1}}"#);
    assert_eq!(
        document["client"],
        json!({
            "ip": "2.125.160.216", "port": 1,
            "geo": {
                "city_name": "Boxford", "continent_code": "EU", "country_name": "United Kingdom",
                "country_iso_code": "GB", "postal_code": "OX1", "region_name": "West Berkshire",
                "region_iso_code": "GB-WBK", "timezone": "Europe/London", "location": { "lat": 51.75, "lon": -1.25 },
            },
            "mmdb": { "dma_code": 501 },
        })
    );
}

#[test]
fn fields_are_chosen() {
    let options = "source => ip fields => [\"COUNTRY_NAME\", \"region_iso_code\"] target => \"[a][b]\"";
    let document = located(&city(), "disabled", options, r#"{"ip":["2.125.160.1","1.1.1.1"]}"#);
    assert_eq!(document["a"]["b"], json!({ "country_name": "United Kingdom", "region_iso_code": "GB-WBK" }));
}

#[test]
fn what_is_not_known_is_tagged() {
    for event in [r#"{"ip":"10.0.0.1"}"#, r#"{"ip":"9.1.1.1"}"#, r#"{"ip":"no address"}"#] {
        let document = located(&city(), "disabled", "source => ip", event);
        assert_eq!(document["tags"], json!(["_geoip_lookup_failure"]), "{event}");
        assert_eq!(document["geoip"], json!({}), "{event}");
    }
    for event in ["{}", r#"{"ip":""}"#, r#"{"ip":null}"#, r#"{"ip":5}"#, r#"{"ip":[]}"#] {
        let document = located(&city(), "disabled", "source => ip tag_on_failure => [\"aa\", \"bb\"]", event);
        assert_eq!(document["tags"], json!(["aa", "bb"]), "{event}");
        assert_eq!(document.get("geoip"), None, "{event}");
    }
}

#[test]
fn the_other_databases() {
    let network = |record| [([8, 8, 8, 0], 24, record)];
    let asn = json!({ "autonomous_system_number": 15169, "autonomous_system_organization": "GOOGLE" });
    let event = r#"{"source":{"ip":"8.8.8.8"}}"#;
    let document = located(&mmdb::database("GeoLite2-ASN", &network(asn)), "v1", "source => \"[source][ip]\"", event);
    assert_eq!(document["source"]["as"], json!({ "number": 15169, "organization": { "name": "GOOGLE" } }));
    let isp = json!({ "isp": "Telstra", "organization": "T Org", "autonomous_system_number": 1221 });
    let document =
        located(&mmdb::database("GeoIP2-ISP", &network(isp)), "disabled", "source => \"[source][ip]\"", event);
    assert_eq!(document["geoip"], json!({ "ip": "8.8.8.8", "asn": 1221, "isp": "Telstra", "organization": "T Org" }));
    let country = json!({ "country": { "iso_code": "US", "names": { "en": "United States" } } });
    let document =
        located(&mmdb::database("GeoIP2-Country", &network(country)), "disabled", "source => \"[source][ip]\"", event);
    assert_eq!(document["geoip"], json!({ "ip": "8.8.8.8", "country_code2": "US", "country_name": "United States" }));
    let anonymous = json!({ "is_anonymous": true, "is_tor_exit_node": true });
    let database = mmdb::database("GeoIP2-Anonymous-IP", &network(anonymous));
    let document = located(&database, "v8", "source => \"[source][ip]\"", event);
    let traits = &document["source"]["traits"];
    assert_eq!((&traits["anonymous"], &traits["anonymous_vpn"]), (&json!(true), &json!(false)));
    let enterprise = json!({ "traits": { "domain": "a.example", "isp": "I" }, "city": { "names": { "en": "C" } } });
    let database = mmdb::database("GeoIP2-Enterprise", &network(enterprise));
    let document = located(&database, "disabled", "source => \"[source][ip]\"", event);
    let geoip = &document["geoip"];
    assert_eq!(
        (&geoip["domain"], &geoip["city_name"], &geoip["network"]),
        (&json!("a.example"), &json!("C"), &json!("8.8.8.0/24"))
    );
}

#[test]
fn what_cannot_work_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.mmdb");
    fs::write(&broken, "no database").unwrap();
    let odd = folder.path().join("odd.mmdb");
    fs::write(&odd, mmdb::database("Weather", &[])).unwrap();
    for (options, message) in [
        (format!("source => ip database => \"{}\"", broken.display()), "as a MaxMind database"),
        (format!("source => ip database => \"{}\"", odd.display()), "of the type 'Weather'"),
        ("source => ip database => \"/nowhere.mmdb\"".into(), "'/nowhere.mmdb' does not exist"),
        ("source => ip fields => [citi_name]".into(), "'citi_name' is no field of geoip"),
        ("source => ip ecs_compatibility => v8".into(), "needs a 'target'"),
        ("target => ip".into(), "missing required option 'source'"),
    ] {
        let options =
            if options.contains("ecs_") { options } else { format!("{options} ecs_compatibility => disabled") };
        let findings = findings(&format!("geoip {{ {options} }}"));
        assert!(findings.contains(message), "{options}: {findings}");
    }
}
