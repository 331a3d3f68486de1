//! Commands of the system, for the input and the output `exec`. They run only where the operator says so: a pipeline
//! file alone must not be able to start programs.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::options::Options;

/// The variable of the environment that allows commands.
pub(crate) const ALLOW: &str = "TAILRACE_ALLOW_EXEC";
/// What a command prints beyond this is left out.
const LARGEST: u64 = 16 << 20;

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What it printed, at most [`LARGEST`] bytes.
    pub(crate) printed: Vec<u8>,
    /// Its exit code; none when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) took: Duration,
}

/// Reports that commands are not allowed, unless they are.
pub(crate) fn must_be_allowed(options: &mut Options<'_>) {
    if std::env::var(ALLOW).is_ok_and(|value| value == "true") {
        return;
    }
    let span = options.plugin.name_span.clone();
    let message = format!("'{}' runs commands, which is not allowed", options.plugin.name);
    let hint = format!("set {ALLOW}=true in the environment of the process to allow it");
    options.report(crate::lang::diagnostic::Diagnostic::error("exec-not-allowed", &span, message).with_hint(hint));
}

/// Runs a command in a shell and waits for its end.
pub(crate) fn run(command: &str) -> std::io::Result<Ran> {
    let started = Instant::now();
    let mut child = Command::new("/bin/sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut printed = Vec::new();
    if let Some(out) = child.stdout.take() {
        let mut limited = out.take(LARGEST);
        limited.read_to_end(&mut printed)?;
        // The rest is read and dropped, so that the command can end.
        std::io::copy(&mut limited.into_inner(), &mut std::io::sink())?;
    }
    let status = child.wait()?;
    Ok(Ran { printed, code: status.code(), took: started.elapsed() })
}
