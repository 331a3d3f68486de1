//! The reader, driven turn by turn, and what it delivers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::discover::Stat;
use crate::engine::reader::Reader;
use crate::engine::waker::Waker;
use crate::engine::{Command, Done, EngineOptions};
use crate::pipeline::{Batch, FileKey, Flags, Text, Ticket, channel};
use crate::registry::Store;
use crate::tail::settings::InputSettings;

/// An entry that came out of the agent.
pub(super) struct Delivery {
    /// How many kills were before it.
    pub(super) run: u32,
    pub(super) key: FileKey,
    pub(super) path: PathBuf,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) message: Vec<u8>,
    pub(super) truncated: bool,
    pub(super) is_loss: bool,
    acknowledged: bool,
    /// The registry knows of it.
    durable: bool,
    /// The agent was killed before the registry knew of it: it may come again.
    pub(super) may_repeat: bool,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.file_name().unwrap_or_default().display();
        let repeats = if self.may_repeat { "may repeat " } else { "" };
        let text = String::from_utf8_lossy(&self.message);
        write!(f, "{} {name} {}..{} {repeats}{text:?}", &self.key.to_string()[..6], self.start, self.end)
    }
}

struct Held {
    ticket: Ticket,
    _text: Text,
    deliveries: std::ops::Range<usize>,
}

/// How the agent is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) stretch: usize,
    pub(super) memory: usize,
    pub(super) watches: bool,
}

pub(super) struct Agent {
    setup: Setup,
    settings: Arc<InputSettings>,
    registry: PathBuf,
    kills: u32,
    reader: Option<Reader>,
    commands: (Sender<Command>, Receiver<Command>),
    batches: Receiver<Batch>,
    held: Vec<Held>,
    pub(super) deliveries: Vec<Delivery>,
}

impl Agent {
    pub(super) fn new(folder: &Path, settings: InputSettings, setup: Setup) -> Agent {
        let mut agent = Agent {
            setup,
            settings: Arc::new(settings),
            registry: folder.join("registry"),
            kills: 0,
            reader: None,
            commands: crossbeam_channel::bounded(1),
            batches: channel().1,
            held: Vec::new(),
            deliveries: Vec::new(),
        };
        agent.start();
        agent
    }

    pub(super) fn start(&mut self) {
        let store = Store::open(&self.registry, 0o600).unwrap();
        assert!(store.damaged() <= 1, "{} records are damaged", store.damaged());
        let (outlet, batches) = channel();
        let waker = Waker::new().unwrap();
        let hour = Duration::from_secs(3600);
        let options =
            EngineOptions { memory_limit: self.setup.memory, registry_flush: hour, ..EngineOptions::default() };
        let inputs = vec![self.settings.clone()];
        let mut reader = Reader::new(inputs, store, outlet, options, waker, Arc::new(Done::default())).unwrap();
        reader.stretch = self.setup.stretch;
        if !self.setup.watches {
            reader.watcher.blind();
        }
        self.batches = batches;
        self.reader = Some(reader);
    }

    fn reader(&mut self) -> &mut Reader {
        self.reader.as_mut().unwrap()
    }

    pub(super) fn turn(&mut self) {
        let commands = self.commands.1.clone();
        let reader = self.reader();
        reader.clock.advance(Duration::from_millis(2));
        reader.woken();
        assert!(reader.turn(&commands));
        self.take();
    }

    /// Until there is nothing more to do at once.
    pub(super) fn idle(&mut self) {
        let mut quiet = 0;
        for _ in 0..2000 {
            let before = self.deliveries.len();
            self.turn();
            quiet = if self.reader().ready.is_empty() && self.deliveries.len() == before { quiet + 1 } else { 0 };
            if quiet == 3 {
                return;
            }
        }
        panic!("the reader is busy for ever: {:?}", self.reader().ready);
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.reader().clock.advance(time);
        self.turn();
    }

