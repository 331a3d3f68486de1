//! Output `file`: events appended to files, whose names may depend on the event.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tailrace_common::Event;

use super::{Output, OutputDefinition, OutputError, Services, common_options};
use crate::codec::{self, Codec};
use crate::delivery::Share;
use crate::options::{Invalid, Options};
use crate::plan::template::Template;
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "file", summary: "Appends events to files.", build };

/// Files that are held open at most.
const MOST_OPEN: usize = 256;
/// How long to wait before writing is tried again.
const RETRY: Duration = Duration::from_secs(1);

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    let text = options.required_string("path");
    let path = Template::parse(&text);
    if let Some(problem) = path.problem() {
        options.error_at("path", problem.to_string());
    }
    let codec = codec::from_option(&mut options, build, "json_lines");
    let gzip = options.boolean("gzip", false);
    let overwrite = options.one_of("write_behavior", &["append", "overwrite"], "append") == "overwrite";
    let create = options.boolean("create_if_deleted", true);
    let failure = options.string("filename_failure").unwrap_or_else(|| "_filepath_failures".into());
    let stale = options.integer("stale_cleanup_interval").unwrap_or(10).max(1) as u64;
    let file_mode = mode(&mut options, "file_mode");
    let dir_mode = mode(&mut options, "dir_mode");
    options.ignored("flush_interval", "events are written before they count as delivered");
    options.finish()?;
    let root = constant_root(&text);
    let settings = Settings { path, root, gzip, overwrite, create, failure, file_mode, dir_mode };
    Ok(Box::new(FileOutput {
        settings,
        codec: codec?,
        stale: Duration::from_secs(stale),
        files: Mutex::default(),
        services: OnceLock::new(),
    }))
}

/// Permissions, as Logstash takes them: a number such as 0640 is octal, -1 leaves it to the system.
fn mode(options: &mut Options<'_>, option: &'static str) -> Option<u32> {
    let text = options.string(option)?;
    if text == "-1" {
        return None;
    }
    let parsed = u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o7777);
    if parsed.is_none() {
        options.error_at(option, format!("'{option}' must be an octal number such as 0640, this is '{text}'"));
    }
    parsed
}

/// The folder below which all files lie: what stands before the first `%{`.
fn constant_root(text: &str) -> PathBuf {
    let constant = text.split("%{").next().unwrap_or_default();
    if constant.len() == text.len() {
        return PathBuf::from(text);
    }
    PathBuf::from(constant.rsplit_once('/').map_or("", |(folder, _)| folder))
}

struct FileOutput {
    settings: Settings,
    codec: Box<dyn Codec>,
    /// Files not written to for this long are closed.
    stale: Duration,
    files: Mutex<HashMap<PathBuf, Open>>,
    services: OnceLock<Services>,
}

struct Settings {
    path: Template,
    root: PathBuf,
    gzip: bool,
    overwrite: bool,
    create: bool,
    failure: String,
    file_mode: Option<u32>,
    dir_mode: Option<u32>,
}

struct Open {
    file: File,
    used: Instant,
}

impl Output for FileOutput {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(services) = self.services.get() else { return };
        let mut texts: Vec<(PathBuf, Vec<u8>)> = Vec::new();
        for event in events {
            let path = self.settings.path_of(event);
            let at = texts.iter().position(|(held, _)| *held == path).unwrap_or_else(|| {
                texts.push((path, Vec::new()));
                texts.len() - 1
            });
            self.codec.encode(event, &mut texts[at].1);
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, open| open.used.elapsed() < self.stale);
        for (path, text) in texts {
            let text = if self.settings.gzip { gzipped(&text) } else { text };
            while let Err(error) = self.settings.append(&mut files, &path, &text) {
                if services.abandon.is_set() {
                    return;
                }
                tracing::error!(path = %path.display(), %error, "cannot write; will try again");
                services.abandon.sleep(RETRY);
            }
        }
        drop(files);
        services.count(events.len());
        share.done();
    }
}

impl Settings {
    /// The file for an event. One that would lie outside of the configured folder goes to the file for failures.
    fn path_of(&self, event: &Event) -> PathBuf {
        let path = PathBuf::from(self.path.render_lenient(event).as_str());
        let climbs = path.components().any(|part| part == Component::ParentDir);
        if self.path.as_constant().is_some() || (!climbs && path.starts_with(&self.root)) {
            return path;
        }
        self.root.join(&self.failure)
    }

    fn append(&self, files: &mut HashMap<PathBuf, Open>, path: &Path, text: &[u8]) -> io::Result<()> {
        if self.create && files.contains_key(path) && !path.exists() {
            files.remove(path);
        }
        if !files.contains_key(path) {
            if files.len() >= MOST_OPEN {
                let oldest = files.iter().min_by_key(|(_, open)| open.used).map(|(path, _)| path.clone());
                oldest.and_then(|oldest| files.remove(&oldest));
            }
            files.insert(path.into(), Open { file: self.open(path)?, used: Instant::now() });
        }
        let Some(open) = files.get_mut(path) else { return Ok(()) };
        open.used = Instant::now();
        let before = open.file.metadata()?.len();
        open.file.write_all(text).inspect_err(|_| {
            // Half an event must not stand in the way of its repetition.
            if let Err(error) = open.file.set_len(before) {
                tracing::error!(path = %path.display(), %error, "cannot take back what was half written");
            }
        })
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::create_dir_all(folder)?;
            if let Some(mode) = self.dir_mode {
                fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
            }
        }
        let mut options = OpenOptions::new();
        options.create(true).mode(self.file_mode.unwrap_or(0o600));
        if self.overwrite {
            options.write(true).truncate(true)
        } else {
            options.append(true)
        };
        options.open(path)
    }
}

/// A gzip member of its own: members may follow one another.
fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), Compression::default());
    let written = encoder.write_all(text).and_then(|()| encoder.finish());
    // Writing to memory does not fail.
    written.unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tailrace_common::Timestamp;

    use super::*;

    #[test]
    fn events_cannot_choose_a_file_outside_of_the_folder() {
        let settings = Settings {
            path: Template::parse("/var/log/app/%{name}.log"),
            root: constant_root("/var/log/app/%{name}.log"),
            gzip: false,
            overwrite: false,
            create: true,
            failure: "_filepath_failures".into(),
            file_mode: None,
            dir_mode: None,
        };
        for (name, wanted) in [
            ("a", "/var/log/app/a.log"),
            ("x/b", "/var/log/app/x/b.log"),
            ("../../etc/x", "/var/log/app/_filepath_failures"),
        ] {
            let mut event = Event::new(Timestamp::EPOCH);
            event.fields_mut().insert("name", name);
            assert_eq!(settings.path_of(&event), PathBuf::from(wanted));
        }
    }
}
