//! What did a deletion take? Counts by kind, written down with the deletion itself.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AccountId, MemoryId, Micros};

/// What was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionKind {
    /// A memory with all that was derived in it.
    Memory,
    /// A file's place in one memory.
    FileInMemory,
    /// A file, out of every memory, with its bytes.
    File,
    /// A user.
    User,
    /// A session.
    Session,
    /// A message.
    Message,
    /// What an ingestion replaced or no longer found of a file or a website: former versions, pages that are gone, and
    /// their bytes.
    Refresh,
}

impl DeletionKind {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::FileInMemory => "file_in_memory",
            Self::File => "file",
            Self::User => "user",
            Self::Session => "session",
            Self::Message => "message",
            Self::Refresh => "refresh",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Memory,
            Self::FileInMemory,
            Self::File,
            Self::User,
            Self::Session,
            Self::Message,
            Self::Refresh,
        ]
        .into_iter()
        .find(|it| it.as_str() == name)
    }
}

/// What the deletion of a session or a user takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The record: what refers to it stays where its owner can still reach it, or is hidden with it.
    Record,
    /// Everything said in it or by them as well.
    Everything,
}

/// How many rows of each kind a deletion took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DeletedCounts {
    /// Memories.
    pub memories: i64,
    /// File records.
    pub files: i64,
    /// Places of files in memories.
    pub samples: i64,
    /// Passages.
    pub passages: i64,
    /// Sentences in them.
    pub sentences: i64,
    /// Vectors of them.
    pub vectors: i64,
    /// Fewer entities in the graph, where it was in RAM; otherwise it was not counted.
    pub entities: Option<i64>,
    /// Fewer relations in the graph, where it was in RAM; otherwise they were not counted.
    pub relations: Option<i64>,
    /// Uploaded contents.
    pub blobs: i64,
    /// Bytes of these.
    pub blob_bytes: i64,
    /// Ingestion jobs.
    pub jobs: i64,
    /// Webhook events.
    pub deliveries: i64,
    /// End users.
    pub users: i64,
    /// Sessions.
    pub sessions: i64,
    /// Messages.
    pub messages: i64,
    /// Answers kept under idempotency keys that told of what was deleted.
    pub kept_answers: i64,
}

impl DeletedCounts {
    /// Adds what else was taken.
    pub(crate) fn add(&mut self, more: &Self) {
        let Self {
            memories,
            files,
            samples,
            passages,
            sentences,
            vectors,
            entities,
            relations,
            blobs,
            blob_bytes,
            jobs,
            deliveries,
            users,
            sessions,
            messages,
            kept_answers,
        } = more;
        self.memories += memories;
        self.files += files;
        self.samples += samples;
        self.passages += passages;
        self.sentences += sentences;
        self.vectors += vectors;
        self.entities = self.entities.zip(*entities).map(|(a, b)| a + b);
        self.relations = self.relations.zip(*relations).map(|(a, b)| a + b);
        self.blobs += blobs;
        self.blob_bytes += blob_bytes;
        self.jobs += jobs;
        self.deliveries += deliveries;
        self.users += users;
        self.sessions += sessions;
        self.messages += messages;
        self.kept_answers += kept_answers;
    }
}

/// A memory's revision after a deletion in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryRevision {
    /// The memory.
    pub memory_id: MemoryId,
    /// Its revision, which counts its visible changes.
    pub rev: i64,
}

/// The record of a deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Owner.
    pub account_id: AccountId,
    /// Its id.
    pub receipt_id: Uuid,
    /// What was deleted.
    pub kind: DeletionKind,
    /// The id of what was deleted, as the caller knew it.
    pub subject_id: String,
    /// The memories that the deletion changed.
    pub memories: Vec<MemoryRevision>,
    /// What it took.
    pub counts: DeletedCounts,
    /// When.
    pub created_at: Micros,
}

impl Receipt {
    /// The receipt of a deletion that has not taken anything yet.
    pub(crate) fn new(
        account_id: AccountId,
        receipt_id: Uuid,
        kind: DeletionKind,
        subject_id: &str,
        created_at: Micros,
    ) -> Self {
        Self {
            account_id,
            receipt_id,
            kind,
            subject_id: subject_id.to_owned(),
            memories: Vec::new(),
            counts: DeletedCounts::default(),
            created_at,
        }
    }
}
