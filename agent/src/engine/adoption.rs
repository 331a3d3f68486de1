//! A file that was found is followed: as one that is known, or as a new one.

use std::path::Path;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::Xxh3;

use super::files::Id;
use super::reader::Reader;
use super::tracked::{Overlap, Tracked};
use crate::discover::Stat;
use crate::pipeline::{FileKey, FileMeta, Position};
use crate::registry::{FileState, TAIL_LENGTH};
use crate::tail::settings::{Compression, IgnoreInactive};
use crate::tail::source::{Source, is_gzip};

impl Reader {
    /// A file that is new to this run.
    pub(super) fn adopt(&mut self, input: usize, path: &Path, stat: &Stat) -> Id {
        let settings = self.inputs[input].settings.clone();
        let gzip = match settings.compression {
            Compression::None => false,
            Compression::Gzip => true,
            Compression::Auto => {
                Source::open(path, false).and_then(|mut file| file.head(2)).is_ok_and(|it| is_gzip(&it))
            }
        };
        if let Some(before) = self.files.at_path(input, path) {
            self.files.leave_path(before);
            self.queue(before);
        }
        let before = self.files.take_left(input, path);
        let state = self.take_state(input, path, stat, gzip);
        // A truncated file may have gone on in it meanwhile.
        if let Some(known) = self.files.with_inode(input, stat) {
            return known;
        }
        let id = match state {
            Some(state) => self.resume(input, path, stat, gzip, state),
            None => {
                // Earlier generations may live on in copies.
                let taken = |generation: &u32| {
                    let key = self.new_key(input, stat, *generation);
                    self.known_keys.contains(&key) || self.files.with_key(key).is_some()
                };
                let generation = (0..u32::MAX).find(|generation| !taken(generation)).unwrap_or(0);
                let id = self.track(input, path, stat, gzip, generation);
                self.begin(id, stat);
                if !gzip {
                    self.learn_head(id, stat.size);
                }
                id
            }
        };
        if let Some(before) = self.pending_chain.take().or(before) {
            self.files.chain(before, id);
        }
        self.watch_file(id);
        self.queue(id);
        id
    }

    /// Where a file begins of which nothing was read: mostly at its start.
    pub(super) fn begin(&mut self, id: Id, stat: &Stat) {
        let input = self.files.get(id).map_or(0, |file| file.input);
        let Some(file) = self.files.get(id) else { return };
        let settings = file.settings.clone();
        let since = |moment: SystemTime| stat.modified <= moment;
        let age = stat.modified.elapsed().unwrap_or_default();
        let old = !settings.ignore_older.is_zero() && age > settings.ignore_older
            || match settings.ignore_inactive {
                IgnoreInactive::Never => false,
                IgnoreInactive::SinceFirstStart => since(self.options.first_start),
                IgnoreInactive::SinceLastStart => since(self.started),
            };
        let place = &self.inputs[input];
        let at_tail = settings.seek_to_tail && !place.scanned && !self.known_scopes.contains(&place.scope);
        if (old || at_tail) && !file.gzip {
            let size = stat.size;
            self.jump(id, size);
        } else {
            self.look_for_original(id);
        }
    }

    /// Goes on at an offset without having read what is before it.
    pub(super) fn jump(&mut self, id: Id, offset: u64) {
        let Some(file) = self.files.get_mut(id) else { return };
        let mut bytes = Vec::new();
        let len = TAIL_LENGTH.min(usize::try_from(offset).unwrap_or(TAIL_LENGTH));
        let mut source = match file.source.take() {
            Some(source) => Ok(source),
            None => Source::open(&file.meta.path, file.gzip),
        };
        if let Ok(source) = &mut source {
            source.read_at(offset - len as u64, len, &mut bytes).ok();
        }
        file.offset = offset;
        file.overlap = if bytes.len() == len { Overlap::of(&bytes) } else { Overlap::default() };
        file.start = Position::at(offset);
        file.issued = Position::at(offset);
        file.dirty = true;
    }

