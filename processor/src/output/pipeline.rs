//! Output `pipeline`: events for the `pipeline` inputs of other pipelines in this process. An event counts as delivered
//! when the other pipeline has delivered it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tailrace_common::event::Lane;
use tailrace_common::{Event, Value};

use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::delivery::bus::Listener;
use crate::delivery::{Lease, Share};
use crate::input::Batch;
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "pipeline", summary: "Sends events to other pipelines of this process.", build };

/// How soon a waiting output looks again whether somebody listens.
const STEP: Duration = Duration::from_millis(50);

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    options.require("send_to");
    let send_to = options.strings("send_to");
    let ensure = options.boolean("ensure_delivery", true);
    options.finish()?;
    Ok(Box::new(PipelineOutput { send_to, ensure, services: OnceLock::new() }))
}

struct PipelineOutput {
    send_to: Vec<String>,
    /// Whether to wait for who does not listen (yet).
    ensure: bool,
    services: OnceLock<Services>,
}

impl Output for PipelineOutput {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        self.send_to.iter().for_each(|address| services.bus.attach(address));
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(services) = self.services.get() else { return };
        for address in &self.send_to {
            let part = share.another();
            match self.listener(address, services) {
                Some(listener) => hand_over(events, &listener, part),
                None if self.ensure => drop(part),
                None => {
                    tracing::warn!(address, events = events.len(), "nobody listens at the address; events are dropped");
                    part.done();
                }
            }
        }
        services.count(events.len());
        share.done();
    }

    fn close(&self) {
        if let Some(services) = self.services.get() {
            self.send_to.iter().for_each(|address| services.bus.detach(address));
        }
    }
}

impl PipelineOutput {
    /// Who listens at the address; waits for it where delivery is to be ensured, until the pipeline gives up.
    fn listener(&self, address: &str, services: &Services) -> Option<Listener> {
        let mut told = false;
        loop {
            let listener = services.bus.listener(address);
            if listener.is_some() || !self.ensure || services.abandon.is_set() {
                return listener;
            }
            if !told {
                tracing::warn!(address, "no pipeline input listens at the address; waiting for it");
                told = true;
            }
            services.abandon.sleep(STEP);
        }
    }
}

fn hand_over(events: &[&Event], listener: &Listener, share: Share) {
    let mut copies: Vec<Event> = events.iter().map(|event| copy(event)).collect();
    let decoration = listener.decoration.clone();
    let count = copies.len();
    let records = move |_now| {
        copies.iter_mut().for_each(|event| decoration.apply(event));
        copies
    };
    let batch = Batch { records: Box::new(records), count, lease: Lease::new(move || share.done()) };
    if listener.feed.send(batch).is_err() {
        tracing::warn!("the other pipeline has ended; its events are read again at the next start");
    }
}

/// A copy for the other pipeline. It numbers the descendants of each event anew, so that what is already one of several
/// becomes a record of its own.
fn copy(event: &Event) -> Event {
    let mut copy = event.clone();
    let Some(origin) = copy.origin.as_mut().filter(|origin| origin.ordinal > 0) else { return copy };
    let ordinal = origin.ordinal;
    let topic = format!("{}-{}-{}", origin.lane.topic, origin.lane.partition, origin.offset);
    origin.lane = Arc::new(Lane { topic, partition: i32::try_from(ordinal).unwrap_or(i32::MAX) });
    (origin.offset, origin.ordinal) = (0, 0);
    if let Some(Value::String(id)) = copy.metadata_mut().get_mut("_id") {
        *id = format!("{id}-{ordinal}").into();
    }
    copy
}
