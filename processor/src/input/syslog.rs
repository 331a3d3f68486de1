//! Input `syslog`: messages of RFC 3164 over UDP and TCP. They are taken apart by the filters `grok` and `date`, as
//! Logstash does it.

use std::net::SocketAddr;
use std::sync::Arc;

use tailrace_common::syslog::{DEFAULT_PRIORITY, FACILITIES, SEVERITIES};
use tailrace_common::{Event, FieldPath, Str, Timestamp, Value};

use super::net::{self, Address};
use super::tcp::{self, Sink};
use super::texts::Texts;
use super::{Feed, Input, InputDecoration, InputDefinition, InputError, udp};
use crate::codec::{self, Codec};
use crate::lang::ast::{self, Config};
use crate::lang::{ParseOptions, parse};
use crate::options::{Invalid, Options};
use crate::plan::compile::compile_filters;
use crate::plan::run::{FilterPlan, Worker};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "syslog", summary: "Receives syslog messages over UDP and TCP.", build };

/// The tag of messages that are no syslog.
const FAILURE: &str = "_grokparsefailure_sysloginput";
/// No datagram is longer.
const LONGEST_DATAGRAM: usize = 65_536;

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let ecs = options.ecs().enabled();
    let address = Address::read(&mut options, Some(514));
    let codec = codec::from_option(&mut options, build, "plain");
    let labels = |options: &mut Options<'_>, option: &'static str, default: &[&str]| -> Vec<Str> {
        let given = options.strings(option);
        if given.is_empty() {
            default.iter().map(|label| Str::from(*label)).collect()
        } else {
            given.into_iter().map(Str::from).collect()
        }
    };
    let facilities = labels(&mut options, "facility_labels", &FACILITIES);
    let severities = labels(&mut options, "severity_labels", &SEVERITIES);
    let use_labels = options.boolean("use_labels", true);
    let priority = if ecs { "[log][syslog][priority]" } else { "priority" };
    let pattern =
        options.string("grok_pattern").unwrap_or_else(|| format!("<%{{POSINT:{priority}:int}}>%{{SYSLOGLINE}}"));
    let field = options.string("syslog_field").unwrap_or_else(|| "message".into());
    let service = options.string("service_type").unwrap_or_else(|| "system".into());
    let mut date = String::new();
    for option in ["locale", "timezone"] {
        if let Some(text) = options.string(option) {
            date.push_str(&format!(" {option} => {}", quoted(&text)));
        }
    }
    if options.boolean("proxy_protocol", false) {
        options.error_at("proxy_protocol", "'proxy_protocol' is not supported");
    }
    let filters = filters(&mut options, build, ecs, &pattern, &field, &date);
    options.finish()?;
    let fields = Fields::of(ecs);
    let service = ecs.then(|| Str::from(service));
    let context = Context { codec: codec?, decoration, filters, fields, facilities, severities, use_labels, service };
    Ok(Box::new(Syslog { address, context: Arc::new(context) }))
}

/// Text in the quotes that it does not contain.
fn quoted(text: &str) -> String {
    let quote = if text.contains('"') { '\'' } else { '"' };
    format!("{quote}{text}{quote}")
}

