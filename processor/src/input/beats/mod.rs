//! Input `beats`: what Filebeat and other Beats send by Lumberjack version 2.
//!
//! A window is acknowledged when all its events are safe downstream, not when they are read.

use std::sync::Arc;

use super::net::{self, Address};
use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;
use crate::tls::ServerTls;

mod acks;
mod connection;
mod records;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "beats", summary: "Receives events from Beats, by Lumberjack.", build };

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let address = Address::read(&mut options, None);
    let tls = ServerTls::read(&mut options);
    let codec_name = options.plugin("codec").map_or_else(|| "plain".into(), |plugin| plugin.name);
    if codec_name == "multiline" {
        options.error_at("codec", "multiline does not work over many connections; join lines in Filebeat");
    }
    let codec = codec::from_option(&mut options, build, "plain");
    let enriched = enrich(&mut options);
    let tag = options.boolean("include_codec_tag", enriched.codec_metadata);
    let add_hostname = options.boolean("add_hostname", false);
    let inactivity = options.integer("client_inactivity_timeout").unwrap_or(60).max(0) as u64;
    options.ignored("executor_threads", "the workers decode");
    options.ignored("event_loop_threads", "one thread serves all connections");
    options.finish()?;
    let context = Context {
        codec: codec?,
        applied: tag.then(|| format!("beats_input_codec_{codec_name}_applied")),
        raw: tag.then_some("beats_input_raw_event"),
        decoration,
        ecs,
        source_metadata: enriched.source_metadata,
        add_hostname,
        inactivity,
    };
    Ok(Box::new(Beats { address, tls, context: Arc::new(context) }))
}

/// What `enrich` asks for.
struct Enrich {
    codec_metadata: bool,
    source_metadata: bool,
}

fn enrich(options: &mut Options<'_>) -> Enrich {
    let known = ["codec_metadata", "source_metadata", "ssl_peer_metadata", "all", "none"];
    let asked = options.strings("enrich");
    for word in &asked {
        if !known.contains(&word.as_str()) {
            options.error_at("enrich", format!("'enrich' takes {}, this is '{word}'", known.join(", ")));
        }
    }
    if asked.iter().any(|word| word == "ssl_peer_metadata") {
        options.error_at("enrich", "'ssl_peer_metadata' is not supported");
    }
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|word| word == name || word == "all");
    Enrich { codec_metadata: wanted("codec_metadata"), source_metadata: wanted("source_metadata") }
}

struct Beats {
    address: Address,
    tls: Option<ServerTls>,
    context: Arc<Context>,
}

/// What decoding needs.
struct Context {
    codec: Box<dyn Codec>,
    /// The tag of events whose `message` went through the codec.
    applied: Option<String>,
    /// The tag of events without `message`.
    raw: Option<&'static str>,
    decoration: InputDecoration,
    ecs: bool,
    source_metadata: bool,
    add_hostname: bool,
    /// Seconds after which a silent connection is closed; 0 for never.
    inactivity: u64,
}

impl Input for Beats {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let context = self.context.clone();
        let serve_feed = feed.clone();
        let serve = move |stream, peer: std::net::SocketAddr| {
            connection::serve(stream, peer, context.clone(), serve_feed.clone())
        };
        net::block_on(net::accept(&self.address, self.tls, feed, serve))?
    }
}
