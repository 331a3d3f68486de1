//! `tailrace search`: asks the embedded index from the shell.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::Value;
use tailrace_processor::index::{Hit, LocalIndex, SearchRequest};

use crate::data::DataFolder;

/// Search the documents that `tailrace quickstart` indexed.
#[derive(Debug, Args)]
#[command(after_help = "\
Queries are Lucene's:
  timeout refused                      both words, in any field
  message:\"connection refused\"         words next to each other, in one field
  log.level:error OR log.level:warn    AND, OR, NOT, parentheses
  http.response.status_code:>=500      numbers and dates: >, >=, <, <=, [500 TO 599]
  error.message:*                      documents that have the field
  登录失败                              Chinese, Japanese and Korean need no blanks

Exit codes: 0 searched (also when nothing was found), 1 failed, 2 wrong usage.")]
pub(crate) struct SearchArgs {
    /// What to search for; everything when left out.
    #[arg(default_value = "")]
    query: Vec<String>,
    /// Data folder of quickstart [default: ~/.local/share/tailrace/quickstart].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// How many documents to print, newest first.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: usize,
    /// Print only how many documents match.
    #[arg(long)]
    count: bool,
    /// One JSON document per line, or text for people.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How documents are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One document per line, with `_id`.
    Json,
    /// Time, level and message.
    Text,
}

impl SearchArgs {
    /// Searches and prints.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let folder = DataFolder::or_default(self.data);
        let index = LocalIndex::open(&folder.index())
            .context("nothing to search; run 'tailrace quickstart' first, or name its folder with --data")?;
        let limit = if self.count { 0 } else { self.limit };
        let request = SearchRequest { query: self.query.join(" "), limit, ..SearchRequest::default() };
        let answer = index.search(&request)?;
        let printed =
            if self.count { writeln!(io::stdout(), "{}", answer.total) } else { print(&answer.hits, self.format) };
        match printed {
            // `| head` has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
            other => other.map(|()| ExitCode::SUCCESS).context("cannot print"),
        }
    }
}

fn print(hits: &[Hit], format: Format) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for hit in hits {
        let mut document: Value = serde_json::from_str(hit.document.get()).map_err(io::Error::other)?;
        match format {
            Format::Json => {
                if let Some(fields) = document.as_object_mut() {
                    fields.insert("_id".into(), Value::from(hit.id.as_str()));
                }
                writeln!(out, "{document}")?;
            }
            Format::Text => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
                let time = document.get("@timestamp").map(text).unwrap_or_default();
                let level = document.pointer("/log/level").map(text).unwrap_or_default();
                let message = document.get("message").map_or_else(|| document.to_string(), text);
                writeln!(out, "{time} {level:<5} {message}")?;
            }
        }
    }
    out.flush()
}
