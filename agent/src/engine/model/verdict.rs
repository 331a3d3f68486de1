//! Compares what was delivered with what was written.

use std::collections::BTreeMap;

use super::agent::Delivery;
use super::world::{Generation, World};
use crate::pipeline::FileKey;

/// How often each byte of a generation came out of the agent.
#[derive(Clone, Copy, Default)]
struct Byte {
    delivered: u32,
    /// Of those, by deliveries that must not come twice.
    surely: u32,
    lost: u32,
}

fn fits(delivery: &Delivery, generation: &Generation) -> bool {
    let Some(bytes) = generation.bytes.get(delivery.start as usize..delivery.end as usize) else { return false };
    if delivery.is_loss {
        return true;
    }
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if delivery.truncated { line.starts_with(&delivery.message) } else { line == delivery.message }
}

/// How many bytes of a generation stand in files that have a name.
fn there(world: &World, generation: usize) -> usize {
    let inodes = world.names.values().map(|inode| &world.inodes[*inode]);
    inodes.filter(|inode| inode.generation == generation).map(|inode| inode.len).max().unwrap_or(0)
}

/// The faults: none if every byte was delivered once or stands in the ledger.
///
/// `holds_back`: a last line without an end is not sent while its file is there.
pub(super) fn faults(world: &World, deliveries: &[Delivery], holds_back: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let mut bytes: Vec<Vec<Byte>> =
        world.generations.iter().map(|generation| vec![Byte::default(); generation.bytes.len()]).collect();
    let mut by_key: BTreeMap<(u32, FileKey), Vec<&Delivery>> = BTreeMap::new();
    // A key that was not saved before a kill may be given again, to other content: ids name the text as well.
    for delivery in deliveries {
        by_key.entry((delivery.run, delivery.key)).or_default().push(delivery);
    }
    let candidates = |group: &[&Delivery]| -> Vec<usize> {
        let fits_all = |generation: &Generation| group.iter().all(|delivery| fits(delivery, generation));
        (0..world.generations.len()).filter(|at| fits_all(&world.generations[*at])).collect()
    };
    // Those that fit the fewest and have the most lines first: they leave the least choice to the others.
    let mut groups: Vec<_> = by_key.into_values().collect();
    groups.sort_by_cached_key(|group| {
        let lines = group.iter().filter(|delivery| !delivery.is_loss).count();
        (candidates(group).len(), std::cmp::Reverse(lines))
    });
    let mut of_key: BTreeMap<FileKey, usize> = BTreeMap::new();
    for group in groups {
        let key = group.first().map(|delivery| delivery.key);
        // Equal beginnings fit several, and a loss fits all; the one of which these bytes are missing is meant.
        let covered = |at: &usize| -> usize {
            let there = there(world, *at);
            let cost = |delivery: &&Delivery| -> usize {
                let range = delivery.start as usize..delivery.end as usize;
                // What had the key before a kill is known from the registry, although it was not seen since.
                let is_known = key.is_some_and(|key| of_key.get(&key) == Some(at));
                let seen = if is_known { usize::MAX } else { world.generations[*at].seen };
                let kept = |byte: usize| usize::from(byte >= seen) + 2 * usize::from(byte < there);
                let kept: usize = if delivery.is_loss { range.clone().map(kept).sum() } else { 0 };
                let covered = |byte: &Byte| byte.lost + if delivery.is_loss { byte.surely } else { byte.delivered };
                kept + bytes[*at][range].iter().map(|byte| 3 * covered(byte) as usize).sum::<usize>()
            };
            group.iter().map(cost).sum()
        };
        let same_key = |at: &usize| key.is_none_or(|key| of_key.get(&key).is_none_or(|known| known == at));
        let is_loss = group.iter().all(|delivery| delivery.is_loss);
        let Some(at) = candidates(&group).into_iter().min_by_key(|at| (covered(at), !same_key(at))) else {
            faults.push(format!("delivered what nobody wrote: {group:?}"));
            continue;
        };
        of_key.extend(key.filter(|_| !is_loss).map(|key| (key, at)));
        for delivery in group {
            for byte in &mut bytes[at][delivery.start as usize..delivery.end as usize] {
                if delivery.is_loss {
                    byte.lost += u32::from(!delivery.may_repeat);
                } else {
                    byte.delivered += 1;
                    byte.surely += u32::from(!delivery.may_repeat);
                }
            }
        }
    }
    for (at, generation) in world.generations.iter().enumerate() {
        let there = there(world, at);
        let lines = memchr::memrchr(b'\n', &generation.bytes[..there]).map_or(0, |end| end + 1);
        let mut run: Option<(&str, usize)> = None;
        let end = generation.bytes.len();
        for (index, byte) in bytes[at].iter().copied().chain([Byte { delivered: 1, ..Byte::default() }]).enumerate() {
            let fault = match byte {
                Byte { delivered: 0, lost: 0, .. } if holds_back && (lines..there).contains(&index) => None,
                Byte { surely: 2.., .. } => Some("delivered twice"),
                Byte { surely: 1.., lost: 1.., .. } => Some("delivered and called lost"),
                Byte { lost: 2.., .. } => Some("called lost twice"),
                Byte { delivered: 0, lost: 0, .. } if index < generation.seen => Some("lost"),
                Byte { delivered: 0, lost: 0, .. } if index < there && generation.known => Some("lost though there"),
                Byte { delivered: 0, lost: 1.., .. } if index < there => Some("called lost though there"),
                _ => None,
            };
            if run.map(|(what, _)| what) != fault {
                if let Some((what, from)) = run {
                    let text = String::from_utf8_lossy(&generation.bytes[from..index.min(end)]);
                    faults.push(format!("bytes {from}..{index} of generation {at} are {what}: {text:?}"));
                }
                run = fault.map(|what| (what, index));
            }
        }
    }
    faults
}
