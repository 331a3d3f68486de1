//! What the Kafka input and output share: how the cluster is reached.

use rdkafka::ClientConfig;

use crate::java_store::{Found, Identity, Named};
use crate::options::{Options, value_text};

/// Whom we believe: PEM, JKS or PKCS 12.
const TRUST: Named = Named {
    location: "ssl_truststore_location",
    kind: "ssl_truststore_type",
    password: "ssl_truststore_password",
    key_password: None,
};

/// Certificate and key of this client, likewise; a PEM file has both.
const KEYS: Named = Named {
    location: "ssl_keystore_location",
    kind: "ssl_keystore_type",
    password: "ssl_keystore_password",
    key_password: Some("ssl_key_password"),
};

/// TLS and SASL.
pub(crate) fn security(options: &mut Options<'_>, client: &mut ClientConfig) {
    let protocols = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    let protocol = options.one_of("security_protocol", &protocols, "PLAINTEXT");
    client.set("security.protocol", protocol);
    stores(options, client);
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

/// Whom we believe, and how we prove who we are.
fn stores(options: &mut Options<'_>, client: &mut ClientConfig) {
    match TRUST.authorities(options) {
        Some(Found::Pem(path)) => drop(client.set("ssl.ca.location", path.display().to_string())),
        Some(Found::Store(pem)) => drop(client.set("ssl.ca.pem", pem)),
        None => {}
    }
    match KEYS.identity(options) {
        Some(Found::Pem(path)) => {
            let path = path.display().to_string();
            client.set("ssl.certificate.location", &path).set("ssl.key.location", path);
        }
        Some(Found::Store(Identity { chain, key })) => {
            client.set("ssl.certificate.pem", chain).set("ssl.key.pem", key);
        }
        None => {}
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
