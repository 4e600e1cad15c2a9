//! Is a database sound? Asked from outside, without changing it, while a server may be using it.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Connection, Row, SqliteConnection};

use super::Store;
use crate::error::Result;

impl Store {
    /// What is wrong with the database of the data directory `dir`, one text a defect and no more than some dozens of
    /// them; empty if it is sound. Reads the whole file: about a second a gigabyte.
    ///
    /// # Errors
    /// If there is no database, or it cannot be opened or read at all.
    pub async fn defects(dir: &Path) -> Result<Vec<String>> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("harkback.db"))
            .read_only(true)
            .busy_timeout(Duration::from_secs(30));
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let mut defects: Vec<String> =
            sqlx::query_scalar("PRAGMA quick_check(20)").fetch_all(&mut connection).await?;
        defects.retain(|line| line != "ok");
        let dangling = sqlx::query("PRAGMA foreign_key_check")
            .try_map(|row: SqliteRow| {
                let (table, parent): (String, String) = (row.try_get(0)?, row.try_get(2)?);
                Ok(format!("a row of `{table}` refers to a missing row of `{parent}`"))
            })
            .fetch_all(&mut connection)
            .await?;
        defects.extend(dangling.into_iter().take(20));
        connection.close().await?;
        Ok(defects)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{Seek, SeekFrom, Write};

    use super::*;

    #[tokio::test]
    async fn a_sound_database_has_no_defects_even_while_it_is_open() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Store::defects(dir.path()).await.is_err(), "there is none yet");
        let store = Store::open(dir.path()).await.unwrap();
        assert_eq!(Store::defects(dir.path()).await.unwrap(), [] as [&str; 0]);
        store.close().await;
        assert_eq!(Store::defects(dir.path()).await.unwrap(), [] as [&str; 0]);
    }

    #[tokio::test]
    async fn an_overwritten_page_is_a_defect() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).await.unwrap().close().await;
        let mut file = OpenOptions::new().write(true).open(dir.path().join("harkback.db")).unwrap();
        file.seek(SeekFrom::Start(2 * 4096)).unwrap();
        file.write_all(&[0xff; 4096]).unwrap();
        drop(file);
        let defects = Store::defects(dir.path()).await.unwrap();
        assert!(!defects.is_empty());
    }

    #[tokio::test]
    async fn a_dangling_reference_is_a_defect() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).await.unwrap().close().await;
        let options = SqliteConnectOptions::new()
            .filename(dir.path().join("harkback.db"))
            .foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query("INSERT INTO api_key (key_id, account_id, secret_sha256, created_at) VALUES ('k', x'00', x'00', 1)")
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        let defects = Store::defects(dir.path()).await.unwrap();
        assert_eq!(defects, ["a row of `api_key` refers to a missing row of `account`"]);
    }
}
