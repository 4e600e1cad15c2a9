//! Bytes to passages: read, parse, cut, embed, stage in bounded batches, publish in one transaction.

mod chunk;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod heading;
mod parse;
mod parsing;
mod reuse;
mod segment;
mod sentence;
#[cfg(test)]
mod speed;
mod spoken;
mod stamp;
mod tally;
mod title;
mod transcript;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use crate::blobs::Blobs;
use crate::embed::Embedder;
use crate::error::{Error, Result};
use crate::model::{Document, FileRecord, Job, MemoryKind, MemoryRecord, Micros, Passage, Sample};
use crate::store::{Progress, StagedPassage, StagedVersion, Store};

use parse::WEB_PAGE;
pub use parse::{ParserLimits, WebPage, parse_stdin};
use parsing::Unread;
pub use parsing::{ParserProcess, Parsing};
use reuse::{Vectors, embedded_text};

pub(crate) use reuse::text_hash;
pub(crate) use spoken::spoken_of_chunk;
pub use tally::Intake;
pub(crate) use tally::Tally;
pub use transcript::{Recording, Transcriber, Transcript, Utterance};

/// Passages embedded and staged together.
const BATCH: usize = 64;
/// Batches that may wait for the store.
const BATCHES_WAITING: usize = 2;
/// Changes when the same bytes would give other passages, so that versions are made anew.
const PIPELINE: u8 = 2;

/// What ingestion works with.
#[derive(Clone, Copy)]
pub(crate) struct Ingest<'a> {
    pub(crate) store: &'a Store,
    pub(crate) blobs: &'a Blobs,
    pub(crate) embedder: Option<&'a Embedder>,
    pub(crate) parsing: &'a Parsing,
    pub(crate) transcriber: Option<&'a Transcriber>,
    pub(crate) tally: &'a Tally,
    pub(crate) now: &'a (dyn Fn() -> Micros + Send + Sync),
}

