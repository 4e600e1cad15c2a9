//! A memory, its last ingestion, the jobs that build it and the webhooks that tell of it.

use uuid::Uuid;

use super::{AccountId, MemoryId, Micros};

/// How a memory is built and searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKind {
    /// Passages, sentences and entities, searched over several hops.
    Graph,
    /// Chunks, searched by similarity.
    Vector,
}

impl MemoryKind {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::Vector => "vector",
        }
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Graph, Self::Vector].into_iter().find(|it| it.as_str() == name)
    }
}

/// The shipped ontologies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ontology {
    /// People, works and places.
    Culture,
    /// Essays and arguments.
    Essays,
    /// Customers, products and problems.
    SupportRequests,
}

impl Ontology {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Culture => "culture",
            Self::Essays => "essays",
            Self::SupportRequests => "support_requests",
        }
    }

    /// The ontology of that name; `cultural` is an accepted alias of `culture`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "culture" | "cultural" => Some(Self::Culture),
            "essays" => Some(Self::Essays),
            "support_requests" => Some(Self::SupportRequests),
            _ => None,
        }
    }
}

/// A memory as stored.
#[derive(Clone, Debug)]
pub struct MemoryRecord {
    /// Owner.
    pub account_id: AccountId,
    /// Its id.
    pub memory_id: MemoryId,
    /// Name, not empty.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Graph or vector.
    pub kind: MemoryKind,
    /// Always there for a graph memory.
    pub ontology: Option<Ontology>,
    /// Characters of a chunk (vector memories).
    pub chunk_size: u32,
    /// Overlap of chunks in percent, 1..=50 (vector memories).
    pub chunk_overlap: u32,
    /// Where events are posted.
    pub webhook_url: Option<String>,
    /// Stored and echoed.
    pub acceleration: bool,
    /// Stored and echoed.
    pub fact_extraction: bool,
    /// `select` for a new memory, then `ingest`, then `complete`.
    pub step: String,
    /// Counts every visible change.
    pub rev: i64,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
}

impl MemoryRecord {
    /// Characters of a chunk if nothing else is asked for.
    pub const CHUNK_SIZE: u32 = 250;
    /// Overlap of chunks in percent if nothing else is asked for.
    pub const CHUNK_OVERLAP: u32 = 10;

    /// A new graph memory with nothing said of it but its name.
    pub fn graph(
        account_id: AccountId,
        memory_id: MemoryId,
        name: &str,
        ontology: Ontology,
        now: Micros,
    ) -> Self {
        Self {
            account_id,
            memory_id,
            name: name.to_owned(),
            description: String::new(),
            kind: MemoryKind::Graph,
            ontology: Some(ontology),
            chunk_size: Self::CHUNK_SIZE,
            chunk_overlap: Self::CHUNK_OVERLAP,
            webhook_url: None,
            acceleration: false,
            fact_extraction: false,
            step: "select".to_owned(),
            rev: 0,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Status of an ingestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngestionStatus {
    /// Waits for a worker.
    Pending,
    /// Under way.
    Processing,
    /// Ended; single files may still have failed.
    Success,
    /// Ended without any file that can be recalled.
    Failed,
}

impl IngestionStatus {
    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Success => "success",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Processing, Self::Success, Self::Failed]
            .into_iter()
            .find(|it| it.as_str() == name)
    }
}

/// The last ingestion of a memory.
#[derive(Clone, Debug)]
pub struct Ingestion {
    /// The batch, as webhooks name it.
    pub batch_id: Uuid,
    /// How it stands.
    pub status: IngestionStatus,
    /// Samples to process in this batch.
    pub n_samples: i64,
    /// Samples processed, failed ones included.
    pub n_done: i64,
    /// Passages made in this batch so far.
    pub n_passages: i64,
    /// Sentences made in this batch so far.
    pub n_sentences: i64,
    /// Entities of the whole memory, once built.
    pub n_entities: i64,
    /// Relations of the whole memory, once built.
    pub n_relations: i64,
    /// Passages that the sample in work will have, as far as it has been read; 0 if nothing is known of that.
    pub n_parsed: i64,
    /// Passages of the sample in work that are staged already.
    pub n_staged: i64,
    /// Passages of this batch that went through the embedding model.
    pub n_embedded: i64,
    /// Passages of this batch whose vector was there already, because their text did not change.
    pub n_reused: i64,
    /// Start time.
    pub started_at: Micros,
    /// Last progress.
    pub updated_at: Micros,
    /// End time.
    pub finished_at: Option<Micros>,
}

/// Bytes of the files that an ingestion has to do with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkBytes {
    /// Of those that are in.
    pub done: i64,
    /// Of the one in work.
    pub in_work: i64,
    /// Of those that wait.
    pub waiting: i64,
    /// Websites of which it is not known yet what there is to ingest.
    pub n_unfetched: i64,
}

