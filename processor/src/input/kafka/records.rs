//! Records of Kafka on their way to a worker: one buffer for all, decoded there.

use std::ops::Range;
use std::sync::Arc;

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};
use tailrace_common::event::{Lane, Origin};
use tailrace_common::{Event, Object, Timestamp, Value};

use super::offsets::{Offsets, Partition};
use super::{Context, Decorate};
use crate::codec::decode_pieces;
use crate::delivery::Lease;
use crate::input::{Batch, Records};

/// Records collected for one batch.
#[derive(Default)]
pub(super) struct Collected {
    text: Vec<u8>,
    records: Vec<Record>,
}

struct Record {
    payload: Range<usize>,
    partition: Arc<Partition>,
    offset: i64,
    /// What `decorate_events` asks for.
    decoration: Option<Box<Object>>,
}

/// A batch is full at this many bytes.
const MOST_BYTES: usize = 8 << 20;

impl Collected {
    /// Adds a record.
    pub(super) fn push(&mut self, message: &BorrowedMessage<'_>, partition: Arc<Partition>, context: &Context) {
        let start = self.text.len();
        let payload = message.payload().unwrap_or_default();
        let binary = context.codec.is_binary();
        match std::str::from_utf8(payload) {
            Ok(_) => self.text.extend_from_slice(payload),
            Err(_) if binary => self.text.extend_from_slice(payload),
            Err(_) => self.text.extend_from_slice(String::from_utf8_lossy(payload).as_bytes()),
        }
        let decoration = (context.decorate != Decorate::None).then(|| Box::new(decoration(message, context)));
        self.records.push(Record { payload: start..self.text.len(), partition, offset: message.offset(), decoration });
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn is_full(&self, batch_size: usize) -> bool {
        self.records.len() >= batch_size || self.text.len() >= MOST_BYTES
    }

    /// Makes a batch of what was collected. Records of partitions that are gone are left to their new reader.
    pub(super) fn batch(&mut self, offsets: &Offsets, context: &Arc<Context>) -> Option<Batch> {
        let taken = std::mem::take(self);
        let mut records = taken.records;
        records.retain(|record| offsets.holds(&record.partition));
        if records.is_empty() {
            return None;
        }
        let lease = lease(&records);
        let count = records.len();
        let work = Work { text: taken.text, records, context: context.clone() };
        Some(Batch { records: Box::new(work), count, lease })
    }
}

/// Issues the ranges of a batch; they are released with its lease.
fn lease(records: &[Record]) -> Lease {
    let mut ends: Vec<(Arc<Partition>, i64)> = Vec::new();
    for record in records {
        match ends.iter_mut().find(|(partition, _)| Arc::ptr_eq(partition, &record.partition)) {
            Some((_, end)) => *end = record.offset + 1,
            None => ends.push((record.partition.clone(), record.offset + 1)),
        }
    }
    let issued = ends.into_iter().map(|(partition, end)| {
        let id = partition.ledger().issue(end);
        (partition, id)
    });
    let issued: Vec<_> = issued.collect();
    Lease::new(move || {
        for (partition, id) in issued {
            partition.ledger().release(id);
        }
    })
}

/// What the worker decodes.
struct Work {
    text: Vec<u8>,
    records: Vec<Record>,
    context: Arc<Context>,
}

impl Records for Work {
    fn events(self: Box<Self>, now: Timestamp) -> Vec<Event> {
        let pieces: Vec<Range<usize>> = self.records.iter().map(|record| record.payload.clone()).collect();
        let (records, context) = (&self.records, &self.context);
        decode_pieces(&*context.codec, self.text, &pieces, now, |number, events| {
            let record = &records[number];
            let lane: &Arc<Lane> = &record.partition.lane;
            for event in events {
                event.origin = Some(Origin { lane: lane.clone(), offset: record.offset, ordinal: 0 });
                if let Some(decoration) = &record.decoration {
                    event.metadata_mut().insert("kafka", (**decoration).clone());
                }
                context.decoration.apply(event);
            }
        })
    }
}

/// `[@metadata][kafka]`.
fn decoration(message: &BorrowedMessage<'_>, context: &Context) -> Object {
    let mut kafka = Object::with_capacity(6);
    kafka.insert("topic", message.topic());
    kafka.insert("consumer_group", context.group.as_str());
    kafka.insert("partition", i64::from(message.partition()));
    kafka.insert("offset", message.offset());
    kafka.insert("key", message.key().map_or(Value::Null, |key| String::from_utf8_lossy(key).as_ref().into()));
    kafka.insert("timestamp", message.timestamp().to_millis().unwrap_or(-1));
    if let (Decorate::Extended, Some(headers)) = (context.decorate, message.headers()) {
        let texts = headers.iter().filter_map(|header| Some((header.key, std::str::from_utf8(header.value?).ok()?)));
        kafka.insert("headers", texts.collect::<Object>());
    }
    kafka
}
