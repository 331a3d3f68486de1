//! A bounded queue on disk: frames are appended to segment files, read in order, and gone once they are acknowledged.
//!
//! A frame is its length, its number, a checksum over both and the payload, and the payload. What a crash tore off is found
//! by that and left out; a frame that was synced is whole. Numbers go up by one without a gap, so that a segment from
//! another time is recognised as well. The number up to which frames are acknowledged stands in a small file beside the
//! segments; it may be older than the truth, then some frames are given out again.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

/// Length (4), number (8), checksum (8).
const HEAD: usize = 20;
/// No payload is longer than this.
const LONGEST: usize = 256 << 20;
/// The file with the acknowledged number and its checksum.
const MARK: &str = "acknowledged";
const ENDING: &str = "spool";

/// Why a frame could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The limit is reached.
    #[error("the spool is full")]
    Full,
    /// The disk does not take it.
    #[error("cannot write the spool: {0}")]
    Disk(#[from] io::Error),
}

/// One file of frames.
#[derive(Debug)]
struct Segment {
    path: PathBuf,
    /// The number of its first frame.
    first: u64,
    /// The number behind its last frame.
    next: u64,
    /// Bytes of whole frames.
    len: u64,
}

/// The queue.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    segment_size: u64,
    segments: VecDeque<Segment>,
    writer: Option<File>,
    reader: Option<(u64, File)>,
    /// The next frame to be read: its number, and where it is in its segment.
    read: (u64, u64),
    acknowledged: u64,
    marked: u64,
    unsynced: bool,
}

/// What was found when a spool was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Frames that are still to be delivered.
    pub frames: u64,
    /// Bytes that were no whole frames: torn by a crash, or damaged.
    pub damaged_bytes: u64,
}

