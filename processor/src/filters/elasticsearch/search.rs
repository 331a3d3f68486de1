//! Searching in Elasticsearch: the hosts in turn, with credentials and TLS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Url};
use tailrace_common::json::{self, Numbers};
use tailrace_common::{Str, Value};

use crate::cloud;
use crate::http_client::{self, body, header};
use crate::options::{Options, value_text};

/// For one request.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);
const PORT: u16 = 9200;

/// A cluster.
pub(super) struct Cluster {
    client: reqwest::Client,
    hosts: Vec<Url>,
    next: AtomicUsize,
    retries: u32,
    retry_on: Vec<u16>,
}

/// One search.
pub(super) struct Search {
    /// Its steps.
    pub(super) path: Vec<Str>,
    pub(super) query: Vec<(&'static str, Str)>,
    /// JSON.
    pub(super) body: Option<Vec<u8>>,
}

impl Cluster {
    pub(super) fn read(options: &mut Options<'_>) -> Option<Cluster> {
        for (old, new) in [
            ("ssl", "use 'ssl_enabled'"),
            ("ca_file", "use 'ssl_certificate_authorities'"),
            ("ca_trusted_fingerprint", "use 'ssl_certificate_authorities'"),
        ] {
            options.obsolete(old, new);
        }
        let secure = options.is_set("ssl_enabled") && options.boolean("ssl_enabled", false);
        let mut given = options.strings("hosts");
        given.extend(cloud::host(options));
        if given.is_empty() {
            given.push("localhost:9200".into());
        }
        let mut hosts = Vec::with_capacity(given.len());
        for host in given {
            match address(&host, secure) {
                Some(url) => hosts.push(url),
                None => options.error_at("hosts", format!("'{host}' is no address")),
            }
        }
        let headers = headers(options);
        let retries = options.integer("retry_on_failure").unwrap_or(0).clamp(0, 100);
        let statuses = options.list("retry_on_status");
        let retry_on = if options.is_set("retry_on_status") {
            statuses.iter().filter_map(|status| value_text(status).parse().ok()).collect()
        } else {
            vec![500, 502, 503, 504]
        };
        let builder = reqwest::Client::builder().default_headers(headers).connect_timeout(Duration::from_secs(10));
        let client = http_client::build(options, builder)?;
        Some(Cluster {
            client,
            hosts,
            next: AtomicUsize::new(0),
            retries: u32::try_from(retries).unwrap_or(0),
            retry_on,
        })
    }

    /// The most time that a search takes.
    pub(super) fn longest(&self) -> Duration {
        (TIMEOUT + PAUSE).saturating_mul(self.retries.saturating_add(1))
    }

    /// What a search finds.
    ///
    /// # Errors
    /// A message for the log.
    pub(super) async fn search(&self, search: Search) -> Result<Value, String> {
        let mut tries = self.retries;
        loop {
            let sent = self.send(&search).await;
            let again = match &sent {
                Ok((status, _)) => self.retry_on.contains(status),
                Err(_) => true,
            };
            if again && tries > 0 {
                tries -= 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let (status, text) = sent?;
            if status != 200 {
                return Err(format!("elasticsearch answered {status}: {}", text.chars().take(500).collect::<String>()));
            }
            let found = json::parse(&Str::from(text), Numbers::Decimal).map_err(|error| error.to_string())?;
            let failures = found.as_object().and_then(|found| found.get("_shards")?.as_object()?.get("failures"));
            return match failures {
                Some(failures) => Err(format!("shards failed: {}", value_text(failures))),
                None => Ok(found),
            };
        }
    }

    async fn send(&self, search: &Search) -> Result<(u16, String), String> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let mut url = self.hosts.get(turn % self.hosts.len().max(1)).cloned().ok_or("no host is known")?;
        {
            let mut path = url.path_segments_mut().map_err(|()| "the address of a host is no base")?;
            path.pop_if_empty().extend(search.path.iter().map(Str::as_str));
        }
        if !search.query.is_empty() {
            url.query_pairs_mut().extend_pairs(search.query.iter().map(|(name, value)| (name, value.as_str())));
        }
        let method = if search.body.is_some() { Method::POST } else { Method::GET };
        let mut request = Request::new(method, url);
        *request.timeout_mut() = Some(TIMEOUT);
        if let Some(body) = &search.body {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.clone().into());
        }
        let answer =
            self.client.execute(request).await.map_err(|error| http_client::HttpError::from(error).to_string())?;
        let status = answer.status().as_u16();
        let bytes = body(answer).await.map_err(|error| error.to_string())?;
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn headers(options: &mut Options<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in options.hash("custom_headers") {
        match header(&name, &value_text(&value)) {
            Some((name, value)) => drop(headers.insert(name, value)),
            None => options.error_at("custom_headers", format!("'{name}' is no header")),
        }
    }
    let basic = http_client::basic(options);
    let cloud = cloud::credentials(options);
    let basic = basic.or_else(|| cloud.and_then(|(user, password)| http_client::authorization(&user, &password)));
    let key = options.string("api_key").and_then(|key| http_client::api_key(&key));
    if basic.is_some() && key.is_some() {
        options.error_at("api_key", "set either 'user' and 'password' or 'api_key'");
    }
    if let Some(value) = basic.or(key) {
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

/// `host`, `host:9200`, `https://host:9243/path`.
fn address(host: &str, secure: bool) -> Option<Url> {
    let text = match host.split_once("://") {
        Some(_) => host.to_string(),
        None => format!("{}://{}", if secure { "https" } else { "http" }, host.trim_start_matches('/')),
    };
    let mut url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let authority = text.split_once("://")?.1.split(['/', '?']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && !port.contains(']'));
    if !has_port {
        url.set_port(Some(PORT)).ok()?;
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_scheme_and_port() {
        for (host, secure, wanted) in [
            ("es1", false, "http://es1:9200/"),
            ("es1:80", false, "http://es1/"),
            ("es1", true, "https://es1:9200/"),
            ("https://es1:9243/es", false, "https://es1:9243/es"),
            ("http://[::1]", false, "http://[::1]:9200/"),
        ] {
            assert_eq!(address(host, secure).map(String::from).as_deref(), Some(wanted));
        }
        assert!(address("ftp://a", false).is_none() && address("", false).is_none());
    }
}
