//! SQL of accounts, their API keys, and the secret of the installation.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Store;
use crate::error::{Error, Result};
use crate::model::{Account, AccountId, ApiKey, Micros, OldSecret};

impl Store {
    /// The account of that name; `wanted` is stored and returned if there is none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn ensure_account(&self, wanted: &Account) -> Result<Account> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO account (account_id, name, webhook_secret, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (name) DO NOTHING",
        )
        .bind(wanted.account_id.0)
        .bind(&wanted.name)
        .bind(&wanted.webhook_secret)
        .bind(wanted.created_at)
        .execute(&mut *tx)
        .await?;
        let found = sqlx::query("SELECT * FROM account WHERE name = $1")
            .bind(&wanted.name)
            .try_map(account)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(found)
    }

    /// The account of that id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn account(&self, account_id: AccountId) -> Result<Option<Account>> {
        sqlx::query("SELECT * FROM account WHERE account_id = $1")
            .bind(account_id.0)
            .try_map(account)
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        sqlx::query("SELECT * FROM account ORDER BY created_at, name")
            .try_map(account)
            .fetch_all(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// Gives the account of that name a new webhook secret; the one it had signs beside it until `old_until`, and one
    /// that was rotated away before no longer. False if there is no such account.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rotate_webhook_secret(
        &self,
        name: &str,
        secret: &[u8],
        old_until: Micros,
    ) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE account SET old_webhook_secret = webhook_secret, old_webhook_secret_until = $3, webhook_secret = $2
             WHERE name = $1",
        )
        .bind(name)
        .bind(secret)
        .bind(old_until)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Stores a new key.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists) if its id is taken; otherwise if the database fails.
    pub async fn create_api_key(&self, key: &ApiKey) -> Result<()> {
        let made = sqlx::query(
            "INSERT INTO api_key (key_id, account_id, secret_sha256, created_at, revoked_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id) DO NOTHING",
        )
        .bind(&key.key_id)
        .bind(key.account_id.0)
        .bind(&key.secret_sha256)
        .bind(key.created_at)
        .bind(key.revoked_at)
        .execute(&self.writer)
        .await?;
        if made.rows_affected() == 0 { Err(Error::AlreadyExists) } else { Ok(()) }
    }

    /// The key of that id, revoked or not.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn api_key(&self, key_id: &str) -> Result<Option<ApiKey>> {
        sqlx::query("SELECT * FROM api_key WHERE key_id = $1")
            .bind(key_id)
            .try_map(api_key)
            .fetch_optional(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// All keys with the names of their accounts, oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn api_keys(&self) -> Result<Vec<(String, ApiKey)>> {
        sqlx::query(
            "SELECT a.name, k.* FROM api_key k JOIN account a ON a.account_id = k.account_id
             ORDER BY k.created_at, k.key_id",
        )
        .try_map(|row: SqliteRow| Ok((row.try_get("name")?, api_key(row)?)))
        .fetch_all(&self.reader)
        .await
        .map_err(Error::from)
    }

    /// Revokes a key, from the next request on. False if there is no such key, or it was revoked before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn revoke_api_key(&self, key_id: &str, now: Micros) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE api_key SET revoked_at = $2 WHERE key_id = $1 AND revoked_at IS NULL",
        )
        .bind(key_id)
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The secret that signs pagination tokens and upload URLs; `fresh` is stored and returned if there is none.
    ///
    /// # Errors
    /// If the database fails, or what is stored is not 32 bytes long.
    pub async fn ensure_secret(&self, fresh: [u8; 32]) -> Result<[u8; 32]> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO meta (key, value) VALUES ('secret', $1) ON CONFLICT (key) DO NOTHING",
        )
        .bind(fresh.as_slice())
        .execute(&mut *tx)
        .await?;
        let found: Vec<u8> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'secret'")
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        found.try_into().map_err(|_| Error::Corrupt("the secret is not 32 bytes long".into()))
    }

    /// Whether the database answers and can be written.
    ///
    /// # Errors
    /// If it cannot.
    pub async fn check(&self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        self.begin().await?.rollback().await?;
        Ok(())
    }
}

fn account(row: SqliteRow) -> sqlx::Result<Account> {
    let old: Option<Vec<u8>> = row.try_get("old_webhook_secret")?;
    let until: Option<Micros> = row.try_get("old_webhook_secret_until")?;
    Ok(Account {
        account_id: AccountId(row.try_get("account_id")?),
        name: row.try_get("name")?,
        webhook_secret: row.try_get("webhook_secret")?,
        old_webhook_secret: old.zip(until).map(|(secret, until)| OldSecret { secret, until }),
        created_at: row.try_get("created_at")?,
    })
}

fn api_key(row: SqliteRow) -> sqlx::Result<ApiKey> {
    Ok(ApiKey {
        key_id: row.try_get("key_id")?,
        account_id: AccountId(row.try_get("account_id")?),
        secret_sha256: row.try_get("secret_sha256")?,
        created_at: row.try_get("created_at")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
