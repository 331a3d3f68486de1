//! Output `elasticsearch`: bulk requests, retried until every event is indexed or dead-lettered.

use std::sync::OnceLock;

use tailrace_common::Event;

use super::{Output, OutputDefinition, OutputError, Services};
use crate::delivery::Share;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

mod bulk;
mod client;
mod response;
mod sender;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod update;

use bulk::Encoder;
use sender::Sender;
use settings::{Connection, Flavour};
use template::IndexTemplate;

pub(super) const DEFINITION: OutputDefinition = OutputDefinition {
    name: "elasticsearch",
    summary: "Indexes events into Elasticsearch or OpenSearch.",
    build: build_elasticsearch,
};

pub(super) const OPENSEARCH: OutputDefinition = OutputDefinition {
    name: "opensearch",
    summary: "Indexes events into OpenSearch, by the option names of its own plugin.",
    build: build_opensearch,
};

fn build_elasticsearch(options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    make(options, build, Flavour::Elasticsearch)
}

fn build_opensearch(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    for (option, why) in [
        ("default_server_major_version", "all versions are spoken to alike"),
        ("legacy_template", "what stands in the template decides; see 'template_api'"),
    ] {
        options.ignored(option, why);
    }
    make(options, build, Flavour::OpenSearch)
}

fn make(mut options: Options<'_>, build: &BuildContext<'_>, flavour: Flavour) -> Result<Box<dyn Output>, Invalid> {
    super::common_options(&mut options);
    let encoder = Encoder::read(&mut options, flavour);
    let template = IndexTemplate::read(&mut options, build, encoder.is_stream());
    let connection = Connection::read(&mut options, flavour);
    let id = options.id().unwrap_or_else(|| options.plugin.name.clone());
    options.finish()?;
    Ok(Box::new(Elasticsearch { id, encoder, connection, template, sender: OnceLock::new() }))
}

struct Elasticsearch {
    id: String,
    encoder: Encoder,
    connection: Connection,
    template: Option<IndexTemplate>,
    sender: OnceLock<Sender>,
}

impl Output for Elasticsearch {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        let sender = Sender::start(&self.id, &self.connection, self.template.clone(), services.clone())?;
        self.sender.get_or_init(|| sender);
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(sender) = self.sender.get() else { return };
        let (requests, kept) = self.encoder.requests(events, sender);
        for request in requests {
            sender.send(request, share.another());
        }
        if kept {
            share.done();
        }
    }

    fn close(&self) {
        if let Some(sender) = self.sender.get() {
            sender.close();
        }
    }
}
