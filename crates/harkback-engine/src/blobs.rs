//! Where the bytes of files lie: a directory written through `object_store`, every write synced to disk.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use uuid::Uuid;

use crate::error::{Error, Result};

const PART_BYTES: usize = 1 << 20;
const PARTS_IN_FLIGHT: usize = 4;

/// The bytes of all files of a data directory, each under a key that is written once. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    files: Arc<LocalFileSystem>,
    root: PathBuf,
}

/// How a write came out. Unless it was stored, nothing of it is left.
#[derive(Debug, PartialEq, Eq)]
pub enum Put {
    /// All bytes are on disk.
    Stored {
        /// How many.
        n_bytes: u64,
    },
    /// The stream held more bytes than allowed.
    TooLarge,
    /// The key has its bytes already.
    Taken,
    /// The stream broke off.
    Aborted,
}

impl Blobs {
    /// Opens (and creates) the directory `blobs` in the data directory `dir`.
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub async fn open(dir: &Path) -> Result<Self> {
        let root = dir.join("blobs");
        if !tokio::fs::try_exists(&root).await? {
            tokio::fs::create_dir_all(&root).await?;
            // `object_store` syncs what it makes below this directory; the directory itself is ours.
            tokio::fs::File::open(dir).await?.sync_all().await?;
        }
        let files = Arc::new(LocalFileSystem::new_with_prefix(&root)?.with_fsync(true));
        Ok(Self { files, root })
    }

    /// Writes a stream of at most `max_bytes` under `key`. `part` is an id that no other write has: the bytes are
    /// gathered under it and get their key only when all of them are on disk, so a reader never sees half of them.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn put<S, E>(
        &self,
        key: &str,
        part: Uuid,
        max_bytes: u64,
        mut stream: S,
    ) -> Result<Put>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        let key = parse(key)?;
        let part = Key::from(format!("{key}.{part}.part"));
        let mut write =
            WriteMultipart::new_with_chunk_size(self.files.put_multipart(&part).await?, PART_BYTES);
        let mut n_bytes = 0_u64;
        while let Some(chunk) = stream.next().await {
            let Ok(chunk) = chunk else {
                write.abort().await?;
                return Ok(Put::Aborted);
            };
            n_bytes += chunk.len() as u64;
            if n_bytes > max_bytes {
                write.abort().await?;
                return Ok(Put::TooLarge);
            }
            write.wait_for_capacity(PARTS_IN_FLIGHT).await?;
            write.put(chunk);
        }
        write.finish().await?;
        match self.files.rename_if_not_exists(&part, &key).await {
            Ok(()) => Ok(Put::Stored { n_bytes }),
            Err(object_store::Error::AlreadyExists { .. }) => {
                self.files.delete(&part).await?;
                Ok(Put::Taken)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All bytes under `key`, `None` if there are none.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        match self.files.get(&parse(key)?).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The number of bytes under `key`, `None` if there are none.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn size(&self, key: &str) -> Result<Option<u64>> {
        match self.files.head(&parse(key)?).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The file on the local disk that holds the bytes of `key`, whether or not it is there.
    ///
    /// # Errors
    /// If the key is none of ours.
    pub fn path(&self, key: &str) -> Result<PathBuf> {
        Ok(self.files.path_to_filesystem(&parse(key)?)?)
    }

    /// Deletes the bytes under `key`. Deleting what is not there is no error.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self.files.delete(&parse(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The keys of all bytes on disk, in no order.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn keys(&self) -> Result<Vec<String>> {
        Ok(self.files.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await?)
    }

    /// Removes what writes of a process that was killed left behind. Only for a process that has just opened the
    /// directory and is the only one to write to it.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn remove_leftovers(&self) -> Result<()> {
        let mut folders = tokio::fs::read_dir(&self.root).await?;
        while let Some(folder) = folders.next_entry().await? {
            if !folder.file_type().await?.is_dir() {
                continue;
            }
            let mut entries = tokio::fs::read_dir(folder.path()).await?;
            while let Some(entry) = entries.next_entry().await? {
                if is_part(&entry.file_name()) {
                    tokio::fs::remove_file(entry.path()).await?;
                }
            }
        }
        Ok(())
    }
}

