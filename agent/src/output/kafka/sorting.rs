//! Which lane each document of a batch goes to.

use std::sync::atomic::Ordering;

use super::parcel::Record;
use super::{Kafka, oversize, partition, topics};
use crate::document::Outgoing;

/// The documents of a batch by lane.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) parcels: Vec<(usize, Vec<u8>, Vec<Record>)>,
    /// Events that nobody can have.
    pub(super) lost: usize,
    topic: String,
    /// The lane of the event before and its topic.
    last: Option<usize>,
}

impl Kafka {
    /// Puts a document into the parcel of its lane.
    pub(super) fn sort(&mut self, outgoing: &Outgoing<'_>, sorted: &mut Sorted, capacity: usize) {
        let lane = match self.choose_lane(outgoing, sorted) {
            Ok(lane) => lane,
            Err(reason) => {
                sorted.lost += usize::from(!self.reject(outgoing.bytes, &reason));
                return;
            }
        };
        let key = self.settings.key.as_ref().and_then(|key| key.text(&outgoing.view));
        let key = key.as_deref().map(str::as_bytes);
        let hash = match partition::hash(&self.settings.partition.kind, key, |field| outgoing.view.value(field)) {
            Ok(hash) => hash,
            Err(partition::Unhashable) => {
                let reason = "it lacks a field of partition.hash.hash";
                sorted.lost += usize::from(!self.reject(outgoing.bytes, reason));
                return;
            }
        };
        let place = match sorted.parcels.iter().position(|(other, ..)| *other == lane) {
            Some(place) => place,
            None => {
                let bytes = self.buffers.pop().unwrap_or_default();
                sorted.parcels.push((lane, bytes, Vec::with_capacity(capacity)));
                sorted.parcels.len() - 1
            }
        };
        let (_, bytes, records) = &mut sorted.parcels[place];
        let millis = outgoing.timestamp.as_millis();
        let mut add = |document: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(key.unwrap_or_default());
            bytes.extend_from_slice(document);
            records.push(Record::appended(start, key.map(<[u8]>::len), bytes, hash, millis));
        };
        let limit = self.settings.max_message_bytes;
        if outgoing.bytes.len() + key.map_or(0, <[u8]>::len) <= limit {
            add(outgoing.bytes);
            return;
        }
        self.stats.oversized.fetch_add(1, Ordering::Relaxed);
        match oversize::cut(outgoing.bytes, limit - key.map_or(0, <[u8]>::len).min(limit), self.settings.oversized) {
            Some(parts) => parts.iter().for_each(|part| add(part)),
            None => {
                let reason = format!("larger than max_message_bytes ({} of {limit})", outgoing.bytes.len());
                sorted.lost += usize::from(!self.reject(outgoing.bytes, &reason));
            }
        }
    }

    fn choose_lane(&mut self, outgoing: &Outgoing<'_>, sorted: &mut Sorted) -> Result<usize, String> {
        if let Some(lane) = self.constant {
            return Ok(lane);
        }
        if !topics::select(&self.settings.topics, &outgoing.view, &mut sorted.topic) {
            return Err("no topic can be made of it".into());
        }
        if let Some(lane) = sorted.last
            && *self.lanes[lane].name == *sorted.topic
        {
            return Ok(lane);
        }
        let lane = self.lane_of(&sorted.topic)?;
        sorted.last = Some(lane);
        Ok(lane)
    }
}
