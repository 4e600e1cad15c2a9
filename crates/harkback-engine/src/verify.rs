//! Is a whole data directory sound? No orphan, no dangling reference, nothing that says something else than the rest.
//! Works from outside, without changing anything, whether or not a server runs on it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::blobs::{OnDisk, blob_path, on_disk};
use crate::embed::{Manifest, sha256_of};
use crate::error::{Error, Result};
use crate::ingest::text_hash;
use crate::model::Span;
use crate::store::{Inspection, StoredPassage, StoredUpload, is_malformed};

/// More findings about passages, or about bytes, are not told.
const MAX_FINDINGS: usize = 50;
/// A running server deletes rows before bytes: what looks wrong is looked at again after this time.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// What a look at a data directory found.
#[derive(Debug, Default)]
pub struct Verification {
    /// What is wrong, a sentence each.
    pub defects: Vec<String>,
    /// Bytes that belong to nobody, and passages that nobody reads: an upload or a deletion under way, or what a killed
    /// process left of one. The server removes them at its next start, or within the hour.
    pub leftovers: Vec<String>,
    /// Passages read.
    pub n_passages: usize,
    /// Vectors read.
    pub n_vectors: usize,
    /// Contents of uploads looked at.
    pub n_blobs: usize,
}

/// Walks the whole data directory `dir`: the database's own checks, every row's owner, every passage, every uploaded
/// content. Reads all of it: about a second a gigabyte.
///
/// # Errors
/// If there is no data directory of this version, or it cannot be read at all.
pub async fn verify(dir: &Path) -> Result<Verification> {
    match look(dir).await {
        Err(error) if is_malformed(&error) => {
            let defects = vec!["the database file is broken: restore a backup".to_owned()];
            Ok(Verification { defects, ..Verification::default() })
        }
        found => found,
    }
}

async fn look(dir: &Path) -> Result<Verification> {
    let mut found = Verification::default();
    let mut database = Inspection::open(dir).await?;
    database.begin().await?;
    found.defects = database.broken_pages().await?;
    // The rest would only repeat what is wrong with the file.
    if !found.defects.is_empty() {
        return Ok(found);
    }
    found.defects = database.contradictions().await?;
    let (mut said, mut dimensions) = (Vec::new(), pinned_dimensions());
    let look = |it| look_at_passage(&it, &mut found, &mut said, &mut dimensions);
    database.read_passages(look).await?;
    found.defects.append(&mut said);
    database.end().await?;

    let first = look_beside(dir, &mut database).await?;
    found.n_blobs = first.n_blobs;
    if first.defects.is_empty() && first.leftovers.is_empty() {
        return Ok(found);
    }
    tokio::time::sleep(SECOND_LOOK).await;
    let second = look_beside(dir, &mut database).await?;
    let both = |first: Vec<String>, second: Vec<String>| {
        second.into_iter().filter(move |it| first.contains(it)).take(MAX_FINDINGS)
    };
    found.defects.extend(both(first.defects, second.defects));
    found.leftovers.extend(both(first.leftovers, second.leftovers));
    Ok(found)
}

/// Length of a vector by model: those of the pinned models, and of others as they are met.
type Dimensions = HashMap<String, usize>;

fn pinned_dimensions() -> Dimensions {
    let models = Manifest::pinned().models.iter();
    models.filter_map(|it| Some((it.id.clone(), it.dimension?))).collect()
}

fn look_at_passage(
    it: &StoredPassage,
    found: &mut Verification,
    said: &mut Vec<String>,
    dimensions: &mut Dimensions,
) {
    found.n_passages += 1;
    found.n_vectors += usize::from(it.vector.is_some());
    if said.len() >= MAX_FINDINGS {
        return;
    }
    let (memory, version, seq) = it.key;
    let complaints = [complaint_about_text(it), complaint_about_vector(it, dimensions)];
    said.extend(complaints.into_iter().flatten().map(|complaint| {
        let (memory, version) = (memory.simple(), version.simple());
        format!("passage {seq} of version {version} in memory {memory}: {complaint}")
    }));
}

