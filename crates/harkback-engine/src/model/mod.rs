//! The nouns of the memory: plain data without input/output. Invariants live in constructors.

mod account;
mod conversation;
mod document;
mod export;
mod file;
mod ids;
mod memory;
mod page;
mod recall;
mod receipt;
mod website;

pub use account::{Account, ApiKey, Kept, KeptAnswer, OldSecret};
pub use conversation::{
    EndUser, Message, MessageFilter, MessagePlace, MetadataEntry, Role, Session, SessionDeletion,
};
pub use document::{Document, Passage, Place, Span};
pub use export::{ExportedMention, ExportedPassage, ExportedRelation};
pub use file::{FileRecord, FileType, NewFile, Sample, SampleState, Upload};
pub use ids::{AccountId, FileId, MemoryId, Micros, Owned};
pub use memory::{
    Delivery, DeliveryState, Ingestion, IngestionStatus, Job, MemoryKind, MemoryRecord, Ontology,
    WorkBytes,
};
pub use page::{Cursor, Direction, Page, PageRequest};
pub use recall::{
    ExplainedEntity, ExplainedPassage, ExplainedSignal, Explanation, Fact, Item, ItemMetadata,
    PathStep, RankedPassage, Recall, RecallMode, RecallRequest, Source,
};
pub use receipt::{DeletedCounts, DeletionKind, Extent, MemoryRevision, Receipt};
pub use website::{
    FetchEnd, FetchedPage, PageCounts, PageIds, Site, SitePage, StoredPage, Validators,
};
