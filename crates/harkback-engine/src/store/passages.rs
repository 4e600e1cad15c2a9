//! SQL of passages: staging under an invisible version, and what retrieval reads of the active ones.

use futures_util::TryStreamExt;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::Store;
use super::codec::{
    decode_place, decode_spans, decode_vector, encode_place, encode_spans, encode_vector,
};
use super::versions::mark_staged;
use crate::error::Result;
use crate::model::{FileId, MemoryId, Passage, Place, Sample, Span};

/// A passage as it is staged.
#[derive(Clone, Debug)]
pub(crate) struct StagedPassage {
    /// Place in the version, from 0.
    pub(crate) seq: u32,
    /// The texts.
    pub(crate) passage: Passage,
    /// Tokens of title and text.
    pub(crate) n_tokens: u32,
    /// Vector of the passage, `None` in lexical mode.
    pub(crate) vector: Option<StagedVector>,
}

/// Names the text that a vector was made of.
pub(crate) type TextHash = [u8; 16];

/// A vector with what it is of.
#[derive(Clone, Debug)]
pub(crate) struct StagedVector {
    /// The numbers.
    pub(crate) values: Vec<f32>,
    /// The text it was made of.
    pub(crate) text: TextHash,
    /// Whether it was there already.
    pub(crate) is_reused: bool,
}

/// Where a passage stands in the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PassageKey {
    /// The file.
    pub(crate) file_id: FileId,
    /// The version of the file in this memory.
    pub(crate) version_id: Uuid,
    /// Place in the version.
    pub(crate) seq: u32,
}

/// A passage that readers see, with everything an index is built from.
#[derive(Debug)]
pub(crate) struct ActivePassage {
    /// Where it stands.
    pub(crate) key: PassageKey,
    /// Title or nearest heading.
    pub(crate) title: String,
    /// The text.
    pub(crate) text: String,
    /// Its sentences.
    pub(crate) sentences: Vec<Span>,
    /// Its vector, if it has one.
    pub(crate) vector: Option<Vec<f32>>,
}

/// A live passage's texts as they are shown to the caller.
#[derive(Clone, Debug)]
pub(crate) struct PassageText {
    /// Which of the asked keys it answers.
    pub(crate) asked: usize,
    /// The caller's id of the file.
    pub(crate) file_id: String,
    /// The file's name.
    pub(crate) file_name: String,
    /// The file's external URI, or empty.
    pub(crate) url: String,
    /// A JSON Lines record's `_id`.
    pub(crate) record_id: Option<String>,
    /// Title or nearest heading.
    pub(crate) title: String,
    /// Where in the file it stands.
    pub(crate) place: Option<Place>,
    /// The text.
    pub(crate) text: String,
    /// Its sentences.
    pub(crate) sentences: Vec<Span>,
    /// Tokens of title and text.
    pub(crate) n_tokens: u32,
}

const INSERT: &str = "INSERT INTO passage (memory_id, version_id, seq, record_id, title, text, n_tokens, sentence_spans, \
     vector, text_hash, place) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

const REUSABLE: &str = "SELECT j.key AS asked, (SELECT vector FROM passage WHERE memory_id = $1 AND version_id = $2 \
     AND text_hash = unhex(j.value) AND vector IS NOT NULL LIMIT 1) AS vector FROM json_each($3) j ORDER BY j.key";

const ACTIVE: &str = "SELECT s.file_id, p.version_id, p.seq, p.title, p.text, p.sentence_spans, p.vector \
     FROM sample s JOIN passage p ON p.memory_id = s.memory_id AND p.version_id = s.active_version \
     WHERE s.memory_id = $1 ORDER BY s.created_at, s.file_id, p.seq";

/// Of a version that was replaced only as long as questions may use an index that names it. The joins keep this order
/// (`CROSS JOIN` forbids SQLite another one): a look-up by primary key each.
const TEXTS: &str = "SELECT j.key AS asked, f.id, f.name, COALESCE(f.page_uri, f.external_uri) AS url, p.record_id, p.title, p.place, p.text, \
     p.sentence_spans, p.n_tokens FROM json_each($2) j CROSS JOIN sample s CROSS JOIN passage p CROSS JOIN file f \
     WHERE s.memory_id = $1 AND s.file_id = unhex(j.value ->> 0) \
     AND (s.active_version = unhex(j.value ->> 1) OR EXISTS (SELECT 1 FROM former_version v WHERE v.memory_id = $1 \
          AND v.version_id = unhex(j.value ->> 1) AND v.file_id = s.file_id)) \
     AND p.memory_id = $1 AND p.version_id = unhex(j.value ->> 1) AND p.seq = CAST(j.value ->> 2 AS INTEGER) \
     AND f.account_id = s.account_id AND f.file_id = s.file_id ORDER BY j.key";

impl Store {
    /// Tokens of a version's passages. Summed by a reader: it takes a second for a large file, in which nobody could write.
    pub(crate) async fn count_tokens(&self, memory: MemoryId, version: Uuid) -> Result<i64> {
        let sql = "SELECT COALESCE(SUM(n_tokens), 0) FROM passage WHERE memory_id = $1 AND version_id = $2";
        Ok(sqlx::query_scalar(sql).bind(memory.0).bind(version).fetch_one(&self.reader).await?)
    }

