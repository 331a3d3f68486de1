//! A pipeline: a configuration compiled whole, and running.

mod compile;
mod monitor;
mod running;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use compile::Pipeline;
pub use monitor::{Monitor, PluginStats, Stats};
pub use running::{Running, StartError};

use crate::delivery::Bus;
use crate::options::Ecs;

/// How a pipeline runs; the names are those of logstash.yml.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// `pipeline.id`.
    pub id: String,
    /// `pipeline.workers`.
    pub workers: usize,
    /// `pipeline.batch.size`: records per batch.
    pub batch_size: usize,
    /// `pipeline.batch.delay`: how long inputs wait for a batch to fill.
    pub batch_delay: Duration,
    /// `pipeline.ecs_compatibility`.
    pub ecs: Ecs,
    /// `path.data`: where inputs keep their positions.
    pub data: PathBuf,
    /// `path.dead_letter_queue`: each pipeline has a folder of its own in it.
    pub dead_letters: PathBuf,
    /// `dead_letter_queue.max_bytes`.
    pub dead_letter_bytes: u64,
    /// How long a stop waits for what is on the way.
    pub drain: Duration,
    /// The zone of the host, an IANA name.
    pub timezone: String,
    /// The other pipelines of this process.
    pub bus: Arc<Bus>,
}

impl Default for PipelineSettings {
    fn default() -> PipelineSettings {
        PipelineSettings {
            id: "main".into(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            batch_size: 1000,
            batch_delay: Duration::from_millis(50),
            ecs: Ecs::default(),
            data: PathBuf::from("data"),
            dead_letters: PathBuf::from("data/dead_letter_queue"),
            dead_letter_bytes: 1 << 30,
            drain: Duration::from_secs(30),
            timezone: "UTC".into(),
            bus: Arc::default(),
        }
    }
}
