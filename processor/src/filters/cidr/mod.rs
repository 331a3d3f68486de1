//! Filter `cidr`: whether an address is in one of several networks. It changes nothing by itself: `add_tag` and
//! `add_field` say what follows.

mod network;

use std::path::Path;

use tailrace_common::{Event, FieldPath, Timestamp, Value};

use self::network::{Network, Networks};
use crate::lang::diagnostic::Diagnostic;
use crate::lookup::Refreshed;
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::{BuildContext, Fetched, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "cidr",
    summary: "Whether an address is in one of several networks.",
    example: "filter { cidr { address => [\"%{[source][ip]}\"] network => [\"10.0.0.0/8\", \"fe80::/10\"] add_tag => [\"internal\"] } }",
    build,
};

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    let addresses = options.strings("address").iter().map(|text| Template::parse(text)).collect();
    let address_field = options.field("address_field");
    let given = options.strings("network");
    let path = options.existing_path("network_path");
    let interval = options.number("refresh_interval").unwrap_or(600.0);
    let separator = options.string("separator").filter(|text| !text.is_empty()).unwrap_or_else(|| "\n".into());
    if path.is_some() && !given.is_empty() {
        options.error_at("network", "'network' and 'network_path' exclude each other");
    }
    let mut fixed = Vec::new();
    let mut filled = Vec::new();
    for text in &given {
        if text.contains("%{") {
            filled.push(Template::parse(text));
            continue;
        }
        for part in text.split(',') {
            match Network::parse(part.trim()) {
                Some(network) => fixed.push(network),
                None => {
                    let message = format!("'{part}' is no network; it is left out");
                    let span = options.span_of("network");
                    options.report(Diagnostic::warning("invalid-network", &span, message));
                }
            }
        }
    }
    let networks = match path {
        None => Source::Given(Networks::new(&fixed)),
        Some(path) => {
            let path = build.directory.join(path);
            let read = |path: &Path| read(path, &separator);
            match Refreshed::open(path, interval, build.clock.now(), read) {
                Ok(file) => Source::File(file),
                Err(error) => {
                    options.error_at("network_path", error.to_string());
                    return Err(Invalid);
                }
            }
        }
    };
    options.finish()?;
    Ok(Box::new(Cidr { addresses, address_field, networks, filled, separator }))
}

/// A file of networks that cannot be used.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("cannot read '{path}': {source}")]
    Unreadable { path: String, source: std::io::Error },
    #[error("'{path}' holds no network; is 'separator' right?")]
    Empty { path: String },
}

/// Reads the networks of a file; lines that are empty or start with `#`, and what is no network, are left out.
fn read(path: &Path, separator: &str) -> Result<Networks, ReadError> {
    let shown = || path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| ReadError::Unreadable { path: shown(), source })?;
    let text = String::from_utf8_lossy(&bytes);
    let mut networks = Vec::new();
    let texts = text.split(separator).map(str::trim);
    for (at, text) in texts.enumerate().filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
        match Network::parse(text) {
            Some(network) => networks.push(network),
            None => tracing::warn!(path = %path.display(), entry = at + 1, text, "no network; it is left out"),
        }
    }
    if networks.is_empty() {
        return Err(ReadError::Empty { path: shown() });
    }
    Ok(Networks::new(&networks))
}

struct Cidr {
    addresses: Vec<Template>,
    address_field: Option<FieldPath>,
    networks: Source,
    /// Networks that are known per event only; several stand in one text between commas.
    filled: Vec<Template>,
    separator: String,
}

enum Source {
    Given(Networks),
    File(Refreshed<Networks>),
}

impl Filter for Cidr {
    fn prefetch(&self, _events: &[Event], now: Timestamp) -> Fetched {
        if let Source::File(file) = &self.networks {
            file.refresh(now, |path, _| read(path, &self.separator));
        }
        Fetched::default()
    }

    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let contained = match &self.networks {
            Source::Given(networks) => self.contained(networks, event),
            Source::File(file) => self.contained(&file.get(), event),
        };
        if contained {
            context.matched(event);
        }
    }

    fn numbers(&self) -> Vec<(&'static str, u64)> {
        match &self.networks {
            Source::Given(_) => Vec::new(),
            Source::File(file) => file.numbers(),
        }
    }
}

impl Cidr {
    /// Whether any of the event's addresses is in any of the networks. What is no address is none.
    fn contained(&self, networks: &Networks, event: &Event) -> bool {
        let filled: Vec<Network> = if self.filled.is_empty() { Vec::new() } else { self.filled(event) };
        let mut inside = |text: &str| {
            Network::parse(text).is_some_and(|address| {
                networks.contain(&address) || filled.iter().any(|network| network.contains(&address))
            })
        };
        let field = self.address_field.as_ref().and_then(|path| event.get(path));
        let in_field = match field {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).any(&mut inside),
            Some(Value::String(text)) => inside(text),
            _ => false,
        };
        in_field || self.addresses.iter().any(|address| address.render(event).is_ok_and(|text| inside(&text)))
    }

    fn filled(&self, event: &Event) -> Vec<Network> {
        let mut networks = Vec::new();
        for text in self.filled.iter().filter_map(|template| template.render(event).ok()) {
            networks.extend(text.as_str().split(',').filter_map(|part| Network::parse(part.trim())));
        }
        networks
    }
}
