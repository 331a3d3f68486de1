//! How Elasticsearch is reached, from the plugin's options.

use std::time::Duration;

use crate::cloud;
use crate::options::{Options, value_text};
use crate::proofs::{Proofs, refuse_passphrase};

/// How Elasticsearch is reached.
#[derive(Debug)]
pub(super) struct Connection {
    /// Addresses with scheme and port.
    pub(super) hosts: Vec<String>,
    pub(super) credentials: Option<Secret>,
    pub(super) proofs: Proofs,
    /// Whether the server's certificate is checked.
    pub(super) verify: bool,
    pub(super) compress: bool,
    pub(super) timeout: Duration,
    /// First and longest wait between tries.
    pub(super) backoff: (Duration, Duration),
    /// Before `/_bulk`.
    pub(super) path: String,
    /// `bulk_path`, where bulk requests do not go to `path` and `/_bulk`.
    pub(super) bulk_path: Option<String>,
    /// Added to every address.
    pub(super) parameters: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) proxy: Option<String>,
    pub(super) refusals: Refusals,
}

/// What becomes of documents that Elasticsearch refuses, beyond what always holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusals {
    /// `dlq_custom_codes`: statuses of which no further try is made.
    pub(super) dead: Vec<u16>,
    /// `drop_error_types`: errors that are no loss.
    pub(super) dropped: Vec<String>,
}

/// Who we are. Never printed.
pub(super) enum Secret {
    Basic(String, String),
    ApiKey(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Options of Logstash that have no meaning here.
const WITHOUT_MEANING: [(&str, &str); 18] = [
    ("ilm_enabled", "lifecycle policies are set in the index template"),
    ("ilm_rollover_alias", "write to the alias by 'index'"),
    ("ilm_pattern", "lifecycle policies are set in the index template"),
    ("ilm_policy", "lifecycle policies are set in the index template"),
    ("pool_max", "connections are pooled by need"),
    ("pool_max_per_route", "connections are pooled by need"),
    ("resurrect_delay", "dead hosts are tried again in turn"),
    ("validate_after_inactivity", "broken connections are noticed when they are used"),
    ("sniffing", "name the hosts in 'hosts'"),
    ("sniffing_delay", "name the hosts in 'hosts'"),
    ("sniffing_path", "name the hosts in 'hosts'"),
    ("silence_errors_in_log", "repeated errors are logged once"),
    ("failure_type_logging_whitelist", "repeated errors are logged once"),
    ("document_type", "types are gone from Elasticsearch"),
    ("dlq_on_failed_indexname_interpolation", "such events always go to the dead letters"),
    ("healthcheck_path", "hosts are checked by use"),
    ("ssl_supported_protocols", "TLS 1.2 and 1.3 are spoken"),
    ("ssl_cipher_suites", "TLS 1.2 and 1.3 are spoken with safe cipher suites"),
];

/// Whose plugin the options are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    Elasticsearch,
    /// The older names of options, which `opensearch` has kept.
    OpenSearch,
}

/// TLS, by whatever names.
struct Tls {
    /// Nothing where the addresses say it.
    enabled: Option<bool>,
    proofs: Proofs,
    verify: bool,
}

impl Tls {
    fn read(options: &mut Options<'_>, flavour: Flavour) -> Tls {
        let names = match flavour {
            Flavour::Elasticsearch => ["ssl_enabled", "ssl_certificate_authorities", "ssl_certificate", "ssl_key"],
            Flavour::OpenSearch => ["ssl", "cacert", "tls_certificate", "tls_key"],
        };
        let verify = match flavour {
            Flavour::Elasticsearch => {
                for (old, new) in [
                    ("ssl", "ssl_enabled"),
                    ("cacert", "ssl_certificate_authorities"),
                    ("ssl_certificate_verification", "ssl_verification_mode"),
                ] {
                    options.obsolete(old, &format!("use '{new}'"));
                }
                refuse_passphrase(options);
                options.one_of("ssl_verification_mode", &["full", "none"], "full") == "full"
            }
            Flavour::OpenSearch => options.boolean("ssl_certificate_verification", true),
        };
        let [enabled, authorities, certificate, key] = names;
        let on = options.boolean(enabled, false);
        let enabled = options.is_set(enabled).then_some(on);
        Tls { enabled, proofs: Proofs::read(options, [authorities, certificate, key]), verify }
    }
}

impl Connection {
    pub(super) fn read(options: &mut Options<'_>, flavour: Flavour) -> Connection {
        for (option, why) in WITHOUT_MEANING {
            options.ignored(option, why);
        }
        options.deprecated("http_compression", "use 'compression_level'");
        let old_compression = options.boolean("http_compression", true);
        let compress = options.integer("compression_level").unwrap_or(1) > 0 && old_compression;
        let Tls { enabled, proofs, verify } = Tls::read(options, flavour);
        let seconds =
            |value: Option<f64>, default: f64| Duration::from_secs_f64(value.unwrap_or(default).clamp(0.001, 86_400.0));
        let timeout = seconds(options.number("timeout"), 60.0);
        let backoff = (
            seconds(options.number("retry_initial_interval"), 2.0),
            seconds(options.number("retry_max_interval"), 64.0),
        );
        let path = options.string("path").map(|path| path.trim_end_matches('/').to_string()).unwrap_or_default();
        let headers = texts(options, "custom_headers");
        let parameters = texts(options, "parameters");
        let bulk_path = options.string("bulk_path");
        let proxy = options.string("proxy").filter(|proxy| !proxy.is_empty());
        let refusals = Refusals::read(options);
        let hosts = hosts(options, enabled.unwrap_or(false));
        let credentials = match flavour {
            Flavour::Elasticsearch => credentials(options),
            Flavour::OpenSearch => opensearch_credentials(options),
        };
        Connection {
            hosts,
            credentials,
            proofs,
            verify,
            compress,
            timeout,
            backoff,
            path,
            bulk_path,
            parameters,
            headers,
            proxy,
            refusals,
        }
    }
}

impl Refusals {
    fn read(options: &mut Options<'_>) -> Refusals {
        let mut dead = Vec::new();
        for code in options.strings("dlq_custom_codes") {
            match code.parse() {
                Ok(status) => dead.push(status),
                Err(_) => options.error_at("dlq_custom_codes", format!("'{code}' is no status")),
            }
        }
        Refusals { dead, dropped: options.strings("drop_error_types") }
    }
}

fn texts(options: &mut Options<'_>, option: &'static str) -> Vec<(String, String)> {
    options.hash(option).into_iter().map(|(name, value)| (name, value_text(&value))).collect()
}

/// `localhost`, `es1:9200`, `https://es1:9243`, `//es1`.
fn hosts(options: &mut Options<'_>, tls: bool) -> Vec<String> {
    let mut given = options.strings("hosts");
    given.extend(cloud::host(options));
    if given.is_empty() {
        given.push("127.0.0.1".into());
    }
    let scheme = if tls { "https" } else { "http" };
    let mut hosts = Vec::new();
    for host in given {
        let bare = host.trim_end_matches('/');
        let address = match bare.split_once("://") {
            Some(("http" | "https", _)) => bare.to_string(),
            Some((other, _)) => {
                options.error_at("hosts", format!("'{other}' is no scheme; use http or https"));
                continue;
            }
            None => format!("{scheme}://{}", bare.trim_start_matches('/')),
        };
        if tls && address.starts_with("http://") {
            options.error_at("hosts", format!("'{host}' is not https, but ssl_enabled is true"));
        }
        hosts.push(with_port(&address));
    }
    hosts
}

/// Adds Elasticsearch's port where there is none.
fn with_port(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let (authority, path) =
        rest.split_once('/').map_or((rest, String::new()), |(authority, path)| (authority, format!("/{path}")));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && !port.contains(']'));
    if has_port { format!("{scheme}://{authority}{path}") } else { format!("{scheme}://{authority}:9200{path}") }
}

