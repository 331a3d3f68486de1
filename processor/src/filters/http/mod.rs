//! Filter `http`: asks a web service about an event and keeps the answer.
//!
//! The requests of a batch are sent side by side, so that a slow service costs a batch one time-out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, Request, Url};
use tailrace_common::json::{self, Numbers};
use tailrace_common::{Event, FieldPath, Object, Str, Timestamp, Value};
use tokio::runtime::Runtime;

use crate::http_client::{Content, Http, HttpError, body, header};
use crate::lookup::{runtime, side_by_side};
use crate::options::{Invalid, Options, value_text};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Fetched, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "http",
    summary: "Asks a web service about an event and keeps the answer.",
    example: "filter { http { url => \"http://localhost:8080/hosts/%{[host][name]}\" verb => \"GET\" target_body => \"[host][owner]\" request_timeout => 2 } }",
    build,
};

/// Requests on the way at once.
const AT_ONCE: usize = 64;
const VERBS: [&str; 6] = ["GET", "HEAD", "PATCH", "DELETE", "POST", "PUT"];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let ecs = options.ecs().enabled();
    options.require("url");
    let url = options.template("url");
    let verb = options.one_of("verb", &VERBS, "GET");
    let pairs = |given: Vec<(String, Value)>| -> Vec<(Template, Template)> {
        given.iter().map(|(name, value)| (Template::parse(name), Template::parse(&value_text(value)))).collect()
    };
    let headers = pairs(options.hash("headers"));
    let query = pairs(options.hash("query"));
    let content = options.raw("body").map(|value| Content::parse(&value));
    let json = options.one_of("body_format", &["text", "json"], "text") == "json";
    let path = |text: &str| FieldPath::parse(text).ok();
    let target_body =
        options.field("target_body").or_else(|| path(if ecs { "[http][response][body][content]" } else { "[body]" }));
    let target_headers = options
        .field("target_headers")
        .or_else(|| path(if ecs { "[@metadata][filter][http][response][headers]" } else { "[headers]" }));
    let failure_tags = options.tags("tag_on_request_failure", "_httprequestfailure");
    let json_tags = options.tags("tag_on_json_failure", "_jsonparsefailure");
    let http = Http::read(&mut options);
    let runtime = runtime().map_err(|message| options.error_at("url", message));
    options.finish()?;
    Ok(Box::new(HttpFilter {
        url: url.ok_or(Invalid)?,
        verb: verb.parse().map_err(|_| Invalid)?,
        headers,
        query,
        content,
        json,
        target_body: target_body.ok_or(Invalid)?,
        target_headers: target_headers.ok_or(Invalid)?,
        failure_tags,
        json_tags,
        http: Arc::new(http.ok_or(Invalid)?),
        runtime: runtime.map_err(|()| Invalid)?,
    }))
}

struct HttpFilter {
    url: Template,
    verb: Method,
    headers: Vec<(Template, Template)>,
    query: Vec<(Template, Template)>,
    content: Option<Content>,
    /// `body_format => "json"`.
    json: bool,
    target_body: FieldPath,
    target_headers: FieldPath,
    failure_tags: Vec<String>,
    json_tags: Vec<String>,
    http: Arc<Http>,
    runtime: &'static Runtime,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the request cannot be made: {0}")]
    Request(String),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the service answered {0}")]
    Status(u16),
}

/// An answer with success.
struct Answer {
    headers: HeaderMap,
    body: Vec<u8>,
}

type Answers = VecDeque<Result<Answer, Failure>>;

