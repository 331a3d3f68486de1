//! The names of CEF's fields: short key, full name, and place under ECS.

use std::collections::HashMap;

use tailrace_common::FieldPath;

/// What the device of a line is: who observed, or where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    Observer,
    Host,
}

/// Header fields: without ECS and under it.
pub(super) const HEADER: [(&str, &str); 7] = [
    ("cefVersion", "[cef][version]"),
    ("deviceVendor", "[observer][vendor]"),
    ("deviceProduct", "[observer][product]"),
    ("deviceVersion", "[observer][version]"),
    ("deviceEventClassId", "[event][code]"),
    ("name", "[cef][name]"),
    ("severity", "[event][severity]"),
];

/// Extensions: full name, key where there is one, place under ECS. Where two share a place the later is written.
const EXTENSIONS: [(&str, &str, &str); 119] = [
    ("agentAddress", "agt", "[agent][ip]"),
    ("agentNtDomain", "", "[cef][agent][registered_domain]"),
    ("agentDnsDomain", "", "[cef][agent][registered_domain]"),
    ("agentHostName", "ahost", "[agent][name]"),
    ("agentId", "aid", "[agent][id]"),
    ("agentMacAddress", "amac", "[agent][mac]"),
    ("agentReceiptTime", "art", "[event][created]"),
    ("agentTimeZone", "atz", "[cef][agent][timezone]"),
    ("agentTranslatedAddress", "", "[cef][agent][nat][ip]"),
    ("agentTranslatedZoneExternalID", "", "[cef][agent][translated_zone][external_id]"),
    ("agentTranslatedZoneURI", "", "[cef][agent][translated_zone][uri]"),
    ("agentType", "at", "[agent][type]"),
    ("agentVersion", "av", "[agent][version]"),
    ("agentZoneExternalID", "", "[cef][agent][zone][external_id]"),
    ("agentZoneURI", "", "[cef][agent][zone][uri]"),
    ("applicationProtocol", "app", "[network][protocol]"),
    ("baseEventCount", "cnt", "[cef][base_event_count]"),
    ("bytesIn", "in", "[source][bytes]"),
    ("bytesOut", "out", "[destination][bytes]"),
    ("categoryDeviceType", "catdt", "[cef][device_type]"),
    ("customerExternalID", "", "[organization][id]"),
    ("customerURI", "", "[organization][name]"),
    ("destinationAddress", "dst", "[destination][ip]"),
    ("destinationNtDomain", "dntdom", "[destination][registered_domain]"),
    ("destinationDnsDomain", "", "[destination][registered_domain]"),
    ("destinationGeoLatitude", "dlat", "[destination][geo][location][lat]"),
    ("destinationGeoLongitude", "dlong", "[destination][geo][location][lon]"),
    ("destinationHostName", "dhost", "[destination][domain]"),
    ("destinationMacAddress", "dmac", "[destination][mac]"),
    ("destinationPort", "dpt", "[destination][port]"),
    ("destinationProcessId", "dpid", "[destination][process][pid]"),
    ("destinationProcessName", "dproc", "[destination][process][name]"),
    ("destinationServiceName", "", "[destination][service][name]"),
    ("destinationTranslatedAddress", "", "[destination][nat][ip]"),
    ("destinationTranslatedPort", "", "[destination][nat][port]"),
    ("destinationTranslatedZoneExternalID", "", "[cef][destination][translated_zone][external_id]"),
    ("destinationTranslatedZoneURI", "", "[cef][destination][translated_zone][uri]"),
    ("destinationUserId", "duid", "[destination][user][id]"),
    ("destinationUserName", "duser", "[destination][user][name]"),
    ("destinationUserPrivileges", "dpriv", "[destination][user][group][name]"),
    ("destinationZoneExternalID", "", "[cef][destination][zone][external_id]"),
    ("destinationZoneURI", "", "[cef][destination][zone][uri]"),
    ("deviceAction", "act", "[event][action]"),
    ("deviceAddress", "dvc", "[observer][ip]"),
    ("deviceDirection", "", "[network][direction]"),
    ("deviceDnsDomain", "", "[observer][registered_domain]"),
    ("deviceEventCategory", "cat", "[cef][category]"),
    ("deviceExternalId", "", "[observer][name]"),
    ("deviceFacility", "", "[log][syslog][facility][code]"),
    ("deviceHostName", "dvchost", "[observer][hostname]"),
    ("deviceInboundInterface", "", "[observer][ingress][interface][name]"),
    ("deviceMacAddress", "dvcmac", "[observer][mac]"),
    ("deviceNtDomain", "", "[cef][nt_domain]"),
    ("deviceOutboundInterface", "", "[observer][egress][interface][name]"),
    ("devicePayloadId", "", "[cef][payload_id]"),
    ("deviceProcessId", "dvcpid", "[process][pid]"),
    ("deviceProcessName", "", "[process][name]"),
    ("deviceReceiptTime", "rt", "@timestamp"),
    ("deviceTimeZone", "dtz", "[event][timezone]"),
    ("deviceTranslatedAddress", "", "[host][nat][ip]"),
    ("deviceTranslatedZoneExternalID", "", "[cef][translated_zone][external_id]"),
    ("deviceTranslatedZoneURI", "", "[cef][translated_zone][uri]"),
    ("deviceVersion", "", "[observer][version]"),
    ("deviceZoneExternalID", "", "[cef][zone][external_id]"),
    ("deviceZoneURI", "", "[cef][zone][uri]"),
    ("endTime", "end", "[event][end]"),
    ("eventId", "", "[event][id]"),
    ("eventOutcome", "outcome", "[event][outcome]"),
    ("externalId", "", "[cef][external_id]"),
    ("fileCreateTime", "", "[file][created]"),
    ("fileHash", "", "[file][hash]"),
    ("fileId", "", "[file][inode]"),
    ("fileModificationTime", "", "[file][mtime]"),
    ("fileName", "fname", "[file][name]"),
    ("filePath", "", "[file][path]"),
    ("filePermission", "", "[file][group]"),
    ("fileSize", "fsize", "[file][size]"),
    ("fileType", "", "[file][extension]"),
    ("managerReceiptTime", "mrt", "[event][ingested]"),
    ("message", "msg", "[message]"),
    ("oldFileCreateTime", "", "[cef][old_file][created]"),
    ("oldFileHash", "", "[cef][old_file][hash]"),
    ("oldFileId", "", "[cef][old_file][inode]"),
    ("oldFileModificationTime", "", "[cef][old_file][mtime]"),
    ("oldFileName", "", "[cef][old_file][name]"),
    ("oldFilePath", "", "[cef][old_file][path]"),
    ("oldFilePermission", "", "[cef][old_file][group]"),
    ("oldFileSize", "", "[cef][old_file][size]"),
    ("oldFileType", "", "[cef][old_file][extension]"),
    ("rawEvent", "", "[event][original]"),
    ("Reason", "reason", "[event][reason]"),
    ("requestClientApplication", "", "[user_agent][original]"),
    ("requestContext", "", "[http][request][referrer]"),
    ("requestCookies", "", "[cef][request][cookies]"),
    ("requestMethod", "", "[http][request][method]"),
    ("requestUrl", "request", "[url][original]"),
    ("sourceAddress", "src", "[source][ip]"),
    ("sourceNtDomain", "sntdom", "[source][registered_domain]"),
    ("sourceDnsDomain", "", "[source][registered_domain]"),
    ("sourceGeoLatitude", "slat", "[source][geo][location][lat]"),
    ("sourceGeoLongitude", "slong", "[source][geo][location][lon]"),
    ("sourceHostName", "shost", "[source][domain]"),
    ("sourceMacAddress", "smac", "[source][mac]"),
    ("sourcePort", "spt", "[source][port]"),
    ("sourceProcessId", "spid", "[source][process][pid]"),
    ("sourceProcessName", "sproc", "[source][process][name]"),
    ("sourceServiceName", "", "[source][service][name]"),
    ("sourceTranslatedAddress", "", "[source][nat][ip]"),
    ("sourceTranslatedPort", "", "[source][nat][port]"),
    ("sourceTranslatedZoneExternalID", "", "[cef][source][translated_zone][external_id]"),
    ("sourceTranslatedZoneURI", "", "[cef][source][translated_zone][uri]"),
    ("sourceUserId", "suid", "[source][user][id]"),
    ("sourceUserName", "suser", "[source][user][name]"),
    ("sourceUserPrivileges", "spriv", "[source][user][group][name]"),
    ("sourceZoneExternalID", "", "[cef][source][zone][external_id]"),
    ("sourceZoneURI", "", "[cef][source][zone][uri]"),
    ("startTime", "start", "[event][start]"),
    ("transportProtocol", "proto", "[network][transport]"),
    ("type", "", "[cef][type]"),
];

