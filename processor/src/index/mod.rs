//! The embedded index: a full-text index in a folder, in the place of Elasticsearch where there is none.
//!
//! One process writes ([`LocalWriter`]), any number read ([`LocalIndex::search`]). A document with an id that is there
//! already takes the old one's place, so that a replay adds nothing.

use std::fs;
use std::path::{Path, PathBuf};

use tantivy::directory::MmapDirectory;
use tantivy::directory::error::LockError;
use tantivy::query::QueryParserError;
use tantivy::{Index, IndexReader, ReloadPolicy, TantivyError};

mod answer;
mod query;
mod search;
mod shape;
mod tokenizer;
mod writer;

pub use answer::{Bucket, Histogram, Hit, SearchAnswer, TermCount, Terms};
pub use search::SearchRequest;
pub use writer::LocalWriter;

use shape::Fields;

/// What can go wrong with the embedded index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no index in the folder.
    #[error("there is no index at '{}'", .0.display())]
    Missing(PathBuf),
    /// The folder cannot be made or read.
    #[error("cannot open the index at '{}': {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process writes to it.
    #[error("the index is being written by another process")]
    Locked,
    /// The query is no query.
    #[error("cannot read the query '{0}'; examples: 'log.level:error AND timeout', 'message:\"exact words\"'")]
    Syntax(String),
    /// The query asks for what the index cannot answer.
    #[error("cannot run the query: {0}")]
    Query(#[from] QueryParserError),
    /// The index itself failed.
    #[error(transparent)]
    Index(TantivyError),
}

impl From<TantivyError> for IndexError {
    fn from(error: TantivyError) -> IndexError {
        match error {
            TantivyError::LockFailure(LockError::LockBusy, _) => IndexError::Locked,
            other => IndexError::Index(other),
        }
    }
}

/// An index in a folder.
#[derive(Clone)]
pub struct LocalIndex {
    index: Index,
    fields: Fields,
    reader: IndexReader,
}

impl LocalIndex {
    /// Opens the index in a folder, or makes both.
    pub fn open_or_create(folder: &Path) -> Result<LocalIndex, IndexError> {
        let failed = |source| IndexError::Folder { path: folder.to_path_buf(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let directory = MmapDirectory::open(folder).map_err(TantivyError::from)?;
        LocalIndex::of(Index::open_or_create(directory, shape::schema())?)
    }

    /// Opens the index in a folder for reading.
    pub fn open(folder: &Path) -> Result<LocalIndex, IndexError> {
        if !folder.join("meta.json").exists() {
            return Err(IndexError::Missing(folder.to_path_buf()));
        }
        LocalIndex::of(Index::open_in_dir(folder)?)
    }

    fn of(index: Index) -> Result<LocalIndex, IndexError> {
        tokenizer::register(index.tokenizers());
        let fields = Fields::of(&index.schema())?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::OnCommitWithDelay).try_into()?;
        Ok(LocalIndex { index, fields, reader })
    }

    /// The one writer; fails with [`IndexError::Locked`] while another process has it.
    pub fn writer(&self) -> Result<LocalWriter, IndexError> {
        LocalWriter::new(&self.index, self.fields.clone(), self.reader.clone())
    }

    /// How many documents there are.
    pub fn count(&self) -> u64 {
        self.reader.searcher().num_docs()
    }
}
