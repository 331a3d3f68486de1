//! The keystore: values of `${NAME}` that stand neither in configurations nor in the environment.
//!
//! A file `tailrace.keystore` in the folder of the settings, a JSON object of names and values that nobody but its owner
//! may read. (Logstash's own keystore is a Java PKCS 12 file.)

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::variables;

/// The name of the file.
pub const FILE: &str = "tailrace.keystore";

/// Why a keystore cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// It cannot be read or written.
    #[error("cannot use '{}': {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read it.
    #[error("'{}' may be read by others than its owner: chmod 600 it", .0.display())]
    Open(PathBuf),
    /// It is not what it should be. The text is not shown: it is secret.
    #[error("'{}' is no JSON object of names and texts (line {line})", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where reading failed.
        line: usize,
    },
    /// The name could not be written as a variable.
    #[error("'{0}' is no name of a variable: letters, digits, '_' and '.', no digit first")]
    Name(String),
}

/// Secrets by name. It prints as how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keystore(BTreeMap<String, String>);

impl std::fmt::Debug for Keystore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keystore of {}", self.0.len())
    }
}

impl Keystore {
    /// Reads the keystore of a folder; one that is not there is empty.
    ///
    /// # Errors
    /// It cannot be read, is malformed, or others may read it.
    pub fn open(folder: &Path) -> Result<Keystore, KeystoreError> {
        let path = folder.join(FILE);
        let failed = |source| KeystoreError::Io { path: path.clone(), source };
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Keystore::default()),
            Err(error) => return Err(failed(error)),
        };
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(KeystoreError::Open(path));
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        let read = serde_json::from_str(&text);
        read.map(Keystore).map_err(|error| KeystoreError::Malformed { path, line: error.line() })
    }

    /// What `${NAME}` stands for: a secret, else a variable of the environment.
    pub fn lookup(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned().or_else(|| variables::environment(name))
    }

    /// Fills in `${NAME}` and `${NAME:default}`.
    ///
    /// # Errors
    /// A message when a variable has neither value nor default.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        variables::expand(text, &|name| self.lookup(name))
    }

    /// Writes a new file beside the old one and puts it in its place.
    fn save(&self, folder: &Path) -> Result<(), KeystoreError> {
        let path = folder.join(FILE);
        let failed = |source| KeystoreError::Io { path: path.clone(), source };
        let fresh = folder.join(format!("{FILE}.new"));
        let text = serde_json::to_string_pretty(&self.0).map_err(|error| failed(error.into()))?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&fresh, &path).map_err(failed)
    }
}

/// Keep values of `${NAME}` in a file that only its owner may read.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is DIR/tailrace.keystore. Its values win over the environment.

Examples:
  tailrace keystore --path.settings /etc/logstash add ES_PASSWORD < password.txt
  tailrace keystore --path.settings /etc/logstash list

Exit codes: 0 done, 1 failed, 2 wrong usage.")]
pub struct KeystoreArgs {
    /// Folder of logstash.yml.
    #[arg(long = "path.settings", value_name = "DIR", global = true, default_value = ".")]
    settings: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set a name to what stands on stdin, without the last line's end.
    Add {
        /// The name.
        name: String,
    },
    /// Print the names.
    List,
    /// Take a name out.
    Remove {
        /// The name.
        name: String,
    },
}

impl KeystoreArgs {
    /// Does what is asked.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut keystore = Keystore::open(&self.settings)?;
        match self.command {
            Command::Add { name } => {
                if !variables::is_name(&name) {
                    return Err(KeystoreError::Name(name).into());
                }
                let mut value = String::new();
                io::stdin().read_to_string(&mut value)?;
                let value = value.strip_suffix('\n').unwrap_or(&value);
                keystore.0.insert(name, value.strip_suffix('\r').unwrap_or(value).to_string());
                keystore.save(&self.settings)?;
            }
            Command::List => keystore.0.keys().for_each(|name| println!("{name}")),
            Command::Remove { name } => {
                if keystore.0.remove(&name).is_none() {
                    eprintln!("error: the keystore has no '{name}'");
                    return Ok(ExitCode::FAILURE);
                }
                keystore.save(&self.settings)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_and_win_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Keystore::open(folder.path()).unwrap(), Keystore::default());
        Keystore(BTreeMap::from([("ES_PW".into(), "geheim".into())])).save(folder.path()).unwrap();
        let keystore = Keystore::open(folder.path()).unwrap();
        assert_eq!(keystore.expand("x:${ES_PW:default}"), Ok("x:geheim".into()));
        assert_eq!(format!("{keystore:?}"), "Keystore of 1");
        assert_eq!(fs::metadata(folder.path().join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_others_may_read_is_refused_and_nothing_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        fs::write(&path, "{\"A\":\n geheim}").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keystore::open(folder.path()), Err(KeystoreError::Open(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let error = Keystore::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("geheim"), "{error}");
    }
}
