//! The model test: whatever happens to the files and to the agent, every byte that was written and could be seen is
//! delivered once (twice only if it was sent and its position not yet saved before a kill), or stands in the ledger.
//!
//! The reader is driven turn by turn under a clock that can be put forward, so that a failure shows again with the same
//! steps. `TAILRACE_MODEL_SECONDS` sets how long the long run goes on.
#![allow(clippy::unwrap_used)]

mod agent;
mod verdict;
mod world;

use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::agent::{Agent, Setup};
use self::world::{LIVE, World};
use crate::tail::settings::{CloseSettings, Compression, InputSettings};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(u8),
    WriteHalf,
    /// Renamed, and the application opens a new file: at once, or later by `Reopen`.
    Rename {
        reopen: bool,
    },
    Reopen,
    /// Copied and truncated, with lines written between the two. `in_parts`: the agent sees half a copy.
    CopyTruncate {
        in_parts: bool,
        between: u8,
    },
    /// Truncated without a copy.
    Truncate,
    Remove {
        reopen: bool,
    },
    Gzip,
    Prune,
    Turn,
    Idle,
    Wait(u16),
    Acknowledge(u8),
    AcknowledgeAll,
    Sync,
    Kill {
        torn: bool,
        down: Option<Down>,
    },
    /// The configuration is read again and has not changed.
    Reload,
    /// The input goes when everything is acknowledged, and comes back.
    Away {
        down: Option<Down>,
    },
}

/// What happens while the agent is down, or has no input.
#[derive(Clone, Copy, Debug)]
enum Down {
    Write,
    Rename,
    CopyTruncate,
    Gzip,
    Remove,
}

