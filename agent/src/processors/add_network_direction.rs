//! `add_network_direction`: `inbound`, `outbound`, `internal` or `external`, by what is internal.

use std::net::IpAddr;
use std::sync::Arc;

use tailrace_common::{Event, Value};

use super::network::Network;
use super::{Failure, Field, Outcome, Processor, Verdict};
use crate::config::section::Section;
use crate::pipeline::FileMeta;

#[derive(Debug)]
struct NetworkDirection {
    source: Field,
    destination: Field,
    target: Field,
    internal: Vec<Network>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Arc<dyn Processor>> {
    let (source, destination, target) =
        (section.required("source"), section.required("destination"), section.required("target"));
    section.require("internal_networks");
    let internal = section.texts("internal_networks").into_iter().filter_map(|text| {
        let network = Network::parse(&text);
        if network.is_none() {
            let hint = format!("a CIDR or one of {}", Network::NAMES.join(", "));
            section.error("internal_networks", format!("'{text}' is no network"), Some(hint));
        }
        network
    });
    let internal = internal.collect();
    Some(Arc::new(NetworkDirection {
        source: Field::new(source?),
        destination: Field::new(destination?),
        target: Field::new(target?),
        internal,
    }))
}

impl NetworkDirection {
    /// Whether the address of a field is internal; nothing where there is none.
    fn is_internal(&self, field: &Field, event: &Event) -> Result<Option<bool>, Failure> {
        let Some(text) = field.get(event).and_then(Value::as_str) else { return Ok(None) };
        let address: IpAddr = text.parse().map_err(|_| Failure(format!("'{text}' is no address")))?;
        Ok(Some(self.internal.iter().any(|network| network.contains(address))))
    }
}

impl Processor for NetworkDirection {
    fn run(&self, event: &mut Event, _file: &FileMeta) -> Outcome {
        let (source, destination) =
            (self.is_internal(&self.source, event)?, self.is_internal(&self.destination, event)?);
        let (Some(source), Some(destination)) = (source, destination) else { return Ok(Verdict::Keep) };
        let direction = match (source, destination) {
            (true, true) => "internal",
            (true, false) => "outbound",
            (false, true) => "inbound",
            (false, false) => "external",
        };
        self.target.put(event, direction).map(|()| Verdict::Keep)
    }
}

#[cfg(test)]
mod tests {
    use crate::processors::read::tests::{changed, problems};

    #[test]
    fn directions_follow_from_what_is_internal() {
        let direction = "- add_network_direction: {source: s, destination: d, target: network.direction, internal_networks: [private, 1.1.1.0/24]}";
        for (source, destination, wanted) in [
            ("10.0.0.1", "1.1.1.1", "internal"),
            ("10.0.0.1", "8.8.8.8", "outbound"),
            ("8.8.8.8", "10.0.0.1", "inbound"),
            ("8.8.8.8", "9.9.9.9", "external"),
        ] {
            let event = format!("{{\"s\":\"{source}\",\"d\":\"{destination}\"}}");
            assert_eq!(changed(direction, &event)["network"]["direction"], wanted, "{event}");
        }
        assert!(changed(direction, r#"{"s":"10.0.0.1"}"#).get("network").is_none());
        assert_eq!(problems("- add_network_direction: {source: s, internal_networks: [home]}").len(), 3);
    }
}
