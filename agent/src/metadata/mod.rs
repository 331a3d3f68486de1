//! What is known of the machine, the container and the pod that a line comes from: looked up on threads of its own, kept
//! in caches, put into events by `add_cloud_metadata`, `add_docker_metadata` and `add_kubernetes_metadata`.
//!
//! The sender never waits for any of it: it takes what a cache holds. Before the first line of a file is read the
//! reader waits for a moment until its container is known ([`crate::pipeline::Awaited`]).

pub(crate) mod cloud;
pub(crate) mod docker;
pub(crate) mod kubernetes;
mod labels;
mod paths;
mod shared;
mod threads;

pub(crate) use labels::{dedot, put};
pub(crate) use paths::{container_id, is_container_id};
pub(crate) use shared::Shared;
pub(crate) use threads::{Backoff, Changes, spawn};
