//! Accounts and their API keys.

use super::{AccountId, DeletionKind, Micros};

/// A tenant.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id; callers see its text as `userID`, `owner` and `organisationID`.
    pub account_id: AccountId,
    /// Unique name, as given on the command line.
    pub name: String,
    /// Key of the account's webhook signatures, 32 bytes.
    pub webhook_secret: Vec<u8>,
    /// The key before the last rotation, while it signs too.
    pub old_webhook_secret: Option<OldSecret>,
    /// When it was made.
    pub created_at: Micros,
}

/// An API key as stored: never its secret, only the secret's SHA-256.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The public part, by which the key is looked up.
    pub key_id: String,
    /// The account it opens.
    pub account_id: AccountId,
    /// SHA-256 of the secret part, 32 bytes.
    pub secret_sha256: Vec<u8>,
    /// When it was made.
    pub created_at: Micros,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Micros>,
}

/// A webhook secret that was rotated away and signs beside the new one for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldSecret {
    /// The key, 32 bytes.
    pub secret: Vec<u8>,
    /// Until when it signs.
    pub until: Micros,
}

/// What a request with an idempotency key was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Whose request it was.
    pub account_id: AccountId,
    /// The key, the caller's choice; unique within the account.
    pub key: String,
    /// SHA-256 of the request: another request with the key is not the same one.
    pub fingerprint: Vec<u8>,
    /// HTTP status of the answer.
    pub status: u16,
    /// Body of the answer, JSON.
    pub body: Vec<u8>,
    /// The record that the request was about, by the kind of its deletion and the id that callers know: the deletion of it
    /// takes the answer.
    pub subject: Option<(DeletionKind, String)>,
    /// When the request came.
    pub created_at: Micros,
}

/// What is kept under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The answer.
    Answer(KeptAnswer),
    /// Only that the key was used: the deletion of what the answer told of took the rest.
    Erased,
}
