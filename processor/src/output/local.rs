//! Output `local`: the embedded index, in the place of Elasticsearch where there is none.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tailrace_common::Event;

use super::{Output, OutputDefinition, OutputError, Services, common_options, document_id};
use crate::delivery::Share;
use crate::index::{LocalIndex, LocalWriter};
use crate::options::{Invalid, Options};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "local", summary: "Indexes events in a folder, for 'tailrace search'.", build };

/// How long documents wait at most until they can be found.
const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

fn build(mut options: Options<'_>, build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    let path = build.directory.join(options.required_string("path"));
    options.finish()?;
    Ok(Box::new(Local { path, running: OnceLock::new(), committer: Mutex::new(None) }))
}

struct Local {
    path: PathBuf,
    running: OnceLock<Arc<Running>>,
    committer: Mutex<Option<JoinHandle<()>>>,
}

struct Running {
    writer: Mutex<LocalWriter>,
    pending: Mutex<Pending>,
    wake: Condvar,
    services: Services,
}

#[derive(Default)]
struct Pending {
    shares: Vec<Share>,
    documents: usize,
    closing: bool,
}

impl Output for Local {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        let failed = |error: crate::index::IndexError| OutputError(error.to_string());
        let writer = LocalIndex::open_or_create(&self.path).and_then(|index| index.writer()).map_err(failed)?;
        let running = Arc::new(Running {
            writer: Mutex::new(writer),
            pending: Mutex::default(),
            wake: Condvar::new(),
            services: services.clone(),
        });
        let committer = running.clone();
        let thread = std::thread::Builder::new().name("local-commit".into()).spawn(move || committer.commit_all());
        let thread = thread.map_err(|error| OutputError(format!("cannot start a thread: {error}")))?;
        *self.committer.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        self.running.get_or_init(|| running);
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(running) = self.running.get() else { return };
        if let Err(error) = running.put(events) {
            tracing::error!(%error, path = %self.path.display(), "cannot write to the index; the records are not committed");
            return;
        }
        let mut pending = running.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.shares.push(share);
        pending.documents += events.len();
    }

    fn close(&self) {
        if let Some(running) = self.running.get() {
            running.pending.lock().unwrap_or_else(PoisonError::into_inner).closing = true;
            running.wake.notify_all();
        }
        let thread = self.committer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the index's committer panicked");
        }
    }
}

impl Running {
    fn put(&self, events: &[&Event]) -> Result<(), crate::index::IndexError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let id = document_id(event).unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
            writer.put(&id, event)?;
        }
        Ok(())
    }

    /// Commits what is pending, over and over, until the output closes.
    fn commit_all(&self) {
        loop {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if !pending.closing {
                pending = self.wake.wait_timeout(pending, COMMIT_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
            }
            let closing = pending.closing;
            let (shares, documents) = (std::mem::take(&mut pending.shares), std::mem::take(&mut pending.documents));
            drop(pending);
            if !shares.is_empty() {
                self.commit(shares, documents);
            }
            if closing {
                return;
            }
        }
    }

    fn commit(&self, shares: Vec<Share>, documents: usize) {
        let committed = self.writer.lock().unwrap_or_else(PoisonError::into_inner).commit();
        match committed {
            Ok(()) => {
                self.services.count(documents);
                shares.into_iter().for_each(Share::done);
            }
            Err(error) => tracing::error!(%error, "cannot commit to the index; the records are not committed"),
        }
    }
}
