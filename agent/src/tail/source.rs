//! Where bytes come from: a file, or the content of a gzip file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use rustix::buffer::spare_capacity;

/// An open file, read at any offset of its content.
#[derive(Debug)]
pub enum Source {
    /// As it is.
    Plain(File),
    /// Its decompressed content.
    Gzip(Box<Gzip>),
}

/// A gzip file. Reading backwards beyond the window starts it over.
#[derive(Debug)]
pub struct Gzip {
    file: File,
    decoder: Option<MultiGzDecoder<File>>,
    /// Content from `window_start` on, already decompressed.
    window: Vec<u8>,
    window_start: u64,
    ended: bool,
}

/// How much is decompressed at a time.
const STEP: usize = 64 << 10;

impl Source {
    /// Opens a file without waiting for anybody (a FIFO would block).
    ///
    /// # Errors
    /// As [`File::open`].
    pub fn open(path: &Path, gzip: bool) -> io::Result<Source> {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        if !gzip {
            return Ok(Source::Plain(file));
        }
        Ok(Source::Gzip(Box::new(Gzip { file, decoder: None, window: Vec::new(), window_start: 0, ended: false })))
    }

    /// The open file.
    pub fn file(&self) -> &File {
        match self {
            Source::Plain(file) => file,
            Source::Gzip(gzip) => &gzip.file,
        }
    }

    /// Appends up to `want` bytes from `offset` on; returns how many. Fewer than wanted means the end.
    ///
    /// # Errors
    /// Of reading; for gzip also of damaged content.
    pub fn read_at(&mut self, offset: u64, want: usize, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Source::Plain(file) => read_plain(file, offset, want, into),
            Source::Gzip(gzip) => gzip.read_at(offset, want, into),
        }
    }

    /// The first bytes, at most `want`.
    ///
    /// # Errors
    /// As [`Source::read_at`].
    pub fn head(&mut self, want: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::with_capacity(want);
        self.read_at(0, want, &mut head)?;
        Ok(head)
    }
}

fn read_plain(file: &File, offset: u64, want: usize, into: &mut Vec<u8>) -> io::Result<usize> {
    let start = into.len();
    into.reserve(want);
    while into.len() - start < want {
        let room = want - (into.len() - start);
        let at = offset + (into.len() - start) as u64;
        let read = if into.capacity() - into.len() <= room {
            rustix::io::pread(file, spare_capacity(into), at)
        } else {
            // The spare room is larger than what is wanted.
            let len = into.len();
            into.resize(len + room, 0);
            let read = rustix::io::pread(file, &mut into[len..], at);
            into.truncate(len + *read.as_ref().unwrap_or(&0));
            read
        };
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                into.truncate(start);
                return Err(error.into());
            }
        }
    }
    Ok(into.len() - start)
}

impl Gzip {
    fn read_at(&mut self, offset: u64, want: usize, into: &mut Vec<u8>) -> io::Result<usize> {
        if offset < self.window_start || self.decoder.is_none() {
            self.rewind()?;
        }
        while !self.ended && self.window_start + (self.window.len() as u64) < offset + want as u64 {
            self.forget_before(offset);
            self.step()?;
        }
        let from = usize::try_from(offset - self.window_start).unwrap_or(usize::MAX).min(self.window.len());
        let to = from.saturating_add(want).min(self.window.len());
        into.extend_from_slice(&self.window[from..to]);
        Ok(to - from)
    }

    fn rewind(&mut self) -> io::Result<()> {
        use std::io::Seek;
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        self.decoder = Some(MultiGzDecoder::new(file));
        self.window.clear();
        self.window_start = 0;
        self.ended = false;
        Ok(())
    }

    fn forget_before(&mut self, offset: u64) {
        let unneeded = (offset.saturating_sub(self.window_start) as usize).min(self.window.len());
        if unneeded >= STEP || unneeded == self.window.len() {
            self.window.drain(..unneeded);
            self.window_start += unneeded as u64;
        }
    }

    fn step(&mut self) -> io::Result<()> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let len = self.window.len();
        self.window.resize(len + STEP, 0);
        let read = decoder.read(&mut self.window[len..]);
        self.window.truncate(len + read.as_ref().copied().unwrap_or(0));
        match read {
            Ok(0) => {
                self.ended = true;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => {
                // Begin anew next time: the file may still be being written.
                self.decoder = None;
                Err(error)
            }
        }
    }
}

/// Whether a file starts with gzip's magic.
pub fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn content() -> Vec<u8> {
        (0..60_000u32).flat_map(|number| format!("{number}\n").into_bytes()).collect()
    }

    #[test]
    fn plain_and_gzip_read_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let (plain, gzip) = (directory.path().join("a"), directory.path().join("a.gz"));
        std::fs::write(&plain, content()).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(File::create(&gzip).unwrap(), flate2::Compression::default());
        encoder.write_all(&content()).unwrap();
        encoder.finish().unwrap();
        let mut sources = [Source::open(&plain, false).unwrap(), Source::open(&gzip, true).unwrap()];
        let end = content().len() as u64;
        for (offset, want) in [(0, 10), (100, 200_000), (90, 50), (end - 5, 100), (end + 10, 5), (0, 1 << 20)] {
            let read = sources.each_mut().map(|source| {
                let mut bytes = b"before".to_vec();
                let read = source.read_at(offset, want, &mut bytes).unwrap();
                assert_eq!(bytes.len(), read + 6);
                bytes
            });
            assert_eq!(read[0], read[1], "{offset} {want}");
        }
    }

    #[test]
    fn a_cut_gzip_is_an_error_and_can_be_read_when_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.gz");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&content()).unwrap();
        let whole = encoder.finish().unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let mut source = Source::open(&path, true).unwrap();
        let mut bytes = Vec::new();
        assert!(source.read_at(0, 1 << 20, &mut bytes).is_err());
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(&whole[whole.len() / 2..]).unwrap();
        bytes.clear();
        source.read_at(0, 1 << 20, &mut bytes).unwrap();
        assert_eq!(bytes, content());
    }
}
