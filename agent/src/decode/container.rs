//! The container parser: docker json-file and CRI lines, pieces joined per stream.

use super::chain::{Item, Now, deadline};
use super::pending::Pending;
use super::settings::{ContainerFormat, ContainerSettings, StreamChoice};
use super::timestamp::Moments;
use super::{cri, docker};
use crate::pipeline::{Failure, FailureKind, Flags, Span, Stream};

/// The parser with the pieces that wait, one chain per stream.
#[derive(Debug)]
pub(super) struct Container {
    settings: ContainerSettings,
    limit: usize,
    pending: [Option<Pending>; 3],
    moments: Moments,
}

fn slot(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
        Stream::None | Stream::Unnamed => 2,
    }
}

impl Container {
    pub(super) fn new(settings: ContainerSettings, limit: usize) -> Container {
        Container { settings, limit, pending: [None, None, None], moments: Moments::default() }
    }

    pub(super) fn line(&mut self, mut item: Item, now: Now, text: &mut Vec<u8>) -> Option<Item> {
        let span = item.entry.message;
        let bytes = text.get_mut(span.start as usize..(span.start + span.len) as usize)?;
        let is_docker = match self.settings.format {
            ContainerFormat::Auto => bytes.first() == Some(&b'{'),
            ContainerFormat::Docker => true,
            ContainerFormat::Cri => false,
        };
        if bytes.is_empty() {
            return None;
        }
        let parsed = if is_docker {
            docker::parse(bytes, &mut self.moments).map(|line| {
                if let Some(attrs) = line.attrs {
                    item.entry.extra_mut().docker_attrs = Some(bytes[attrs].into());
                }
                if line.complete {
                    item.entry.flags.insert(Flags::NEWLINE);
                }
                (line.message, line.complete, line.stream, line.timestamp)
            })
        } else {
            cri::parse(bytes, &mut self.moments).map(|line| (line.message, line.complete, line.stream, line.timestamp))
        };
        let (message, complete, stream, timestamp) = match parsed {
            Ok(parsed) => parsed,
            Err(message) => {
                let failure = Failure { kind: FailureKind::Container, message: message.to_owned() };
                item.entry.extra_mut().failure = Some(failure);
                return Some(item);
            }
        };
        if !self.wants(stream) {
            return None;
        }
        item.entry.message = Span { start: span.start + message.start as u32, len: message.len() as u32 };
        item.entry.stream = stream;
        item.entry.timestamp = timestamp;
        self.join(item, complete, now, text)
    }

    fn wants(&self, stream: Stream) -> bool {
        match self.settings.stream {
            StreamChoice::All => true,
            StreamChoice::Stdout => stream == Stream::Stdout,
            StreamChoice::Stderr => stream == Stream::Stderr,
        }
    }

    fn join(&mut self, item: Item, complete: bool, now: Now, text: &mut Vec<u8>) -> Option<Item> {
        let place = &mut self.pending[slot(item.entry.stream)];
        match (place.as_mut(), complete) {
            (None, true) => return Some(item),
            (None, false) => *place = Some(Pending::new(item, text, self.limit, now.tick)),
            (Some(pending), _) => {
                pending.extend(&item, now.tick);
                pending.append(item.entry.message.of(text), self.limit);
            }
        }
        if complete { place.take().map(|pending| pending.finish(text)) } else { None }
    }

    /// What waited too long for its rest, or everything.
    pub(super) fn release(&mut self, now: Now, all: bool, text: &mut Vec<u8>) -> Vec<Item> {
        let timeout = self.settings.partial_timeout;
        let late = |pending: &mut Pending| {
            all || deadline(pending.touched, timeout).is_some_and(|deadline| deadline <= now.tick)
        };
        let released = self.pending.iter_mut().filter_map(|place| place.take_if(late)).map(|mut pending| {
            pending.first.flags.insert(Flags::PARTIAL);
            pending.finish(text)
        });
        released.collect()
    }

    pub(super) fn deadline(&self) -> Option<std::time::Instant> {
        self.pending().filter_map(|pending| deadline(pending.touched, self.settings.partial_timeout)).min()
    }

    pub(super) fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.pending.iter().flatten()
    }

    pub(super) fn pending_mut(&mut self) -> impl Iterator<Item = &mut Pending> {
        self.pending.iter_mut().flatten()
    }
}
