//! What the Kafka input and output share: how the cluster is reached.

use rdkafka::ClientConfig;

use crate::options::{Options, value_text};

/// TLS and SASL. Java's key stores cannot be read; PEM files can.
pub(crate) fn security(options: &mut Options<'_>, client: &mut ClientConfig) {
    let protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    let protocol = options.one_of("security_protocol", &protocols, "PLAINTEXT");
    client.set("security.protocol", protocol);
    for (store, kind, property) in [
        ("ssl_truststore_location", "ssl_truststore_type", "ssl.ca.location"),
        ("ssl_keystore_location", "ssl_keystore_type", "ssl.certificate.location"),
    ] {
        let format = options.string(kind).unwrap_or_default();
        let Some(path) = options.existing_path(store) else { continue };
        let pem = format.eq_ignore_ascii_case("pem")
            || path.extension().is_some_and(|extension| extension == "pem" || extension == "crt");
        if !pem {
            let message = format!(
                "'{}' must be a PEM file; convert a Java key store by 'keytool' and 'openssl pkcs12'",
                path.display()
            );
            options.error_at(store, message);
        }
        client.set(property, path.display().to_string());
        if property == "ssl.certificate.location" {
            client.set("ssl.key.location", path.display().to_string());
        }
    }
    for option in ["ssl_truststore_password", "ssl_keystore_password"] {
        options.ignored(option, "PEM files have no store password");
    }
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
