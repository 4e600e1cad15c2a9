//! The engine's one error type: a variant exists only where a caller acts on it.

/// What an engine call can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's input cannot be accepted; the text says why, in words fit for the caller.
    #[error("{0}")]
    BadInput(String),
    /// A record with this id exists already in the account.
    #[error("already exists")]
    AlreadyExists,
    /// The lease of a job was taken over by another worker; the work must be dropped.
    #[error("lease lost")]
    LeaseLost,
    /// More questions are under way and waiting than can be answered soon.
    #[error("too many questions under way")]
    Busy,
    /// Nobody waits for the result any more.
    #[error("cancelled")]
    Cancelled,
    /// A model file is missing, has another hash than pinned, or cannot be run.
    #[error("model: {0}")]
    Model(String),
    /// A stored row or blob does not decode.
    #[error("corrupt data: {0}")]
    Corrupt(String),
    /// The database failed.
    #[error("database")]
    Database(#[from] sqlx::Error),
    /// Reading or writing file bytes failed.
    #[error("blob store")]
    Blob(#[from] object_store::Error),
    /// An input or output operation on the data directory failed.
    #[error("input/output")]
    Io(#[from] std::io::Error),
}

/// Shorthand for results of engine calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;