impl Ingestion {
    /// Passages a second since it was started, `None` until there are any.
    pub fn passages_per_second(&self, now: Micros) -> Option<f64> {
        let seconds = (self.finished_at.unwrap_or(now) - self.started_at) as f64 / 1e6;
        let n = self.n_passages + self.n_staged;
        (n > 0 && seconds > 0.0).then(|| n as f64 / seconds)
    }

    /// Seconds until all passages are in, as if the files that wait held as many a byte as those that were read; `None`
    /// while nothing is known of any, or websites have still to be fetched. An estimate: formats differ.
    pub fn eta_seconds(&self, bytes: WorkBytes, now: Micros) -> Option<i64> {
        let rate = self.passages_per_second(now)?;
        let (n_expected, n_bytes_read, n_bytes_left) = match self.n_parsed {
            0 => (0, bytes.done, bytes.in_work + bytes.waiting),
            n => (n.max(self.n_staged), bytes.done + bytes.in_work, bytes.waiting),
        };
        if bytes.n_unfetched > 0 || n_bytes_read == 0 && n_bytes_left > 0 {
            return None;
        }
        let a_byte = (self.n_passages + n_expected) as f64 / n_bytes_read.max(1) as f64;
        let left = (n_expected - self.n_staged).max(0) as f64 + a_byte * n_bytes_left as f64;
        Some((left / rate).ceil() as i64)
    }
}

/// A leased job of the queue.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub job_id: Uuid,
    /// Owner of the memory.
    pub account_id: AccountId,
    /// The memory to work on.
    pub memory_id: MemoryId,
    /// What to do; `ingest` is the only kind.
    pub kind: String,
    /// How often it was started, this time included.
    pub attempt: i64,
    /// Proof of the lease: writes of a worker that lost it are refused.
    pub lease_token: Uuid,
}

/// State of a webhook delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, or to be tried again.
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// Given up after the last retry, or refused.
    Dead,
}

impl DeliveryState {
    /// The name in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Dead].into_iter().find(|it| it.as_str() == name)
    }
}

/// One webhook event on its way.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Its id, sent as `webhook-id`.
    pub delivery_id: Uuid,
    /// Owner of the memory.
    pub account_id: AccountId,
    /// The memory it tells of.
    pub memory_id: MemoryId,
    /// Order within the memory.
    pub seq: i64,
    /// Receiver.
    pub url: String,
    /// JSON body, exactly as sent and signed.
    pub body: String,
    /// State.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempt: i64,
    /// When to try next.
    pub next_at: Micros,
    /// HTTP status of the last try.
    pub last_status: Option<i64>,
    /// What went wrong in the last try.
    pub last_error: Option<String>,
    /// When the event happened.
    pub created_at: Micros,
    /// When it was delivered.
    pub delivered_at: Option<Micros>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an ingestion that has run for 10 s.
    fn eta(n_passages: i64, n_parsed: i64, n_staged: i64, bytes: WorkBytes) -> Option<i64> {
        let ingestion = Ingestion {
            batch_id: Uuid::nil(),
            status: IngestionStatus::Processing,
            n_samples: 3,
            n_done: 1,
            n_passages,
            n_sentences: 0,
            n_entities: 0,
            n_relations: 0,
            n_parsed,
            n_staged,
            n_embedded: 0,
            n_reused: 0,
            started_at: 1_000_000,
            updated_at: 0,
            finished_at: None,
        };
        ingestion.eta_seconds(bytes, 11_000_000)
    }

    #[test]
    fn what_is_left_is_guessed_by_bytes_and_by_what_was_read_of_the_file_in_work() {
        let bytes = |done, in_work, waiting| WorkBytes { done, in_work, waiting, n_unfetched: 0 };
        assert_eq!(eta(0, 0, 0, bytes(0, 500, 0)), None, "nothing is there yet");
        assert_eq!(eta(0, 0, 100, bytes(0, 500, 0)), None, "nobody knows how long the file is");
        assert_eq!(eta(0, 400, 100, bytes(0, 500, 0)), Some(30), "300 at 10 a second");
        assert_eq!(eta(0, 400, 100, bytes(0, 500, 500)), Some(70), "as many again wait");
        assert_eq!(eta(100, 0, 0, bytes(500, 0, 1000)), Some(20));
        assert_eq!(eta(100, 0, 20, bytes(500, 500, 0)), Some(9), "by the file before");
        assert_eq!(eta(100, 50, 50, bytes(500, 250, 0)), Some(0));
        assert_eq!(eta(100, 50, 60, bytes(500, 250, 0)), Some(0), "more than was thought");
        let unfetched = WorkBytes { n_unfetched: 1, ..bytes(500, 0, 0) };
        assert_eq!(eta(100, 0, 0, unfetched), None, "nobody knows how many pages come");
    }
}