/// What lies in the blob directory.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    /// Keys and their bytes.
    pub(crate) blobs: Vec<(String, u64)>,
    /// Files that are not under their key yet, or never will be.
    pub(crate) parts: Vec<String>,
}

/// Lists the blob directory of the data directory `dir`, without changing anything.
pub(crate) fn on_disk(dir: &Path) -> Result<OnDisk> {
    let mut found = OnDisk::default();
    let root = dir.join("blobs");
    if !root.exists() {
        return Ok(found);
    }
    for folder in std::fs::read_dir(root)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let key =
                format!("{}/{}", folder.file_name().to_string_lossy(), name.to_string_lossy());
            // A file that went meanwhile is none.
            let Ok(metadata) = entry.metadata() else { continue };
            if is_part(&name) {
                found.parts.push(key);
            } else {
                found.blobs.push((key, metadata.len()));
            }
        }
    }
    Ok(found)
}

/// Where the bytes of a key lie in the data directory `dir`.
pub(crate) fn blob_path(dir: &Path, key: &str) -> PathBuf {
    dir.join("blobs").join(key)
}

/// `object_store` gathers a write under `<name>#<number>` and hides such files from its listing.
fn is_part(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.contains(&b'#') || name.ends_with(b".part")
}

fn parse(key: &str) -> Result<Key> {
    Key::parse(key).map_err(|e| Error::BadInput(format!("key `{key}`: {e}")))
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn chunks(n: usize, broken: bool) -> impl Stream<Item = std::io::Result<Bytes>> + Unpin {
        let last = broken.then(|| Err(std::io::Error::other("gone")));
        stream::iter((0..n).map(|_| Ok(Bytes::from(vec![7; 100_000]))).chain(last))
    }

    fn files_in(dir: &Path) -> usize {
        std::fs::read_dir(dir.join("blobs/a")).map_or(0, Iterator::count)
    }

    #[tokio::test]
    async fn a_write_is_whole_or_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).await.unwrap();
        let part = Uuid::from_u128(1);
        assert_eq!(
            blobs.put("a/x.md", part, 2_000_000, chunks(21, false)).await.unwrap(),
            Put::TooLarge
        );
        assert_eq!(
            blobs.put("a/x.md", part, 2_000_000, chunks(9, true)).await.unwrap(),
            Put::Aborted
        );
        assert_eq!(blobs.size("a/x.md").await.unwrap(), None);
        assert_eq!(files_in(dir.path()), 0);

        let stored = blobs.put("a/x.md", part, 2_000_000, chunks(20, false)).await.unwrap();
        assert_eq!(stored, Put::Stored { n_bytes: 2_000_000 });
        assert_eq!(
            blobs.put("a/x.md", part, 2_000_000, chunks(1, false)).await.unwrap(),
            Put::Taken
        );
        assert_eq!(blobs.get("a/x.md").await.unwrap().unwrap(), vec![7; 2_000_000]);
        assert_eq!(std::fs::read(blobs.path("a/x.md").unwrap()).unwrap().len(), 2_000_000);
        assert_eq!(blobs.keys().await.unwrap(), ["a/x.md"]);
        assert_eq!(files_in(dir.path()), 1);

        blobs.delete("a/x.md").await.unwrap();
        blobs.delete("a/x.md").await.unwrap();
        assert_eq!(blobs.get("a/x.md").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_dropped_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).await.unwrap();
        let endless = chunks(3, false).chain(stream::pending());
        let write = blobs.put("a/x.md", Uuid::from_u128(1), 1 << 30, endless);
        assert!(tokio::time::timeout(std::time::Duration::from_millis(200), write).await.is_err());
        for _ in 0..100 {
            if files_in(dir.path()) == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("a dropped write left {} files", files_in(dir.path()));
    }

    #[tokio::test]
    async fn leftovers_of_a_killed_process_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(dir.path()).await.unwrap();
        blobs.put("a/x.md", Uuid::from_u128(1), 1 << 30, chunks(1, false)).await.unwrap();
        std::fs::write(dir.path().join("blobs/a/y.md#1"), "half").unwrap();
        std::fs::write(dir.path().join("blobs/a/y.md.0.part"), "half").unwrap();
        blobs.remove_leftovers().await.unwrap();
        assert_eq!(files_in(dir.path()), 1);
        assert!(blobs.get("a/../../secret").await.is_err());
    }
}
