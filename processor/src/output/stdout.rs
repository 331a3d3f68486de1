//! Output `stdout`: events on the standard output.

use std::io::{self, Write};
use std::sync::OnceLock;

use tailrace_common::Event;

use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::codec::{self, Codec};
use crate::delivery::Share;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition = OutputDefinition { name: "stdout", summary: "Prints events.", build };

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    let codec = codec::from_option(&mut options, build, "rubydebug");
    options.finish()?;
    Ok(Box::new(Stdout { codec: codec?, services: OnceLock::new() }))
}

struct Stdout {
    codec: Box<dyn Codec>,
    services: OnceLock<Services>,
}

impl Output for Stdout {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let mut text = Vec::with_capacity(events.len() * 256);
        for event in events {
            self.codec.encode(event, &mut text);
        }
        let mut out = io::stdout().lock();
        match out.write_all(&text).and_then(|()| out.flush()) {
            Ok(()) => {
                if let Some(services) = self.services.get() {
                    services.count(events.len());
                }
                share.done();
            }
            // Nobody reads any more; the records are not committed.
            Err(error) => tracing::error!(%error, "cannot print"),
        }
    }
}
