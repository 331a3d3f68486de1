//! What the process itself uses, from /proc.

use std::fs;

/// See [`usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) user_millis: u64,
    pub(super) system_millis: u64,
    pub(super) resident_bytes: u64,
    pub(super) threads: u64,
    pub(super) open_handles: u64,
    pub(super) handle_limit: u64,
}

/// Clock ticks per second in /proc; Linux has always had 100.
const TICKS: u64 = 100;

pub(super) fn usage() -> Usage {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    Usage {
        user_millis: field(11) * 1000 / TICKS,
        system_millis: field(12) * 1000 / TICKS,
        threads: field(17),
        resident_bytes: resident.unwrap_or(0) * 1024,
        open_handles: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
        handle_limit: rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX),
    }
}

/// The machine's load of the last 1, 5 and 15 minutes.
pub(super) fn load() -> [f64; 3] {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap_or(0.0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_seen() {
        let usage = usage();
        assert!(usage.resident_bytes > 1 << 20 && usage.threads >= 1 && usage.open_handles >= 3, "{usage:?}");
    }
}
