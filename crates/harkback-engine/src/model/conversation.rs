//! The caller's end users, their sessions and messages.

use serde::{Deserialize, Serialize};

use super::{AccountId, Micros, Receipt};

/// A person who talks to the caller's agent.
#[derive(Clone, Debug)]
pub struct EndUser {
    /// Owner.
    pub account_id: AccountId,
    /// The caller's id, unique within the account.
    pub id: String,
    /// First name, not empty.
    pub first_name: String,
    /// Last name, not empty.
    pub last_name: String,
    /// E-mail address, unchecked.
    pub email: Option<String>,
    /// Phone number, unchecked.
    pub phone: Option<String>,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
}

/// One key and value attached to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataEntry {
    /// Name.
    pub key: String,
    /// Value.
    pub value: String,
}

/// A conversation.
#[derive(Clone, Debug)]
pub struct Session {
    /// Owner.
    pub account_id: AccountId,
    /// The caller's id, unique within the account.
    pub id: String,
    /// The end user, who need not exist as a record.
    pub customer_user_id: Option<String>,
    /// Free pairs.
    pub metadata: Vec<MetadataEntry>,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
    /// When the conversation ended, if it did.
    pub ended_at: Option<Micros>,
    /// When it was soft-deleted, if it was.
    pub deleted_at: Option<Micros>,
}

/// What became of the wish to delete a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionDeletion {
    /// It is deleted now.
    Done(Box<Receipt>),
    /// It was deleted before; nothing changed.
    DoneBefore,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// No role given.
    NoRole,
    /// The system prompt.
    System,
    /// The agent.
    Assistant,
    /// The end user.
    User,
    /// A function's result.
    Function,
    /// A tool's result.
    Tool,
}

impl Role {
    /// All roles, in the order of the contract.
    pub const ALL: [Self; 6] =
        [Self::NoRole, Self::System, Self::Assistant, Self::User, Self::Function, Self::Tool];

    /// The name on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoRole => "norole",
            Self::System => "system",
            Self::Assistant => "assistant",
            Self::User => "user",
            Self::Function => "function",
            Self::Tool => "tool",
        }
    }

    /// The role of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// One turn of a conversation.
#[derive(Clone, Debug)]
pub struct Message {
    /// Owner.
    pub account_id: AccountId,
    /// The caller's id, unique within the account.
    pub id: String,
    /// The session it belongs to, if any.
    pub session_id: Option<String>,
    /// The end user; taken from the session when the caller names none.
    pub customer_user_id: Option<String>,
    /// Who speaks.
    pub role: Role,
    /// The words.
    pub content: String,
    /// Creation time.
    pub created_at: Micros,
    /// Last change.
    pub updated_at: Micros,
}

/// What became of a new message.
#[derive(Clone, Debug)]
pub enum MessagePlace {
    /// It is stored, as given here.
    Stored(Message),
    /// Its session was deleted before; nothing is stored.
    SessionDeleted,
}

/// Which messages are listed. What is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Only those of this session.
    pub session_id: Option<String>,
    /// Only those of this end user.
    pub customer_user_id: Option<String>,
    /// Only those of this role.
    pub role: Option<Role>,
}
