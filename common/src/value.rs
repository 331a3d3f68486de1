//! The values that events carry.

use std::cmp::Ordering;

use num_bigint::BigInt;

pub use crate::decimal::Decimal;
pub use crate::object::Object;
use crate::timestamp::Timestamp;

/// Text: up to 23 bytes inline, longer text as a cheap slice of a shared buffer (most often the incoming record).
///
/// A slice keeps its whole buffer alive; what outlives a batch (caches, counters, maps) stores
/// `Str::from(text.as_str())` instead.
pub type Str = hipstr::HipStr<'static>;

/// A value of an event.
///
/// Equality is strict, as Logstash compares: `Int(1) != Float(1.0)`, a [`Decimal`] equals no float.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`, Ruby's nil. A field with this value exists.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number of 64 bits.
    Int(i64),
    /// A whole number beyond 64 bits.
    BigInt(Box<BigInt>),
    /// A double.
    Float(f64),
    /// A fraction read by the json filter.
    Decimal(Box<Decimal>),
    /// Text, always valid UTF-8.
    String(Str),
    /// A moment; `@timestamp` always is one.
    Timestamp(Timestamp),
    /// A list.
    Array(Vec<Value>),
    /// A map.
    Object(Object),
}

/// Every event moves its values about; a larger value costs every filter.
const _: () = assert!(size_of::<Value>() <= 40);

impl Value {
    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The map, if it is one, to be changed.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The number as 64 bits, if it is a whole number that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Becomes a text, which shares `record` where it is a long part of it. It is made in its place, which is cheaper than
    /// to move it there.
    #[inline]
    pub fn set_slice(&mut self, record: &Str, text: &str) {
        *self = Value::String(Str::new());
        if let Value::String(place) = self {
            put_slice(place, record, text);
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// What messages call it: `string`, `map`, ...
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Int(_) | Value::BigInt(_) => "integer",
            Value::Float(_) | Value::Decimal(_) => "float",
            Value::String(_) => "string",
            Value::Timestamp(_) => "timestamp",
            Value::Array(_) => "array",
            Value::Object(_) => "map",
        }
    }

    /// How two numbers of any kind are ordered; `None` when one is no number or not a number.
    pub fn compare_numbers(&self, other: &Value) -> Option<Ordering> {
        match (self, other) {
            (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
            (Value::Decimal(left), Value::Decimal(right)) => left.partial_cmp(right),
            (Value::BigInt(left), Value::BigInt(right)) => Some(left.cmp(right)),
            (left, right) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        }
    }

    /// The number as the nearest double; `None` for what is no number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Decimal(number) => Some(number.to_f64()),
            Value::BigInt(number) => number.to_string().parse().ok(),
            _ => None,
        }
    }

    /// A whole number of any size, in 64 bits when it fits.
    pub fn from_bigint(number: BigInt) -> Value {
        match i64::try_from(&number) {
            Ok(small) => Value::Int(small),
            Err(_) => Value::BigInt(Box::new(number)),
        }
    }
}

/// Fills in an empty text: short ones are copied, longer ones share the record that they are a part of.
#[inline]
pub(crate) fn put_slice(place: &mut Str, record: &Str, text: &str) {
    if text.len() <= Str::inline_capacity() {
        place.push_str(text);
    } else {
        *place = record.try_slice_ref(text).unwrap_or_else(|| Str::from(text));
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::Int(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        i64::try_from(value).map_or_else(|_| Value::BigInt(Box::new(value.into())), Value::Int)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::from(value as u64)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Float(value)
    }
}

/// Copies the text.
impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(Str::from(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::String(Str::from(value))
    }
}

impl From<Str> for Value {
    fn from(value: Str) -> Value {
        Value::String(value)
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Value {
        Value::Timestamp(value)
    }
}

impl From<Object> for Value {
    fn from(value: Object) -> Value {
        Value::Object(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Value {
        Value::Array(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// From a tree of serde_json; whole numbers stay whole.
impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Value {
        match value {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(flag) => Value::Bool(flag),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(small), _) => Value::Int(small),
                (None, Some(large)) => Value::from(large),
                (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(text) => Value::from(text),
            serde_json::Value::Array(values) => Value::Array(values.into_iter().map(Value::from).collect()),
            serde_json::Value::Object(map) => Value::Object(map.into_iter().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_two_kinds_differ() {
        assert_ne!(Value::Int(1), Value::Float(1.0));
        assert_eq!(Value::from(u64::MAX), Value::BigInt(Box::new(u64::MAX.into())));
    }
}
