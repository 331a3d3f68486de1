//! The page of quickstart and the few addresses that it asks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tailrace_processor::index::{IndexError, LocalIndex, SearchRequest};
use tokio::net::TcpListener;

use super::progress::Progress;

/// More documents than this are never sent at once.
const MOST_HITS: usize = 1000;
/// More fields than this are never counted at once.
const MOST_TERMS: usize = 32;

/// What the page shows.
pub(crate) struct Site {
    pub(crate) index: LocalIndex,
    pub(crate) progress: Box<dyn Fn() -> Progress + Send + Sync>,
}

/// Binds the page's address on the loopback interface; port 0 takes a free one.
pub(crate) async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await
}

/// Serves the page until the task is dropped.
pub(crate) async fn serve(listener: TcpListener, site: Arc<Site>) -> io::Result<()> {
    let script = ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page/page.js"));
    let style = ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page/page.css"));
    let router = Router::new()
        .route("/", get(|| async { Html(include_str!("page/index.html")) }))
        .route("/page.js", get(move || async move { script }))
        .route("/page.css", get(move || async move { style }))
        .route("/api/search", get(search))
        .route("/api/progress", get(progress))
        .layer(middleware::from_fn(guard))
        .with_state(site);
    axum::serve(listener, router).await
}

/// Answers only to names of this machine, so that no web site can reach the page by a name of its own that resolves to
/// the loopback address; and lets the page load nothing from elsewhere.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        return (StatusCode::FORBIDDEN, "this page answers to 127.0.0.1 and localhost only").into_response();
    }
    let mut response = next.run(request).await;
    let policy = HeaderValue::from_static("default-src 'self'; img-src data:; style-src 'self' 'unsafe-inline'");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SearchParameters {
    #[serde(default)]
    q: String,
    from: Option<f64>,
    to: Option<f64>,
    #[serde(default)]
    limit: usize,
    #[serde(default)]
    terms: String,
}

async fn search(State(site): State<Arc<Site>>, Query(asked): Query<SearchParameters>) -> Response {
    let terms = asked.terms.split(',').filter(|field| !field.is_empty()).take(MOST_TERMS);
    let request = SearchRequest {
        query: asked.q,
        from: asked.from.map(|millis| millis as i64),
        to: asked.to.map(|millis| millis as i64),
        limit: asked.limit.min(MOST_HITS),
        histogram: true,
        terms: terms.map(str::to_string).collect(),
    };
    let started = std::time::Instant::now();
    let searched = tokio::task::spawn_blocking(move || site.index.search(&request)).await;
    match searched {
        Ok(Ok(answer)) => {
            let took_ms = started.elapsed().as_millis();
            let counted = json!({ "took_ms": took_ms });
            Json(Answer { answer, counted }).into_response()
        }
        Ok(Err(error @ (IndexError::Syntax(_) | IndexError::Query(_)))) => failure(StatusCode::BAD_REQUEST, &error),
        Ok(Err(error)) => failure(StatusCode::INTERNAL_SERVER_ERROR, &error),
        Err(panicked) => failure(StatusCode::INTERNAL_SERVER_ERROR, &panicked),
    }
}

#[derive(serde::Serialize)]
struct Answer {
    #[serde(flatten)]
    answer: tailrace_processor::index::SearchAnswer,
    #[serde(flatten)]
    counted: serde_json::Value,
}

fn failure(status: StatusCode, error: &dyn std::error::Error) -> Response {
    (status, Json(json!({ "error": error.to_string() }))).into_response()
}

async fn progress(State(site): State<Arc<Site>>) -> Json<Progress> {
    Json((site.progress)())
}
