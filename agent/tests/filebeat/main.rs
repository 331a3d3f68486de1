//! The golden cases of tests/conformance/filebeat: the agent's documents against those that Filebeat wrote.
//!
//! All cases run at once, because each mostly waits for its output to be quiet. `TAILRACE_CASE=05` runs those whose name
//! contains the text and leaves what they wrote in the folder it names.

#![allow(clippy::unwrap_used)]

mod compare;
mod hostile;
mod live;
mod options;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use compare::{documents, problems};

/// How long a case may take before it is stopped and compared as it is.
const LONGEST: Duration = Duration::from_secs(60);
/// How long the output must stay as it is, once all documents are there.
const QUIET: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(50);

/// Cases that do not pass yet.
const NOT_YET: [&str; 0] = [];

#[test]
fn documents_are_those_of_filebeat() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance/filebeat");
    let chosen = std::env::var("TAILRACE_CASE").unwrap_or_default();
    let cases: Vec<PathBuf> = cases(&folder).into_iter().filter(|case| name(case).contains(&chosen)).collect();
    assert!(!cases.is_empty(), "no case is called {chosen}");
    let keep = !chosen.is_empty();
    let failures: Vec<String> = thread::scope(|scope| {
        let running: Vec<_> = cases.iter().map(|case| scope.spawn(move || Case::new(case, keep).run())).collect();
        running.into_iter().flat_map(|run| run.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The folders of the cases that write files; the one about Kafka needs a broker.
fn cases(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = entries
        .filter(|case| fs::read_to_string(case.join("config.yml")).is_ok_and(|text| text.contains("output.file")))
        .collect();
    cases.sort();
    cases
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_string_lossy().into_owned()
}

struct Case<'c> {
    folder: &'c Path,
    work: PathBuf,
    out: PathBuf,
    started: Instant,
    _temporary: Option<tempfile::TempDir>,
}

impl<'c> Case<'c> {
    fn new(folder: &'c Path, keep: bool) -> Case<'c> {
        let temporary = tempfile::Builder::new().prefix("case-").tempdir().unwrap();
        let work = fs::canonicalize(temporary.path()).unwrap();
        let out = work.join("out");
        fs::create_dir(&out).unwrap();
        fs::create_dir(work.join("home")).unwrap();
        copy(&folder.join("input"), &work.join("input")).unwrap();
        let temporary = if keep {
            eprintln!("{}: {}", name(folder), temporary.keep().display());
            None
        } else {
            Some(temporary)
        };
        Case { folder, work, out, started: Instant::now(), _temporary: temporary }
    }

    /// What is wrong, in lines.
    fn run(&self) -> Vec<String> {
        let wanted = self.wanted();
        let mut agent = self.start();
        let steps = self.folder.join("steps.sh");
        if steps.exists() {
            self.settle(self.lines_of_input());
            let done = Command::new("bash").arg(&steps).current_dir(self.work.join("input")).status().unwrap();
            assert!(done.success(), "{}", steps.display());
        }
        self.settle(wanted.lines().count());
        stop(&mut agent);
        let got = self.written().replace(self.work.to_str().unwrap(), "${CASE_DIR}");
        let name = name(self.folder);
        let mut found = problems(&documents(&wanted, true), &documents(&got, false));
        if NOT_YET.contains(&name.as_str()) {
            let passes = found.is_empty().then(|| "passes: take it off the list of those that do not".to_owned());
            found = passes.into_iter().collect();
        } else if !found.is_empty() {
            found.push(fs::read_to_string(self.work.join("log")).unwrap_or_default());
        }
        found.into_iter().map(|problem| format!("{name}: {problem}")).collect()
    }

    /// `expected.ndjson` where we differ on purpose, else what Filebeat wrote.
    fn wanted(&self) -> String {
        let ours = self.folder.join("expected.ndjson");
        let file = if ours.exists() { ours } else { self.folder.join("output.ndjson") };
        fs::read_to_string(file).unwrap()
    }

    fn start(&self) -> Child {
        let log = fs::File::create(self.work.join("log")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_tailrace-agent"))
            .args(["-e", "--strict.perms=false", "-c"])
            .arg(self.folder.join("config.yml"))
            .arg("--path.home")
            .arg(self.work.join("home"))
            .env("CASE_DIR", &self.work)
            .env("OUT_DIR", &self.out)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Waits until so many documents are there and no more come.
    fn settle(&self, count: usize) {
        let (mut quiet_since, mut last) = (Instant::now(), 0);
        while self.started.elapsed() < LONGEST {
            let now = self.written().lines().count();
            if now != last {
                (quiet_since, last) = (Instant::now(), now);
            }
            if now >= count && quiet_since.elapsed() >= QUIET {
                return;
            }
            thread::sleep(TICK);
        }
    }

    fn written(&self) -> String {
        let mut files: Vec<PathBuf> = fs::read_dir(&self.out).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()).collect()
    }

    fn lines_of_input(&self) -> usize {
        let files = fs::read_dir(self.folder.join("input")).unwrap();
        files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap().lines().count()).sum()
    }
}

fn stop(agent: &mut Child) {
    let pid = rustix::process::Pid::from_child(agent);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).ok();
    let asked = Instant::now();
    while agent.try_wait().unwrap().is_none() {
        if asked.elapsed() > Duration::from_secs(20) {
            agent.kill().unwrap();
        }
        thread::sleep(TICK);
    }
}

/// Copies a folder; symbolic links stay links.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