/// Names that older versions of the codec gave to keys; they are understood when events are written.
const OLD_NAMES: [(&str, &str); 5] = [
    ("destinationTimeZone", "dtz"),
    ("destinationLongitude", "dlong"),
    ("destinationLatitude", "dlat"),
    ("sourceLongitude", "slong"),
    ("sourceLatitude", "slat"),
];

/// Numbered fields, of each so many with a label: the start of the name, of the key, and of the place under ECS.
const FAMILIES: [(&str, &str, &str); 4] = [
    ("deviceCustomFloatingPoint", "cfp", "device_custom_floating_point_"),
    ("deviceCustomIPv6Address", "c6a", "device_custom_ipv6_address_"),
    ("deviceCustomNumber", "cn", "device_custom_number_"),
    ("deviceCustomString", "cs", "device_custom_string_"),
];
const MEMBERS: usize = 15;

/// Fields under ECS that hold moments.
pub(super) const MOMENTS: [&str; 8] = [
    "[event][created]",
    "@timestamp",
    "[event][end]",
    "[file][mtime]",
    "[event][ingested]",
    "[cef][old_file][created]",
    "[cef][old_file][mtime]",
    "[event][start]",
];

/// Where a field of the device stands when it is the host.
fn of_host(place: &str) -> &str {
    match place {
        "[observer][ip]" => "[host][ip]",
        "[observer][registered_domain]" => "[host][registered_domain]",
        "[observer][name]" => "[host][id]",
        "[observer][hostname]" => "[host][name]",
        "[observer][mac]" => "[host][mac]",
        other => other,
    }
}

