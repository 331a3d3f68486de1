//! Output `null`: takes everything and keeps nothing.

use std::sync::OnceLock;

use tailrace_common::Event;

use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::delivery::Share;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "null", summary: "Takes everything and keeps nothing.", build };

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    options.raw("codec");
    options.finish()?;
    Ok(Box::new(Null { services: OnceLock::new() }))
}

struct Null {
    services: OnceLock<Services>,
}

impl Output for Null {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        if let Some(services) = self.services.get() {
            services.count(events.len());
        }
        share.done();
    }
}
