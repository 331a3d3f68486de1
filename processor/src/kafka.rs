//! What the Kafka input and output share: how the cluster is reached.

use std::path::{Path, PathBuf};

use rdkafka::ClientConfig;

use crate::lang::diagnostic::Diagnostic;
use crate::options::{Options, value_text};

/// TLS and SASL. Java's own key stores (JKS) cannot be read.
pub(crate) fn security(options: &mut Options<'_>, client: &mut ClientConfig) {
    let protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    let protocol = options.one_of("security_protocol", &protocols, "PLAINTEXT");
    client.set("security.protocol", protocol);
    if let Some(path) = pem(options, "ssl_truststore_location", "ssl_truststore_type") {
        client.set("ssl.ca.location", path.display().to_string());
    }
    options.ignored("ssl_truststore_password", "PEM files have no store password");
    key_store(options, client);
    if let Some(password) = options.string("ssl_key_password") {
        client.set("ssl.key.password", password);
    }
    if let Some(algorithm) = options.string("ssl_endpoint_identification_algorithm") {
        client
            .set("ssl.endpoint.identification.algorithm", if algorithm.is_empty() { "none".into() } else { algorithm });
    }
    let mechanisms = ["GSSAPI", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
    let mechanism = options.one_of("sasl_mechanism", &mechanisms, "GSSAPI");
    let jaas = options.raw("sasl_jaas_config").map(|value| value_text(&value));
    if let Some(service) = options.string("sasl_kerberos_service_name") {
        client.set("sasl.kerberos.service.name", service);
    }
    if !protocol.starts_with("SASL") {
        return;
    }
    client.set("sasl.mechanism", mechanism);
    if mechanism == "GSSAPI" {
        options.error_at("sasl_mechanism", "Kerberos (GSSAPI) is not supported; use PLAIN or SCRAM");
        return;
    }
    let jaas = jaas.unwrap_or_default();
    match (jaas_value(&jaas, "username"), jaas_value(&jaas, "password")) {
        (Some(username), Some(password)) => {
            client.set("sasl.username", username).set("sasl.password", password);
        }
        _ => options.error_at("sasl_jaas_config", "'sasl_jaas_config' must hold username=\"...\" and password=\"...\""),
    }
}

/// A store by its location, if it is a PEM file; Java's are reported.
fn pem(options: &mut Options<'_>, location: &'static str, kind: &'static str) -> Option<PathBuf> {
    let format = options.string(kind).unwrap_or_default();
    let path = options.existing_path(location)?;
    if format.eq_ignore_ascii_case("pem") || has_extension(&path, &["pem", "crt", "cer"]) {
        return Some(path);
    }
    let message = format!("'{}' is a key store of Java's, which cannot be read; a PEM file can", path.display());
    let span = options.span_of(location);
    let hint = format!("keytool -list -rfc -keystore {} > authorities.pem", path.display());
    options.report(Diagnostic::error("java-key-store", &span, message).with_hint(hint));
    None
}

/// Certificate and key of this client: a PEM file with both, or a PKCS 12 file.
fn key_store(options: &mut Options<'_>, client: &mut ClientConfig) {
    let (location, kind) = ("ssl_keystore_location", "ssl_keystore_type");
    let format = options.string(kind).unwrap_or_default();
    let password = options.string("ssl_keystore_password");
    let Some(path) = options.existing_path(location) else { return };
    let shown = path.display().to_string();
    if format.eq_ignore_ascii_case("pkcs12") || has_extension(&path, &["p12", "pfx"]) {
        client.set("ssl.keystore.location", shown);
        if let Some(password) = password {
            client.set("ssl.keystore.password", password);
        }
    } else if format.eq_ignore_ascii_case("pem") || has_extension(&path, &["pem", "crt"]) {
        client.set("ssl.certificate.location", &shown).set("ssl.key.location", shown);
    } else {
        let message = format!("'{shown}' is a key store of Java's, which cannot be read; PKCS 12 and PEM files can");
        let span = options.span_of(location);
        let hint =
            format!("keytool -importkeystore -srckeystore {shown} -destkeystore store.p12 -deststoretype PKCS12");
        options.report(Diagnostic::error("java-key-store", &span, message).with_hint(hint));
    }
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let given = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    extensions.iter().any(|extension| given.eq_ignore_ascii_case(extension))
}

/// `... username="bob" ...`
fn jaas_value(jaas: &str, name: &str) -> Option<String> {
    let after = jaas.split(&format!("{name}=")).nth(1)?;
    let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    after[1..].split(quote).next().map(str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_read_from_jaas() {
        let jaas =
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"bob\" password='it''s';";
        assert_eq!(jaas_value(jaas, "username").as_deref(), Some("bob"));
        assert_eq!(jaas_value(jaas, "password").as_deref(), Some("it"));
        assert_eq!(jaas_value("x", "username"), None);
    }
}
