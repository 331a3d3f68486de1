//! `output.elasticsearch`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::outputs::tls;
use super::section::Section;
use super::value::fields;
use crate::document::{COMPATIBLE_VERSION, Format, text_of};
use crate::output::{ElasticsearchSettings, OutputSettings, Secret, Verification};

pub(super) fn read(section: &Section<'_>) -> Option<OutputSettings> {
    section.require("hosts");
    let protocol = section.choice("protocol", &[("http", "http"), ("https", "https")], "http");
    let path = section.text("path").unwrap_or_default().trim_matches('/').to_owned();
    let hosts = section.texts("hosts").into_iter().map(|host| address(&host, protocol, &path)).collect();
    let format = |key: &'static str| {
        let text = section.text(key)?;
        Format::parse(text).map_err(|error| section.error(key, error.to_string(), None)).ok()
    };
    let default = Format::parse(&format!("filebeat-{COMPATIBLE_VERSION}")).ok();
    let index = if section.is_set("index") { format("index") } else { default };
    let pipeline = format("pipeline");
    section.unsupported(&["indices", "pipelines", "proxy_url", "kerberos"], None);
    section.without_effect(&["worker", "workers", "loadbalance"], "one request is under way at a time");
    section.without_effect(&["max_retries"], "events are tried for as long as it takes, as Filebeat does");
    section.without_effect(&["escape_html", "codec"], "the documents of bulk requests are plain JSON");
    section.without_effect(&["preset"], "set 'bulk_max_size' and 'compression_level'");
    section.without_effect(&["non_indexable_policy"], "what is refused for good is kept in rejected.ndjson");
    section.ignore(&["allow_older_versions", "proxy_disable"]);
    section.without_effect(&["idle_connection_timeout"], "connections are kept while they last");
    let tls = tls(section).unwrap_or_default();
    if tls.verification == Verification::Certificate || tls.without.is_some() {
        let message = "'verification_mode: certificate' and narrower 'supported_protocols' are not supported here";
        section.error("ssl", message, Some("use full or none, and both TLSv1.2 and TLSv1.3".into()));
    }
    let backoff = section.section("backoff");
    let texts = |key| {
        fields(section, key)
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_string(), text_of(&value)?.into_owned())))
            .collect()
    };
    Some(OutputSettings::Elasticsearch(ElasticsearchSettings {
        hosts,
        authorization: authorization(section),
        headers: texts("headers"),
        parameters: texts("parameters"),
        index: index?,
        pipeline,
        bulk_max_size: section.count("bulk_max_size").filter(|size| *size > 0).unwrap_or(1600),
        timeout: section.duration("timeout").unwrap_or(Duration::from_secs(90)),
        backoff: (
            backoff.duration("init").unwrap_or(Duration::from_secs(1)),
            backoff.duration("max").unwrap_or(Duration::from_secs(60)),
        ),
        compression_level: section.number("compression_level").map_or(1, |level| level.min(9) as u32),
        tls,
    }))
}

/// `localhost`, `localhost:9200`, `https://localhost:9200/path`
fn address(host: &str, protocol: &str, path: &str) -> String {
    let full = if host.contains("://") { host.to_owned() } else { format!("{protocol}://{host}") };
    let (scheme, rest) = full.split_once("://").unwrap_or(("http", &full));
    let (name, own_path) = rest.split_once('/').unwrap_or((rest, path));
    let has_port = name.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let port = if has_port { "" } else { ":9200" };
    let slash = if own_path.is_empty() { "" } else { "/" };
    format!("{scheme}://{name}{port}{slash}{}", own_path.trim_end_matches('/'))
}

fn authorization(section: &Section<'_>) -> Option<Secret> {
    let (user, password) = (section.text("username"), section.text("password"));
    let key = section.text("api_key");
    match (user, key) {
        (Some(_), Some(_)) => {
            section.error("api_key", "'api_key' and 'username' cannot both be set", None);
            None
        }
        (Some(user), None) => {
            let pair = format!("{user}:{}", password.unwrap_or_default());
            Some(Secret(format!("Basic {}", STANDARD.encode(pair))))
        }
        // `id:key` as Filebeat takes it, or both encoded as Elasticsearch hands them out.
        (None, Some(key)) if key.contains(':') => Some(Secret(format!("ApiKey {}", STANDARD.encode(key)))),
        (None, Some(key)) => Some(Secret(format!("ApiKey {key}"))),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn hosts_become_addresses() {
        for (host, wanted) in [
            ("es1", "http://es1:9200"),
            ("es1:9201", "http://es1:9201"),
            ("https://es1", "https://es1:9200"),
            ("https://es1:443/own/", "https://es1:443/own"),
        ] {
            assert_eq!(address(host, "http", ""), wanted);
        }
        assert_eq!(address("es1", "https", "es"), "https://es1:9200/es");
    }
}
