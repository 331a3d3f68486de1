//! Input `http`: events in the bodies of requests. A request is answered when its events are safe downstream, so that a
//! sender that repeats what was not answered loses nothing.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tailrace_common::{Event, FieldPath, Object, Str, Value};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::net::{self, Address, Stream, give, stopped};
use super::texts::Texts;
use super::{Batch, Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec};
use crate::delivery::Lease;
use crate::options::{Invalid, Options, value_text};
use crate::plugin::BuildContext;
use crate::tls::ServerTls;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "http", summary: "Receives events in the bodies of HTTP requests.", build };

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let address = Address::read(&mut options, Some(8080));
    let tls = ServerTls::read_with_stores(&mut options);
    let codec = codec::from_option(&mut options, build, "plain");
    let json = codec::named("json", &options, build);
    for (kind, name) in options.hash("additional_codecs") {
        if (kind.as_str(), value_text(&name).as_str()) != ("application/json", "json") {
            options.error_at("additional_codecs", "only 'application/json' => 'json' is supported");
        }
    }
    let user = options.string("user");
    let password = options.string("password");
    if user.is_some() != password.is_some() {
        options.error_at("user", "'user' and 'password' belong together");
    }
    let status = options.integer("response_code").unwrap_or(200);
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    if status.is_none() {
        options.error_at("response_code", "'response_code' must be a status such as 200");
    }
    let headers = response_headers(&mut options);
    let most_bytes = options.integer("max_content_length").unwrap_or(100 << 20).max(1) as usize;
    let default = |ecs_name: &str, name: &str| if ecs { ecs_name.to_string() } else { name.to_string() };
    let host = options.string("remote_host_target_field").unwrap_or_else(|| default("[host][ip]", "host"));
    let request =
        options.string("request_headers_target_field").unwrap_or_else(|| default("[http][request]", "headers"));
    let (host, request) =
        (options.path("remote_host_target_field", &host), options.path("request_headers_target_field", &request));
    options.ignored("max_pending_requests", "requests wait for the workers");
    options.ignored("threads", "one thread serves all connections");
    options.finish()?;
    let (Some(host), Some(request), Some(status)) = (host, request, status) else { return Err(Invalid) };
    let credentials = user.zip(password).map(|(user, password)| basic(&user, &password));
    let context = Context { codec: codec?, json: json?, decoration, host, request };
    Ok(Box::new(Http { address, tls, most_bytes, credentials, status, headers, context: Arc::new(context) }))
}

fn response_headers(options: &mut Options<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    for (name, value) in options.hash("response_headers") {
        match (name.parse::<HeaderName>(), HeaderValue::from_str(&value_text(&value))) {
            (Ok(name), Ok(value)) => drop(headers.insert(name, value)),
            _ => options.error_at("response_headers", format!("'{name}' is no header")),
        }
    }
    headers
}

/// The header that a sender with these credentials sends.
fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

struct Http {
    address: Address,
    tls: Option<ServerTls>,
    most_bytes: usize,
    credentials: Option<String>,
    status: StatusCode,
    headers: HeaderMap,
    context: Arc<Context>,
}

/// What decoding needs.
struct Context {
    codec: Box<dyn Codec>,
    /// For bodies of type `application/json`.
    json: Box<dyn Codec>,
    decoration: InputDecoration,
    /// Where the sender's address goes.
    host: FieldPath,
    /// Where the request goes.
    request: FieldPath,
}

struct Shared {
    credentials: Option<String>,
    status: StatusCode,
    headers: HeaderMap,
    context: Arc<Context>,
    feed: Feed,
}

