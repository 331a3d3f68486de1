//! Output `http`: events to a web service.
//!
//! The requests of a batch are sent side by side. What the service cannot take now is sent again, for as long as it
//! takes; what it refuses for good goes to the dead letters.

use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Url};
use tailrace_common::json;
use tailrace_common::{Event, Str, Value};
use tokio::runtime::Runtime;

use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::delivery::Share;
use crate::http_client::{Content, Http, HttpError, header};
use crate::lookup::{runtime, side_by_side};
use crate::options::{Invalid, Options, value_text};
use crate::plan::template::{Template, TemplateError};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "http", summary: "Sends events to a web service.", build };

/// Requests on the way at once.
const AT_ONCE: usize = 50;
/// The longest wait before another try.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const METHODS: [&str; 6] = ["put", "post", "patch", "delete", "get", "head"];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    options.require("url");
    options.require("http_method");
    let url = options.template("url");
    let method = options.one_of("http_method", &METHODS, "post").to_uppercase();
    let format = options.one_of("format", &["json", "json_batch", "form", "message"], "json");
    let headers = options.hash("headers");
    let headers =
        headers.iter().map(|(name, value)| (Template::parse(name), Template::parse(&value_text(value)))).collect();
    let mapping =
        options.is_set("mapping").then(|| options.raw("mapping")).flatten().map(|value| Content::parse(&value));
    let message = options.template("message");
    let content_type = options.string("content_type");
    if format == "message" {
        options.require("message");
        options.require("content_type");
        if mapping.is_some() {
            options.error_at("mapping", "'mapping' has no meaning for the format message");
        }
    }
    let body = match format {
        "json_batch" => Body::Batch(mapping),
        "form" => Body::Form(mapping),
        "message" => Body::Message(message.unwrap_or_else(|| Template::parse(""))),
        _ => Body::Json(mapping),
    };
    let content_type = content_type.unwrap_or_else(|| body.content_type().into());
    let content_type = HeaderValue::from_str(&content_type)
        .map_err(|_| options.error_at("content_type", format!("'{content_type}' is no content type")));
    let gzip = options.boolean("http_compression", false);
    let retry = options.boolean("retry_failed", true);
    let retryable = codes(&mut options, "retryable_codes", &[429, 500, 502, 503, 504]);
    let ignorable = codes(&mut options, "ignorable_codes", &[]);
    let http = Http::read(&mut options);
    let runtime = runtime().map_err(|message| options.error_at("url", message));
    let id = options.id().unwrap_or_else(|| "http".into());
    options.finish()?;
    Ok(Box::new(HttpOutput {
        id,
        url: url.ok_or(Invalid)?,
        method: method.parse().map_err(|_| Invalid)?,
        headers,
        content_type: content_type.map_err(|()| Invalid)?,
        body,
        gzip,
        retry,
        retryable,
        ignorable,
        http: Arc::new(http.ok_or(Invalid)?),
        runtime: runtime.map_err(|()| Invalid)?,
        services: OnceLock::new(),
    }))
}

fn codes(options: &mut Options<'_>, option: &'static str, default: &[u16]) -> Vec<u16> {
    if !options.is_set(option) {
        return default.to_vec();
    }
    let values = options.list(option);
    let mut codes = Vec::with_capacity(values.len());
    for value in &values {
        match value_text(value).parse() {
            Ok(code) => codes.push(code),
            Err(_) => options.error_at(option, format!("'{}' is no status", value_text(value))),
        }
    }
    codes
}

/// `format`.
enum Body {
    Json(Option<Content>),
    /// All events of a batch in one list.
    Batch(Option<Content>),
    Form(Option<Content>),
    Message(Template),
}

impl Body {
    fn content_type(&self) -> &'static str {
        match self {
            Body::Json(_) | Body::Batch(_) => "application/json",
            Body::Form(_) => "application/x-www-form-urlencoded",
            Body::Message(_) => "text/plain",
        }
    }

    fn write(&self, event: &Event, out: &mut Vec<u8>) -> Result<(), TemplateError> {
        match self {
            Body::Json(None) | Body::Batch(None) => event.write_json(out),
            Body::Json(Some(mapping)) | Body::Batch(Some(mapping)) => json::write(&mapping.fill(event)?, out),
            Body::Message(template) => template.render_into(event, out)?,
            Body::Form(mapping) => {
                let mapped = mapping.as_ref().map(|mapping| mapping.fill(event)).transpose()?;
                let fields = mapped.as_ref().and_then(Value::as_object).unwrap_or_else(|| event.fields());
                // A query and a form are written alike.
                if let Ok(mut address) = Url::parse("http://form/") {
                    let pairs = fields.iter().map(|(name, value)| (name, form_text(value)));
                    address.query_pairs_mut().extend_pairs(pairs);
                    out.extend_from_slice(address.query().unwrap_or_default().as_bytes());
                }
            }
        }
        Ok(())
    }
}

/// A value of a form; lists and maps are JSON.
fn form_text(value: &Value) -> Str {
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut out = Vec::new();
            json::write(other, &mut out);
            let text = String::from_utf8_lossy(&out);
            Str::from(text.trim_matches('"'))
        }
    }
}