/// `user` and `password`, or the same in `auth_type`.
fn opensearch_credentials(options: &mut Options<'_>) -> Option<Secret> {
    let (mut user, mut password) = (options.string("user"), options.string("password"));
    for (name, value) in options.hash("auth_type") {
        match (name.as_str(), value_text(&value)) {
            ("type", kind) if kind == "basic" => {}
            ("type", kind) => {
                options.error_at("auth_type", format!("the auth_type '{kind}' is not supported; use basic"))
            }
            ("user", text) => user = Some(text),
            ("password", text) => password = Some(text),
            _ => {}
        }
    }
    if user.is_some() != password.is_some() {
        options.error_at("user", "'user' and 'password' belong together");
    }
    user.zip(password).map(|(user, password)| Secret::Basic(user, password))
}

fn credentials(options: &mut Options<'_>) -> Option<Secret> {
    let user = options.string("user");
    let password = options.string("password");
    let api_key = options.string("api_key");
    if let Some((user, password)) = cloud::credentials(options) {
        return Some(Secret::Basic(user, password));
    }
    if user.is_some() != password.is_some() {
        options.error_at("user", "'user' and 'password' belong together");
    }
    if user.is_some() && api_key.is_some() {
        options.error_at("api_key", "set either 'user' and 'password' or 'api_key'");
    }
    api_key.map(Secret::ApiKey).or_else(|| user.zip(password).map(|(user, password)| Secret::Basic(user, password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_get_a_port() {
        for (address, wanted) in [
            ("http://a", "http://a:9200"),
            ("https://a:443/x", "https://a:443/x"),
            ("http://u:p@a", "http://u:p@a:9200"),
            ("http://[::1]", "http://[::1]:9200"),
            ("http://[::1]:9201", "http://[::1]:9201"),
        ] {
            assert_eq!(with_port(address), wanted);
        }
    }
}
