//! Filebeat's partitioners.

use tailrace_common::Value;

use crate::document::Reference;

/// `partition`
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionSettings {
    /// Which one.
    pub kind: Partitioner,
    /// `reachable_only`: partitions without a leader get nothing.
    pub reachable_only: bool,
}

impl Default for PartitionSettings {
    fn default() -> PartitionSettings {
        PartitionSettings { kind: Partitioner::Hash { fields: Vec::new(), random: true }, reachable_only: false }
    }
}

/// `partition.*`
#[derive(Clone, Debug, PartialEq)]
pub enum Partitioner {
    /// `random`: so many events in a row go to the same partition.
    Random {
        /// `group_events`
        group_events: u64,
    },
    /// `round_robin`: so many events in a row go to the same partition, then to the next one.
    RoundRobin {
        /// `group_events`
        group_events: u64,
    },
    /// `hash`: by these fields or, without any, by the key. What has neither goes anywhere.
    Hash {
        /// `hash`
        fields: Vec<Reference>,
        /// `random`: whether an event that lacks one of the fields goes anywhere instead of being rejected.
        random: bool,
    },
}

/// The partitions of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Partitions {
    /// All there are.
    pub(super) count: i32,
    /// Those with a leader.
    pub(super) reachable: Vec<i32>,
}

/// How a hash could not be made of an event's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unhashable;

/// The hash of an event, `None` if chance is to choose.
pub(super) fn hash(
    partitioner: &Partitioner,
    key: Option<&[u8]>,
    value: impl Fn(&Reference) -> Option<Value>,
) -> Result<Option<u32>, Unhashable> {
    let Partitioner::Hash { fields, random } = partitioner else { return Ok(None) };
    if fields.is_empty() {
        return Ok(key.map(|key| fnv1a(OFFSET_BASIS, key)));
    }
    let hashed = fields.iter().try_fold(OFFSET_BASIS, |hash, field| add(hash, &value(field)?));
    match hashed {
        Some(hash) => Ok(Some(hash)),
        None if *random => Ok(None),
        None => Err(Unhashable),
    }
}

const OFFSET_BASIS: u32 = 0x811c_9dc5;

fn fnv1a(hash: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Whole numbers are hashed as eight bytes, little end first; floats as Go prints them with `%g` in 32 bits.
fn add(hash: u32, value: &Value) -> Option<u32> {
    Some(match value {
        Value::String(text) => fnv1a(hash, text.as_bytes()),
        Value::Int(number) => fnv1a(hash, &number.to_le_bytes()),
        Value::Bool(flag) => fnv1a(hash, &[u8::from(*flag)]),
        Value::Float(number) => fnv1a(hash, shortest(*number as f32).as_bytes()),
        _ => return None,
    })
}

/// Go's `strconv.FormatFloat(number, 'g', -1, 32)`.
fn shortest(number: f32) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "NaN".into()
        } else if number > 0.0 {
            "+Inf".into()
        } else {
            "-Inf".into()
        };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..21).contains(&exponent) {
        return format!("{number}");
    }
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// Where the next event of a topic goes.
#[derive(Debug)]
pub(super) struct Chooser {
    seed: u64,
    in_group: u64,
    last: i32,
}

impl Chooser {
    pub(super) fn new(seed: u64) -> Chooser {
        let mut chooser = Chooser { seed: seed | 1, in_group: 0, last: 0 };
        chooser.last = (chooser.random() >> 1) as i32;
        chooser
    }

    /// The partition of an event, `None` while none can be had.
    pub(super) fn choose(
        &mut self,
        settings: &PartitionSettings,
        partitions: &Partitions,
        hash: Option<u32>,
    ) -> Option<i32> {
        let among = if settings.reachable_only { partitions.reachable.len() as i32 } else { partitions.count };
        if among <= 0 {
            return None;
        }
        let index = match &settings.kind {
            Partitioner::Hash { .. } => match hash {
                Some(hash) => (hash & 0x7fff_ffff) as i32 % among,
                None => self.any(among),
            },
            Partitioner::Random { group_events } => {
                if self.is_next_group(*group_events) {
                    self.last = self.any(among);
                }
                self.last % among
            }
            Partitioner::RoundRobin { group_events } => {
                if self.is_next_group(*group_events) {
                    self.last = if self.last >= among - 1 { 0 } else { self.last + 1 };
                }
                self.last % among
            }
        };
        if settings.reachable_only { partitions.reachable.get(index as usize).copied() } else { Some(index) }
    }

