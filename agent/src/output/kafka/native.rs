//! Hands records to librdkafka by reference and takes its reports in batches.
//!
//! The crate's own producer copies each payload and looks the topic up by name for every record; at the rates that files
//! are read with, that is a good part of all work. What makes its `unsafe` sound:
//!
//! - A parcel's bytes do not move or change while librdkafka may read them: they are owned by [`Producer::slots`] from
//!   [`Producer::submit`] until the last of its records is reported.
//! - [`Producer`] goes only after every record was reported; if that cannot be had in time, the bytes are leaked.
//! - Pointers of librdkafka stay inside; each is destroyed once, topics before their client.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
use std::mem;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::bindings as ffi;
use rdkafka::bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR as NO_ERROR;
use rdkafka::bindings::rd_kafka_vtype_t as vtype;
use rdkafka::client::Client;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaType;

use super::context::Context;
use super::parcel::Parcel;

/// How long the end of a producer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A producer with the parcels that it has under way.
pub(super) struct Producer {
    client: Arc<Client<Context>>,
    queue: *mut ffi::rd_kafka_queue_t,
    headers: *mut ffi::rd_kafka_headers_t,
    slots: Vec<Slot>,
    free: Vec<u32>,
    in_flight: usize,
}

#[derive(Default)]
struct Slot {
    parcel: Option<Parcel>,
    lane: u32,
    /// Records that are not reported yet.
    left: u32,
}

// SAFETY: librdkafka's handles may be used from any thread; the raw pointers are owned by this value alone.
unsafe impl Send for Producer {}

/// A topic of one producer.
pub(super) struct Topic {
    ptr: *mut ffi::rd_kafka_topic_t,
    /// Must outlive the topic.
    _client: Arc<Client<Context>>,
}

// SAFETY: as for `Producer`.
unsafe impl Send for Topic {}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: made by `rd_kafka_topic_new`, destroyed once, the client lives.
        unsafe { ffi::rd_kafka_topic_destroy(self.ptr) }
    }
}

impl Producer {
    pub(super) fn new(
        config: &ClientConfig,
        context: Context,
        headers: &[(String, String)],
    ) -> Result<Producer, KafkaError> {
        let native = config.create_native_config()?;
        let events = ffi::RD_KAFKA_EVENT_DR | ffi::RD_KAFKA_EVENT_STATS | ffi::RD_KAFKA_EVENT_ERROR;
        // SAFETY: the configuration is alive and ours.
        unsafe { ffi::rd_kafka_conf_set_events(native.ptr(), events) };
        let client = Client::new(config, native, RDKafkaType::RD_KAFKA_PRODUCER, context)?;
        // SAFETY: the client is alive; the queue is destroyed in `drop`.
        let queue = unsafe { ffi::rd_kafka_queue_get_main(client.native_ptr()) };
        Ok(Producer {
            client: Arc::new(client),
            queue,
            headers: make_headers(headers),
            slots: Vec::new(),
            free: Vec::new(),
            in_flight: 0,
        })
    }

    /// For questions about the cluster.
    pub(super) fn client(&self) -> &Arc<Client<Context>> {
        &self.client
    }

