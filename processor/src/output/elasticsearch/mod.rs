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

use bulk::Encoder;
use sender::Sender;
use settings::Connection;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "elasticsearch", summary: "Indexes events into Elasticsearch or OpenSearch.", build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    super::common_options(&mut options);
    let encoder = Encoder::read(&mut options);
    let connection = Connection::read(&mut options);
    let id = options.id().unwrap_or_else(|| "elasticsearch".into());
    options.finish()?;
    Ok(Box::new(Elasticsearch { id, encoder, connection, sender: OnceLock::new() }))
}

struct Elasticsearch {
    id: String,
    encoder: Encoder,
    connection: Connection,
    sender: OnceLock<Sender>,
}

impl Output for Elasticsearch {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        let sender = Sender::start(&self.id, &self.connection, services.clone())?;
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
