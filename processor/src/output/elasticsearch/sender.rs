//! Sending bulk requests side by side, and again where it must be.
//!
//! Every request is a task of its own: one that waits for its next try holds up no other, until all the bytes that may
//! be on the way are taken; then the workers wait.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tailrace_common::Event;
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, Semaphore};

use super::bulk::{Item, Request};
use super::client::{Client, RequestError};
use super::response::{BulkResponse, Verdict};
use super::settings::{Connection, Refusals};
use super::template::IndexTemplate;
use crate::delivery::Share;
use crate::output::{OutputError, Services};

/// Bytes that may be on the way at once, waiting for another try included.
const MOST_BYTES: usize = 64 << 20;
/// Requests that Elasticsearch is asked to work on at once.
const MOST_REQUESTS: usize = 8;

/// Sends bulk requests in the background.
pub(super) struct Sender {
    lane: Arc<Lane>,
    /// Taken when the output closes.
    runtime: Mutex<Option<Runtime>>,
}

/// What the tasks share.
struct Lane {
    id: String,
    client: Client,
    services: Services,
    backoff: (Duration, Duration),
    refusals: Refusals,
    template: Option<IndexTemplate>,
    /// Set when the template is in its place, or never will be.
    installed: OnceCell<()>,
    requests: Semaphore,
    bytes: Mutex<usize>,
    room: Condvar,
}