/// The filters that take a message apart.
fn filters(
    options: &mut Options<'_>,
    build: &BuildContext<'_>,
    ecs: bool,
    pattern: &str,
    field: &str,
    date: &str,
) -> FilterPlan {
    let mode = if ecs { "v8" } else { "disabled" };
    let text = format!(
        "filter {{
           grok {{ match => {{ {field} => {pattern} }} overwrite => {field} tag_on_failure => \"{FAILURE}\" ecs_compatibility => {mode} }}
           if \"{FAILURE}\" not in [tags] {{
             mutate {{ copy => {{ \"timestamp8601\" => \"timestamp\" }} }}
             date {{ match => [\"timestamp\", \"MMM dd HH:mm:ss\", \"MMM  d HH:mm:ss\", \"MMM d HH:mm:ss\", \"ISO8601\"]{date} }}
           }}
         }}",
        field = quoted(field),
        pattern = quoted(pattern),
    );
    let source = ast::Source { name: "the filters of the syslog input".into(), text };
    let (config, mut findings): (Config, _) = parse(&source.into(), ParseOptions::default());
    let plan = compile_filters(&config, build, &mut findings);
    let errors: Vec<String> = findings.into_iter().map(|finding| finding.message).collect();
    if !errors.is_empty() {
        options.error_at("grok_pattern", errors.join("; "));
    }
    plan
}

/// Where what is known of a message goes.
struct Fields {
    host: FieldPath,
    priority: FieldPath,
    severity: FieldPath,
    facility: FieldPath,
    severity_label: FieldPath,
    facility_label: FieldPath,
}

impl Fields {
    fn of(ecs: bool) -> Fields {
        let syslog = FieldPath::field("log").child("syslog");
        let pick = |legacy: &str, path: FieldPath| if ecs { path } else { FieldPath::field(legacy) };
        Fields {
            host: pick("host", FieldPath::field("host").child("ip")),
            priority: pick("priority", syslog.child("priority")),
            severity: pick("severity", syslog.child("severity").child("code")),
            facility: pick("facility", syslog.child("facility").child("code")),
            severity_label: pick("severity_label", syslog.child("severity").child("name")),
            facility_label: pick("facility_label", syslog.child("facility").child("name")),
        }
    }
}

struct Context {
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    filters: FilterPlan,
    fields: Fields,
    facilities: Vec<Str>,
    severities: Vec<Str>,
    use_labels: bool,
    /// `[service][type]`, under ECS.
    service: Option<Str>,
}

impl Context {
    fn decode(&self, texts: Texts, peer: impl Fn(usize) -> SocketAddr, now: Timestamp) -> Vec<Event> {
        let events = texts.events(&*self.codec, now, |number, event| {
            put(event, &self.fields.host, Str::from(peer(number).ip().to_string()));
        });
        let filtered = self.filters.run(events, &mut Worker::default(), now);
        // The one condition there is can always be decided.
        let mut events = filtered.events;
        events.iter_mut().for_each(|event| self.finish(event));
        events
    }

    /// Severity and facility from the priority.
    fn finish(&self, event: &mut Event) {
        let fields = &self.fields;
        let known = match event.get(&fields.priority) {
            Some(Value::Int(number)) => Some(*number),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let priority = known.filter(|_| !event.has_tag(FAILURE)).unwrap_or(DEFAULT_PRIORITY.into());
        let (severity, facility) = (priority & 7, priority >> 3);
        for (path, number) in [(&fields.priority, priority), (&fields.severity, severity), (&fields.facility, facility)]
        {
            // Something in the way keeps what it is.
            let _unset = event.set(path, number);
        }
        if self.use_labels {
            let label = |labels: &[Str], at: i64| usize::try_from(at).ok().and_then(|at| labels.get(at).cloned());
            if let Some(label) = label(&self.severities, severity) {
                put(event, &fields.severity_label, label);
            }
            if let Some(label) = label(&self.facilities, facility) {
                put(event, &fields.facility_label, label);
            }
        }
        if let Some(service) = &self.service {
            put(event, &FieldPath::field("service").child("type"), service.clone());
        }
        self.decoration.apply(event);
    }
}

/// Sets a field unless it is set.
fn put(event: &mut Event, path: &FieldPath, text: Str) {
    if event.get(path).is_none() {
        // Something in the way keeps what it is.
        let _unset = event.set(path, text);
    }
}

impl Sink for Context {
    fn codec(&self) -> &dyn Codec {
        &*self.codec
    }

    fn events(&self, texts: Texts, peer: SocketAddr, now: Timestamp) -> Vec<Event> {
        self.decode(texts, |_| peer, now)
    }
}

struct Syslog {
    address: Address,
    context: Arc<Context>,
}

impl Input for Syslog {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let datagrams = {
            let (address, feed, context) = (self.address.clone(), feed.clone(), self.context.clone());
            std::thread::Builder::new().name("syslog-udp".into()).spawn(move || {
                udp::receive(&address, LONGEST_DATAGRAM, &feed, move |texts, peers, now| {
                    context.decode(texts, |number| peers[number], now)
                })
            })
        };
        let datagrams = datagrams.map_err(|error| InputError(format!("cannot start a thread: {error}")))?;
        let (sink, given) = (self.context.clone(), feed.clone());
        let serve = move |stream, peer| {
            let sink: Arc<dyn Sink> = sink.clone();
            tcp::serve(stream, peer, sink, given.clone())
        };
        let streams = net::block_on(net::accept(&self.address, None, feed, serve))?;
        let datagrams = datagrams.join().unwrap_or_else(|_| Err(InputError("receiving datagrams panicked".into())));
        streams.and(datagrams)
    }
}