    fn is_next_group(&mut self, group_events: u64) -> bool {
        let next = self.in_group == 0;
        self.in_group = (self.in_group + 1) % group_events.max(1);
        next
    }

    fn any(&mut self, among: i32) -> i32 {
        ((u64::from(self.random()) * among as u64) >> 32) as i32
    }

    /// xorshift64*
    fn random(&mut self) -> u32 {
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        (self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn partitions(count: i32) -> Partitions {
        Partitions { count, reachable: (0..count).collect() }
    }

    fn by_key(key: &str) -> Option<u32> {
        hash(&PartitionSettings::default().kind, Some(key.as_bytes()), |_| None).unwrap()
    }

    #[test]
    fn hashes_are_fnv_1a() {
        for (key, wanted) in [("a", 0xe40c_292c), ("foobar", 0xbf9c_f968), ("hello", 0x4f9f_2cab)] {
            assert_eq!(by_key(key), Some(wanted), "{key}");
        }
        assert_eq!(hash(&PartitionSettings::default().kind, None, |_| None), Ok(None));
    }

    #[test]
    fn a_hash_chooses_without_its_sign() {
        let mut chooser = Chooser::new(7);
        let settings = PartitionSettings::default();
        for (hash, count, wanted) in [(0xe40c_292c_u32, 3, 0x640c_292c % 3), (0xffff_ffff, 10, 7), (4, 3, 1)] {
            assert_eq!(chooser.choose(&settings, &partitions(count), Some(hash)), Some(wanted));
        }
        assert_eq!(chooser.choose(&settings, &partitions(0), Some(1)), None);
    }

    #[test]
    fn fields_are_hashed_as_go_writes_them() {
        let fields = ["a", "b"].map(Reference::dotted).to_vec();
        let kind = Partitioner::Hash { fields: fields.clone(), random: false };
        let value = |field: &Reference| match field.name.as_str() {
            "a" => Some(Value::from("x")),
            "b" => Some(Value::Int(258)),
            _ => None,
        };
        assert_eq!(hash(&kind, None, value), Ok(Some(fnv1a(OFFSET_BASIS, b"x\x02\x01\0\0\0\0\0\0"))));
        let missing = |field: &Reference| (field.name == "a").then(|| Value::from("x"));
        assert_eq!(hash(&kind, None, missing), Err(Unhashable));
        assert_eq!(hash(&Partitioner::Hash { fields, random: true }, None, missing), Ok(None));
        for (number, text) in
            [(1.5, "1.5"), (100_000.0, "100000"), (1e21, "1e+21"), (0.000_012, "1.2e-05"), (0.1, "0.1")]
        {
            assert_eq!(shortest(number), text);
        }
    }

    #[test]
    fn groups_of_events_stay_together() {
        let kinds = [Partitioner::Random { group_events: 3 }, Partitioner::RoundRobin { group_events: 3 }];
        for kind in kinds {
            let is_round_robin = matches!(kind, Partitioner::RoundRobin { .. });
            let settings = PartitionSettings { kind, reachable_only: false };
            let mut chooser = Chooser::new(5);
            let chosen: Vec<i32> = (0..12).map(|_| chooser.choose(&settings, &partitions(4), None).unwrap()).collect();
            for group in chosen.chunks(3) {
                assert!(
                    group.iter().all(|partition| *partition == group[0] && (0..4).contains(partition)),
                    "{chosen:?}"
                );
            }
            if is_round_robin {
                assert!(chosen.windows(4).all(|part| (part[3] - part[0]).rem_euclid(4) == 1), "{chosen:?}");
            }
        }
    }

    #[test]
    fn only_reachable_partitions_get_something() {
        let kind = Partitioner::RoundRobin { group_events: 1 };
        let settings = PartitionSettings { kind, reachable_only: true };
        let partitions = Partitions { count: 5, reachable: vec![1, 4] };
        let mut chooser = Chooser::new(5);
        let chosen: Vec<i32> = (0..4).map(|_| chooser.choose(&settings, &partitions, None).unwrap()).collect();
        assert!(chosen == [1, 4, 1, 4] || chosen == [4, 1, 4, 1], "{chosen:?}");
    }
}
