//! `ssl`, `username`, `password` and `sasl` of `output.kafka`, in librdkafka's terms.

use super::section::Section;
use crate::output::is_pem;

pub(super) fn read(section: &Section<'_>, put: &mut impl FnMut(&str, String)) {
    let ssl = section.section("ssl");
    let tls = ssl.boolean("enabled", true) && section.is_set("ssl");
    let (username, password) = (section.text("username"), section.text("password"));
    let protocol = match (username.is_some(), tls) {
        (true, true) => "sasl_ssl",
        (true, false) => "sasl_plaintext",
        (false, true) => "ssl",
        (false, false) => "plaintext",
    };
    put("security.protocol", protocol.into());
    let sasl = section.section("sasl");
    let mechanisms = [("PLAIN", "PLAIN"), ("SCRAM-SHA-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")];
    let mechanism = sasl.choice("mechanism", &mechanisms, "PLAIN");
    if let Some(username) = username {
        put("sasl.mechanism", mechanism.into());
        put("sasl.username", username.into());
        put("sasl.password", password.unwrap_or_default().into());
    }
    if section.is_set("kerberos") {
        section.get("kerberos");
        section.error("kerberos", "'kerberos' is not supported", Some("use username and password with SCRAM".into()));
    }
    files(&ssl, put);
    negotiation(&ssl, put);
}

fn files(ssl: &Section<'_>, put: &mut impl FnMut(&str, String)) {
    let authorities = ssl.texts("certificate_authorities");
    match authorities.as_slice() {
        [] => {}
        [path] if !is_pem(path) => put("ssl.ca.location", path.clone()),
        several => {
            let mut all = String::new();
            for authority in several {
                let text = if is_pem(authority) { Ok(authority.clone()) } else { std::fs::read_to_string(authority) };
                match text {
                    Ok(text) => all.push_str(&text),
                    Err(error) => {
                        ssl.error("certificate_authorities", format!("cannot read '{authority}': {error}"), None);
                    }
                }
                all.push('\n');
            }
            put("ssl.ca.pem", all);
        }
    }
    for (key, by_path, by_text) in
        [("certificate", "ssl.certificate.location", "ssl.certificate.pem"), ("key", "ssl.key.location", "ssl.key.pem")]
    {
        if let Some(text) = ssl.text(key) {
            put(if is_pem(text) { by_text } else { by_path }, text.into());
        }
    }
    if let Some(passphrase) = ssl.text("key_passphrase") {
        put("ssl.key.password", passphrase.into());
    }
}

fn negotiation(ssl: &Section<'_>, put: &mut impl FnMut(&str, String)) {
    let modes = [("full", "full"), ("strict", "full"), ("certificate", "certificate"), ("none", "none")];
    match ssl.choice("verification_mode", &modes, "full") {
        "none" => put("enable.ssl.certificate.verification", "false".into()),
        "certificate" => put("ssl.endpoint.identification.algorithm", "none".into()),
        _ => {}
    }
    let protocols = ssl.texts("supported_protocols");
    let has = |version: &str| protocols.iter().any(|protocol| protocol == version);
    let is_narrow = !has("TLSv1.2") || !has("TLSv1.3");
    if is_narrow && !protocols.is_empty() {
        let message = "'supported_protocols' cannot be narrowed: TLS 1.2 and 1.3 are negotiated";
        ssl.error("supported_protocols", message, Some("leave it out, or set it on the brokers".into()));
    }
    let suites = ssl.texts("cipher_suites");
    let unknown = suites.iter().find(|suite| !suite.starts_with("ECDHE-") && !suite.starts_with("TLS-"));
    if let Some(suite) = unknown {
        ssl.error("cipher_suites", format!("'{suite}' is not supported, only those with ECDHE are"), None);
    } else if !suites.is_empty() {
        // OpenSSL's names differ from Filebeat's by a dash. Those of TLS 1.3 are always on, as with Filebeat.
        let openssl = |suite: &String| suite.replace("AES-128", "AES128").replace("AES-256", "AES256");
        let names: Vec<_> = suites.iter().filter(|suite| !suite.starts_with("TLS-")).map(openssl).collect();
        put("ssl.cipher.suites", names.join(":"));
    }
    let curves = ssl.texts("curve_types");
    if !curves.is_empty() {
        put("ssl.curves.list", curves.join(":"));
    }
    if ssl.text("renegotiation").is_some_and(|mode| mode != "never") {
        ssl.error("renegotiation", "'renegotiation' is not supported", Some("leave it out".into()));
    }
    for key in ["ca_sha256", "ca_trusted_fingerprint", "restart_on_cert_change"] {
        if ssl.is_set(key) {
            ssl.get(key);
            ssl.error(key, format!("'{}' is not supported", ssl.name(key)), None);
        }
    }
}
