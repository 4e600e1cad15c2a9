//! How is a database copied while a server writes to it, and which bytes does a copy name?

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::Store;
use crate::error::{Error, Result};

/// All bytes that a database promises: those of files, and those of finished uploads that no file uses yet.
const BLOB_KEYS: &str = "SELECT blob_key FROM file WHERE blob_key IS NOT NULL \
     UNION SELECT key FROM upload WHERE uploaded_at IS NOT NULL ORDER BY 1";

impl Store {
    /// Writes the database of the data directory `dir` as it is at one moment to the new file `to`. Writers go on
    /// meanwhile, and nothing is migrated.
    ///
    /// # Errors
    /// If there is no database, `to` is there already, or the disk fails.
    pub async fn copy(dir: &Path, to: &Path) -> Result<()> {
        let to = to.to_str().ok_or_else(|| {
            Error::BadInput(format!("the path `{}` is not Unicode", to.display()))
        })?;
        let mut connection = connect(dir).await?;
        sqlx::query("VACUUM INTO $1").bind(to).execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// The keys of all bytes that the database of `dir` names, each once, in order.
    ///
    /// # Errors
    /// If there is no database, or it cannot be read.
    pub async fn blob_keys(dir: &Path) -> Result<Vec<String>> {
        let mut connection = connect(dir).await?;
        let keys = sqlx::query_scalar(BLOB_KEYS).fetch_all(&mut connection).await?;
        connection.close().await?;
        Ok(keys)
    }
}

async fn connect(dir: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(dir.join("harkback.db"))
        .busy_timeout(Duration::from_secs(30));
    Ok(SqliteConnection::connect_with(&options).await?)
}