impl Input for Http {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let (address, tls) = (self.address, self.tls);
        let shared = Arc::new(Shared {
            credentials: self.credentials,
            status: self.status,
            headers: self.headers,
            context: self.context,
            feed: feed.clone(),
        });
        let router = Router::new()
            .fallback(receive)
            .layer(DefaultBodyLimit::max(self.most_bytes))
            .layer(middleware::from_fn_with_state(shared.clone(), authorize))
            .with_state(shared);
        let feed = feed.clone();
        net::block_on(async move {
            let listener = TcpListener::bind((address.host.as_str(), address.port)).await;
            let listener = listener.map_err(|error| address.failed(&error))?;
            let doors = Doors { listener, tls, shaking: JoinSet::new() };
            let service = router.into_make_service_with_connect_info::<Peer>();
            let served = axum::serve(doors, service).with_graceful_shutdown({
                let feed = feed.clone();
                async move { stopped(&feed).await }
            });
            tokio::select! {
                served = served => served.map_err(|error| address.failed(&error)),
                () = overdue(&feed) => Ok(()),
            }
        })?
    }
}

/// Where connections come in, each after its TLS handshake.
struct Doors {
    listener: TcpListener,
    tls: Option<ServerTls>,
    /// Handshakes under way, so that a slow one does not hold up the others.
    shaking: JoinSet<Option<(Box<dyn Stream>, SocketAddr)>>,
}

impl Listener for Doors {
    type Io = Box<dyn Stream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Box<dyn Stream>, SocketAddr) {
        loop {
            let room = self.shaking.len() < net::MOST_CONNECTIONS;
            tokio::select! {
                (stream, peer) = Listener::accept(&mut self.listener), if room => {
                    let tls = self.tls.clone();
                    self.shaking.spawn(async move { Some((net::shaken(stream, peer, tls).await?, peer)) });
                }
                Some(shaken) = self.shaking.join_next() => {
                    if let Ok(Some(shaken)) = shaken {
                        return shaken;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Who sent a request.
#[derive(Clone, Copy)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Doors>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Doors>) -> Peer {
        Peer(*stream.remote_addr())
    }
}

/// Waits until connections that stay open have had their time after the stop.
async fn overdue(feed: &Feed) {
    stopped(feed).await;
    tokio::time::sleep(feed.drain.min(Duration::from_secs(5))).await;
}

async fn authorize(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    match &shared.credentials {
        Some(wanted) if given != Some(wanted.as_bytes()) => {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"tailrace\"")]).into_response()
        }
        _ => next.run(request).await,
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    method: axum::http::Method,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_json =
        headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let described = describe(&method, &uri, &headers);
    let context = shared.context.clone();
    let (sender, released) = oneshot::channel();
    let lease = Lease::new(move || {
        // Nobody waits for the answer any more.
        let _gone = sender.send(());
    });
    let mut texts = Texts::default();
    texts.push(&body);
    let records = move |now| {
        let codec = if is_json { &context.json } else { &context.codec };
        let ip = Str::from(peer.ip().to_string());
        texts.events(&**codec, now, |_, event| context.finish(&ip, &described, event))
    };
    if give(&shared.feed, Batch { records: Box::new(records), count: 1, lease }).await.is_err()
        || released.await.is_err()
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    (shared.status, shared.headers.clone(), "ok").into_response()
}

impl Context {
    fn finish(&self, ip: &Str, request: &Object, event: &mut Event) {
        for (path, value) in [(&self.host, Value::from(ip.clone())), (&self.request, Value::Object(request.clone()))] {
            if event.get(path).is_none() {
                // Something in the way keeps what it is.
                let _unset = event.set(path, value);
            }
        }
        self.decoration.apply(event);
    }
}

/// Method, path and headers of a request; what authorizes it is left out.
fn describe(method: &axum::http::Method, uri: &axum::http::Uri, headers: &HeaderMap) -> Object {
    let mut grouped: HashMap<String, String> = HashMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| !matches!(*name, &header::AUTHORIZATION | &header::COOKIE)) {
        let text = String::from_utf8_lossy(value.as_bytes());
        let held = grouped.entry(name.as_str().replace('-', "_")).or_default();
        if !held.is_empty() {
            held.push_str(", ");
        }
        held.push_str(&text);
    }
    let mut names: Vec<_> = grouped.into_iter().collect();
    names.sort();
    let mut described: Object = [("method", method.as_str()), ("path", uri.path())].into_iter().collect();
    described.insert("headers", names.into_iter().map(|(name, text)| (name, Value::from(text))).collect::<Object>());
    described
}
