//! Configuration files: `-f`, `path.config`, `config.string` (`config/source/local.rb`).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::globbing;
use crate::lang::ast::{Config, Kind, Source};
use crate::lang::diagnostic::Diagnostic;
use crate::lang::{ParseOptions, parse};

/// The name of a configuration that is given as text.
pub const CONFIG_STRING: &str = "config string";

/// Why no configuration could be had.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Nothing is there.
    #[error("no configuration found at '{0}'")]
    NotFound(String),
    /// The glob is malformed.
    #[error("cannot read the pattern '{pattern}': {source}")]
    Pattern {
        /// As given.
        pattern: String,
        /// Why.
        source: glob::PatternError,
    },
    /// A file or folder cannot be read.
    #[error("cannot read '{}': {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An address cannot be fetched.
    #[error("cannot fetch '{address}': {reason}")]
    Unreachable {
        /// As given, without what stands before its `@`.
        address: String,
        /// Why.
        reason: String,
    },
    /// A file is not text.
    #[error("'{}' is not valid UTF-8 (byte {at})", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
        /// First byte that is not.
        at: usize,
    },
}

/// The files that a file, a folder (all its visible files, whatever their names), a glob or a `file://` address names: sorted,
/// without backups (`~`).
pub fn find(address: &str) -> Result<Vec<PathBuf>, FilesError> {
    let address = address.strip_prefix("file://").unwrap_or(address);
    let path = Path::new(address);
    let mut files = if path.is_dir() {
        let unreadable = |source| FilesError::Unreadable { path: path.to_path_buf(), source };
        let entries = fs::read_dir(path).map_err(unreadable)?;
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        // Editors leave hidden files behind.
        let visible = entries.into_iter().filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
        visible.map(|entry| entry.path()).collect()
    } else if path.exists() {
        vec![path.to_path_buf()]
    } else {
        let found =
            globbing::find(address).map_err(|source| FilesError::Pattern { pattern: address.into(), source })?;
        let unreadable =
            |error: glob::GlobError| FilesError::Unreadable { path: error.path().into(), source: error.into() };
        found.into_iter().collect::<Result<Vec<_>, _>>().map_err(unreadable)?
    };
    files.retain(|file| file.is_file() && !file.to_string_lossy().ends_with('~'));
    files.sort();
    if files.is_empty() { Err(FilesError::NotFound(address.into())) } else { Ok(files) }
}

/// The configurations that an address names, in order: files as [`find`] finds them, or what an address of the web
/// answers.
pub fn sources(address: &str) -> Result<Vec<Arc<Source>>, FilesError> {
    if address.starts_with("http://") || address.starts_with("https://") {
        return Ok(vec![fetched(address)?]);
    }
    find(address)?.iter().map(|file| read(file)).collect()
}

fn fetched(address: &str) -> Result<Arc<Source>, FilesError> {
    // User and password are for the server only.
    let shown = match (address.split_once("://"), address.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => address.to_string(),
    };
    #[cfg(feature = "edges")]
    let fetched = super::remote::fetch(address);
    #[cfg(not(feature = "edges"))]
    let fetched: Result<Vec<u8>, String> = Err("this build does not speak HTTP".into());
    let bytes = fetched.map_err(|reason| FilesError::Unreachable { address: shown.clone(), reason })?;
    source(shown, bytes)
}

/// Reads the files that the addresses name, each file on its own, and joins their sections in order.
pub fn load(addresses: &[String], options: ParseOptions) -> Result<(Config, Vec<Diagnostic>), FilesError> {
    let mut joined = Config::default();
    let mut findings = Vec::new();
    for address in addresses {
        for source in sources(address)? {
            let (config, diagnostics) = parse(&source, options);
            joined.sections.extend(config.sections);
            findings.extend(diagnostics);
        }
    }
    Ok((joined, findings))
}

/// Reads one file.
pub fn read(path: &Path) -> Result<Arc<Source>, FilesError> {
    let bytes = fs::read(path).map_err(|source| FilesError::Unreadable { path: path.into(), source })?;
    source(path.display().to_string(), bytes)
}

fn source(name: String, bytes: Vec<u8>) -> Result<Arc<Source>, FilesError> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::new(Source { name, text })),
        Err(error) => Err(FilesError::NotText { path: name.into(), at: error.utf8_error().valid_up_to() }),
    }
}

/// Reads a configuration given as text (`-e`); without input it reads stdin, without output it prints to stdout.
pub fn from_string(text: &str, options: ParseOptions) -> (Config, Vec<Diagnostic>) {
    let parse_as = |name: &str, text: &str| parse(&Arc::new(Source { name: name.into(), text: text.into() }), options);
    let (mut config, diagnostics) = parse_as(CONFIG_STRING, text);
    for (kind, default) in
        [(Kind::Input, "input { stdin { type => stdin } }"), (Kind::Output, "output { stdout { codec => rubydebug } }")]
    {
        if !config.sections.iter().any(|section| section.kind == kind) {
            config.sections.extend(parse_as("default", default).0.sections);
        }
    }
    (config, diagnostics)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn folders_globs_and_addresses() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["20-b", "10-a.conf", "30-c.conf~", "40-d.conf", ".10-a.conf.swp"] {
            fs::write(folder.path().join(name), "filter { drop { } }").unwrap();
        }
        fs::create_dir(folder.path().join("sub")).unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let names = |address: String| {
            let files = find(&address).unwrap();
            files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(at("")), ["10-a.conf", "20-b", "40-d.conf"]);
        assert_eq!(names(at("*.conf*")), ["10-a.conf", "40-d.conf"]);
        assert_eq!(names(at("{10,20}-*")), ["10-a.conf", "20-b"]);
        assert_eq!(names(format!("file://{}", at("20-b"))), ["20-b"]);
        assert!(matches!(find(&at("none")), Err(FilesError::NotFound(_))));
        let (config, findings) = load(&[at("10-a.conf"), at("20-b")], ParseOptions::default()).unwrap();
        assert_eq!((config.sections.len(), findings.len()), (2, 0));
    }

    #[test]
    fn a_string_without_input_and_output_gets_them() {
        let (config, _) = from_string("filter { drop { } }", ParseOptions::default());
        assert_eq!(
            config.sections.iter().map(|section| section.kind).collect::<Vec<_>>(),
            [Kind::Filter, Kind::Input, Kind::Output]
        );
    }
}
