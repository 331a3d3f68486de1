//! Fields that come into a map one by one, and go again when the last of them cannot.

use smallvec::SmallVec;

use super::entries::{Entries, SCAN_LIMIT, tag};
use crate::value::{Str, Value};

/// Fields that are being added to a map. They stay when this is dropped.
pub struct Addition<'o> {
    entries: &'o mut Entries,
    /// How many fields there were.
    before: usize,
    /// Which of those got a new value, and the one they had.
    replaced: SmallVec<[(usize, Value); 1]>,
}

impl<'o> Addition<'o> {
    /// Nothing for maps with an index: what was replaced is kept in a list.
    #[inline]
    pub(super) fn begin(entries: &'o mut Entries) -> Option<Addition<'o>> {
        let before = entries.list.len();
        (before <= SCAN_LIMIT).then(|| Addition { entries, before, replaced: SmallVec::new() })
    }

    /// The place of a name's value: null unless the name was added before. The name shares `record` where it is a part of
    /// it.
    #[inline]
    pub fn place(&mut self, record: &Str, name: &str) -> &mut Value {
        let tag = tag(name.as_bytes());
        match self.entries.position(name, tag) {
            Some(at) => {
                if at < self.before && self.replaced.iter().all(|(other, _)| *other != at) {
                    self.replaced.push((at, std::mem::take(&mut self.entries.list[at].1)));
                }
                &mut self.entries.list[at].1
            }
            None => self.entries.push_place(record, name, tag),
        }
    }

    /// How many names were new or got a new value.
    pub fn len(&self) -> usize {
        self.entries.list.len() - self.before + self.replaced.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes the map what it was before.
    pub fn undo(self) {
        self.entries.shorten(self.before);
        for (at, value) in self.replaced {
            self.entries.list[at].1 = value;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::value::{Object, Str, Value};

    #[test]
    fn what_was_added_can_be_taken_back() {
        let before: Object = [("a", 1), ("b", 2)].into_iter().collect();
        let mut object = before.clone();
        let record = Str::from("record");
        let mut addition = object.add().unwrap();
        assert!(addition.is_empty());
        for name in
            ["b".to_string(), "c".to_string(), "b".to_string()].into_iter().chain((0..40).map(|n| n.to_string()))
        {
            *addition.place(&record, &name) = Value::Int(3);
        }
        assert_eq!(addition.len(), 42);
        addition.undo();
        assert_eq!(object, before);
        assert_eq!(object.get("7"), None);
        *object.add().unwrap().place(&record, "a") = Value::Int(5);
        assert_eq!((object.get("a"), object.get("b")), (Some(&Value::Int(5)), Some(&Value::Int(2))));
        let mut large: Object = (0..40).map(|n| (n.to_string(), n)).collect();
        assert!(large.add().is_none());
    }
}
