//! Container log files as docker and containerd write them, with numbered lines.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Which runtime's file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// docker's json-file driver.
    Docker,
    /// containerd and CRI-O.
    Cri,
}

/// An appender to a container's log file.
pub(crate) struct ContainerLog {
    file: BufWriter<File>,
    format: Format,
    written: u64,
}

impl ContainerLog {
    /// Makes the file, or goes on at its end.
    pub(crate) fn open(path: &Path, format: Format) -> Self {
        let file = File::options().create(true).append(true).open(path).unwrap();
        Self { file: BufWriter::new(file), format, written: 0 }
    }

    /// Writes one line of the container's output on `stream`.
    pub(crate) fn line(&mut self, stream: &str, text: &str) {
        let time = self.time();
        match self.format {
            Format::Docker => {
                let log = serde_json::to_string(&format!("{text}\n")).unwrap();
                writeln!(self.file, r#"{{"log":{log},"stream":"{stream}","time":"{time}"}}"#).unwrap();
            }
            Format::Cri => writeln!(self.file, "{time} {stream} F {text}").unwrap(),
        }
        self.written += 1;
    }

    /// Writes one line that the runtime has cut into pieces.
    pub(crate) fn pieces(&mut self, stream: &str, pieces: &[&str]) {
        let time = self.time();
        for (at, piece) in pieces.iter().enumerate() {
            let last = at + 1 == pieces.len();
            match self.format {
                Format::Docker => {
                    let log = serde_json::to_string(&format!("{piece}{}", if last { "\n" } else { "" })).unwrap();
                    writeln!(self.file, r#"{{"log":{log},"stream":"{stream}","time":"{time}"}}"#).unwrap();
                }
                Format::Cri => writeln!(self.file, "{time} {stream} {} {piece}", if last { "F" } else { "P" }).unwrap(),
            }
        }
        self.written += 1;
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
    }

    /// Hands everything to the operating system.
    pub(crate) fn flush(&mut self) {
        self.file.flush().unwrap();
    }

    /// The time of the next line, one millisecond after the one before, with digits beyond the millisecond.
    fn time(&self) -> String {
        time_of(self.written)
    }
}

/// The time that the line with this number carries.
pub(crate) fn time_of(number: u64) -> String {
    let (seconds, millis) = (number / 1000, number % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2026-03-02T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}456789Z")
}