struct HttpOutput {
    id: String,
    url: Template,
    method: Method,
    headers: Vec<(Template, Template)>,
    content_type: HeaderValue,
    body: Body,
    gzip: bool,
    /// `retry_failed`.
    retry: bool,
    retryable: Vec<u16>,
    ignorable: Vec<u16>,
    http: Arc<Http>,
    runtime: &'static Runtime,
    services: OnceLock<Services>,
}

/// A request, and the events that it carries.
struct Sending<'e> {
    request: Request,
    events: Vec<&'e Event>,
}

/// What became of a request.
enum Verdict {
    Delivered,
    Again(String),
    Refused(String),
}

impl Output for HttpOutput {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(services) = self.services.get() else { return };
        let (mut sending, mut buried) = (Vec::new(), true);
        let groups: Vec<Vec<&Event>> = match self.body {
            Body::Batch(_) => vec![events.to_vec()],
            _ => events.iter().map(|event| vec![*event]).collect(),
        };
        for events in groups {
            match self.request(&events) {
                Ok(request) => sending.push(Sending { request, events }),
                Err(reason) => buried &= self.bury(&events, &reason, services),
            }
        }
        let mut tries = 0_u32;
        while !sending.is_empty() {
            let verdicts = self.send(&sending);
            let mut again = Vec::new();
            for (sent, verdict) in sending.into_iter().zip(verdicts) {
                match verdict {
                    Verdict::Delivered => {}
                    Verdict::Again(reason) => {
                        tracing::warn!(output = self.id, reason, "cannot send; will try again");
                        again.push(sent);
                    }
                    Verdict::Refused(reason) => buried &= self.bury(&sent.events, &reason, services),
                }
            }
            sending = again;
            if !sending.is_empty() {
                tries = tries.saturating_add(1);
                services.abandon.sleep(wait(tries));
                if services.abandon.is_set() {
                    return;
                }
            }
        }
        if buried {
            services.count(events.len());
            share.done();
        }
    }
}

/// The square of the number of tries in seconds, made uneven so that many senders part.
fn wait(tries: u32) -> Duration {
    let seconds = Duration::from_secs(u64::from(tries).saturating_mul(tries.into())).min(LONGEST_WAIT);
    seconds.mul_f64(0.5 + fastrand::f64() / 2.0)
}

impl HttpOutput {
    fn request(&self, events: &[&Event]) -> Result<Request, String> {
        let first = events.first().ok_or("no event")?;
        let fill = |template: &Template| template.render(first).map_err(|error| error.to_string());
        let url = Url::parse(&fill(&self.url)?).map_err(|error| format!("no address: {error}"))?;
        let mut request = Request::new(self.method.clone(), url);
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let (name, value) = (fill(name)?, fill(value)?);
            let (name, value) = header(&name, &value).ok_or_else(|| format!("'{name}' is no header"))?;
            headers.append(name, value);
        }
        headers.entry(CONTENT_TYPE).or_insert_with(|| self.content_type.clone());
        let mut body = Vec::new();
        let batch = matches!(self.body, Body::Batch(_));
        for (at, event) in events.iter().enumerate() {
            if batch {
                body.push(if at == 0 { b'[' } else { b',' });
            }
            self.body.write(event, &mut body).map_err(|error| error.to_string())?;
        }
        if batch {
            body.push(b']');
        }
        if self.gzip {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            body = encoder.write_all(&body).and_then(|()| encoder.finish()).map_err(|error| error.to_string())?;
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        Ok(request)
    }

    fn send(&self, sending: &[Sending<'_>]) -> Vec<Verdict> {
        let requests: Vec<Option<Request>> = sending.iter().map(|sent| sent.request.try_clone()).collect();
        let rounds = u32::try_from(requests.len() / AT_ONCE + 1).unwrap_or(u32::MAX);
        let time = self.http.timeout.saturating_mul(self.http.retries + 1).saturating_mul(rounds);
        let answers = side_by_side(self.runtime, requests, AT_ONCE, time, |request| {
            let http = self.http.clone();
            async move {
                let answer = http.send(request?).await;
                // The connection is free again when the answer has been read.
                Some(match answer {
                    Ok(answer) => {
                        let status = answer.status().as_u16();
                        crate::http_client::body(answer).await.map(|body| (status, body))
                    }
                    Err(error) => Err(error),
                })
            }
        });
        answers.into_iter().map(|answer| self.verdict(answer.flatten())).collect()
    }

    fn verdict(&self, answer: Option<Result<(u16, Vec<u8>), HttpError>>) -> Verdict {
        let failed = |reason: String| if self.retry { Verdict::Again(reason) } else { Verdict::Refused(reason) };
        match answer {
            None => failed("no answer in time".into()),
            Some(Err(error)) => failed(error.to_string()),
            Some(Ok((status, body))) => {
                let said = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
                let reason = format!("the service answered {status}: {said}");
                match status {
                    200..=299 => Verdict::Delivered,
                    _ if self.ignorable.contains(&status) => Verdict::Delivered,
                    _ if self.retryable.contains(&status) => failed(reason),
                    _ => Verdict::Refused(reason),
                }
            }
        }
    }

    /// Keeps events that cannot be delivered; false when the disk refuses.
    fn bury(&self, events: &[&Event], reason: &str, services: &Services) -> bool {
        events.iter().all(|event| services.bury(event, &self.id, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        assert!((1..=20).all(|tries| wait(tries) <= LONGEST_WAIT));
        assert!(wait(4) >= Duration::from_secs(8));
    }
}
