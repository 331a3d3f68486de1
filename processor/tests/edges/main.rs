//! Whole pipelines over real sockets and files: what goes in at one edge comes out at the other.

#![allow(clippy::unwrap_used, missing_docs)]

mod beats;
mod files;
mod pipelines;
mod sockets;
mod support;