impl Spool {
    /// Opens the spool in a folder, or makes one.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(folder: &Path, segment_size: u64) -> io::Result<(Spool, Opened)> {
        fs::create_dir_all(folder)?;
        let mut opened = Opened::default();
        let mut found: Vec<(u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            if path.extension().is_some_and(|ending| ending == ENDING)
                && let Some(first) = first
            {
                found.push((first, path));
            }
        }
        found.sort();
        let acknowledged = read_mark(&folder.join(MARK));
        let mut segments = VecDeque::new();
        for (first, path) in found {
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            let (len, next) = scan(&file, first)?;
            opened.damaged_bytes += file.metadata()?.len().saturating_sub(len);
            if len == 0 || next <= acknowledged {
                fs::remove_file(&path)?;
                continue;
            }
            file.set_len(len)?;
            opened.frames += next - first.max(acknowledged);
            segments.push_back(Segment { path, first, next, len });
        }
        let start = segments.front().map_or(acknowledged, |segment: &Segment| segment.first);
        let mut spool = Spool {
            folder: folder.to_owned(),
            segment_size,
            segments,
            writer: None,
            reader: None,
            read: (start, 0),
            acknowledged: acknowledged.max(start),
            marked: acknowledged,
            unsynced: false,
        };
        spool.skip_acknowledged(acknowledged)?;
        Ok((spool, opened))
    }

    fn skip_acknowledged(&mut self, acknowledged: u64) -> io::Result<()> {
        while self.read.0 < acknowledged && self.read_next()?.is_some() {}
        Ok(())
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Whether nothing is in it that is not acknowledged.
    pub fn is_empty(&self) -> bool {
        self.acknowledged >= self.end()
    }

    /// Every frame below this number is acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Whether there is something that was not read yet.
    pub fn has_unread(&self) -> bool {
        self.read.0 < self.end()
    }

    /// The number that the next frame gets.
    fn end(&self) -> u64 {
        self.segments.back().map_or(self.acknowledged.max(self.read.0), |segment| segment.next)
    }

    /// Appends a frame; returns its number. It is safe only after [`Spool::sync`].
    ///
    /// # Errors
    /// When `room` bytes do not suffice, or the disk does not take it. The spool is then as it was.
    pub fn append(&mut self, payload: &[u8], room: u64) -> Result<u64, SpoolError> {
        let size = (HEAD + payload.len()) as u64;
        if size > room || payload.len() > LONGEST {
            return Err(SpoolError::Full);
        }
        let number = self.end();
        if self.writer.is_none() || self.segments.back().is_none_or(|segment| segment.len >= self.segment_size) {
            self.start_segment(number)?;
        }
        let (Some(writer), Some(segment)) = (&self.writer, self.segments.back_mut()) else {
            return Err(SpoolError::Disk(io::Error::other("no segment")));
        };
        let mut frame = Vec::with_capacity(HEAD + payload.len());
        frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        frame.extend_from_slice(&number.to_le_bytes());
        frame.extend_from_slice(&checksum(number, payload).to_le_bytes());
        frame.extend_from_slice(payload);
        if let Err(error) = writer.write_all_at(&frame, segment.len) {
            // Half a frame would be found torn at the next start; better not to leave it.
            writer.set_len(segment.len).ok();
            return Err(SpoolError::Disk(error));
        }
        segment.len += size;
        segment.next = number + 1;
        self.unsynced = true;
        Ok(number)
    }

    fn start_segment(&mut self, first: u64) -> io::Result<()> {
        self.sync()?;
        if self.segments.back().is_some_and(|segment| segment.len == 0) {
            self.segments.pop_back();
        }
        let path = self.folder.join(format!("{first:020}.{ENDING}"));
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        File::open(&self.folder)?.sync_all()?;
        self.writer = Some(file);
        self.segments.push_back(Segment { path, first, next: first, len: 0 });
        Ok(())
    }

    /// What was appended is on disk when this returns.
    ///
    /// # Errors
    /// When the disk does not say so.
    pub fn sync(&mut self) -> io::Result<()> {
        if let Some(writer) = &self.writer
            && self.unsynced
        {
            writer.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// The next frame that was not read yet, with its number.
    ///
    /// # Errors
    /// When the disk does not give it back.
    pub fn read_next(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let (number, mut at) = self.read;
        let Some(segment) = self.segments.iter().find(|segment| number < segment.next) else { return Ok(None) };
        if number < segment.first || self.reader.as_ref().is_none_or(|(first, _)| *first != segment.first) {
            self.reader = Some((segment.first, File::open(&segment.path)?));
            at = 0;
        }
        let number = number.max(segment.first);
        let Some((_, file)) = &self.reader else { return Ok(None) };
        match read_frame(file, at, segment.len, number)? {
            Some(payload) => {
                self.read = (number + 1, at + (HEAD + payload.len()) as u64);
                Ok(Some((number, payload)))
            }
            None => {
                let lost = segment.next - number;
                self.read = (segment.next, 0);
                self.reader = None;
                Err(io::Error::other(format!("{lost} frames of '{}' are damaged", segment.path.display())))
            }
        }
    }

    /// Reads again from the oldest frame that is not acknowledged.
    pub fn rewind(&mut self) -> io::Result<()> {
        let acknowledged = self.acknowledged;
        self.reader = None;
        self.read = (self.segments.front().map_or(acknowledged, |segment| segment.first), 0);
        self.skip_acknowledged(acknowledged)
    }

    /// Every frame below this number is delivered: segments without any other are deleted.
    ///
    /// # Errors
    /// When the disk does not take note; the frames may be given out again after a restart.
    pub fn acknowledge(&mut self, below: u64) -> io::Result<()> {
        self.acknowledged = self.acknowledged.max(below.min(self.end()));
        let before = self.segments.len();
        while let Some(segment) = self.segments.front()
            && segment.next <= self.acknowledged
            && segment.next > segment.first
        {
            let end = segment.next;
            if self.segments.len() == 1 {
                self.writer = None;
                self.unsynced = false;
                self.read = (self.read.0.max(end), 0);
            }
            let Some(segment) = self.segments.pop_front() else { break };
            // The number goes on from here even if all segments are gone.
            write_mark(&self.folder.join(MARK), self.acknowledged)?;
            self.marked = self.acknowledged;
            fs::remove_file(&segment.path)?;
        }
        if self.segments.len() == before && self.acknowledged >= self.marked + MARK_EVERY {
            write_mark(&self.folder.join(MARK), self.acknowledged)?;
            self.marked = self.acknowledged;
        }
        Ok(())
    }
}

/// After how many frames the acknowledged number is written down within a segment.
const MARK_EVERY: u64 = 16;

fn checksum(number: u64, payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&(payload.len() as u32).to_le_bytes());
    hash.update(&number.to_le_bytes());
    hash.update(payload);
    hash.digest()
}

/// The frame at an offset, if it is whole and has this number.
fn read_frame(file: &File, at: u64, end: u64, number: u64) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD];
    if at + HEAD as u64 > end {
        return Ok(None);
    }
    file.read_exact_at(&mut head, at)?;
    let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| head[at + index]));
    if word(4) != number || len > LONGEST || at + (HEAD + len) as u64 > end {
        return Ok(None);
    }
    let mut payload = vec![0; len];
    file.read_exact_at(&mut payload, at + HEAD as u64)?;
    Ok((checksum(number, &payload) == word(12)).then_some(payload))
}

/// How many bytes of a segment are whole frames, and the number behind the last of them.
fn scan(file: &File, first: u64) -> io::Result<(u64, u64)> {
    let end = file.metadata()?.len();
    let (mut at, mut number) = (0, first);
    while let Some(payload) = read_frame(file, at, end, number)? {
        at += (HEAD + payload.len()) as u64;
        number += 1;
    }
    Ok((at, number))
}

fn read_mark(path: &Path) -> u64 {
    let Ok(bytes) = fs::read(path) else { return 0 };
    let (Some(number), Some(sum)) = (bytes.get(..8), bytes.get(8..16)) else { return 0 };
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
    if checksum(word(number), b"") == word(sum) { word(number) } else { 0 }
}

