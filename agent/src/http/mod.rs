//! What the agent's HTTP clients have in common: whom they trust, and a client whose answers may be read as they come.

mod client;
#[cfg(test)]
pub(crate) mod fake;
mod trust;

pub(crate) use client::{Client, Endpoint, Refused};
pub(crate) use trust::{Pem, Trust};

/// A name or value in an address.
pub(crate) fn escaped(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