impl Ingest<'_> {
    /// Brings one file of a job to its end: published, unchanged or failed with a reason.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if another worker took over; otherwise if the store fails. A bad file is no error.
    pub(crate) async fn sample(
        &self,
        job: &Job,
        record: &MemoryRecord,
        sample: &Sample,
    ) -> Result<()> {
        let Some(file) = self.store.file(job.account_id, sample.file_id).await? else {
            return self.fail(job, sample, "the file was deleted").await;
        };
        match self.stage(job, record, sample, &file).await {
            Ok(Staged::Version(version)) => {
                self.store.publish_sample(job, sample, &version, (self.now)()).await?;
                Ok(())
            }
            Ok(Staged::Unchanged) => self.store.skip_sample(job, sample, (self.now)()).await,
            Err(Error::BadInput(reason)) => self.fail(job, sample, &reason).await,
            Err(error) => Err(error),
        }
    }

    async fn fail(&self, job: &Job, sample: &Sample, reason: &str) -> Result<()> {
        self.store.fail_sample(job, sample, reason, (self.now)()).await
    }

    async fn stage(
        &self,
        job: &Job,
        record: &MemoryRecord,
        sample: &Sample,
        file: &FileRecord,
    ) -> Result<Staged> {
        let path = self.path(file).await?;
        let model_id = self.embedder.map(|it| it.id().to_owned());
        let sha256 = hash(path.clone()).await?;
        if sample.active_version.is_some()
            && sample.content_sha256.as_ref() == Some(&sha256)
            && sample.model_id == model_id
        {
            return Ok(Staged::Unchanged);
        }
        let version_id = version_id(sample, &sha256, model_id.as_deref());
        let n_staged = self.store.begin_version(sample, version_id).await?;
        let (sender, mut batches) = mpsc::channel(BATCHES_WAITING);
        let transcript = self.transcript(file, &path).await?;
        let work = Work {
            path,
            transcript,
            name: file.name.clone(),
            extension: extension(file).to_owned(),
            kind: record.kind,
            chunk_size: record.chunk_size as usize,
            chunk_overlap: record.chunk_overlap as usize,
            embedder: self.embedder.cloned(),
            parsing: self.parsing.clone(),
            vectors: Vectors::for_sample(self.store, sample, self.embedder),
            skip: n_staged as usize,
        };
        let working = spawn_blocking(move || work.run(&sender));
        let mut progress = Progress { n_staged: Some(i64::from(n_staged)), ..Progress::default() };
        while let Some(Batch { passages: batch, n_expected }) = batches.recv().await {
            self.store.stage_passages(sample, version_id, &batch).await?;
            self.tally.add(&batch);
            let n_staged = progress.n_staged.unwrap_or(0) + batch.len() as i64;
            progress = Progress { n_staged: Some(n_staged), n_parsed: n_expected, ..progress };
            self.store.update_progress(job, progress, (self.now)()).await?;
        }
        let counts = match working.await {
            Ok(counts) => counts?,
            Err(panic) if panic.is_panic() => {
                return Err(Error::BadInput(
                    "the file could not be read: its parser stopped".into(),
                ));
            }
            Err(error) => return Err(Error::Io(error.into())),
        };
        Ok(Staged::Version(StagedVersion {
            version_id,
            sha256,
            model_id,
            n_passages: counts.n_passages as i64,
            n_sentences: counts.n_sentences as i64,
            n_tokens: self.store.count_tokens(sample.memory_id, version_id).await?,
        }))
    }

    async fn transcript(&self, file: &FileRecord, path: &Path) -> Result<Option<Vec<Document>>> {
        if !transcript::is_recording(file) {
            return Ok(None);
        }
        let recording = Recording { path: path.to_owned(), name: file.name.clone() };
        transcript::documents(self.transcriber, recording).await.map(Some)
    }

    async fn path(&self, file: &FileRecord) -> Result<PathBuf> {
        let Some(key) = &file.blob_key else {
            if file.external_uri.is_none() {
                return Err(Error::BadInput(
                    "the file has neither uploaded bytes nor an address: upload them and name their `key`".into(),
                ));
            }
            return Err(Error::BadInput(format!(
                "files of type `{}` cannot be ingested yet: upload the content as a file",
                file.file_type.as_str()
            )));
        };
        match self.blobs.size(key).await? {
            Some(0) => Err(Error::BadInput("the file is empty".into())),
            Some(_) => self.blobs.path(key),
            None => {
                Err(Error::BadInput("the uploaded bytes are gone: upload the file again".into()))
            }
        }
    }
}

/// The extension that chooses the parser.
fn extension(file: &FileRecord) -> &str {
    if file.page_uri.is_some() && file.extension == "html" { WEB_PAGE } else { &file.extension }
}

/// Passages that are ready to be staged.
struct Batch {
    passages: Vec<StagedPassage>,
    /// How many the whole file will have, as far as it has been read; `None` if that cannot be told.
    n_expected: Option<i64>,
}

enum Staged {
    Version(StagedVersion),
    Unchanged,
}

/// The blocking part: everything from bytes to vectors.
struct Work {
    path: PathBuf,
    /// The documents of a recording, whose file is not parsed.
    transcript: Option<Vec<Document>>,
    name: String,
    extension: String,
    kind: MemoryKind,
    chunk_size: usize,
    chunk_overlap: usize,
    embedder: Option<Embedder>,
    parsing: Parsing,
    vectors: Option<Vectors>,
    /// Passages that an earlier attempt has staged.
    skip: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    n_passages: usize,
    n_sentences: usize,
}

