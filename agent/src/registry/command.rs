//! The subcommand `registry`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{export, forget, show};

/// What to do with the registry.
#[derive(Debug, Args)]
pub struct RegistryArgs {
    /// The folder with the registry, instead of `tailrace-registry` under the configuration's `path.data`.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print how far each file is delivered.
    Show,
    /// Print every file as a line of JSON.
    Export,
    /// Forget a file, so that it is read from its start; the agent must not be running.
    Forget {
        /// The file's path, or its key as `show` prints it.
        path_or_key: String,
    },
}

impl RegistryArgs {
    /// Does it. `data` is the configuration's `path.data`.
    ///
    /// # Errors
    /// When there is no registry or it cannot be read or changed.
    pub fn run(&self, data: &Path) -> anyhow::Result<()> {
        let directory = self.directory.clone().unwrap_or_else(|| data.join("tailrace-registry"));
        let mut out = io::stdout().lock();
        match &self.action {
            Action::Show => {
                writeln!(out, "{:32}  {:>12}  {:>12}  {:>8}  path", "key", "delivered", "size", "lost")?;
                for state in show(&directory)? {
                    let path = state.path.display();
                    writeln!(
                        out,
                        "{}  {:>12}  {:>12}  {:>8}  {path}",
                        state.key, state.offset, state.size, state.lost
                    )?;
                }
            }
            Action::Export => export(&directory, &mut out)?,
            Action::Forget { path_or_key } => {
                let count = forget(&directory, path_or_key)?;
                writeln!(out, "forgot {count} {}", if count == 1 { "file" } else { "files" })?;
            }
        }
        Ok(())
    }
}