    /// It goes on with its input, or without any. What comes behind something unacknowledged may then come again.
    pub(super) fn reload(&mut self, with_input: bool) {
        let inputs = if with_input { vec![self.settings.clone()] } else { Vec::new() };
        self.commands.0.send(Command::Reload(inputs)).unwrap();
        self.turn();
        if !with_input {
            let left = self.deliveries.iter_mut().skip_while(|delivery| delivery.acknowledged);
            left.for_each(|delivery| delivery.may_repeat = true);
        }
    }

    fn take(&mut self) {
        for batch in self.batches.try_iter().collect::<Vec<_>>() {
            let first = self.deliveries.len();
            for entry in &batch.entries {
                self.deliveries.push(Delivery {
                    run: self.kills,
                    key: batch.file.key,
                    path: batch.file.path.clone(),
                    start: entry.start,
                    end: entry.end,
                    message: batch.message(entry).to_vec(),
                    truncated: entry.flags.contains(Flags::TRUNCATED),
                    is_loss: entry.flags.contains(Flags::LOSS),
                    acknowledged: false,
                    durable: false,
                    may_repeat: false,
                });
            }
            let deliveries = first..self.deliveries.len();
            self.held.push(Held { ticket: batch.ticket, _text: batch.text, deliveries });
        }
    }

    /// The output acknowledges one of the batches it has.
    pub(super) fn acknowledge(&mut self, which: usize) {
        if self.held.is_empty() {
            return;
        }
        let held = self.held.remove(which % self.held.len());
        self.deliveries[held.deliveries].iter_mut().for_each(|delivery| delivery.acknowledged = true);
        held.ticket.acknowledge();
    }

    pub(super) fn acknowledge_all(&mut self) {
        while !self.held.is_empty() {
            self.acknowledge(0);
        }
    }

    /// The registry is written.
    pub(super) fn sync(&mut self) {
        let reader = self.reader();
        reader.woken();
        reader.save();
        assert!(reader.registry.flush(Duration::from_secs(60)));
        for delivery in self.deliveries.iter_mut().take_while(|delivery| delivery.acknowledged) {
            delivery.durable = true;
        }
    }

    /// Whether it has a file open.
    pub(super) fn holds(&self, stat: &Stat) -> bool {
        let Some(reader) = &self.reader else { return false };
        let id = reader.files.with_inode(0, stat);
        id.and_then(|id| reader.files.get(id)).is_some_and(|file| file.source.is_some() && file.is_stat(stat))
    }

    /// It is gone at once, and comes back with what its registry held; `torn` with half a record more.
    pub(super) fn kill(&mut self, torn: bool) {
        assert!(self.reader().registry.flush(Duration::from_secs(60)));
        let log = self.registry.join("tailrace.log");
        let mut bytes = std::fs::read(&log).unwrap();
        self.held.clear();
        self.reader = None;
        self.take();
        self.held.clear();
        for delivery in self.deliveries.iter_mut().filter(|delivery| !delivery.durable) {
            delivery.may_repeat = true;
        }
        self.kills += 1;
        if torn {
            bytes.extend_from_slice(b"0123456789abcdef {\"file\":{");
        }
        std::fs::write(&log, bytes).unwrap();
    }

    pub(super) fn lost_bytes(&self) -> u64 {
        self.reader.as_ref().map_or(0, |reader| reader.stats.lost_bytes)
    }

    pub(super) fn describe(&self) -> String {
        let Some(reader) = &self.reader else { return String::new() };
        let files = reader.files.iter().map(|(id, file)| {
            format!(
                "  {id}: {} key {} {}/{} end {} rotated {} deleted {} copy of {:?} before {:?} open {} timer {:?} trouble {:?}\n",
                file.meta.path.display(),
                file.key(),
                file.offset,
                file.size,
                file.at_end,
                file.rotated,
                file.deleted,
                file.copy_of,
                file.predecessor,
                file.source.is_some(),
                file.timer,
                file.trouble,
            )
        });
        files.collect()
    }
}
