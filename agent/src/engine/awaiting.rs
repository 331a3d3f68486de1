//! Before its first line is read a file waits for a moment, while its container is being looked up.

use std::time::Duration;

use super::files::Id;
use super::reader::Reader;
use crate::pipeline::Awaits;

/// How often it is asked again.
const ASK: Duration = Duration::from_millis(20);

impl Reader {
    /// Whether a file waits for facts about it. It is open meanwhile, so that nothing of it is lost.
    pub(super) fn awaits_facts(&mut self, id: Id) -> bool {
        let now = self.clock.now();
        let Some(file) = self.files.get_mut(id) else { return true };
        if file.known {
            return false;
        }
        let waited = now.saturating_duration_since(*file.awaiting.get_or_insert(now));
        let awaited = file.settings.awaited.iter().map(|facts| facts.awaits(&file.meta, waited)).max();
        match awaited.unwrap_or(Awaits::Nothing) {
            Awaits::Facts => {
                self.look_at_size(id);
                self.set_timer(id, now + ASK);
                return true;
            }
            Awaits::NoLonger => self.stats.without_facts += 1,
            Awaits::Nothing => {}
        }
        if let Some(file) = self.files.get_mut(id) {
            file.known = true;
        }
        false
    }
}