impl Sender {
    pub(super) fn start(
        id: &str,
        connection: &Connection,
        template: Option<IndexTemplate>,
        services: Services,
    ) -> Result<Sender, OutputError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("elasticsearch")
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| OutputError(format!("cannot start a thread: {error}")))?;
        let lane = Lane {
            id: id.into(),
            client: Client::new(connection)?,
            services,
            backoff: connection.backoff,
            refusals: connection.refusals.clone(),
            template,
            installed: OnceCell::new(),
            requests: Semaphore::new(MOST_REQUESTS),
            bytes: Mutex::new(0),
            room: Condvar::new(),
        };
        Ok(Sender { lane: Arc::new(lane), runtime: Mutex::new(Some(runtime)) })
    }

    /// Sends a request; waits while too many bytes are on the way.
    pub(super) fn send(&self, request: Request, share: Share) {
        let length = request.body.len();
        self.lane.take_room(length);
        let lane = self.lane.clone();
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            runtime.spawn(async move {
                if lane.deliver(request).await {
                    share.done();
                }
                lane.give_room(length);
            });
        }
    }

    /// Keeps an event that cannot be sent at all; false when the disk refuses.
    pub(super) fn reject_event(&self, event: &Event, reason: &str) -> bool {
        self.lane.services.bury(event, &self.lane.id, reason)
    }

    /// Waits until nothing is on the way, or until the pipeline gives up.
    pub(super) fn close(&self) {
        const STEP: Duration = Duration::from_millis(50);
        let mut bytes = self.lane.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *bytes > 0 && !self.lane.services.abandon.is_set() {
            bytes = self.lane.room.wait_timeout(bytes, STEP).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(bytes);
        if let Some(runtime) = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

impl Lane {
    fn take_room(&self, length: usize) {
        const STEP: Duration = Duration::from_millis(100);
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *bytes > 0 && *bytes + length > MOST_BYTES && !self.services.abandon.is_set() {
            bytes = self.room.wait_timeout(bytes, STEP).unwrap_or_else(PoisonError::into_inner).0;
        }
        *bytes += length;
    }

    fn give_room(&self, length: usize) {
        *self.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= length;
        self.room.notify_all();
    }

    /// Sends a request until all its items are safe. False when the pipeline gave up before.
    async fn deliver(&self, request: Request) -> bool {
        // Requests still to be sent; more than one after a request had to be split.
        self.installed.get_or_init(|| self.install()).await;
        let mut waiting = vec![request];
        let mut wait = self.backoff.0;
        while let Some(mut request) = waiting.pop() {
            let body = Bytes::from(std::mem::take(&mut request.body));
            let answer = self.ask(body.clone()).await;
            request.body = body.into();
            let again = match answer {
                Ok(response) => self.judge(&request, &response).await,
                Err(RequestError::TooLarge | RequestError::Refused(_)) if request.items.len() > 1 => {
                    let (first, second) = request.items.split_at(request.items.len() / 2);
                    waiting.push(request.only(second));
                    waiting.push(request.only(first));
                    continue;
                }
                Err(error @ (RequestError::TooLarge | RequestError::Refused(_))) => self
                    .bury(&request, &request.items[0], &error.to_string())
                    .await
                    .then(Vec::new)
                    .unwrap_or_else(|| request.items.clone()),
                Err(error) => {
                    tracing::warn!(output = self.id, retry_in_ms = wait.as_millis() as u64, "{error}");
                    request.items.clone()
                }
            };
            if again.is_empty() {
                wait = self.backoff.0;
                continue;
            }
            waiting.push(if again.len() == request.items.len() { request } else { request.only(&again) });
            if !self.pause(wait).await {
                return false;
            }
            wait = (wait * 2).min(self.backoff.1);
        }
        true
    }

    /// Puts the index template in its place before the first document; a document without it would make fields of the
    /// wrong types.
    async fn install(&self) {
        let Some(template) = &self.template else { return };
        let mut wait = self.backoff.0;
        loop {
            match template.install(&self.client).await {
                Ok(()) => return,
                Err(RequestError::Refused(reason)) => {
                    tracing::error!(
                        output = self.id,
                        template = template.name,
                        reason,
                        "the index template is refused"
                    );
                    return;
                }
                Err(error) => tracing::warn!(output = self.id, "cannot install the index template: {error}"),
            }
            if !self.pause(wait).await {
                return;
            }
            wait = (wait * 2).min(self.backoff.1);
        }
    }

    async fn ask(&self, body: Bytes) -> Result<BulkResponse, RequestError> {
        // The semaphore is never closed.
        let _permit = self.requests.acquire().await;
        self.client.bulk(body).await
    }

    /// Waits; false when the pipeline gave up.
    async fn pause(&self, time: Duration) -> bool {
        const STEP: Duration = Duration::from_millis(50);
        let mut left = time;
        while !left.is_zero() && !self.services.abandon.is_set() {
            let step = left.min(STEP);
            tokio::time::sleep(step).await;
            left -= step;
        }
        !self.services.abandon.is_set()
    }

    /// Buries the dead; gives back what is to be sent again.
    async fn judge(&self, request: &Request, response: &BulkResponse) -> Vec<Item> {
        if !response.errors {
            self.services.count(request.items.len());
            return Vec::new();
        }
        let mut again = Vec::new();
        let mut delivered = 0;
        let mut reasons = None;
        let mut answers = response.items.iter();
        for item in &request.items {
            let answer = answers.next().and_then(|answer| answer.values().next());
            match answer.map(|answer| answer.verdict(item.create, &self.refusals)) {
                Some(Verdict::Delivered) => delivered += 1,
                Some(Verdict::Dropped(reason)) => {
                    tracing::warn!(output = self.id, reason, "a document was refused and is dropped");
                    delivered += 1;
                }
                Some(Verdict::Dead(reason)) => {
                    if !self.bury(request, item, &reason).await {
                        again.push(item.clone());
                    }
                }
                Some(Verdict::Retry(reason)) => {
                    reasons.get_or_insert(reason);
                    again.push(item.clone());
                }
                // An answer that is too short says nothing of the rest.
                None => again.push(item.clone()),
            }
        }
        self.services.count(delivered);
        if let Some(reason) = reasons {
            tracing::warn!(
                output = self.id,
                documents = again.len(),
                "elasticsearch cannot take documents now: {reason}"
            );
        }
        again
    }

    /// Writes an item to the dead letters; false when the disk refuses.
    async fn bury(&self, request: &Request, item: &Item, reason: &str) -> bool {
        let action = request.body[item.whole.start..item.document.start].trim_ascii().to_vec();
        let document = request.body[item.document.clone()].to_vec();
        let (letters, id, why) = (self.services.dead_letters.clone(), self.id.clone(), reason.to_string());
        let written = tokio::task::spawn_blocking(move || letters.write_json(&document, &action, &id, &why)).await;
        match written {
            Ok(Ok(())) => {
                tracing::debug!(output = self.id, reason, "a document went to the dead letters");
                true
            }
            Ok(Err(error)) => {
                tracing::error!(output = self.id, %error, reason, "cannot write a dead letter; will try again");
                false
            }
            Err(_) => false,
        }
    }
}
