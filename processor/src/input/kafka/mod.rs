//! Input `kafka`: records of topics, as a member of a consumer group.
//!
//! Offsets are committed only behind what is safe downstream, whatever `enable_auto_commit` says.

use std::sync::Arc;

use super::{Feed, Input, InputDecoration, InputDefinition, InputError};
use crate::codec::{self, Codec};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

mod consumer;
mod offsets;
mod records;
mod settings;

use settings::Settings;

pub(super) const DEFINITION: InputDefinition =
    InputDefinition { name: "kafka", summary: "Reads records from Kafka.", build };

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Input>, Invalid> {
    let decoration = InputDecoration::read(&mut options);
    let settings = Settings::read(&mut options);
    let codec = codec::from_option(&mut options, build, "plain");
    options.finish()?;
    let group = settings.group.clone();
    Ok(Box::new(Kafka {
        context: Arc::new(Context { codec: codec?, decoration, decorate: settings.decorate, group }),
        settings,
    }))
}

struct Kafka {
    settings: Settings,
    context: Arc<Context>,
}

/// What decoding needs.
struct Context {
    codec: Box<dyn Codec>,
    decoration: InputDecoration,
    decorate: Decorate,
    group: String,
}

/// `decorate_events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decorate {
    None,
    /// Topic, partition, offset and so on into `[@metadata][kafka]`.
    Basic,
    /// The record's headers, too.
    Extended,
}

impl Input for Kafka {
    fn run(self: Box<Self>, feed: &Feed) -> Result<(), InputError> {
        consumer::run(&self.settings, &self.context, feed)
    }
}
