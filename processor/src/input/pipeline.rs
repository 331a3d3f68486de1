//! Input `pipeline`: events from the `pipeline` outputs of other pipelines in this process.

use std::sync::Arc;
use std::time::Duration;

use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::delivery::bus::Listener;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "pipeline", summary: "Takes events from other pipelines of this process.", build };

/// How soon the input notices that nothing will come any more.
const STEP: Duration = Duration::from_millis(20);

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let address = options.required_string("address");
    options.finish()?;
    Ok(Box::new(PipelineInput { address, decoration }))
}

struct PipelineInput {
    address: String,
    decoration: InputDecoration,
}

impl Input for PipelineInput {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        let listener = Listener { feed: feed.clone(), decoration: Arc::new(self.decoration) };
        feed.bus.listen(&self.address, listener).map_err(|error| InputError(error.to_string()))?;
        // A stop of this pipeline alone does not end it: what others still send would have nowhere to go.
        while !feed.bus.is_over(&self.address, feed.stopping()) {
            std::thread::sleep(STEP);
        }
        feed.bus.hang_up(&self.address);
        Ok(())
    }
}