impl Work {
    /// Sends batches until the file ends or nobody takes them any more.
    fn run(&self, sender: &mpsc::Sender<Batch>) -> Result<Counts> {
        let unread = Unread { path: &self.path, name: &self.name, extension: &self.extension };
        let mut counts = Counts::default();
        let mut waiting = Vec::with_capacity(BATCH);
        let mut failure = None;
        let mut n_expected = None;
        let mut take = |document: Document, done: Option<f32>| {
            let passages = self.cut(&document);
            let n_read = (counts.n_passages + passages.len()) as f32;
            n_expected = done.filter(|it| *it > 0.0).map(|it| (n_read / it) as i64);
            for passage in passages {
                counts.n_passages += 1;
                counts.n_sentences += passage.sentences.len();
                if counts.n_passages > self.skip {
                    waiting.push(passage);
                }
                if waiting.len() == BATCH
                    && let Err(error) =
                        self.send(&mut waiting, counts.n_passages, n_expected, sender)
                {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        };
        match &self.transcript {
            Some(documents) => _ = documents.iter().cloned().try_for_each(|it| take(it, None)),
            None => self.parsing.read(&unread, || !sender.is_closed(), &mut take)?,
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if counts.n_passages == 0 {
            return Err(Error::BadInput("the file holds no text".into()));
        }
        if !waiting.is_empty() {
            self.send(&mut waiting, counts.n_passages, n_expected, sender)?;
        }
        Ok(counts)
    }

    fn cut(&self, document: &Document) -> Vec<Passage> {
        match self.kind {
            MemoryKind::Vector => chunk::chunks(document, self.chunk_size, self.chunk_overlap),
            MemoryKind::Graph => segment::passages(document, &|text| self.count_tokens(text)),
        }
    }

    fn count_tokens(&self, text: &str) -> usize {
        let counted = self.embedder.as_ref().map(|it| it.count_tokens(text));
        // Without a tokeniser: English has about four letters a token.
        counted.and_then(Result::ok).unwrap_or(text.len() / 4)
    }

    /// `n_so_far` counts the passages of the file up to the last one that waits.
    fn send(
        &self,
        waiting: &mut Vec<Passage>,
        n_so_far: usize,
        n_expected: Option<i64>,
        sender: &mpsc::Sender<Batch>,
    ) -> Result<()> {
        let passages = std::mem::replace(waiting, Vec::with_capacity(BATCH));
        let texts: Vec<String> =
            passages.iter().map(|it| embedded_text(&it.title, &it.text)).collect();
        let vectors = match &self.vectors {
            Some(vectors) => vectors.of(&texts)?.into_iter().map(Some).collect(),
            None => vec![None; passages.len()],
        };
        let first = n_so_far - passages.len();
        let staged = passages.into_iter().zip(texts).zip(vectors).enumerate();
        let batch = staged.map(|(i, ((passage, text), vector))| StagedPassage {
            seq: (first + i) as u32,
            n_tokens: self.count_tokens(&text) as u32,
            passage,
            vector,
        });
        // Nobody listens any more when the lease is lost or the server stops.
        let batch = Batch { passages: batch.collect(), n_expected };
        sender.blocking_send(batch).map_err(|_| Error::LeaseLost)
    }
}

async fn hash(path: PathBuf) -> Result<Vec<u8>> {
    let hashed = spawn_blocking(move || -> Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let mut hasher = Sha256::new();
        std::io::copy(&mut file, &mut HashWriter(&mut hasher))?;
        Ok(hasher.finalize().to_vec())
    });
    hashed.await.map_err(|e| Error::Io(e.into()))?
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The same file, bytes, model and pipeline give the same id, so that a second attempt goes on where the first stopped.
fn version_id(sample: &Sample, sha256: &[u8], model_id: Option<&str>) -> Uuid {
    let mut hasher = Sha256::new();
    hasher.update([PIPELINE]);
    hasher.update(sample.sample_id.as_bytes());
    hasher.update(sha256);
    hasher.update(model_id.unwrap_or(""));
    let digest: [u8; 32] = hasher.finalize().into();
    let (bytes, _) = digest.split_first_chunk::<16>().expect("a digest has 32 bytes");
    Uuid::from_bytes(*bytes)
}
