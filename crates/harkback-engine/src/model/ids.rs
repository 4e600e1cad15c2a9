//! Ids and times as types, so that one cannot be passed for another.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;

/// An account (organisation): the tenant that owns every other record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AccountId(pub Uuid);

/// A memory. Its text form is the id that callers see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemoryId(pub Uuid);

/// A file's inner id; callers know it by [`FileRecord::id`](super::FileRecord), a text of their own choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub Uuid);

/// What a look-up by a caller's id finds: ids are unique within an account, and two accounts may hold the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owned<T> {
    /// The caller's account holds it.
    Mine(T),
    /// Only another account holds a record with this id; nothing else about it may leak.
    Foreign,
    /// No account holds it.
    Absent,
}
