//! Where quickstart keeps its index, registry and samples.

use std::path::PathBuf;

/// The data folder of `tailrace quickstart`, which `tailrace search` reads.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder that was asked for, else `$XDG_DATA_HOME/tailrace/quickstart`, else below `~/.local/share`, else below
    /// the folder for temporary files.
    pub(crate) fn or_default(asked: Option<PathBuf>) -> DataFolder {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        DataFolder(asked.unwrap_or_else(|| {
            let share = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
            share.unwrap_or_else(std::env::temp_dir).join("tailrace/quickstart")
        }))
    }

    /// The embedded index.
    pub(crate) fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    /// What the agent has read.
    pub(crate) fn registry(&self) -> PathBuf {
        self.0.join("registry")
    }

    /// The sample logs.
    pub(crate) fn samples(&self) -> PathBuf {
        self.0.join("samples")
    }

    /// Documents that could not be indexed.
    pub(crate) fn dead_letters(&self) -> PathBuf {
        self.0.join("dead_letters")
    }
}