    /// The vectors that a version has of these texts, in their order.
    pub(crate) async fn vectors_of_texts(
        &self,
        memory: MemoryId,
        version: Uuid,
        texts: &[TextHash],
    ) -> Result<Vec<Option<Vec<f32>>>> {
        let texts: Vec<String> =
            texts.iter().map(|it| Uuid::from_bytes(*it).simple().to_string()).collect();
        let texts = serde_json::to_string(&texts).expect("strings are JSON");
        let rows = sqlx::query(REUSABLE)
            .bind(memory.0)
            .bind(version)
            .bind(texts)
            .fetch_all(&self.reader)
            .await?;
        let vector = |row: &SqliteRow| {
            row.try_get::<Option<&[u8]>, _>("vector")?.map(decode_vector).transpose()
        };
        rows.iter().map(vector).collect()
    }

    /// Stages a batch of passages under a version that nobody reads yet.
    ///
    /// # Errors
    /// [`BadInput`](crate::Error::BadInput) if the file was taken out of the memory meanwhile, or has other bytes now;
    /// otherwise if the database fails.
    pub(crate) async fn stage_passages(
        &self,
        sample: &Sample,
        version: Uuid,
        batch: &[StagedPassage],
    ) -> Result<()> {
        let memory = sample.memory_id;
        let mut tx = self.begin().await?;
        mark_staged(&mut tx, sample, version).await?;
        for it in batch {
            sqlx::query(INSERT)
                .bind(memory.0)
                .bind(version)
                .bind(it.seq)
                .bind(&it.passage.record_id)
                .bind(&it.passage.title)
                .bind(&it.passage.text)
                .bind(it.n_tokens)
                .bind(encode_spans(&it.passage.sentences))
                .bind(it.vector.as_ref().map(|it| encode_vector(&it.values)))
                .bind(it.vector.as_ref().map(|it| &it.text[..]))
                .bind(it.passage.place.as_ref().map(encode_place))
                .execute(&mut *tx)
                .await?;
        }
        let vectors = || batch.iter().filter_map(|it| it.vector.as_ref());
        let n_reused = vectors().filter(|it| it.is_reused).count() as i64;
        let sql = "UPDATE ingestion SET n_embedded = n_embedded + $2, n_reused = n_reused + $3 WHERE memory_id = $1";
        sqlx::query(sql)
            .bind(memory.0)
            .bind(vectors().count() as i64 - n_reused)
            .bind(n_reused)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Hands every passage that readers see to `take`, in a stable order, and returns the memory's revision; all of one
    /// snapshot.
    pub(crate) async fn read_active_passages(
        &self,
        memory: MemoryId,
        mut take: impl FnMut(ActivePassage),
    ) -> Result<i64> {
        let mut tx = self.reader.begin().await?;
        let rev: Option<i64> = sqlx::query_scalar("SELECT rev FROM memory WHERE memory_id = $1")
            .bind(memory.0)
            .fetch_optional(&mut *tx)
            .await?;
        let mut rows = sqlx::query(ACTIVE).bind(memory.0).fetch(&mut *tx);
        while let Some(row) = rows.try_next().await? {
            take(active_passage(&row)?);
        }
        Ok(rev.unwrap_or(0))
    }

    /// The texts of those of `keys` that are still live, in the order of `keys`: of files that are in the memory, by the
    /// version that is shown or one that it replaced since the index of the keys was built.
    pub(crate) async fn passage_texts(
        &self,
        memory: MemoryId,
        keys: &[PassageKey],
    ) -> Result<Vec<PassageText>> {
        let asked: Vec<_> =
            keys.iter().map(|it| (it.file_id.0.simple(), it.version_id.simple(), it.seq)).collect();
        let asked: Vec<_> =
            asked.iter().map(|it| (it.0.to_string(), it.1.to_string(), it.2)).collect();
        let asked = serde_json::to_string(&asked).expect("tuples of strings and numbers are JSON");
        let rows = sqlx::query(TEXTS).bind(memory.0).bind(asked).fetch_all(&self.reader).await?;
        rows.iter().map(passage_text).collect()
    }
}

fn active_passage(row: &SqliteRow) -> Result<ActivePassage> {
    let text: String = row.try_get("text")?;
    let vector: Option<&[u8]> = row.try_get("vector")?;
    Ok(ActivePassage {
        key: PassageKey {
            file_id: FileId(row.try_get("file_id")?),
            version_id: row.try_get("version_id")?,
            seq: row.try_get("seq")?,
        },
        title: row.try_get("title")?,
        sentences: decode_spans(row.try_get("sentence_spans")?, &text)?,
        text,
        vector: vector.map(decode_vector).transpose()?,
    })
}

fn passage_text(row: &SqliteRow) -> Result<PassageText> {
    let text: String = row.try_get("text")?;
    let place: Option<&str> = row.try_get("place")?;
    Ok(PassageText {
        asked: row.try_get::<i64, _>("asked")? as usize,
        file_id: row.try_get("id")?,
        file_name: row.try_get("name")?,
        url: row.try_get::<Option<String>, _>("url")?.unwrap_or_default(),
        record_id: row.try_get("record_id")?,
        title: row.try_get("title")?,
        place: place.map(decode_place).transpose()?,
        sentences: decode_spans(row.try_get("sentence_spans")?, &text)?,
        text,
        n_tokens: row.try_get("n_tokens")?,
    })
}
