//! Documents of one reader's batch for one topic, on their way together.

use rdkafka::error::RDKafkaErrorCode;

use crate::pipeline::SharedTicket;

/// No partition chosen yet.
pub(super) const UNASSIGNED: i32 = -1;

/// Where the key of a record that has none would be.
const NO_KEY: u32 = u32::MAX;

/// One document among others in [`Parcel::bytes`]: its key, then the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    start: u32,
    key_len: u32,
    len: u32,
    /// The hash that chooses its partition; none leaves it to chance.
    pub(super) hash: Option<u32>,
    pub(super) partition: i32,
    /// `@timestamp`
    pub(super) millis: i64,
}

/// Documents for one topic, back to back, in the order of their file.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Its place among the parcels of its lane.
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) records: Vec<Record>,
    /// What Kafka refused, by index, as far as it is known.
    pub(super) refused: Vec<(u32, RDKafkaErrorCode)>,
    /// How many of its records go at once, because more of them together were refused.
    pub(super) together: Option<u32>,
    pub(super) origin: Origin,
}

/// Where a parcel comes from, and who is to know that it is safe.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The reader.
    Batch(SharedTicket),
    /// The lane's spool, with this number.
    Spool(u64),
}

impl Parcel {
    pub(super) fn new(bytes: Vec<u8>, records: Vec<Record>, origin: Origin) -> Parcel {
        Parcel { number: 0, bytes, records, refused: Vec::new(), together: None, origin }
    }

    /// The memory that it takes.
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + self.records.len() * COST
    }

    pub(super) fn key(&self, record: &Record) -> Option<&[u8]> {
        record.key(&self.bytes)
    }

    pub(super) fn document(&self, record: &Record) -> &[u8] {
        record.document(&self.bytes)
    }

    /// For the spool.
    pub(super) fn to_frame(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(4 + self.records.len() * PACKED + self.bytes.len());
        frame.extend_from_slice(&(self.records.len() as u32).to_le_bytes());
        for record in &self.records {
            for number in [record.start, record.key_len, record.len, u32::from(record.hash.is_some())] {
                frame.extend_from_slice(&number.to_le_bytes());
            }
            frame.extend_from_slice(&record.hash.unwrap_or(0).to_le_bytes());
            frame.extend_from_slice(&record.millis.to_le_bytes());
        }
        frame.extend_from_slice(&self.bytes);
        frame
    }

    /// From the spool; none if it is of another version.
    pub(super) fn from_frame(number: u64, frame: &[u8]) -> Option<Parcel> {
        let (count, rest) = frame.split_first_chunk::<4>()?;
        let packed = (u32::from_le_bytes(*count) as usize).checked_mul(PACKED)?;
        let (packed, bytes) = rest.split_at_checked(packed)?;
        let records = packed.chunks_exact(PACKED).map(|packed| {
            let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|index| packed[at * 4 + index]));
            Record {
                start: word(0),
                key_len: word(1),
                len: word(2),
                hash: (word(3) == 1).then(|| word(4)),
                partition: UNASSIGNED,
                millis: i64::from_le_bytes(std::array::from_fn(|index| packed[20 + index])),
            }
        });
        Some(Parcel::new(bytes.to_vec(), records.collect(), Origin::Spool(number)))
    }

    /// How many records go the next time: the first ones.
    pub(super) fn sent(&self) -> usize {
        self.together.map_or(self.records.len(), |together| self.records.len().min(together as usize))
    }

    /// Of the records that went only those with these indexes, which are ascending, are kept; and all that did not go.
    pub(super) fn retain(&mut self, indexes: &[u32]) {
        let unsent = self.records.split_off(self.sent());
        let refused = indexes.iter().filter_map(|index| self.records.get(*index as usize).copied());
        self.records = refused.chain(unsent).collect();
    }
}

/// The length of a record in a frame.
const PACKED: usize = 28;

/// What librdkafka and we keep for each record besides its bytes.
const COST: usize = 256;

impl Record {
    /// A record whose key (if any) and document were just appended to `bytes`, from `start` on.
    pub(super) fn appended(
        start: usize,
        key_len: Option<usize>,
        bytes: &[u8],
        hash: Option<u32>,
        millis: i64,
    ) -> Record {
        let key = key_len.unwrap_or(0);
        Record {
            start: start as u32,
            key_len: key_len.map_or(NO_KEY, |len| len as u32),
            len: (bytes.len() - start - key) as u32,
            hash,
            partition: UNASSIGNED,
            millis,
        }
    }

    pub(super) fn key<'b>(&self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let start = self.start as usize;
        if self.key_len == NO_KEY { None } else { bytes.get(start..start + self.key_len as usize) }
    }

    pub(super) fn document<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let key = if self.key_len == NO_KEY { 0 } else { self.key_len as usize };
        let start = self.start as usize + key;
        bytes.get(start..start + self.len as usize).unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_comes_back_from_the_spool_as_it_was() {
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        for (key, document, hash) in [(Some("k"), "one", Some(7)), (None, "two", None), (Some(""), "three", Some(0))] {
            let start = bytes.len();
            bytes.extend_from_slice(key.unwrap_or_default().as_bytes());
            bytes.extend_from_slice(document.as_bytes());
            records.push(Record::appended(start, key.map(str::len), &bytes, hash, -5));
        }
        let parcel = Parcel::new(bytes, records, Origin::Spool(3));
        let frame = parcel.to_frame();
        let back = Parcel::from_frame(3, &frame).unwrap();
        assert_eq!((&back.records, &back.bytes), (&parcel.records, &parcel.bytes));
        assert_eq!(back.key(&back.records[0]), Some(b"k".as_slice()));
        assert_eq!((back.key(&back.records[1]), back.document(&back.records[1])), (None, b"two".as_slice()));
        assert_eq!(
            (back.key(&back.records[2]), back.document(&back.records[2])),
            (Some(b"".as_slice()), b"three".as_slice())
        );
        for cut in 0..4 + 3 * PACKED {
            assert!(Parcel::from_frame(3, &frame[..cut]).is_none(), "cut at {cut}");
        }
    }
}
