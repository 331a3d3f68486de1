//! Output `zabbix`: values for trapper items, by the protocol of zabbix_sender.

use std::io::{self, Read, Write};
use std::sync::OnceLock;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tailrace_common::{Event, FieldPath, Timestamp};

use super::common::Backoff;
use super::{Output, OutputDefinition, OutputError, Services, common_options, connect};
use crate::delivery::Share;
use crate::options::{Invalid, Options, value_text};
use crate::plugin::BuildContext;

pub(super) const DEFINITION: OutputDefinition =
    OutputDefinition { name: "zabbix", summary: "Sends values to trapper items of Zabbix.", build };

/// Values in one request, as zabbix_sender has it.
const MOST_VALUES: usize = 250;
/// A longer answer is none of Zabbix.
const LONGEST_ANSWER: u64 = 1 << 20;
const MAGIC: &[u8; 5] = b"ZBXD\x01";

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Output>, Invalid> {
    common_options(&mut options);
    options.require("zabbix_host");
    let host = options.field("zabbix_host");
    let pairs = options.fields("multi_value");
    let pairs = if pairs.is_empty() {
        options.require("zabbix_key");
        let value = options.field("zabbix_value").unwrap_or_else(|| FieldPath::field("message"));
        options.field("zabbix_key").map(|key| (key, value)).into_iter().collect()
    } else {
        options.ignored("zabbix_key", "'multi_value' names keys and values");
        options.ignored("zabbix_value", "'multi_value' names keys and values");
        if pairs.len() % 2 == 1 {
            options.error_at("multi_value", "'multi_value' must be a list of keys and values of even length");
        }
        let halves = pairs.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        halves.collect::<Vec<_>>()
    };
    let server = options.string("zabbix_server_host").unwrap_or_else(|| "localhost".into());
    let port = options.integer("zabbix_server_port").unwrap_or(10_051);
    let port = u16::try_from(port).unwrap_or_else(|_| {
        options.error_at("zabbix_server_port", format!("'zabbix_server_port' must be 0 to 65535, this is {port}"));
        0
    });
    let timeout = Duration::from_secs_f64(options.number("timeout").unwrap_or(1.0).clamp(0.01, 600.0));
    let id = options.id().unwrap_or_else(|| "zabbix".into());
    options.finish()?;
    let Some(host) = host else { return Err(Invalid) };
    Ok(Box::new(Zabbix { id, host, pairs, server, port, timeout, services: OnceLock::new() }))
}

struct Zabbix {
    id: String,
    /// The field that names the host.
    host: FieldPath,
    /// The fields that name an item's key, and its value.
    pairs: Vec<(FieldPath, FieldPath)>,
    server: String,
    port: u16,
    timeout: Duration,
    services: OnceLock<Services>,
}

/// What the server says.
#[derive(Debug, Deserialize)]
struct Answer {
    response: String,
    #[serde(default)]
    info: String,
}

impl Output for Zabbix {
    fn start(&self, services: &Services) -> Result<(), OutputError> {
        self.services.get_or_init(|| services.clone());
        Ok(())
    }

    fn write(&self, events: &[&Event], share: Share) {
        let Some(services) = self.services.get() else { return };
        let mut values = Vec::with_capacity(events.len());
        for event in events {
            let before = values.len();
            self.add_values(event, &mut values);
            if values.len() > before {
                continue;
            }
            let reason = format!("the event has no '{}', or no key and value", self.host);
            if !services.bury(event, &self.id, &reason) {
                return;
            }
        }
        for values in values.chunks(MOST_VALUES) {
            if !self.deliver(values, services) {
                return;
            }
        }
        services.count(events.len());
        share.done();
    }
}

impl Zabbix {
    fn add_values(&self, event: &Event, values: &mut Vec<serde_json::Value>) {
        let Some(host) = event.get(&self.host) else { return };
        let moment = event.timestamp().unwrap_or_else(Timestamp::now);
        for (key, value) in &self.pairs {
            if let (Some(key), Some(value)) = (event.get(key), event.get(value)) {
                values.push(json!({
                    "host": value_text(host),
                    "key": value_text(key),
                    "value": value_text(value),
                    "clock": moment.secs,
                    "ns": moment.nanos,
                }));
            }
        }
    }

    /// Sends until the server has answered; false when the pipeline gave up before.
    fn deliver(&self, values: &[serde_json::Value], services: &Services) -> bool {
        let mut backoff = Backoff::new(services, Duration::from_millis(500), Duration::from_secs(30));
        loop {
            match self.exchange(values) {
                Ok(answer) if answer.response == "success" => {
                    // Zabbix does not say which values it has no item for.
                    if !answer.info.contains("failed: 0;") {
                        tracing::warn!(
                            output = self.id,
                            info = answer.info,
                            "zabbix has not taken all values; is there a trapper item for each?"
                        );
                    }
                    return true;
                }
                Ok(answer) => tracing::warn!(
                    output = self.id,
                    response = answer.response,
                    info = answer.info,
                    "zabbix refused; will try again"
                ),
                Err(error) => {
                    tracing::warn!(output = self.id, server = self.server, port = self.port, %error, "cannot send to zabbix; will try again")
                }
            }
            if !backoff.wait() {
                return false;
            }
        }
    }

    fn exchange(&self, values: &[serde_json::Value]) -> io::Result<Answer> {
        let mut stream = connect(&self.server, self.port, self.timeout.max(Duration::from_secs(1)))?;
        let now = Timestamp::now();
        let body = serde_json::to_vec(
            &json!({ "request": "sender data", "data": values, "clock": now.secs, "ns": now.nanos }),
        )?;
        stream.write_all(&framed(&body))?;
        let mut head = [0; 13];
        stream.read_exact(&mut head)?;
        let length = u64::from_le_bytes(head[5..13].try_into().map_err(io::Error::other)?);
        if &head[..5] != MAGIC || length > LONGEST_ANSWER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is not zabbix's"));
        }
        let mut answer = Vec::new();
        stream.take(length).read_to_end(&mut answer)?;
        Ok(serde_json::from_slice(&answer)?)
    }
}

/// A message with its header.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(body.len() + 13);
    message.extend_from_slice(MAGIC);
    message.extend_from_slice(&(body.len() as u64).to_le_bytes());
    message.extend_from_slice(body);
    message
}