fn complaint_about_text(it: &StoredPassage) -> Option<String> {
    let sentences = match &it.sentences {
        Ok(sentences) => sentences,
        Err(error) => return Some(error.to_string()),
    };
    let is_forward = |it: &Span| it.start <= it.end;
    let are_in_order = sentences.windows(2).all(|it| it[0].end <= it[1].start);
    if it.text.is_empty() {
        Some("it has no text".into())
    } else if !are_in_order || !sentences.iter().all(is_forward) {
        Some("its sentences overlap".into())
    } else {
        None
    }
}

fn complaint_about_vector(it: &StoredPassage, dimensions: &mut Dimensions) -> Option<String> {
    let values = match &it.vector {
        Some(Ok(values)) => Some(values),
        Some(Err(error)) => return Some(error.to_string()),
        None => None,
    };
    if values.is_some_and(|it| it.iter().any(|x| !x.is_finite())) {
        return Some("its vector has numbers that are not finite".into());
    }
    if it.text_hash.is_some_and(|hash| hash != text_hash(&it.title, &it.text)) {
        return Some("its vector is of another text".into());
    }
    match (&it.active, values) {
        (Some(None), Some(_)) => Some("it has a vector, its file has no model".into()),
        (Some(Some(model)), None) => Some(format!("it has no vector of `{model}`")),
        (Some(Some(model)), Some(values)) => {
            let dimension = *dimensions.entry(model.clone()).or_insert(values.len());
            (values.len() != dimension).then(|| {
                format!("its vector has {} numbers, those of `{model}` {dimension}", values.len())
            })
        }
        _ => None,
    }
}

/// What may be on its way: bytes, and passages of which only the rows are left.
async fn look_beside(dir: &Path, database: &mut Inspection) -> Result<Verification> {
    let mut found = look_at_bytes(dir, database.uploads().await?).await?;
    let unread = database.unread_versions().await?;
    found.leftovers.extend(unread.into_iter().map(|it| format!("nobody's passages: {it}")));
    Ok(found)
}

/// Compares what lies on disk with what should.
async fn look_at_bytes(dir: &Path, uploads: Vec<(String, StoredUpload)>) -> Result<Verification> {
    let OnDisk { blobs, mut parts } = on_disk(dir)?;
    let mut blobs: HashMap<String, u64> = blobs.into_iter().collect();
    let mut found = Verification::default();
    for (key, upload) in uploads {
        let there = blobs.remove(&key);
        // Of an upload that was not finished there may be bytes or none.
        let Some(size) = upload.size else { continue };
        found.n_blobs += 1;
        match there {
            None => found.defects.push(format!("the bytes of upload {key} are gone")),
            Some(n) if i64::try_from(n) != Ok(size) => {
                found.defects.push(format!("upload {key} has {n} bytes, its row says {size}"));
            }
            Some(_) => {
                let Some(expected) = upload.sha256 else { continue };
                let is_other = sha256(blob_path(dir, &key)).await?.is_some_and(|it| it != expected);
                if is_other {
                    let what = "is not what its passages were made of";
                    found.defects.push(format!("the content of upload {key} {what}"));
                }
            }
        }
    }
    found.leftovers = blobs.into_keys().map(|it| format!("nobody's bytes: {it}")).collect();
    parts.iter_mut().for_each(|it| it.insert_str(0, "a part of an upload: "));
    found.leftovers.append(&mut parts);
    found.leftovers.sort();
    Ok(found)
}

/// As hexadecimal digits; `None` if the file went meanwhile.
async fn sha256(path: PathBuf) -> Result<Option<String>> {
    let hashed = spawn_blocking(move || sha256_of(&path));
    match hashed.await.map_err(|e| Error::Io(e.into()))? {
        Ok(hash) => Ok(Some(hash)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}
