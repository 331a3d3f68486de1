//! What is known of the host, and of the containers whose lines are read. Processors of [`crate::processors`] put it into
//! events, once per file.

pub(crate) mod host;