fn write_mark(path: &Path, number: u64) -> io::Result<()> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend_from_slice(&checksum(number, b"").to_le_bytes());
    crate::output::write_private(path, &bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: u64 = u64::MAX;

    fn open(folder: &Path) -> (Spool, Opened) {
        Spool::open(folder, 200).unwrap()
    }

    fn all(spool: &mut Spool) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| spool.read_next().unwrap()).map(|(_, payload)| payload).collect()
    }

    fn payload(number: u64) -> Vec<u8> {
        format!("payload {number} {}", "x".repeat(number as usize % 50)).into_bytes()
    }

    #[test]
    fn frames_come_back_in_order_and_go_when_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = open(folder.path());
        for number in 0..40 {
            assert_eq!(spool.append(&payload(number), ROOM).unwrap(), number);
        }
        spool.sync().unwrap();
        assert_eq!(all(&mut spool), (0..40).map(payload).collect::<Vec<_>>());
        spool.acknowledge(25).unwrap();
        let before = spool.bytes();
        spool.rewind().unwrap();
        assert_eq!(all(&mut spool), (25..40).map(payload).collect::<Vec<_>>());
        spool.acknowledge(40).unwrap();
        assert!(spool.is_empty() && spool.bytes() == 0 && before > 0);
        // Numbers go on, in this life and the next.
        assert_eq!(spool.append(b"more", ROOM).unwrap(), 40);
        spool.sync().unwrap();
        drop(spool);
        let (mut spool, opened) = open(folder.path());
        assert_eq!(opened, Opened { frames: 1, damaged_bytes: 0 });
        assert_eq!(spool.read_next().unwrap(), Some((40, b"more".to_vec())));
        assert_eq!(spool.append(b"last", ROOM).unwrap(), 41);
    }

    #[test]
    fn a_full_spool_says_so_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = open(folder.path());
        spool.append(b"fits", 100).unwrap();
        assert!(matches!(spool.append(&[0; 100], 100), Err(SpoolError::Full)));
        assert_eq!(spool.append(b"fits too", 100).unwrap(), 1);
        assert_eq!(all(&mut spool), [b"fits".to_vec(), b"fits too".to_vec()]);
    }

    #[test]
    fn what_is_torn_at_any_byte_leaves_what_was_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
        let mut ends = Vec::new();
        for number in 0..5 {
            spool.append(&payload(number), ROOM).unwrap();
            ends.push(spool.bytes());
        }
        spool.sync().unwrap();
        let file = spool.segments[0].path.clone();
        drop(spool);
        let whole = fs::read(&file).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            let (mut spool, _) = open(folder.path());
            let kept = ends.iter().filter(|end| **end <= cut as u64).count() as u64;
            assert_eq!(all(&mut spool), (0..kept).map(payload).collect::<Vec<_>>(), "cut at {cut}");
            assert_eq!(spool.append(b"next", ROOM).unwrap(), kept);
            drop(spool);
            for entry in fs::read_dir(folder.path()).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
    }

    #[test]
    fn a_damaged_byte_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, _) = Spool::open(folder.path(), 1 << 20).unwrap();
        for number in 0..3 {
            spool.append(&payload(number), ROOM).unwrap();
        }
        let file = spool.segments[0].path.clone();
        drop(spool);
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x40;
            fs::write(&file, &bytes).unwrap();
            let (mut spool, _) = open(folder.path());
            let read = all(&mut spool);
            assert!(read.len() < 3 && read == (0..read.len() as u64).map(payload).collect::<Vec<_>>(), "byte {at}");
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Append,
        Next,
        Acknowledge(u8),
        Reopen,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Append),
            3 => Just(Step::Next),
            2 => any::<u8>().prop_map(Step::Acknowledge),
            1 => Just(Step::Reopen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// Against a list in memory: nothing that is not acknowledged is ever missing, and order holds.
        #[test]
        fn it_is_a_queue(steps in prop::collection::vec(step(), 1..120)) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = open(folder.path()).0;
            let (mut appended, mut read, mut acknowledged) = (0_u64, 0_u64, 0_u64);
            for step in steps {
                match step {
                    Step::Append => {
                        prop_assert_eq!(spool.append(&payload(appended), ROOM).unwrap(), appended);
                        appended += 1;
                    }
                    Step::Next => match spool.read_next().unwrap() {
                        Some((number, bytes)) => {
                            prop_assert_eq!(number, read);
                            prop_assert_eq!(bytes, payload(number));
                            read += 1;
                        }
                        None => prop_assert_eq!(read, appended),
                    },
                    Step::Acknowledge(part) => {
                        acknowledged += (read - acknowledged) * u64::from(part) / 255;
                        spool.acknowledge(acknowledged).unwrap();
                    }
                    Step::Reopen => {
                        spool.sync().unwrap();
                        drop(spool);
                        spool = open(folder.path()).0;
                        let first = spool.read_next().unwrap().map_or(appended, |(number, _)| number);
                        prop_assert!(first <= acknowledged, "{} is missing", acknowledged);
                        spool.rewind().unwrap();
                        read = first;
                        acknowledged = first;
                    }
                }
                prop_assert_eq!(spool.has_unread(), read < appended);
            }
        }
    }
}