/// All extensions: name, key (the name where there is none), field of the event.
fn all(ecs: bool, device: Device) -> Vec<(String, String, String)> {
    let mut all = Vec::with_capacity(EXTENSIONS.len() + FAMILIES.len() * MEMBERS * 2);
    for (name, key, place) in EXTENSIONS {
        let place = if device == Device::Host { of_host(place) } else { place };
        let key = if key.is_empty() { name } else { key };
        all.push((name.to_string(), key.to_string(), if ecs { place } else { name }.to_string()));
    }
    for (name, key, place) in FAMILIES {
        for number in 1..=MEMBERS {
            for (label, part) in [("", "value"), ("Label", "label")] {
                let name = format!("{name}{number}{label}");
                let place = if ecs { format!("[cef][{place}{number}][{part}]") } else { name.clone() };
                all.push((name, format!("{key}{number}{label}"), place));
            }
        }
    }
    all
}

/// The fields of an event by the names and keys of extensions.
pub(super) fn places(ecs: bool, device: Device) -> HashMap<String, FieldPath> {
    let mut places = HashMap::new();
    for (name, key, place) in all(ecs, device) {
        if let Ok(path) = FieldPath::parse(&place) {
            places.insert(key, path.clone());
            places.insert(name, path);
        }
    }
    places
}

/// What fields of events are called in extensions: by full names, or by keys.
pub(super) fn written_names(ecs: bool, keys: bool) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for (name, key, place) in all(ecs, Device::Observer) {
        let written = if keys { key } else { name.clone() };
        names.insert(name, written.clone());
        names.insert(place, written);
    }
    for (name, key) in OLD_NAMES {
        names.insert(name.into(), if keys { key } else { name }.into());
    }
    names
}
