//! `keystore`

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;

use crate::keystore as store;

/// Keeps secrets for ${NAME} in the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Keystore {
    /// Make an empty keystore.
    Create {
        /// Replace one that is there.
        #[arg(long)]
        force: bool,
    },
    /// Add a secret: asks for it, or takes it from standard input.
    Add {
        /// Its name.
        name: String,
        /// Replace one of that name.
        #[arg(long)]
        force: bool,
        /// Take it from standard input.
        #[arg(long)]
        stdin: bool,
    },
    /// Print the names of all secrets.
    List,
    /// Remove secrets.
    Remove {
        /// Their names.
        #[arg(required = true)]
        names: Vec<String>,
    },
}

impl Keystore {
    pub(super) fn run(self, path: &Path) -> anyhow::Result<ExitCode> {
        match self {
            Keystore::Create { force } => {
                if path.exists() && !force {
                    bail!("there is a keystore at '{}' already; --force replaces it", path.display());
                }
                store::Keystore::empty(path).save()?;
                println!("Created {}", path.display());
            }
            Keystore::Add { name, force, stdin } => {
                let mut keystore = store::Keystore::open(path)?;
                if keystore.get(&name).is_some() && !force {
                    bail!("there is a secret '{name}' already; --force replaces it");
                }
                keystore.set(&name, secret(&name, stdin)?.as_bytes());
                keystore.save()?;
                println!("Added {name}");
            }
            Keystore::List => {
                for name in store::Keystore::open(path)?.names() {
                    println!("{name}");
                }
            }
            Keystore::Remove { names } => {
                let mut keystore = store::Keystore::open(path)?;
                for name in &names {
                    if !keystore.remove(name) {
                        bail!("there is no secret '{name}'");
                    }
                }
                keystore.save()?;
                println!("Removed {}", names.join(", "));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks a person without showing what is typed, or reads standard input.
fn secret(name: &str, stdin: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    if stdin || !io::stdin().is_terminal() {
        io::stdin().read_to_string(&mut text)?;
    } else {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        write!(io::stderr(), "Enter the value of {name}: ")?;
        let shown = tcgetattr(io::stdin())?;
        let mut hidden = shown.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        let read = io::stdin().lock().read_line(&mut text);
        tcsetattr(io::stdin(), OptionalActions::Now, &shown)?;
        writeln!(io::stderr())?;
        read?;
    }
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("an empty secret is none");
    }
    Ok(text.to_owned())
}
