//! Accounts and their API keys.

use super::{AccountId, Micros};

/// A tenant.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its id; callers see its text as `userID`, `owner` and `organisationID`.
    pub account_id: AccountId,
    /// Unique name, as given on the command line.
    pub name: String,
    /// Key of the account's webhook signatures, 32 bytes.
    pub webhook_secret: Vec<u8>,
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
