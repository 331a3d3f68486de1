//! The `tailrace` program as a child process.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::eventually;

/// A running `tailrace`. It is killed when dropped; what it said is printed when the test fails.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

/// A command for the `tailrace` program built with these tests.
pub(crate) fn tailrace() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tailrace"));
    command.stdin(Stdio::null()).env("RUST_BACKTRACE", "1");
    command
}

impl Program {
    /// Starts `command`; its output goes to `DIR/NAME.log`, after what an earlier run wrote there.
    pub(crate) fn start(command: &mut Command, dir: &Path, name: &str) -> Self {
        let log = dir.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        let child = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        Self { child, log }
    }

    /// SIGKILL: no chance to save anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits for the end and returns its status.
    pub(crate) fn stop(mut self) -> ExitStatus {
        let status = Command::new("kill").arg(self.id().to_string()).status().unwrap();
        assert!(status.success(), "could not signal the program");
        self.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        eventually("the program ends", || self.child.try_wait().unwrap())
    }

    /// Whether it runs still.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has said so far.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            eprintln!("--- {} (the last of {} lines)", self.log.display(), lines.len());
            for line in &lines[lines.len().saturating_sub(60)..] {
                eprintln!("{line}");
            }
        }
    }
}
