//! End-to-end tests: the `tailrace` program against real Kafka, real Elasticsearch and a real browser.
//!
//! `scripts/test` runs them; see `tests/support/services.rs` for where the servers come from. Long ones are ignored unless `scripts/test --long` asks for them.
#![allow(clippy::unwrap_used)]

mod agent_exec;
mod agent_kafka;
mod agent_restart;
mod bed;
mod container;
mod faults;
mod kill;
mod quickstart;
mod secure;
#[allow(dead_code, reason = "a test bed is larger than the tests of the day")]
mod support;
