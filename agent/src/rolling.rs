//! Files that follow one another: `NAME-20240315.ndjson`, `NAME-20240315-1.ndjson` and so on.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tailrace_common::Timestamp;

/// Opens the last file of today, if it has at most `largest` bytes, else begins the next one. Says how large it is.
///
/// # Errors
/// When the folder cannot be used.
pub(crate) fn open(folder: &Path, name: &str, permissions: u32, largest: u64) -> io::Result<(File, u64)> {
    fs::create_dir_all(folder)?;
    let date = Timestamp::now().date();
    let stem = format!("{name}-{:04}{:02}{:02}", date.year, date.month, date.day);
    let number_of = |name: &str| match name.strip_prefix(&stem)?.strip_suffix(".ndjson")? {
        "" => Some(0),
        number => number.strip_prefix('-')?.parse::<u64>().ok(),
    };
    let mut last = None;
    for entry in fs::read_dir(folder)? {
        last = last.max(entry?.file_name().to_str().and_then(number_of));
    }
    let path = |number: u64| {
        let suffix = if number == 0 { String::new() } else { format!("-{number}") };
        folder.join(format!("{stem}{suffix}.ndjson"))
    };
    let is_full = |number: u64| fs::metadata(path(number)).is_ok_and(|metadata| metadata.len() > largest);
    let number = last.map_or(0, |last| if is_full(last) { last + 1 } else { last });
    let file = OpenOptions::new().append(true).create(true).mode(permissions).open(path(number))?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Deletes the oldest files but so many.
///
/// # Errors
/// When one of them cannot be deleted.
pub(crate) fn keep(folder: &Path, name: &str, count: usize) -> io::Result<()> {
    let is_ours = |file: &str| file.starts_with(&format!("{name}-")) && file.ends_with(".ndjson");
    let mut files: Vec<(std::time::SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_ours) {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort();
    let surplus = files.len().saturating_sub(count);
    files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn numbers_go_on_where_the_last_file_is() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..12 {
            let (mut file, length) = open(folder.path(), "a", 0o600, 4).unwrap();
            assert_eq!(length, if round % 2 == 0 { 0 } else { 4 });
            file.write_all(b"text").unwrap();
            keep(folder.path(), "a", 3).unwrap();
        }
        let mut names: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let ends: Vec<&str> = names.iter().map(|name| &name[10..]).collect();
        assert_eq!(ends, ["-3.ndjson", "-4.ndjson", "-5.ndjson"]);
    }
}
