//! `quota`: how fast one file, or the files of one folder, may be read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files::Id;
use super::reader::Reader;
use super::tracked::Tracked;
use crate::tail::settings::{Excess, QuotaScope, QuotaSettings, QuotaUnit};

/// How much is read at a time under a quota that delays: what is read beyond it is made up for later.
const STRETCH: usize = 16 << 10;
/// How often it is said that lines are dropped.
const SAY: Duration = Duration::from_secs(60);

/// Tokens: so many were there at that moment. Fewer than none are a debt.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn refill(&mut self, settings: &QuotaSettings, now: Instant) {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * settings.rate;
        self.tokens = (self.tokens + gained).min(settings.burst);
        self.at = now;
    }
}

/// What is left of each quota, by input and by what it holds for.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    buckets: HashMap<(usize, PathBuf), Bucket>,
    said: Option<Instant>,
    unsaid: u64,
}

/// What a quota holds for. Generations of one file share what is left.
fn scope(settings: &QuotaSettings, origin: &Path) -> PathBuf {
    match settings.per {
        QuotaScope::File => origin.to_owned(),
        QuotaScope::Folder => origin.parent().unwrap_or(origin).to_owned(),
    }
}

impl Quotas {
    fn bucket(&mut self, input: usize, origin: &Path, settings: &QuotaSettings, now: Instant) -> &mut Bucket {
        let bucket = self.buckets.entry((input, scope(settings, origin)));
        let bucket = bucket.or_insert(Bucket { tokens: settings.burst, at: now });
        bucket.refill(settings, now);
        bucket
    }

    /// When a file may be read again; nothing when it may be now.
    fn opens_at(&mut self, input: usize, origin: &Path, settings: &QuotaSettings, now: Instant) -> Option<Instant> {
        let tokens = self.bucket(input, origin, settings, now).tokens;
        (tokens <= 0.0).then(|| now + Duration::from_secs_f64(((1.0 - tokens) / settings.rate).min(3600.0)))
    }

    /// Takes what some bytes of one line cost; `false` where there is nothing left of the quota and it drops.
    fn spend(&mut self, input: usize, origin: &Path, settings: &QuotaSettings, now: Instant, bytes: u64) -> bool {
        let cost = match settings.unit {
            QuotaUnit::Lines => 1.0,
            QuotaUnit::Bytes => bytes as f64,
        };
        let bucket = self.bucket(input, origin, settings, now);
        let allowed = settings.excess == Excess::Delay || bucket.tokens > 0.0;
        if allowed {
            bucket.tokens -= cost;
        }
        allowed
    }

    /// Buckets that nothing was taken from for long are forgotten: they would be full.
    pub(super) fn forget_idle(&mut self, now: Instant) {
        self.buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < Duration::from_secs(3600));
    }

    /// Inputs have other numbers now.
    pub(super) fn clear(&mut self) {
        self.buckets.clear();
    }

    /// How many dropped lines are to be reported now.
    fn due_to_say(&mut self, dropped: u64, now: Instant) -> Option<u64> {
        self.unsaid += dropped;
        if dropped == 0 || self.said.is_some_and(|said| now.saturating_duration_since(said) < SAY) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

/// What must be known of a file to account for it.
fn account(file: &Tracked) -> Option<(QuotaSettings, usize, PathBuf)> {
    let settings = file.settings.quota.clone()?;
    Some((settings, file.input, file.origin().to_owned()))
}

impl Reader {
    /// Whether a file has to wait for its quota. It is looked at meanwhile, so that what is destroyed unread is known.
    pub(super) fn waits_for_quota(&mut self, id: Id) -> bool {
        let Some((settings, input, origin)) = self.files.get(id).and_then(account) else { return false };
        if settings.excess == Excess::Drop {
            return false;
        }
        let now = self.clock.now();
        let Some(at) = self.quotas.opens_at(input, &origin, &settings, now) else { return false };
        self.look_at_size(id);
        if let Some(file) = self.files.get_mut(id) {
            file.at_end = false;
        }
        self.set_timer(id, at);
        true
    }

    /// How much may be read at once.
    pub(super) fn stretch_of(&self, id: Id) -> usize {
        let delays = |file: &Tracked| file.settings.quota.as_ref().is_some_and(|quota| quota.excess == Excess::Delay);
        if self.files.get(id).is_some_and(delays) { self.stretch.min(STRETCH) } else { self.stretch }
    }

    /// Accounts for lines, given by their bounds in the file, and leaves out those that a quota drops.
    pub(super) fn keep_within_quota<L>(&mut self, id: Id, lines: &mut Vec<L>, bounds: impl Fn(&L) -> (u64, u64)) {
        let Some((settings, input, origin)) = self.files.get(id).and_then(account) else { return };
        let (now, before) = (self.clock.now(), lines.len());
        let mut bytes = 0;
        lines.retain(|line| {
            let (start, end) = bounds(line);
            let kept = self.quotas.spend(input, &origin, &settings, now, end - start);
            bytes += if kept { 0 } else { end - start };
            kept
        });
        let dropped = (before - lines.len()) as u64;
        self.stats.quota_lines += dropped;
        self.stats.quota_bytes += bytes;
        if let Some(lines) = self.quotas.due_to_say(dropped, now) {
            tracing::warn!(path = %origin.display(), lines, "lines beyond the quota of their input are dropped");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(excess: Excess, unit: QuotaUnit) -> QuotaSettings {
        QuotaSettings { rate: 10.0, burst: 20.0, unit, per: QuotaScope::File, excess }
    }

    #[test]
    fn a_debt_is_waited_for() {
        let (mut quotas, now) = (Quotas::default(), Instant::now());
        let delay = settings(Excess::Delay, QuotaUnit::Bytes);
        let path = Path::new("/a");
        assert_eq!(quotas.opens_at(0, path, &delay, now), None);
        assert!(quotas.spend(0, path, &delay, now, 69));
        // 49 bytes too many and one to go on with, at 10 a second.
        assert_eq!(quotas.opens_at(0, path, &delay, now), Some(now + Duration::from_secs(5)));
        assert_eq!(quotas.opens_at(0, path, &delay, now + Duration::from_secs(5)), None);
        assert_eq!(quotas.opens_at(1, path, &delay, now), None, "another input");
    }

    #[test]
    fn what_is_dropped_costs_nothing() {
        let (mut quotas, now) = (Quotas::default(), Instant::now());
        let drop = settings(Excess::Drop, QuotaUnit::Lines);
        let at = |seconds| now + Duration::from_secs(seconds);
        let kept =
            |quotas: &mut Quotas, now| (0..100).filter(|_| quotas.spend(0, Path::new("/a"), &drop, now, 1)).count();
        assert_eq!([kept(&mut quotas, now), kept(&mut quotas, at(1)), kept(&mut quotas, at(100))], [20, 10, 20]);
    }

    #[test]
    fn files_of_one_folder_may_share_a_quota() {
        let folder = QuotaSettings { per: QuotaScope::Folder, ..settings(Excess::Drop, QuotaUnit::Lines) };
        assert_eq!(scope(&folder, Path::new("/pods/p/c/0.log")), scope(&folder, Path::new("/pods/p/c/1.log")));
        let file = settings(Excess::Drop, QuotaUnit::Lines);
        assert_ne!(scope(&file, Path::new("/pods/p/c/0.log")), scope(&file, Path::new("/pods/p/c/1.log")));
    }
}