impl Filter for HttpFilter {
    fn prefetch(&self, events: &[Event], _now: Timestamp) -> Fetched {
        let requests = events.iter().map(|event| self.request(event)).collect();
        let time = self.http.timeout.saturating_mul(self.http.retries + 1) + Duration::from_millis(100);
        let answers = side_by_side(self.runtime, requests, AT_ONCE, time, |request: Result<Request, Failure>| {
            let http = self.http.clone();
            async move { ask(&http, request?).await }
        });
        let late = || Err(Failure::Request("no answer in time".into()));
        let answers: Answers = answers.into_iter().map(|answer| answer.unwrap_or_else(late)).collect();
        Fetched::new(answers)
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        match context.fetched::<Answers>().and_then(VecDeque::pop_front) {
            Some(Ok(answer)) => self.keep(answer, event, context),
            Some(Err(error)) => {
                tracing::debug!(%error, "http filter");
                context.failed(event, &self.failure_tags);
            }
            None => {}
        }
    }
}

async fn ask(http: &Http, request: Request) -> Result<Answer, Failure> {
    let answer = http.send(request).await?;
    if !answer.status().is_success() {
        return Err(Failure::Status(answer.status().as_u16()));
    }
    let headers = answer.headers().clone();
    Ok(Answer { headers, body: body(answer).await? })
}

impl HttpFilter {
    fn request(&self, event: &Event) -> Result<Request, Failure> {
        let bad = |error: &dyn std::fmt::Display| Failure::Request(error.to_string());
        let fill = |template: &Template| template.render(event).map_err(|error| bad(&error));
        let url = Url::parse(&fill(&self.url)?).map_err(|error| bad(&error))?;
        let mut request = Request::new(self.verb.clone(), url);
        for (name, value) in &self.query {
            let (name, value) = (fill(name)?, fill(value)?);
            request.url_mut().query_pairs_mut().append_pair(&name, &value);
        }
        for (name, value) in &self.headers {
            let (name, value) = (fill(name)?, fill(value)?);
            let (name, value) = header(&name, &value).ok_or_else(|| bad(&format!("'{name}' is no header")))?;
            request.headers_mut().append(name, value);
        }
        let kind = if self.json { "application/json" } else { "text/plain" };
        if !request.headers().contains_key(CONTENT_TYPE) {
            request.headers_mut().insert(CONTENT_TYPE, reqwest::header::HeaderValue::from_static(kind));
        }
        if let Some(content) = &self.content {
            let content = content.fill(event).map_err(|error| bad(&error))?;
            *request.body_mut() = Some(self.written(&content).into());
        }
        Ok(request)
    }

    /// Text and numbers go as they are, also as JSON.
    fn written(&self, content: &Value) -> Vec<u8> {
        match content {
            Value::Array(_) | Value::Object(_) if self.json => {
                let mut out = Vec::new();
                json::write(content, &mut out);
                out
            }
            other => value_text(other).into_bytes(),
        }
    }

    fn keep(&self, answer: Answer, event: &mut Event, context: &mut FilterContext<'_>) {
        let kind = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let json_answer = kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
        let mut stored = event.set(&self.target_headers, headers_of(&answer.headers)).is_ok();
        let text = Str::from(String::from_utf8_lossy(&answer.body).into_owned());
        if json_answer {
            match json::parse(&text, Numbers::Decimal) {
                Ok(value) => stored &= event.set(&self.target_body, value).is_ok(),
                Err(error) => {
                    tracing::debug!(%error, "http filter");
                    self.json_tags.iter().for_each(|tag| event.tag(tag));
                }
            }
        } else {
            stored &= event.set(&self.target_body, Str::from(text.trim())).is_ok();
        }
        if stored {
            context.matched(event);
        } else {
            context.failed(event, &self.failure_tags);
        }
    }
}

/// Header names are in lower case; what comes more than once is a list.
fn headers_of(headers: &HeaderMap) -> Object {
    let mut object = Object::with_capacity(headers.keys_len());
    for name in headers.keys() {
        let mut values: Vec<Value> = headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).as_ref().into())
            .collect();
        let value = if values.len() == 1 { values.swap_remove(0) } else { Value::Array(values) };
        object.insert(name.as_str(), value);
    }
    object
}

#[cfg(test)]
mod tests;
