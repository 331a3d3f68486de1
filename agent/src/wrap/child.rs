//! The application: started, sent every signal that we get, waited for, and all orphans with it.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::{ChildStderr, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, set_child_subreaper, wait};
use rustix_libc_wrappers::process::SignalExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::ExecError;

/// Signals that cannot be caught, that faults of our own raise, that tell of children, or that the C library keeps for
/// itself.
const OURS: [i32; 11] = [4, 5, 7, 8, 9, 11, 13, 17, 19, 31, 6];
/// The C library's own.
const RESERVED: std::ops::RangeInclusive<i32> = 32..=33;
/// How many signals may wait to be passed on.
const WAITING: usize = 64;
/// With a terminal these come to the child from there; passed on, they would come twice.
const FROM_TERMINAL: [i32; 3] = [2, 3, 20];

/// All signals that are passed on, and the one that tells of children.
pub(super) struct Signals {
    passed_on: mpsc::Receiver<i32>,
    child: tokio::signal::unix::Signal,
}

impl Signals {
    /// To be called inside of the runtime.
    pub(super) fn listen() -> io::Result<Signals> {
        let (sender, passed_on) = mpsc::channel(WAITING);
        let terminal = io::stdin().is_terminal();
        let is_ours = |number: i32| {
            OURS.contains(&number) || RESERVED.contains(&number) || terminal && FROM_TERMINAL.contains(&number)
        };
        let numbers = (1..=64).filter(|number| !is_ours(*number));
        for number in numbers {
            // Some systems do not let every one of them be caught.
            let Ok(mut stream) = signal(SignalKind::from_raw(number)) else { continue };
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    if sender.send(number).await.is_err() {
                        return;
                    }
                }
            });
        }
        if terminal {
            for number in FROM_TERMINAL {
                // Not for us: the child gets them from the terminal and decides.
                let Ok(mut stream) = signal(SignalKind::from_raw(number)) else { continue };
                tokio::spawn(async move { while stream.recv().await.is_some() {} });
            }
        }
        Ok(Signals { passed_on, child: signal(SignalKind::child())? })
    }
}

/// The running application.
pub(super) struct Child {
    pid: Pid,
    streams: Option<(ChildStdout, ChildStderr)>,
}

impl Child {
    pub(super) fn start(command: &[OsString]) -> Result<Child, ExecError> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(ExecError::Io(io::Error::new(io::ErrorKind::InvalidInput, "no program is named")));
        };
        // Processes that lose their parent come to us, as they come to the first process of a container.
        set_child_subreaper(Some(rustix::process::getpid())).map_err(io::Error::from)?;
        let mut process = Command::new(program);
        process.args(arguments).stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut started = process
            .spawn()
            .map_err(|source| ExecError::Start { program: program.to_string_lossy().into_owned(), source })?;
        let streams = started.stdout.take().zip(started.stderr.take());
        let pid = Pid::from_child(&started);
        Ok(Child { pid, streams })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn take_streams(&mut self) -> Option<(ChildStdout, ChildStderr)> {
        self.streams.take()
    }

    /// Passes signals on and reaps whatever ends until the application has ended; its exit code.
    pub(super) async fn wait(&self, mut signals: Signals) -> io::Result<u8> {
        loop {
            if let Some(code) = self.reap()? {
                return Ok(code);
            }
            tokio::select! {
                _ = signals.child.recv() => {}
                Some(number) = signals.passed_on.recv() => self.pass_on(number),
            }
        }
    }

    fn pass_on(&self, number: i32) {
        let Some(signal) = Signal::from_raw(number) else {
            tracing::debug!(number, "this signal cannot be passed on");
            return;
        };
        if let Err(error) = kill_process(self.pid, signal) {
            tracing::debug!(number, error = %io::Error::from(error), "cannot pass a signal on");
        }
    }

    /// Takes the status of every process that has ended; that of the application as an exit code.
    fn reap(&self) -> io::Result<Option<u8>> {
        let mut code = None;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.pid => {
                    code = match (status.exit_status(), status.terminating_signal()) {
                        (Some(status), _) => Some(status as u8),
                        (None, Some(signal)) => Some(128_u8.wrapping_add(signal as u8)),
                        (None, None) => code,
                    };
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(code),
                Err(rustix::io::Errno::CHILD) => return Ok(code.or(Some(125))),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
