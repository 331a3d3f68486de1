//! What plugins that speak HTTP share: the options of Logstash's http_client mixin, and the client made of them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Identity, Proxy, Response};

use tailrace_common::{Event, Object, Value};

use crate::options::Options;
use crate::plan::template::{Template, TemplateError};
use crate::proofs::{Proofs, refuse_passphrase};

/// Larger answers are refused.
const LARGEST_ANSWER: usize = 64 << 20;

/// An answer that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("{}", cause(.0))]
    Request(#[from] reqwest::Error),
    #[error("the answer is larger than {LARGEST_ANSWER} bytes")]
    TooLarge,
}

/// The innermost cause tells most; the address, which may hold secrets, is left out.
fn cause(error: &reqwest::Error) -> String {
    use std::error::Error;
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match error.url().map(|url| url.host_str().unwrap_or_default().to_string()) {
        Some(host) if error.is_timeout() => format!("no answer from {host} in time"),
        Some(host) => format!("{host}: {cause}"),
        None => cause.to_string(),
    }
}

/// How a plugin speaks HTTP.
pub(crate) struct Http {
    pub(crate) client: Client,
    /// For one request from connecting to the last byte.
    pub(crate) timeout: Duration,
    /// Further tries after a connection that broke.
    pub(crate) retries: u32,
    /// Whether requests that change something are tried again too.
    pub(crate) retry_all: bool,
}

/// Options of the mixin that change nothing here.
const WITHOUT_MEANING: [(&str, &str); 8] = [
    ("pool_max_per_route", "connections are pooled by need"),
    ("pool_max", "connections are pooled by need"),
    ("validate_after_inactivity", "broken connections are noticed when they are used"),
    ("ssl_supported_protocols", "TLS 1.2 and 1.3 are spoken"),
    ("ssl_cipher_suites", "TLS 1.2 and 1.3 are spoken with safe cipher suites"),
    ("socket_timeout", "'request_timeout' is for the whole request"),
    ("keepalive", "connections are kept as long as the server likes"),
    ("cookies", "no cookies are kept"),
];

/// Options of the mixin that are gone, and what to write.
const GONE: [(&str, &str); 3] = [
    ("cacert", "use 'ssl_certificate_authorities'"),
    ("client_cert", "use 'ssl_certificate'"),
    ("client_key", "use 'ssl_key'"),
];

impl Http {
    /// Reads the options; nothing when the client cannot be made of them, which is among the findings then.
    pub(crate) fn read(options: &mut Options<'_>) -> Option<Http> {
        for (option, why) in WITHOUT_MEANING {
            options.ignored(option, why);
        }
        let seconds =
            |value: Option<f64>, default: f64| Duration::from_secs_f64(value.unwrap_or(default).clamp(0.001, 86_400.0));
        let timeout = seconds(options.number("request_timeout"), 60.0);
        let connect = seconds(options.number("connect_timeout"), 10.0);
        let retries = u32::try_from(options.integer("automatic_retries").unwrap_or(1).clamp(0, 100)).unwrap_or(0);
        let retry_all = options.boolean("retry_non_idempotent", false);
        let follow = options.boolean("follow_redirects", true);
        let mut headers = HeaderMap::new();
        if let Some(value) = basic(options) {
            headers.insert(AUTHORIZATION, value);
        }
        let builder = Client::builder().connect_timeout(connect).default_headers(headers);
        let builder = builder.redirect(if follow {
            reqwest::redirect::Policy::limited(10)
        } else {
            reqwest::redirect::Policy::none()
        });
        let client = build(options, builder)?;
        Some(Http { client, timeout, retries, retry_all })
    }

    /// Sends a request, again when the connection broke and the verb allows it.
    pub(crate) async fn send(&self, request: reqwest::Request) -> Result<Response, HttpError> {
        let again = self.retry_all || request.method().is_idempotent();
        let mut tries = if again { self.retries } else { 0 };
        let mut request = request;
        *request.timeout_mut() = Some(self.timeout);
        loop {
            let copy = if tries > 0 { request.try_clone() } else { None };
            match (self.client.execute(request).await, copy) {
                (Err(error), Some(copy)) if !error.is_timeout() => {
                    request = copy;
                    tries -= 1;
                }
                (answer, _) => return Ok(answer?),
            }
        }
    }
}

