//! What if the power goes in the middle of a write? Simulated on copies of a killed server's files.
//!
//! SQLite promises: of the write-ahead log it takes whole commits up to the first frame whose checksum is wrong. A commit was
//! acknowledged only after its frames were synced, so what a power cut can tear is what comes after the last acknowledged
//! commit. That is the first case: garbage after the log, and nothing acknowledged may be missing. The second is a disk that
//! lost synced frames at the end of the log: the database must open, be sound, and hold a prefix of the commits. Frames that a
//! checkpoint has begun to copy into the database are never cut: to lose those is outside the promise.

use std::fs;
use std::path::Path;

use rand::RngExt;
use rand::rngs::StdRng;

use super::Drill;
use super::server::{Client, Server, verify};

const WAL_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// Tears copies of `log`, the log of `data`; `n_acknowledged` messages of the tape were acknowledged. Returns how many it tore.
///
/// # Errors
/// What does not hold.
pub(super) async fn check(
    drill: &Drill,
    data: &Path,
    log: &Log,
    key: &str,
    n_acknowledged: usize,
    random: &mut StdRng,
) -> Result<usize, String> {
    let mut garbage = vec![0; random.random_range(1..9000)];
    random.fill(&mut garbage[..]);

    let n = tape_of_copy(drill, data, key, log.end, &garbage).await?;
    if n < n_acknowledged {
        return Err(format!("garbage after the log: {n} of {n_acknowledged} messages are left"));
    }
    if log.first_cut >= log.end {
        return Ok(1);
    }
    let cut = random.random_range(log.first_cut..log.end);
    let n = tape_of_copy(drill, data, key, cut, &garbage).await?;
    if n > n_acknowledged + 1 {
        return Err(format!("a cut log has {n} messages, of {n_acknowledged} acknowledged"));
    }
    Ok(2)
}

/// Where the log's frames end, and where it may be cut.
pub(super) struct Log {
    first_cut: u64,
    end: u64,
}

impl Log {
    /// `None` if the log is empty.
    pub(super) fn read(data: &Path) -> Option<Self> {
        let wal = fs::read(data.join("harkback.db-wal")).ok()?;
        let index = fs::read(data.join("harkback.db-shm")).ok()?;
        let page = u32::from_be_bytes(*wal.get(8..)?.first_chunk()?);
        // The write-ahead log's index: `mxFrame` of its header, `nBackfillAttempted` of its checkpoint information.
        let native = |at: usize| Some(u32::from_ne_bytes(*index.get(at..)?.first_chunk()?));
        let (n_frames, n_copied) = (native(16)?, native(128)?);
        let after = |n: u32| WAL_HEADER + u64::from(n) * (FRAME_HEADER + u64::from(page));
        (n_frames > 0).then(|| Self { first_cut: after(n_copied), end: after(n_frames) })
    }
}

/// How many messages of the tape a copy holds whose log is `n_bytes` long and goes on with garbage. They must be the first
/// ones, without a gap, and the copy sound.
async fn tape_of_copy(
    drill: &Drill,
    data: &Path,
    key: &str,
    n_bytes: u64,
    garbage: &[u8],
) -> Result<usize, String> {
    let dir = tempfile::tempdir().map_err(|it| it.to_string())?;
    copy(data, dir.path()).map_err(|it| it.to_string())?;
    let wal = dir.path().join("harkback.db-wal");
    let mut bytes = fs::read(&wal).map_err(|it| it.to_string())?;
    bytes.truncate(n_bytes as usize);
    bytes.extend_from_slice(garbage);
    fs::write(&wal, bytes).map_err(|it| it.to_string())?;

    // A deletion that the log lost has deleted its bytes all the same.
    verify(&drill.binary, dir.path(), |it| it.starts_with("the bytes of upload "))?;
    let mut server = Server::start(&drill.binary, dir.path())?;
    let client = Client::new(&server.url, key);
    let listed = client.get("/messages/list?sessionID=tape&limit=1").await?;
    let n = client.expect(200, listed)?["totalCount"].as_u64().unwrap_or(0) as usize;
    for (number, status) in [(n, 200), (n + 1, 400)] {
        if number > 0 {
            let got = client.get(&format!("/messages/get/tape-{number}")).await?;
            client.expect(status, got)?;
        }
    }
    server.kill()?;
    Ok(n)
}

/// All but the log's index, which is made anew as after a power cut.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_name() != "harkback.db-shm" {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
