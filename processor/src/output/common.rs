//! What several outputs do alike.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use tailrace_common::Event;

use super::Services;
use crate::delivery::Share;
use crate::options::Options;

/// Reads the options that every output has.
pub(super) fn common_options(options: &mut Options<'_>) {
    options.string("id");
    options.boolean("enable_metric", true);
    options.obsolete("workers", "the pipeline's workers deliver; see 'pipeline.workers'");
}

/// The id of an event's document: `[@metadata][_id]` where the agent set one, else its place in Kafka, else none.
pub(super) fn document_id(event: &Event) -> Option<String> {
    if let Some(id) = event.metadata().get("_id").and_then(tailrace_common::Value::as_str) {
        // Several documents of one line differ by their number.
        return Some(match event.origin.as_ref().map_or(0, |origin| origin.ordinal) {
            0 => id.to_string(),
            ordinal => format!("{id}-{ordinal}"),
        });
    }
    let origin = event.origin.as_ref()?;
    let place = format!("{}-{}-{}", origin.lane.topic, origin.lane.partition, origin.offset);
    Some(if origin.ordinal == 0 { place } else { format!("{place}-{}", origin.ordinal) })
}

/// A connection to a host by any of its addresses; `timeout` is for connecting, for each read and for each write.
pub(super) fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Waits between tries, each twice as long as the one before.
pub(super) struct Backoff<'s> {
    services: &'s Services,
    next: Duration,
    longest: Duration,
}

impl<'s> Backoff<'s> {
    pub(super) fn new(services: &'s Services, first: Duration, longest: Duration) -> Backoff<'s> {
        Backoff { services, next: first, longest }
    }

    /// Waits; false when the pipeline gives up.
    pub(super) fn wait(&mut self) -> bool {
        self.services.abandon.sleep(self.next);
        self.next = (self.next * 2).min(self.longest);
        !self.services.abandon.is_set()
    }
}

/// What became of one event.
pub(super) enum Sent {
    Delivered,
    /// It never will be; the reason.
    Refused(String),
    /// The pipeline gave up before.
    Abandoned,
}

/// Hands events on one at a time; those that are refused become dead letters.
pub(super) fn one_by_one(
    output: &str,
    services: &Services,
    events: &[&Event],
    share: Share,
    send: impl Fn(&Event) -> Sent,
) {
    let safe = events.iter().all(|event| match send(event) {
        Sent::Delivered => true,
        Sent::Refused(reason) => services.bury(event, output, &reason),
        Sent::Abandoned => false,
    });
    if safe {
        services.count(events.len());
        share.done();
    }
}
