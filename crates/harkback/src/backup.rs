//! How does a data directory become a backup, and a backup a data directory? The database as it is at one moment, the
//! bytes it names, and a manifest that says how long each file is and what its SHA-256 is. Nothing is half there: all of
//! it is written aside, synced, and renamed at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};

use harkback_engine::{Blobs, Error as EngineError, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::app::make_data_dir;

const DATABASE: &str = "harkback.db";
const MANIFEST: &str = "manifest.json";
/// The layout described here; another number is refused.
const FORMAT: u32 = 1;
/// Files may be deleted between the copy of the database and that of their bytes; then the database is copied again.
const MAX_ROUNDS: usize = 50;
const BUFFER_BYTES: usize = 1 << 20;

/// What a backup holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupManifest {
    /// Of the layout.
    pub format: u32,
    /// Of the program that wrote it.
    pub version: String,
    /// When, in ISO-8601.
    pub created_at: String,
    /// Every file but the manifest itself, the database first.
    pub files: Vec<BackupFile>,
}

/// A file of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct BackupFile {
    /// Below the backup's directory, with `/` between the parts.
    pub path: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl BackupManifest {
    /// Bytes of all files.
    pub fn n_bytes(&self) -> u64 {
        self.files.iter().map(|it| it.bytes).sum()
    }
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The directory to write has something in it.
    #[error("`{0}` is there already and not empty; name a new directory")]
    NotEmpty(PathBuf),
    /// There is no database where one should be.
    #[error("there is no data in `{0}`; name the data directory of the server with --data")]
    NoData(PathBuf),
    /// The manifest cannot be used.
    #[error("`{path}` is no backup that this version can read: {why}")]
    Manifest {
        /// The backup's directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file of the backup is not what the manifest says.
    #[error("`{path}` is damaged: {why}; nothing was restored")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Too much was deleted meanwhile.
    #[error("files were deleted all the time while their bytes were copied; run it again")]
    Unsteady,
    /// The disk failed.
    #[error("cannot write or read `{path}`")]
    Disk {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database failed.
    #[error("the database cannot be copied")]
    Store(#[from] EngineError),
}

/// Writes a backup of the data directory `data` to the new directory `to`; a server may be writing to `data`. What was
/// acknowledged before the call is in it.
///
/// # Errors
/// If `to` has something in it, there is no data, or a disk fails. Nothing is left of the backup then.
pub async fn backup(
    data: &Path,
    to: &Path,
    created_at: String,
) -> Result<BackupManifest, BackupError> {
    if !data.join(DATABASE).is_file() {
        return Err(BackupError::NoData(data.to_owned()));
    }
    let aside = Aside::of(to)?;
    copy_database(data, &aside.path).await?;
    let mut files = vec![describe(&aside.path, DATABASE)?];
    let keys = Store::blob_keys(&aside.path).await?;
    files.extend(
        keys.iter()
            .map(|key| describe(&aside.path, &blob_path(key)))
            .collect::<Result<Vec<_>, _>>()?,
    );
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = BackupManifest { format: FORMAT, version, created_at, files };
    let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is JSON");
    write_new(&aside.path.join(MANIFEST), &text)?;
    aside.publish(to)?;
    Ok(manifest)
}

/// Makes the new data directory `data` of the backup `from`, after every file of it was compared with the manifest.
///
/// # Errors
/// If `data` has something in it, or the backup is damaged or of another layout. Nothing is left in `data` then.
pub async fn restore(from: &Path, data: &Path) -> Result<BackupManifest, BackupError> {
    let manifest = read_manifest(from)?;
    let aside = Aside::of(data)?;
    for file in &manifest.files {
        let (source, target) = (from.join(&file.path), aside.path.join(&file.path));
        let damaged = |why: String| BackupError::Damaged { path: source.clone(), why };
        if !fs::symlink_metadata(&source).is_ok_and(|it| it.is_file()) {
            return Err(damaged("it is missing".to_owned()));
        }
        copy(&source, &target)?;
        let found = describe(&aside.path, &file.path)?;
        if (found.bytes, &found.sha256) != (file.bytes, &file.sha256) {
            return Err(damaged("it is not what the manifest says".to_owned()));
        }
    }
    let defects = Store::defects(&aside.path).await?;
    if let Some(defect) = defects.into_iter().next() {
        return Err(BackupError::Damaged { path: from.join(DATABASE), why: defect });
    }
    let named = Store::blob_keys(&aside.path).await?;
    if let Some(key) = named.iter().find(|it| !aside.path.join(blob_path(it)).is_file()) {
        let why = "the database names it, the manifest does not".to_owned();
        return Err(BackupError::Damaged { path: from.join(blob_path(key)), why });
    }
    aside.publish(data)?;
    Ok(manifest)
}

/// Copies the database, then the bytes it names. Bytes are written once and deleted only after the row that names them, so
/// bytes that are gone tell that a later copy of the database does not name them any more.
async fn copy_database(data: &Path, aside: &Path) -> Result<(), BackupError> {
    let source = Blobs::open(data).await?;
    let database = aside.join(DATABASE);
    for _ in 0..MAX_ROUNDS {
        Store::copy(data, &database).await?;
        set_private(&database)?;
        let keys = Store::blob_keys(aside).await?;
        if copy_blobs(&source, &keys, aside)? == Copied::All {
            remove_unnamed(aside, &keys)?;
            return Ok(());
        }
        fs::remove_file(&database).map_err(disk(&database))?;
    }
    Err(BackupError::Unsteady)
}

#[derive(PartialEq, Eq)]
enum Copied {
    All,
    /// Bytes are gone that the database named.
    NotAll,
}

fn copy_blobs(source: &Blobs, keys: &[String], aside: &Path) -> Result<Copied, BackupError> {
    for key in keys {
        let (from, to) = (source.path(key)?, aside.join(blob_path(key)));
        if to.exists() {
            continue;
        }
        match copy(&from, &to) {
            Ok(()) => {}
            Err(BackupError::Disk { path, source })
                if path == from && source.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(Copied::NotAll);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(Copied::All)
}

/// Takes out what an earlier round copied and the last one does not name.
fn remove_unnamed(aside: &Path, keys: &[String]) -> Result<(), BackupError> {
    let named: std::collections::HashSet<PathBuf> =
        keys.iter().map(|it| aside.join(blob_path(it))).collect();
    let blobs = aside.join("blobs");
    for folder in entries(&blobs)? {
        for file in entries(&folder)? {
            if !named.contains(&file) {
                fs::remove_file(&file).map_err(disk(&file))?;
            }
        }
    }
    Ok(())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, BackupError> {
    match fs::read_dir(dir) {
        Ok(found) => found.map(|it| Ok(it.map_err(disk(dir))?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(disk(dir)(error)),
    }
}

/// A manifest whose paths all stay below the backup's directory.
fn read_manifest(from: &Path) -> Result<BackupManifest, BackupError> {
    let refused = |why: String| BackupError::Manifest { path: from.to_owned(), why };
    let file = File::open(from.join(MANIFEST))
        .map_err(|error| refused(format!("cannot read {MANIFEST}: {error}")))?;
    let manifest: BackupManifest = serde_json::from_reader(BufReader::new(file))
        .map_err(|error| refused(format!("cannot understand {MANIFEST}: {error}")))?;
    if manifest.format != FORMAT {
        return Err(refused(format!("its format is {}, not {FORMAT}", manifest.format)));
    }
    let is_ours = |it: &BackupFile| {
        let path = Path::new(&it.path);
        let is_plain = path.components().all(|it| matches!(it, Component::Normal(_)));
        is_plain && (it.path == DATABASE || path.starts_with("blobs"))
    };
    if let Some(file) = manifest.files.iter().find(|it| !is_ours(it)) {
        return Err(refused(format!("it names `{}`", file.path)));
    }
    if !manifest.files.iter().any(|it| it.path == DATABASE) {
        return Err(refused(format!("it names no {DATABASE}")));
    }
    Ok(manifest)
}

/// A directory beside the one that is to be made; removed when dropped, unless it was published.
struct Aside {
    path: PathBuf,
}

impl Aside {
    fn of(target: &Path) -> Result<Self, BackupError> {
        if !entries(target)?.is_empty() {
            return Err(BackupError::NotEmpty(target.to_owned()));
        }
        let target = std::path::absolute(target).map_err(disk(target))?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let path = target.with_file_name(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(disk(parent))?;
        }
        // What a killed run left behind; two runs at once to one target fail at the rename.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(disk(&path)(error));
            }
            _ => {}
        }
        make_data_dir(&path).map_err(disk(&path))?;
        Ok(Self { path })
    }

    /// Syncs the directories and gives the whole its name. An empty directory of that name gives way.
    fn publish(self, target: &Path) -> Result<(), BackupError> {
        let blobs = self.path.join("blobs");
        for dir in entries(&blobs)?.into_iter().chain([blobs, self.path.clone()]) {
            match sync_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(disk(&dir)(error));
                }
                _ => {}
            }
        }
        fs::rename(&self.path, target).map_err(disk(target))?;
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        sync_dir(parent).map_err(disk(parent))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // Not there any more if it was published; what cannot be removed is taken up by the next run.
        _ = fs::remove_dir_all(&self.path);
    }
}

fn blob_path(key: &str) -> String {
    format!("blobs/{key}")
}

/// Copies and syncs a file; an error names the side that failed.
fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = File::open(from).map_err(disk(from))?;
    if let Some(parent) = to.parent() {
        make_data_dir(parent).map_err(disk(parent))?;
    }
    let mut target = create_private(to).map_err(disk(to))?;
    io::copy(&mut source, &mut target).map_err(disk(to))?;
    target.sync_all().map_err(disk(to))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let written = create_private(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(disk(path))
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// SQLite makes the copy with the mode of its own, and does not sync it.
fn set_private(path: &Path) -> Result<(), BackupError> {
    let file = File::open(path).map_err(disk(path))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(disk(path))?;
    file.sync_all().map_err(disk(path))
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn describe(dir: &Path, path: &str) -> Result<BackupFile, BackupError> {
    let whole = dir.join(path);
    let mut file = File::open(&whole).map_err(disk(&whole))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; BUFFER_BYTES]);
    loop {
        let n = file.read(&mut buffer).map_err(disk(&whole))?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        bytes += n as u64;
    }
    let sha256 = hash.finalize().iter().map(|it| format!("{it:02x}")).collect();
    Ok(BackupFile { path: path.to_owned(), bytes, sha256 })
}

fn disk(path: &Path) -> impl Fn(io::Error) -> BackupError {
    move |source| BackupError::Disk { path: path.to_owned(), source }
}