/// Adds TLS and the proxy, and makes the client.
pub(crate) fn build(options: &mut Options<'_>, builder: reqwest::ClientBuilder) -> Option<Client> {
    for (option, instead) in GONE {
        options.obsolete(option, instead);
    }
    options.boolean("ssl_enabled", true);
    let names = ["ssl_certificate_authorities", "ssl_certificate", "ssl_key"];
    let Proofs { authorities, identity } = Proofs::read(options, names);
    refuse_passphrase(options);
    let verify = options.one_of("ssl_verification_mode", &["full", "none"], "full") == "full";
    // As in Logstash, those who are named are the only ones believed.
    let mut builder = builder.danger_accept_invalid_certs(!verify).tls_built_in_root_certs(authorities.is_empty());
    let mut unusable = |error: reqwest::Error| options.error_at("ssl_enabled", error.to_string());
    if let Ok(certificates) = Certificate::from_pem_bundle(&authorities).map_err(&mut unusable) {
        builder = certificates.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
    }
    if let Some(Ok(identity)) = identity.map(|pem| Identity::from_pem(&pem).map_err(&mut unusable)) {
        builder = builder.identity(identity);
    }
    builder = match options.string("proxy").filter(|address| !address.is_empty()) {
        None => builder.no_proxy(),
        Some(address) => match Proxy::all(&address) {
            Ok(proxy) => builder.proxy(proxy),
            Err(error) => {
                options.error_at("proxy", format!("'proxy' is no address: {error}"));
                builder
            }
        },
    };
    builder.build().map_err(|error| options.error_at("ssl_certificate_authorities", error.to_string())).ok()
}

/// `user` and `password` as a header.
pub(crate) fn basic(options: &mut Options<'_>) -> Option<HeaderValue> {
    let (user, password) = (options.string("user"), options.string("password"));
    if user.is_some() != password.is_some() {
        options.error_at("user", "'user' and 'password' belong together");
    }
    authorization(&user?, &password?)
}

/// A user and a password as a header.
pub(crate) fn authorization(user: &str, password: &str) -> Option<HeaderValue> {
    secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// A key of Elasticsearch's as a header. Logstash writes id:key; what is encoded already is taken as it is.
pub(crate) fn api_key(key: &str) -> Option<HeaderValue> {
    secret(&if key.contains(':') { format!("ApiKey {}", STANDARD.encode(key)) } else { format!("ApiKey {key}") })
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A body with templates in it.
pub(crate) enum Content {
    Text(Template),
    List(Vec<Content>),
    Map(Vec<(Template, Content)>),
    /// Numbers and booleans, which stay what they are.
    Other(Value),
}

impl Content {
    /// The literal is as deep as the configuration's parser allows.
    pub(crate) fn parse(value: &Value) -> Content {
        match value {
            Value::String(text) => Content::Text(Template::parse(text)),
            Value::Array(values) => Content::List(values.iter().map(Content::parse).collect()),
            Value::Object(object) => {
                Content::Map(object.iter().map(|(key, value)| (Template::parse(key), Content::parse(value))).collect())
            }
            other => Content::Other(other.clone()),
        }
    }

    pub(crate) fn fill(&self, event: &Event) -> Result<Value, TemplateError> {
        Ok(match self {
            Content::Text(template) => template.render(event)?.into(),
            Content::List(items) => Value::Array(items.iter().map(|item| item.fill(event)).collect::<Result<_, _>>()?),
            Content::Map(entries) => {
                let mut object = Object::new();
                for (key, content) in entries {
                    object.insert(key.render(event)?, content.fill(event)?);
                }
                Value::Object(object)
            }
            Content::Other(value) => value.clone(),
        })
    }
}

/// A header from text that events may have filled in; nothing for what is none.
pub(crate) fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    Some((name.parse().ok()?, HeaderValue::from_str(value).ok()?))
}

/// The whole body of an answer.
pub(crate) async fn body(mut answer: Response) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
