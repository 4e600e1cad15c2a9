//! What must hold of whatever a caller sends?

use harkback_engine::model::{AccountId, Cursor, Direction};
use uuid::Uuid;

use super::extract::{Fields, Params, checked_id};
use super::page::List;
use crate::keys::parse_key;

const KEY: [u8; 32] = [7; 32];
const NAMES: [&str; 4] = ["memoryID", "query", "limit", "assisted"];

/// A query string, a body, an id, an API key and a page token of the same bytes.
pub fn request(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        check_query(text);
        check_id(text);
        check_tokens(text);
    }
    let Ok(fields) = Fields::read(bytes) else { return };
    for name in NAMES {
        _ = (fields.flag(name), fields.names(name));
        if let Ok(Some(number)) = fields.integer(name, 1..=100) {
            assert!((1..=100).contains(&number));
        }
        if let Ok(text) = fields.required_text(name) {
            assert!(!text.trim().is_empty() && !text.contains('\0'));
        }
        if let Ok(Some(id)) = fields.id(name) {
            check_id(&id);
        }
    }
}

fn check_query(query: &str) {
    let Ok(params) = Params::read(query) else { return };
    for name in NAMES {
        _ = params.flag(name);
        if let Ok(Some(number)) = params.integer(name, 1..=100) {
            assert!((1..=100).contains(&number));
        }
        if let Ok(text) = params.required_text(name, name) {
            assert!(!text.trim().is_empty() && !text.contains('\0'));
        }
    }
}

fn check_id(text: &str) {
    if let Ok(id) = checked_id("ID", text) {
        assert_eq!(id, text, "an id is kept as given");
        assert!((1..=255).contains(&id.chars().count()) && !id.chars().any(char::is_control));
    }
    if let Some((key_id, secret)) = parse_key(text) {
        assert_eq!(format!("hb_{key_id}_{secret}"), text);
    }
}

/// A token is opened by the list that sealed it, and by no other and in no other direction.
fn check_tokens(text: &str) {
    let list = |name| List { name, account_id: AccountId(Uuid::nil()), filters: vec![Some(text)] };
    let (sessions, memories) = (list("sessions"), list("memories"));
    let cursor = Cursor { created_at: text.len() as i64 - 8, id: text.to_owned() };
    let token = sessions.seal(&KEY, Direction::Next, &cursor);
    assert_eq!(sessions.cursor(&KEY, Direction::Next, &token), Some(cursor));
    assert_eq!(sessions.cursor(&KEY, Direction::Previous, &token), None);
    assert_eq!(memories.cursor(&KEY, Direction::Next, &token), None);
    assert_eq!(sessions.cursor(&KEY, Direction::Next, text), None, "nobody guesses a token");
}
