//! How Elasticsearch is reached, from the plugin's options.

use std::path::PathBuf;
use std::time::Duration;

use crate::options::Options;

/// How Elasticsearch is reached.
#[derive(Debug)]
pub(super) struct Connection {
    /// Addresses with scheme and port.
    pub(super) hosts: Vec<String>,
    pub(super) credentials: Option<Secret>,
    /// PEM files.
    pub(super) authorities: Vec<PathBuf>,
    /// PEM files with certificate and key of this client.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
    /// Whether the server's certificate is checked.
    pub(super) verify: bool,
    pub(super) compress: bool,
    pub(super) timeout: Duration,
    /// First and longest wait between tries.
    pub(super) backoff: (Duration, Duration),
    /// Before `/_bulk`.
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
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
const WITHOUT_MEANING: [(&str, &str); 22] = [
    ("manage_template", "index templates are installed by 'tailrace' tools or by hand"),
    ("template", "index templates are installed by hand"),
    ("template_name", "index templates are installed by hand"),
    ("template_overwrite", "index templates are installed by hand"),
    ("template_api", "index templates are installed by hand"),
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
];

impl Connection {
    pub(super) fn read(options: &mut Options<'_>) -> Connection {
        for (option, why) in WITHOUT_MEANING {
            options.ignored(option, why);
        }
        options.deprecated("http_compression", "use 'compression_level'");
        let old_compression = options.boolean("http_compression", true);
        let compress = options.integer("compression_level").unwrap_or(1) > 0 && old_compression;
        for (old, new) in [
            ("ssl", "ssl_enabled"),
            ("cacert", "ssl_certificate_authorities"),
            ("ssl_certificate_verification", "ssl_verification_mode"),
        ] {
            options.obsolete(old, &format!("use '{new}'"));
        }
        let tls = options.boolean("ssl_enabled", false);
        let authorities = options.existing_paths("ssl_certificate_authorities");
        let certificate = options.existing_path("ssl_certificate");
        let key = options.existing_path("ssl_key");
        if certificate.is_some() != key.is_some() {
            options.error_at("ssl_certificate", "'ssl_certificate' and 'ssl_key' belong together");
        }
        let verify = options.one_of("ssl_verification_mode", &["full", "none"], "full") == "full";
        let seconds =
            |value: Option<f64>, default: f64| Duration::from_secs_f64(value.unwrap_or(default).clamp(0.001, 86_400.0));
        let timeout = seconds(options.number("timeout"), 60.0);
        let backoff = (
            seconds(options.number("retry_initial_interval"), 2.0),
            seconds(options.number("retry_max_interval"), 64.0),
        );
        let path = options.string("path").map(|path| path.trim_end_matches('/').to_string()).unwrap_or_default();
        let headers =
            options.hash("custom_headers").into_iter().map(|(name, value)| (name, crate::options::value_text(&value)));
        let headers = headers.collect();
        let hosts = hosts(options, tls);
        let credentials = credentials(options);
        let identity = certificate.zip(key);
        Connection { hosts, credentials, authorities, identity, verify, compress, timeout, backoff, path, headers }
    }
}

/// `localhost`, `es1:9200`, `https://es1:9243`, `//es1`.
fn hosts(options: &mut Options<'_>, tls: bool) -> Vec<String> {
    let mut given = options.strings("hosts");
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

fn credentials(options: &mut Options<'_>) -> Option<Secret> {
    let user = options.string("user");
    let password = options.string("password");
    let api_key = options.string("api_key");
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
