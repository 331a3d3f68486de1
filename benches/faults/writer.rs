//! An application that writes numbered lines into a log file, and a rotation of that file.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How the file is rotated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// Never.
    None,
    /// The file is renamed and made anew.
    Rename,
    /// The file is copied and emptied; nothing is written between the two.
    CopyTruncate,
}

/// What is written.
#[derive(Clone, Copy)]
pub(crate) struct Writing {
    /// How many lines in all.
    pub(crate) lines: u64,
    /// How many in a second; as fast as it goes where there are none.
    pub(crate) rate: Option<u64>,
    /// How the file is rotated.
    pub(crate) rotation: Rotation,
    /// How often.
    pub(crate) every: Duration,
}

/// Between two bursts of lines.
const TICK: Duration = Duration::from_millis(10);

/// Writes the lines `seq=N ...` to `folder/app.log`; rotated generations are `app.log.1`, `app.log.2` and so on, in the order of their making.
pub(crate) fn write(folder: &Path, writing: Writing) {
    let path = folder.join("app.log");
    let mut file = append(&path);
    let (begun, mut rotated, mut generation, mut number) = (Instant::now(), Instant::now(), 0, 0);
    while number < writing.lines {
        let due = writing.rate.map_or(writing.lines, |rate| (begun.elapsed().as_secs_f64() * rate as f64) as u64);
        while number < due.min(writing.lines) {
            writeln!(
                file,
                "seq={number} {}",
                "the quick brown fox jumps over the lazy dog, ".repeat(number as usize % 9)
            )
            .unwrap();
            number += 1;
        }
        file.flush().unwrap();
        if writing.rotation != Rotation::None && rotated.elapsed() >= writing.every && number < writing.lines {
            generation += 1;
            file = rotate(&path, generation, writing.rotation, file);
            rotated = Instant::now();
        }
        thread::sleep(TICK);
    }
}

fn append(path: &Path) -> BufWriter<File> {
    BufWriter::with_capacity(1 << 16, File::options().create(true).append(true).open(path).unwrap())
}

fn rotate(path: &Path, generation: u32, rotation: Rotation, file: BufWriter<File>) -> BufWriter<File> {
    let old = PathBuf::from(format!("{}.{generation}", path.display()));
    match rotation {
        Rotation::None => file,
        Rotation::Rename => {
            fs::rename(path, old).unwrap();
            append(path)
        }
        Rotation::CopyTruncate => {
            fs::copy(path, old).unwrap();
            file.get_ref().set_len(0).unwrap();
            file
        }
    }
}
