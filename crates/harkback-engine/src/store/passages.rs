//! SQL of passages: staging under an invisible version, publishing, and what retrieval reads.

use uuid::Uuid;

/// A passage as staged: texts with their vectors.
#[derive(Clone, Debug)]
pub struct PassageRow {
    /// Order within the version.
    pub seq: i64,
}

/// A passage that readers see.
#[derive(Clone, Debug)]
pub struct ActivePassage {
    /// The version it belongs to.
    pub version_id: Uuid,
}
