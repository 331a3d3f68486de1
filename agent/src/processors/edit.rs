//! What processors that change fields have in common: lists of `from` and `to`, and all or nothing.

use tailrace_common::{Event, Value};

use super::field::Field;
use super::{Failure, Outcome, Verdict};
use crate::config::section::Section;

/// One item of `fields: [{from: a, to: b}]`.
#[derive(Clone, Debug)]
pub(crate) struct FromTo {
    pub(crate) from: Field,
    /// The same as `from` where `to` may be left out and is.
    pub(crate) to: Field,
}

/// Reads `fields`; what it lacks is reported.
pub(crate) fn from_to(section: &Section<'_>, to_is_optional: bool) -> Vec<FromTo> {
    section.require("fields");
    let items = section.maps("fields");
    items.iter().filter_map(|item| pair(item, to_is_optional)).collect()
}

/// Reads `from` and `to` of a map.
pub(crate) fn pair(item: &Section<'_>, to_is_optional: bool) -> Option<FromTo> {
    let from = item.required("from")?;
    let to = if to_is_optional { item.text("to") } else { Some(item.required("to")?) };
    Some(FromTo { from: Field::new(from), to: Field::new(to.unwrap_or(from)) })
}

/// `ignore_missing` and `fail_on_error`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strictness {
    pub(crate) ignore_missing: bool,
    pub(crate) fail_on_error: bool,
}

impl Strictness {
    /// Filebeat's defaults: missing fields are failures, and a failure undoes everything.
    pub(crate) fn read(section: &Section<'_>) -> Strictness {
        Strictness {
            ignore_missing: section.boolean("ignore_missing", false),
            fail_on_error: section.boolean("fail_on_error", true),
        }
    }

    /// Changes the event item by item. Under `fail_on_error` a failure undoes all of it and stands in `error.message`;
    /// without, the other items go on.
    pub(crate) fn each<T>(
        self,
        event: &mut Event,
        items: &[T],
        context: &str,
        change: impl Fn(&mut Event, &T) -> Result<(), Failure>,
    ) -> Outcome {
        let backup = (self.fail_on_error && items.len() > 1).then(|| event.clone());
        for item in items {
            let Err(Failure(reason)) = change(event, item) else { continue };
            let failure = Failure(if context.is_empty() { reason } else { format!("{context}: {reason}") });
            if !self.fail_on_error {
                tracing::debug!(%failure, "a processor failed");
                continue;
            }
            if let Some(backup) = backup {
                *event = backup;
            }
            set_error_message(event, &failure);
            return Err(failure);
        }
        Ok(Verdict::Keep)
    }

    /// The value of a field; `Ok(None)` when it is missing and may be.
    pub(crate) fn value<'e>(self, field: &Field, event: &'e Event) -> Result<Option<&'e Value>, Failure> {
        match field.get(event) {
            None if self.ignore_missing => Ok(None),
            None => field.require(event).map(Some),
            value => Ok(value),
        }
    }
}

/// `error.message`
pub(crate) fn set_error_message(event: &mut Event, failure: &Failure) {
    // Where `error` is no map, the failure stands in the log alone.
    Field::new("error.message").put(event, failure.0.as_str()).ok();
}
