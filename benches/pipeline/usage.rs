//! What a process has used, from `/proc`.

use std::time::Duration;

/// Processor time and memory of a process.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// The most memory it has had, in kB (VmHWM).
    pub(crate) peak_kb: u64,
    /// The memory it has now, in kB (VmRSS).
    pub(crate) resident_kb: u64,
}

/// The unit of the times in `/proc/PID/stat`: Linux has had no other since 2.6.
const TICKS_PER_SECOND: u64 = 100;

impl Usage {
    /// What a living process has used so far; nothing when it is gone.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the last parenthesis may hold blanks; after it come state, ppid and so on up to utime and stime.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let kb = |name: &str| -> Option<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.split_whitespace().next()?.parse().ok()
        };
        let cpu = Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
        Some(Self { cpu, peak_kb: kb("VmHWM:")?, resident_kb: kb("VmRSS:")? })
    }
}