    pub(super) fn topic(&self, name: &str) -> Option<Topic> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client is alive, the name is a C string; without a configuration the client's defaults hold.
        let ptr = unsafe { ffi::rd_kafka_topic_new(self.client.native_ptr(), name.as_ptr(), ptr::null_mut()) };
        (!ptr.is_null()).then(|| Topic { ptr, _client: self.client.clone() })
    }

    /// Hands the records of a parcel over that are to go now. It comes back from [`Producer::poll`] when each of them is
    /// reported; here it comes back only if librdkafka took none of them.
    pub(super) fn submit(&mut self, topic: &Topic, lane: u32, mut parcel: Parcel) -> Option<Parcel> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        let mut left = 0;
        parcel.refused.clear();
        let count = parcel.sent() as u32;
        for number in 0..count {
            match self.produce(topic, &parcel, number, index) {
                NO_ERROR => left += 1,
                code => parcel.refused.push((number, code.into())),
            }
        }
        if left == 0 {
            self.free.push(index);
            return Some(parcel);
        }
        self.in_flight += 1;
        self.slots[index as usize] = Slot { parcel: Some(parcel), lane, left };
        None
    }

    fn produce(&self, topic: &Topic, parcel: &Parcel, number: u32, slot: u32) -> ffi::rd_kafka_resp_err_t {
        let record = &parcel.records[number as usize];
        let document = parcel.document(record);
        let key = parcel.key(record);
        let opaque = (slot as usize) << 32 | number as usize;
        let headers = if self.headers.is_null() {
            ptr::null_mut()
        } else {
            // SAFETY: a copy of headers that live as long as `self`.
            unsafe { ffi::rd_kafka_headers_copy(self.headers) }
        };
        // SAFETY: the arguments are pairs of a type and what belongs to it, up to END. The payload stays where it is until
        // it is reported (see the module), the key is copied by librdkafka. On success it owns the headers.
        let code = unsafe {
            ffi::rd_kafka_producev(
                self.client.native_ptr(),
                vtype::RD_KAFKA_VTYPE_RKT,
                topic.ptr,
                vtype::RD_KAFKA_VTYPE_PARTITION,
                record.partition,
                vtype::RD_KAFKA_VTYPE_MSGFLAGS,
                0,
                vtype::RD_KAFKA_VTYPE_VALUE,
                document.as_ptr().cast::<c_void>(),
                document.len(),
                vtype::RD_KAFKA_VTYPE_KEY,
                key.map_or(ptr::null(), <[u8]>::as_ptr).cast::<c_void>(),
                key.map_or(0, <[u8]>::len),
                vtype::RD_KAFKA_VTYPE_OPAQUE,
                opaque as *mut c_void,
                vtype::RD_KAFKA_VTYPE_TIMESTAMP,
                record.millis,
                vtype::RD_KAFKA_VTYPE_HEADERS,
                headers,
                vtype::RD_KAFKA_VTYPE_END,
            )
        };
        if code != NO_ERROR && !headers.is_null() {
            // SAFETY: librdkafka did not take them.
            unsafe { ffi::rd_kafka_headers_destroy(headers) };
        }
        code
    }

    /// Takes what librdkafka has to tell, waiting at most `wait` for the first of it. Parcels all of whose records are
    /// reported go to `done`.
    pub(super) fn poll(&mut self, wait: Duration, done: &mut Vec<(u32, Parcel)>) {
        let mut timeout = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        loop {
            // SAFETY: the queue is alive; an event is destroyed below.
            let event = unsafe { ffi::rd_kafka_queue_poll(self.queue, timeout) };
            if event.is_null() {
                return;
            }
            timeout = 0;
            // SAFETY: the event is alive until it is destroyed.
            match unsafe { ffi::rd_kafka_event_type(event) } {
                ffi::RD_KAFKA_EVENT_DR => self.take_reports(event, done),
                kind => self.tell(kind, event),
            }
            // SAFETY: destroyed once; nothing borrowed from it is left.
            unsafe { ffi::rd_kafka_event_destroy(event) };
        }
    }

    fn take_reports(&mut self, event: *mut ffi::rd_kafka_event_t, done: &mut Vec<(u32, Parcel)>) {
        loop {
            // SAFETY: the event holds delivery reports; the message is only read before the next call.
            let (opaque, code) = unsafe {
                match ffi::rd_kafka_event_message_next(event).as_ref() {
                    Some(message) => (message._private as usize, message.err),
                    None => return,
                }
            };
            let (index, number) = ((opaque >> 32) as u32, opaque as u32);
            let Some(slot) = self.slots.get_mut(index as usize) else { continue };
            if code != NO_ERROR
                && let Some(parcel) = &mut slot.parcel
            {
                parcel.refused.push((number, code.into()));
            }
            slot.left = slot.left.saturating_sub(1);
            if slot.left == 0
                && let Some(parcel) = slot.parcel.take()
            {
                self.in_flight -= 1;
                self.free.push(index);
                done.push((slot.lane, parcel));
            }
        }
    }

    /// What librdkafka says of itself: logs, errors, statistics.
    fn tell(&self, kind: i32, event: *mut ffi::rd_kafka_event_t) {
        let context = self.client.context();
        // SAFETY: the texts belong to the event, which is alive, and are copied or read at once.
        unsafe {
            match kind {
                ffi::RD_KAFKA_EVENT_LOG => {
                    let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
                    if ffi::rd_kafka_event_log(event, &mut facility, &mut text, &mut level) == 0 {
                        context.log(log_level(level), &text_at(facility), &text_at(text));
                    }
                }
                ffi::RD_KAFKA_EVENT_ERROR => {
                    let code: RDKafkaErrorCode = ffi::rd_kafka_event_error(event).into();
                    let reason = text_at(ffi::rd_kafka_event_error_string(event));
                    context.error(KafkaError::Global(code), &reason);
                }
                ffi::RD_KAFKA_EVENT_STATS => {
                    let text = ffi::rd_kafka_event_stats(event);
                    if !text.is_null() {
                        context.stats_raw(CStr::from_ptr(text).to_bytes());
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes back what is under way: every record comes back refused.
    pub(super) fn purge(&mut self, done: &mut Vec<(u32, Parcel)>) {
        let flags = ffi::RD_KAFKA_PURGE_F_QUEUE | ffi::RD_KAFKA_PURGE_F_INFLIGHT;
        // SAFETY: the client is alive.
        unsafe { ffi::rd_kafka_purge(self.client.native_ptr(), flags) };
        let deadline = Instant::now() + PATIENCE;
        while self.in_flight > 0 && Instant::now() < deadline {
            self.poll(Duration::from_millis(20), done);
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.purge(&mut Vec::new());
        if self.in_flight > 0 {
            tracing::error!(parcels = self.in_flight, "librdkafka keeps records for itself; their memory is given up");
            mem::forget(mem::take(&mut self.slots));
        }
        // SAFETY: made in `new`, destroyed once, before the client.
        unsafe {
            ffi::rd_kafka_queue_destroy(self.queue);
            if !self.headers.is_null() {
                ffi::rd_kafka_headers_destroy(self.headers);
            }
        }
    }
}

fn make_headers(headers: &[(String, String)]) -> *mut ffi::rd_kafka_headers_t {
    if headers.is_empty() {
        return ptr::null_mut();
    }
    // SAFETY: names and values are copied, their lengths are given.
    unsafe {
        let made = ffi::rd_kafka_headers_new(headers.len());
        for (name, value) in headers {
            let (name_len, value_len) = (name.len() as isize, value.len() as isize);
            ffi::rd_kafka_header_add(made, name.as_ptr().cast(), name_len, value.as_ptr().cast(), value_len);
        }
        made
    }
}

/// # Safety
/// `text` is null or a C string.
unsafe fn text_at(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().to_owned()
}

fn log_level(level: i32) -> RDKafkaLogLevel {
    match level {
        0 => RDKafkaLogLevel::Emerg,
        1 => RDKafkaLogLevel::Alert,
        2 => RDKafkaLogLevel::Critical,
        3 => RDKafkaLogLevel::Error,
        4 => RDKafkaLogLevel::Warning,
        5 => RDKafkaLogLevel::Notice,
        6 => RDKafkaLogLevel::Info,
        _ => RDKafkaLogLevel::Debug,
    }
}
