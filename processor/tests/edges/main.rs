//! Whole pipelines over real sockets and files: what goes in at one edge comes out at the other.

#![allow(clippy::unwrap_used, missing_docs)]

mod beats;
mod email;
mod exec;
mod files;
mod http;
mod http_output;
mod kafka;
mod letters;
mod pipelines;
mod secured;
mod sockets;
mod support;
mod zabbix;