    /// Follows a file under a new key.
    pub(super) fn track(&mut self, input: usize, path: &Path, stat: &Stat, gzip: bool, generation: u32) -> Id {
        let settings = self.inputs[input].settings.clone();
        let meta = FileMeta {
            source: None,
            key: self.new_key(input, stat, generation),
            input: settings.clone(),
            path: path.to_owned(),
            device: stat.device,
            inode: stat.inode,
            fingerprint: None,
            owner: settings.include_file_owner_name.then(|| name_of("/etc/passwd", stat.uid)).flatten(),
            group: settings.include_file_owner_group_name.then(|| name_of("/etc/group", stat.gid)).flatten(),
        };
        let visited = self.scans;
        let file = Tracked::new(input, meta, stat, generation, gzip, self.clock.now());
        let id = self.files.insert(Tracked { visited, ..file });
        self.learn_fingerprint(id);
        id
    }

    /// The lasting name of a generation, see [`FileKey`].
    pub(super) fn new_key(&self, input: usize, stat: &Stat, generation: u32) -> FileKey {
        let mut hash = Xxh3::with_seed(self.seed);
        for number in [stat.device, stat.inode, stat.birth as u64, u64::from(generation)] {
            hash.update(&number.to_le_bytes());
        }
        hash.update(self.inputs[input].scope.as_bytes());
        FileKey(hash.digest128().to_be_bytes())
    }

    /// Goes on where the registry says.
    pub(super) fn resume(&mut self, input: usize, path: &Path, stat: &Stat, gzip: bool, state: FileState) -> Id {
        let id = self.track(input, path, stat, gzip, state.generation);
        let Some(file) = self.files.get_mut(id) else { return id };
        let meta = FileMeta { key: state.key, ..FileMeta::clone(&file.meta) };
        let imported = state.key == FileKey::default();
        file.head = state.head;
        file.complete = state.complete;
        file.lost = state.lost;
        if !imported {
            self.files.set_meta(id, meta);
        }
        self.jump(id, state.offset);
        let position = state.position();
        if let Some(file) = self.files.get_mut(id) {
            file.skip = position.beyond.clone();
            file.start = position.clone();
            file.issued = position;
            file.dirty = imported || file.meta.path != state.path;
            file.at_end = file.complete;
        }
        id
    }

    /// The fingerprint in the documents: SHA-256 of the first bytes, once there are enough.
    pub(super) fn learn_fingerprint(&mut self, id: Id) {
        let Some(file) = self.files.get_mut(id) else { return };
        let wanted = &file.settings.fingerprint;
        let end = wanted.offset + wanted.length;
        if !wanted.enabled
            || !file.settings.include_file_fingerprint
            || !file.settings.kind.has_file_identity()
            || file.meta.fingerprint.is_some()
            || file.size.max(file.offset) < end
        {
            return;
        }
        let mut bytes = Vec::new();
        let len = usize::try_from(wanted.length).unwrap_or(usize::MAX).min(1 << 20);
        let opened = match &mut file.source {
            Some(source) => source.read_at(wanted.offset, len, &mut bytes),
            None => Source::open(&file.meta.path, file.gzip)
                .and_then(|mut source| source.read_at(wanted.offset, len, &mut bytes)),
        };
        if opened.is_ok_and(|read| read == len) {
            let digest = Sha256::digest(&bytes);
            let fingerprint = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let meta = FileMeta { fingerprint: Some(fingerprint), ..FileMeta::clone(&file.meta) };
            self.files.set_meta(id, meta);
        }
    }

    /// Follows a file that had the path `old` and was never met there.
    pub(super) fn adopt_rotated(&mut self, input: usize, old: &Path, new: &Path) {
        let Ok(stat) = Stat::of_link(new) else { return };
        if !stat.is_file || self.files.with_inode(input, &stat).is_some() {
            return;
        }
        let before = self.files.take_left(input, old);
        let next = self.files.at_path(input, old);
        let id = self.adopt(input, new, &stat);
        if let Some(before) = before.filter(|before| *before != id) {
            self.files.chain(before, id);
        }
        if let Some(next) = next {
            self.files.chain_between(id, next);
        }
        self.files.leave_path(id);
        self.files.set_left(input, old, id);
    }
}

/// The name of a user or group by its number, as the machine's files have it.
fn name_of(table: &str, number: u32) -> Option<String> {
    let text = std::fs::read_to_string(table).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    })
}
