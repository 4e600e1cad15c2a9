//! How are API keys made, listed, revoked and recognised? `hb_<key id>_<secret>`: the id is looked up, the secret is 43
//! random characters (256 bits) with a checksum of six, and only its SHA-256 is stored.

use harkback_engine::model::{Account, AccountId, ApiKey, Micros};
use harkback_engine::{Error, Result, Store};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::{Clock, Ids};

const PREFIX: &str = "hb_";
const ID_LEN: usize = 12;
const RANDOM_LEN: usize = 43;
const CHECKSUM_LEN: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key as `keys list` shows it.
#[derive(Clone, Debug)]
pub struct ListedKey {
    /// Its public part.
    pub key_id: String,
    /// The name of its account.
    pub account: String,
    /// When it was made.
    pub created_at: Micros,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Micros>,
}

/// Makes a key for the account of that name, and the account if there is none. The returned text is the only copy.
///
/// # Errors
/// [`Error::BadInput`] if the name is blank, longer than 255 characters or holds control characters; otherwise if the
/// database fails.
pub async fn create_key(
    store: &Store,
    account_name: &str,
    clock: &Clock,
    ids: &Ids,
) -> Result<String> {
    let account = ensure_account(store, account_name, clock, ids).await?;
    let key_id = ids.base62(ID_LEN);
    let mut secret = ids.base62(RANDOM_LEN);
    secret.push_str(&checksum(&key_id, &secret));
    let key = ApiKey {
        key_id,
        account_id: account.account_id,
        secret_sha256: sha256(&secret),
        created_at: clock.now(),
        revoked_at: None,
    };
    store.create_api_key(&key).await?;
    Ok(format!("{PREFIX}{}_{secret}", key.key_id))
}

/// The account of that name, made if there is none.
///
/// # Errors
/// As [`create_key`].
pub async fn ensure_account(
    store: &Store,
    name: &str,
    clock: &Clock,
    ids: &Ids,
) -> Result<Account> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 255 || name.chars().any(char::is_control) {
        return Err(Error::BadInput(
            "the account's name must be 1 to 255 characters without control characters".into(),
        ));
    }
    let now = clock.now();
    let wanted = Account {
        account_id: AccountId(ids.uuid(now)),
        name: name.to_owned(),
        webhook_secret: ids.bytes::<32>().to_vec(),
        old_webhook_secret: None,
        created_at: now,
    };
    store.ensure_account(&wanted).await
}

/// All keys, oldest first, the revoked ones too.
///
/// # Errors
/// If the database fails.
pub async fn list_keys(store: &Store) -> Result<Vec<ListedKey>> {
    let listed = |(account, key): (String, ApiKey)| ListedKey {
        key_id: key.key_id,
        account,
        created_at: key.created_at,
        revoked_at: key.revoked_at,
    };
    Ok(store.api_keys().await?.into_iter().map(listed).collect())
}

/// Revokes a key, named by its id or by its whole text. A running server refuses it from the next request on. False if
/// there is no such key, or it was revoked before.
///
/// # Errors
/// If the database fails.
pub async fn revoke_key(store: &Store, key: &str, clock: &Clock) -> Result<bool> {
    let key_id = parse_key(key).map_or(key, |(key_id, _)| key_id);
    store.revoke_api_key(key_id, clock.now()).await
}

/// The stored key that `text` opens, unless it is unknown or revoked.
///
/// # Errors
/// If the database fails.
pub async fn recognise_key(store: &Store, text: &str) -> Result<Option<ApiKey>> {
    let Some((key_id, secret)) = parse_key(text) else { return Ok(None) };
    let Some(key) = store.api_key(key_id).await? else { return Ok(None) };
    let same: bool = sha256(secret).ct_eq(&key.secret_sha256).into();
    Ok(Some(key).filter(|it| same && it.revoked_at.is_none()))
}

/// Key id and secret of a well-formed key. The checksum keeps mistyped keys away from the database.
pub(crate) fn parse_key(text: &str) -> Option<(&str, &str)> {
    let (key_id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let well_formed = key_id.len() == ID_LEN
        && secret.len() == RANDOM_LEN + CHECKSUM_LEN
        && [key_id, secret].iter().all(|it| it.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !well_formed {
        return None;
    }
    let (random, sum) = secret.split_at(RANDOM_LEN);
    (checksum(key_id, random) == sum).then_some((key_id, secret))
}

fn checksum(key_id: &str, random: &str) -> String {
    let digest = sha256(&format!("{key_id}_{random}"));
    let mut rest = digest.iter().take(4).fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let mut text = String::with_capacity(CHECKSUM_LEN);
    for _ in 0..CHECKSUM_LEN {
        text.push(char::from(BASE62[rest % 62]));
        rest /= 62;
    }
    text
}

fn sha256(text: &str) -> Vec<u8> {
    Sha256::digest(text.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_untouched_key_parses() {
        let (key_id, random) = ("abcdefABCDEF", "x".repeat(RANDOM_LEN));
        let key = format!("hb_{key_id}_{random}{}", checksum(key_id, &random));
        assert!(parse_key(&key).is_some());
        for at in 0..key.len() {
            let mut other = key.clone().into_bytes();
            other[at] = if other[at] == b'q' { b'r' } else { b'q' };
            assert_eq!(parse_key(&String::from_utf8(other).unwrap()), None, "changed at {at}");
            assert_eq!(parse_key(&key[..at]), None, "cut at {at}");
        }
    }

    #[tokio::test]
    async fn a_forged_secret_with_a_right_checksum_opens_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let (clock, ids) = (Clock::fixed(0), Ids::seeded(1));
        let key = create_key(&store, "alice", &clock, &ids).await.unwrap();
        assert!(recognise_key(&store, &key).await.unwrap().is_some());
        let (key_id, _) = parse_key(&key).unwrap();
        let random = "x".repeat(RANDOM_LEN);
        let forged = format!("hb_{key_id}_{random}{}", checksum(key_id, &random));
        assert!(parse_key(&forged).is_some());
        assert!(recognise_key(&store, &forged).await.unwrap().is_none());
    }
}