/// How a run is set up.
#[derive(Clone, Copy, Debug)]
struct Case {
    setup: Setup,
    /// The glob matches the rotated files too.
    all: bool,
    compression: bool,
    equal_heads: bool,
    inactive: u16,
    on_eof: bool,
    unterminated: bool,
    limit: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let down = prop_oneof![
        Just(Down::Write),
        Just(Down::Rename),
        Just(Down::CopyTruncate),
        Just(Down::Gzip),
        Just(Down::Remove)
    ];
    prop_oneof![
        8 => (1u8..9).prop_map(Step::Write),
        2 => Just(Step::WriteHalf),
        3 => any::<bool>().prop_map(|reopen| Step::Rename { reopen }),
        1 => Just(Step::Reopen),
        3 => (any::<bool>(), 0u8..3).prop_map(|(in_parts, between)| Step::CopyTruncate { in_parts, between }),
        1 => Just(Step::Truncate),
        1 => any::<bool>().prop_map(|reopen| Step::Remove { reopen }),
        2 => Just(Step::Gzip),
        1 => Just(Step::Prune),
        4 => Just(Step::Turn),
        4 => Just(Step::Idle),
        2 => prop_oneof![Just(1u16), Just(6), Just(70), Just(400)].prop_map(Step::Wait),
        3 => (0u8..4).prop_map(Step::Acknowledge),
        2 => Just(Step::AcknowledgeAll),
        2 => Just(Step::Sync),
        2 => (any::<bool>(), proptest::option::of(down.clone())).prop_map(|(torn, down)| Step::Kill { torn, down }),
        1 => Just(Step::Reload),
        1 => proptest::option::of(down).prop_map(|down| Step::Away { down }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let sizes = (prop_oneof![Just(64usize), Just(300), Just(1 << 16)], prop_oneof![Just(500usize), Just(1 << 20)]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let limits = (prop_oneof![Just(2u16), Just(300)], prop_oneof![4 => Just(1usize << 20), 1 => Just(30)]);
    (sizes, flags, limits).prop_map(|((stretch, memory), flags, (inactive, limit))| {
        let (watches, all, compression, equal_heads, on_eof, unterminated) = flags;
        Case {
            setup: Setup { stretch, memory, watches },
            all,
            compression,
            equal_heads,
            inactive,
            on_eof: on_eof && inactive == 2,
            unterminated,
            limit,
        }
    })
}

struct Run {
    world: World,
    agent: Agent,
    case: Case,
}

impl Run {
    fn new(folder: &std::path::Path, case: Case) -> Run {
        let logs = folder.join("logs");
        std::fs::create_dir(&logs).unwrap();
        let glob = if case.all { format!("{LIVE}*") } else { LIVE.to_owned() };
        let settings = InputSettings {
            id: "model".into(),
            paths: vec![logs.join(glob).display().to_string()],
            check_interval: Duration::from_secs(10),
            exclude_files: if case.compression {
                Vec::new()
            } else {
                vec![crate::decode::Pattern::new(r"\.gz$").unwrap()]
            },
            compression: if case.compression { Compression::Auto } else { Compression::None },
            close: CloseSettings {
                inactive: Duration::from_secs(case.inactive.into()),
                on_eof: case.on_eof,
                ..CloseSettings::default()
            },
            unterminated_timeout: case.unterminated.then_some(Duration::from_secs(5)),
            message_max_bytes: case.limit,
            ..InputSettings::default()
        };
        let agent = Agent::new(folder, settings, case.setup);
        Run { world: World::new(&logs, case.equal_heads), agent, case }
    }

    /// The agent comes to rest; what is there now it has seen.
    fn idle(&mut self) {
        if !self.case.setup.watches {
            // Files are found when they are next looked for.
            self.agent.wait(Duration::from_secs(11));
        }
        self.agent.idle();
        let names: Vec<_> = self.world.names.iter().map(|(name, inode)| (name.clone(), *inode)).collect();
        for (name, inode) in names {
            let inode = &mut self.world.inodes[inode];
            let generation = &mut self.world.generations[inode.generation];
            let matched = (name == LIVE || self.case.all) && (self.case.compression || !name.ends_with(".gz"));
            generation.known |= matched && inode.len > 0;
            if generation.known {
                generation.seen = generation.seen.max(inode.len);
            }
        }
        self.let_go();
        for inode in self.world.inodes.iter().filter(|inode| inode.nameless.is_some()) {
            let generation = &mut self.world.generations[inode.generation];
            generation.seen = generation.seen.max(inode.len);
        }
    }

    /// Files without a name that the agent does not hold are gone for it.
    fn let_go(&mut self) {
        for inode in &mut self.world.inodes {
            inode.nameless.take_if(|stat| !self.agent.holds(stat));
        }
    }

    fn kill(&mut self, torn: bool) {
        self.agent.kill(torn);
        self.let_go();
        for generation in &mut self.world.generations {
            generation.known = generation.synced;
            generation.seen = 0;
        }
    }

    fn sync(&mut self) {
        self.agent.sync();
        for generation in &mut self.world.generations {
            generation.synced = generation.known;
        }
    }

    fn down(&mut self, down: Down) {
        match down {
            Down::Write => self.world.write(3),
            Down::Rename => {
                self.world.rename();
                self.world.reopen();
                self.world.write(2);
            }
            Down::CopyTruncate => {
                self.world.copy(true);
                self.world.truncate();
                self.world.write(2);
            }
            Down::Gzip => self.world.gzip(),
            Down::Remove => self.world.remove(LIVE),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write(lines) => self.world.write(lines),
            Step::WriteHalf => self.world.write_half(),
            Step::Rename { reopen } => {
                self.world.rename();
                if reopen {
                    self.world.reopen();
                }
            }
            Step::Reopen => self.world.reopen(),
            Step::CopyTruncate { in_parts, between } => {
                let copy = self.world.copy(!in_parts);
                if in_parts {
                    self.agent.idle();
                }
                if let Some(copy) = copy {
                    self.world.copy_rest(&copy);
                }
                self.world.write(between);
                self.world.truncate();
            }
            Step::Truncate => self.world.truncate(),
            Step::Remove { reopen } => {
                self.world.remove(LIVE);
                if reopen {
                    self.world.reopen();
                }
            }
            Step::Gzip => self.world.gzip(),
            Step::Prune => self.world.prune(),
            Step::Turn => self.agent.turn(),
            Step::Idle => self.idle(),
            Step::Wait(seconds) => self.agent.wait(Duration::from_secs(seconds.into())),
            Step::Acknowledge(which) => self.agent.acknowledge(which.into()),
            Step::AcknowledgeAll => self.agent.acknowledge_all(),
            Step::Sync => self.sync(),
            Step::Kill { torn, down } => {
                self.kill(torn);
                if let Some(down) = down {
                    self.down(down);
                }
                self.agent.start();
            }
            Step::Reload => self.agent.reload(true),
            Step::Away { down } => {
                self.idle();
                self.agent.acknowledge_all();
                self.agent.reload(false);
                self.let_go();
                self.world.generations.iter_mut().for_each(|generation| generation.seen = 0);
                if let Some(down) = down {
                    self.down(down);
                }
                self.agent.reload(true);
            }
        }
        self.let_go();
    }

    /// Lets everything come to its end.
    fn settle(&mut self) {
        for _ in 0..3 {
            for _ in 0..20 {
                self.idle();
                self.agent.acknowledge_all();
            }
            self.agent.wait(Duration::from_secs(400));
        }
        self.idle();
        self.agent.acknowledge_all();
        self.sync();
    }
}

fn run(case: Case, steps: &[Step]) -> Result<(), TestCaseError> {
    let shm = std::path::Path::new("/dev/shm");
    let folder = if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.unwrap();
    let mut run = Run::new(folder.path(), case);
    for step in steps {
        run.step(*step);
    }
    run.settle();
    let faults = verdict::faults(&run.world, &run.agent.deliveries, !case.unterminated);
    let what = || {
        format!(
            "{}\n{} bytes in the ledger\n{}{}",
            faults.join("\n"),
            run.agent.lost_bytes(),
            run.agent.describe(),
            run.agent.deliveries.iter().map(|delivery| format!("  {delivery:?}\n")).collect::<String>()
        )
    };
    prop_assert!(faults.is_empty(), "{}", what());
    Ok(())
}

fn sequences() -> impl Strategy<Value = (Case, Vec<Step>)> {
    (case(), proptest::collection::vec(step(), 1..40))
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() }
}

const PLAIN: Case = Case {
    setup: Setup { stretch: 64, memory: 500, watches: true },
    all: false,
    compression: false,
    equal_heads: false,
    inactive: 2,
    on_eof: false,
    unterminated: false,
    limit: 1 << 20,
};

#[test]
fn a_half_line_of_a_renamed_file_is_sent_when_its_time_is_over() {
    let case = Case { unterminated: true, setup: Setup { watches: false, ..PLAIN.setup }, ..PLAIN };
    run(case, &[Step::Write(8), Step::Idle, Step::WriteHalf, Step::Rename { reopen: true }, Step::Acknowledge(1)])
        .unwrap();
}

#[test]
fn what_was_compressed_before_it_was_acknowledged_is_read_from_there_after_a_kill() {
    let setup = Setup { watches: false, ..PLAIN.setup };
    let case = Case { setup, all: true, compression: true, equal_heads: true, ..PLAIN };
    let renamed = Step::Kill { torn: false, down: Some(Down::Rename) };
    let kill = Step::Kill { torn: false, down: None };
    run(case, &[Step::Write(8), Step::WriteHalf, renamed, Step::Turn, Step::Gzip, Step::Idle, kill]).unwrap();
}

#[test]
fn compressed_generations_are_known_after_the_configuration_was_read_again() {
    let setup = Setup { watches: false, ..PLAIN.setup };
    let case = Case { setup, all: true, compression: true, ..PLAIN };
    let copied = |in_parts| Step::CopyTruncate { in_parts, between: 0 };
    let before = [Step::Write(7), Step::Write(7), Step::Turn, Step::Write(6), Step::Acknowledge(0), copied(false)];
    let after = [Step::Write(1), Step::Reload, Step::Idle, Step::Idle, Step::AcknowledgeAll, Step::Gzip, copied(true)];
    run(case, &[before.as_slice(), &after].concat()).unwrap();
}

#[test]
fn what_is_compressed_between_two_looks_is_known_when_its_original_is_gone() {
    let case = Case { setup: Setup { watches: false, ..PLAIN.setup }, all: true, compression: true, ..PLAIN };
    let away = [Step::Write(1), Step::Rename { reopen: true }, Step::Away { down: None }];
    run(case, &[away.as_slice(), &[Step::Turn, Step::Gzip, Step::Wait(6), Step::Turn]].concat()).unwrap();
}

#[test]
fn every_byte_is_delivered_once_or_stands_in_the_ledger() {
    // The same sequences every time; the long run takes new ones.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config(2000), rng);
    runner.run(&sequences(), |(case, steps)| run(case, &steps)).unwrap();
}

#[test]
#[ignore = "long: scripts/test --long"]
fn every_byte_is_delivered_once_or_stands_in_the_ledger_for_long() {
    let seconds = std::env::var("TAILRACE_MODEL_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let (begun, mut count) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(seconds) {
        let mut runner = TestRunner::new(config(1000));
        runner.run(&sequences(), |(case, steps)| run(case, &steps)).unwrap();
        count += 1000;
    }
    println!("{count} sequences in {:.0} s", begun.elapsed().as_secs_f64());
}
