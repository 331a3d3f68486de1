//! JSON into values and values into JSON: the hot path at both ends.
//!
//! Reading slices the incoming record where it can instead of copying, and tells decimals from doubles where the json
//! filter needs it. Both directions are checked against serde_json.

mod canonical;
mod number;
mod read;
mod scan;
mod write;

pub(crate) use read::parse_all;

pub use number::{write_float, write_float_ruby};
pub use read::{JsonError, Numbers, parse, parse_into};
pub use write::{write, write_object, write_string};
