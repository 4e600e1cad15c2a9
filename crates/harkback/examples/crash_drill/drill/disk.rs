//! What can be on a disk when the power goes? What was synced, and any part of the rest: POSIX promises nothing else. Of
//! writes that were not synced, each may be there, not there, or torn; names that were not synced with their directory may
//! be there or not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::RngExt;
use rand::rngs::StdRng;

use super::trace::Event;

const SECTOR: usize = 512;

/// How much of what was not synced is there.
#[derive(Clone, Copy, Debug)]
pub(super) enum Remains {
    Nothing,
    Everything,
    /// What came first, the last of it torn.
    Beginning,
    /// Each or not, some torn.
    Any,
}

/// A directory's files as the process sees them, and as they are on disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    files: Vec<Contents>,
    seen: BTreeMap<PathBuf, usize>,
    synced: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not synced, and after how many events they came.
    renamed: Vec<(usize, Naming)>,
    n_events: usize,
}

#[derive(Debug, Default)]
struct Contents {
    synced: Vec<u8>,
    /// Where the last write ended.
    end: u64,
    written: Vec<(usize, Change)>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

#[derive(Clone, Debug)]
struct Naming {
    remove: Option<PathBuf>,
    add: Option<(PathBuf, usize)>,
}

impl Disk {
    /// All that is in `dir`, synced. The log's index is left out: it is no file to the database after a power cut.
    pub(super) fn read(dir: &Path) -> std::io::Result<Self> {
        let mut disk = Self::default();
        let mut dirs = vec![dir.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.is_dir() {
                    dirs.push(path);
                } else if !is_index(&path) {
                    let contents = Contents { synced: fs::read(&path)?, ..Contents::default() };
                    disk.seen.insert(path, disk.files.len());
                    disk.files.push(contents);
                }
            }
        }
        disk.synced = disk.seen.clone();
        Ok(disk)
    }

    /// What the process did next.
    pub(super) fn apply(&mut self, event: &Event) -> Result<(), String> {
        let now = self.n_events;
        self.n_events += 1;
        match event {
            Event::Create(path) if !is_index(path) && !self.seen.contains_key(path) => {
                self.files.push(Contents::default());
                let file = self.files.len() - 1;
                self.rename(now, None, Some((path.clone(), file)));
            }
            Event::Write { file, at, bytes } if !is_index(file) => {
                let file = self.file(file)?;
                let at = at.unwrap_or(file.end);
                file.end = at + bytes.len() as u64;
                file.written.push((now, Change::Write(at, bytes.clone())));
            }
            Event::Truncate { file, n_bytes } if !is_index(file) => {
                self.file(file)?.written.push((now, Change::Truncate(*n_bytes)));
            }
            Event::Sync { path, began } if self.seen.contains_key(path) => {
                let file = self.file(path)?;
                let synced = file.written.iter().take_while(|it| it.0 < *began).count();
                for (_, change) in file.written.drain(..synced) {
                    change.apply(&mut file.synced);
                }
            }
            Event::Sync { path, began } => {
                let is_synced = |it: &(usize, Naming)| it.0 < *began && it.1.is_in(path);
                for (_, naming) in self.renamed.extract_if(.., |it| is_synced(it)) {
                    naming.apply(&mut self.synced);
                }
            }
            Event::Rename(from, to) => {
                let file = *self.seen.get(from).ok_or_else(|| format!("{from:?} is not there"))?;
                self.rename(now, Some(from.clone()), Some((to.clone(), file)));
            }
            Event::Link(from, to) => {
                let file = *self.seen.get(from).ok_or_else(|| format!("{from:?} is not there"))?;
                self.rename(now, None, Some((to.clone(), file)));
            }
            Event::Unlink(path) if !is_index(path) => self.rename(now, Some(path.clone()), None),
            // Directories are made anew with the files in them.
            _ => {}
        }
        Ok(())
    }

    /// Writes into `to` what is left of `from` when the power goes now.
    pub(super) fn cut(
        &self,
        from: &Path,
        to: &Path,
        remains: Remains,
        random: &mut StdRng,
    ) -> std::io::Result<()> {
        let mut names = self.synced.clone();
        for (_, naming) in kept(&self.renamed, remains, random) {
            naming.apply(&mut names);
        }
        for (path, file) in names {
            let Ok(path) = path.strip_prefix(from) else { continue };
            let file = &self.files[file];
            let mut bytes = file.synced.clone();
            let changes = kept(&file.written, remains, random);
            let n = changes.len();
            for (nth, (_, change)) in changes.into_iter().enumerate() {
                let is_torn = match remains {
                    Remains::Nothing | Remains::Everything => false,
                    Remains::Beginning => nth + 1 == n,
                    Remains::Any => random.random_bool(0.2),
                };
                if is_torn { change.torn(random) } else { change }.apply(&mut bytes);
            }
            let path = to.join(path);
            fs::create_dir_all(path.parent().unwrap_or(to))?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<&mut Contents, String> {
        let file = self.seen.get(path).ok_or_else(|| format!("{path:?} is not there"))?;
        Ok(&mut self.files[*file])
    }

    fn rename(&mut self, now: usize, remove: Option<PathBuf>, add: Option<(PathBuf, usize)>) {
        let naming = Naming { remove, add };
        naming.apply(&mut self.seen);
        self.renamed.push((now, naming));
    }
}

fn kept<T: Clone>(all: &[(usize, T)], remains: Remains, random: &mut StdRng) -> Vec<(usize, T)> {
    let mut all = all.to_vec();
    match remains {
        Remains::Nothing => all.clear(),
        Remains::Everything => {}
        Remains::Beginning => all.truncate(random.random_range(0..=all.len())),
        Remains::Any => all.retain(|_| random.random_bool(0.5)),
    }
    all
}

impl Change {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Truncate(n) => bytes.resize(n as usize, 0),
            Self::Write(at, new) => {
                let (at, end) = (at as usize, at as usize + new.len());
                bytes.resize(bytes.len().max(end), 0);
                bytes[at..end].copy_from_slice(&new);
            }
        }
    }

    /// Some of its sectors.
    fn torn(self, random: &mut StdRng) -> Self {
        match self {
            Self::Write(at, mut bytes) => {
                bytes.truncate(random.random_range(0..=bytes.len() / SECTOR) * SECTOR);
                Self::Write(at, bytes)
            }
            whole @ Self::Truncate(_) => whole,
        }
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        if let Some(name) = &self.remove {
            names.remove(name);
        }
        if let Some((name, file)) = &self.add {
            names.insert(name.clone(), *file);
        }
    }

    fn is_in(&self, dir: &Path) -> bool {
        let name = self.add.as_ref().map(|it| &it.0).or(self.remove.as_ref());
        name.and_then(|it| it.parent()) == Some(dir)
    }
}

fn is_index(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-shm")
}
