//! `topics` and `topic`: which topic an event goes to.

use crate::document::{Format, View};
use crate::processors::Condition;

/// One rule of `topics`; `topic` is the last of them.
#[derive(Clone, Debug)]
pub struct TopicRule {
    /// `topic`
    pub topic: Format,
    /// `mappings`: other names for what `topic` comes to; what is not among them is no match.
    pub mappings: Vec<(String, String)>,
    /// `default`: where `topic` cannot be filled in, or is not among the mappings.
    pub default: Option<String>,
    /// `when`
    pub(crate) when: Option<Condition>,
}

impl TopicRule {
    /// `topic` alone.
    pub fn plain(topic: Format) -> TopicRule {
        TopicRule { topic, mappings: Vec::new(), default: None, when: None }
    }

    /// The topic, if it is the same for every event.
    pub(super) fn constant(&self) -> Option<&str> {
        let plain = self.mappings.is_empty() && self.default.is_none() && self.when.is_none();
        self.topic.constant().filter(|topic| plain && !topic.is_empty())
    }

    /// Fills `topic`; `false` when the rule does not match.
    fn select(&self, view: &View<'_>, topic: &mut String) -> bool {
        if self.when.as_ref().is_some_and(|when| !view.event().is_some_and(|event| when.holds(event))) {
            return false;
        }
        topic.clear();
        let filled = self.topic.fill(view, topic) && !topic.is_empty();
        let mapped = match self.mappings.iter().find(|(name, _)| filled && name == topic) {
            _ if self.mappings.is_empty() => filled,
            Some((_, other)) => {
                topic.clear();
                topic.push_str(other);
                true
            }
            None => false,
        };
        if !mapped && let Some(default) = &self.default {
            topic.clear();
            topic.push_str(default);
        }
        (mapped || self.default.is_some()) && !topic.is_empty()
    }
}

/// Fills `topic` by the first rule that matches; `false` when none does.
pub(super) fn select(rules: &[TopicRule], view: &View<'_>, topic: &mut String) -> bool {
    rules.iter().any(|rule| rule.select(view, topic))
}
