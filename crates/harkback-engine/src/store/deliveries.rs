//! SQL of the webhook outbox: which events are still to be told, and what became of those that were.

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use uuid::Uuid;

use super::Store;
use super::answers;
use super::page::{Listing, PageKey, fetch_page};
use crate::error::{Error, Result};
use crate::model::{
    AccountId, Cursor, Delivery, DeliveryState, IngestionStatus, KeptAnswer, MemoryId, MemoryKind,
    Micros, Owned, Page, PageRequest,
};

/// The events of an ingestion, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Starting,
    Waiting,
    InProgress,
    Building,
    Complete,
    Failed,
}

impl Event {
    fn status(self) -> IngestionStatus {
        match self {
            Self::Starting | Self::Waiting => IngestionStatus::Pending,
            Self::InProgress | Self::Building => IngestionStatus::Processing,
            Self::Complete => IngestionStatus::Success,
            Self::Failed => IngestionStatus::Failed,
        }
    }

    fn message(self, kind: MemoryKind) -> &'static str {
        match self {
            Self::Starting => "Ingestion is starting.",
            Self::Waiting => "Waiting for compute.",
            Self::InProgress => "Ingestion in progress.",
            Self::Building => match kind {
                MemoryKind::Graph => "Graph ingestion in progress. This may take a few minutes.",
                MemoryKind::Vector => "Vector ingestion in progress. This may take a few minutes.",
            },
            Self::Complete => "Ingestion complete.",
            Self::Failed => "Ingestion failed.",
        }
    }

    fn ordinal(self) -> u8 {
        match self {
            Self::Starting => 1,
            Self::Waiting => 2,
            Self::InProgress => 3,
            Self::Building => 4,
            Self::Complete => 5,
            Self::Failed => 6,
        }
    }
}

/// Writes `event` of the memory's current batch into the outbox, if the memory has a webhook. An event happens once in a
/// batch: telling it again, as a restarted job does, changes nothing.
pub(super) async fn announce(
    tx: &mut SqliteConnection,
    memory_id: MemoryId,
    event: Event,
    now: Micros,
) -> Result<()> {
    let row = sqlx::query(
        "SELECT m.account_id, m.kind, m.webhook_url, i.batch_id, i.n_samples, i.n_done
         FROM memory m JOIN ingestion i ON i.memory_id = m.memory_id
         WHERE m.memory_id = $1 AND m.webhook_url IS NOT NULL",
    )
    .bind(memory_id.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let batch_id: Uuid = row.try_get("batch_id")?;
    let kind: String = row.try_get("kind")?;
    let kind = MemoryKind::parse(&kind)
        .ok_or_else(|| Error::Corrupt(format!("memory of the kind `{kind}`")))?;
    let body = Body {
        event: BodyEvent {
            memory_id: memory_id.0.to_string(),
            batch_id: batch_id.to_string(),
            total_samples: row.try_get("n_samples")?,
            processed_samples: row.try_get("n_done")?,
            status: event.status().as_str(),
            message: event.message(kind),
        },
        timestamp: iso_millis(now)?,
    };
    sqlx::query(
        "INSERT INTO delivery (delivery_id, account_id, memory_id, seq, url, body, state, next_at, created_at)
         VALUES ($1, $2, $3, (SELECT COALESCE(MAX(seq), 0) + 1 FROM delivery WHERE memory_id = $3), $4, $5, 'pending',
                 $6, $6)
         ON CONFLICT (delivery_id) DO NOTHING",
    )
    .bind(delivery_id(batch_id, event))
    .bind(row.try_get::<Uuid, _>("account_id")?)
    .bind(memory_id.0)
    .bind(row.try_get::<String, _>("webhook_url")?)
    .bind(serde_json::to_string(&body).map_err(|e| Error::Corrupt(format!("webhook body: {e}")))?)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

impl Store {
    /// Deliveries to try now, at most `limit`: of each memory only the oldest that is not settled, so that events arrive
    /// in order.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn due_deliveries(&self, now: Micros, limit: i64) -> Result<Vec<Delivery>> {
        sqlx::query(
            "SELECT d.* FROM delivery d
             WHERE d.state = 'pending' AND d.next_at <= $1
               AND NOT EXISTS (SELECT 1 FROM delivery e
                               WHERE e.memory_id = d.memory_id AND e.seq < d.seq AND e.state = 'pending')
             ORDER BY d.next_at, d.delivery_id LIMIT $2",
        )
        .bind(now)
        .bind(limit)
        .try_map(delivery)
        .fetch_all(&self.reader)
        .await
        .map_err(Error::from)
    }

    /// The delivery of that id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn delivery(
        &self,
        account_id: AccountId,
        delivery_id: Uuid,
    ) -> Result<Owned<Delivery>> {
        let found =
            sqlx::query("SELECT * FROM delivery WHERE delivery_id = $1 AND account_id = $2")
                .bind(delivery_id)
                .bind(account_id.0)
                .try_map(delivery)
                .fetch_optional(&self.reader)
                .await?;
        self.owned(found, FOREIGN, account_id, delivery_id).await
    }

    /// A page of the account's deliveries, of one memory and in one state if these are named.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn list_deliveries(
        &self,
        account_id: AccountId,
        memory_id: Option<MemoryId>,
        state: Option<DeliveryState>,
        request: &PageRequest,
    ) -> Result<Page<Delivery>> {
        let listing = Listing {
            select: || {
                let mut sql = QueryBuilder::new("SELECT * FROM delivery WHERE account_id = ");
                sql.push_bind(account_id.0);
                if let Some(memory_id) = memory_id {
                    sql.push(" AND memory_id = ").push_bind(memory_id.0);
                }
                if let Some(state) = state {
                    sql.push(" AND state = ").push_bind(state.as_str());
                }
                sql
            },
            key: PageKey::Uuid("delivery_id"),
            row: delivery,
            cursor: |it| Cursor { created_at: it.created_at, id: it.delivery_id.to_string() },
        };
        fetch_page(&self.reader, &listing, request).await
    }

    /// All deliveries, those of a memory together and in the order of their events.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn deliveries(&self) -> Result<Vec<Delivery>> {
        sqlx::query("SELECT * FROM delivery ORDER BY memory_id, seq")
            .try_map(delivery)
            .fetch_all(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// All deliveries of a memory, in the order of their events.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn deliveries_of_memory(&self, memory_id: MemoryId) -> Result<Vec<Delivery>> {
        sqlx::query("SELECT * FROM delivery WHERE memory_id = $1 ORDER BY seq")
            .bind(memory_id.0)
            .try_map(delivery)
            .fetch_all(&self.reader)
            .await
            .map_err(Error::from)
    }

    /// Records that the receiver accepted a delivery.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn settle_delivery(&self, delivery_id: Uuid, status: u16, now: Micros) -> Result<()> {
        sqlx::query(
            "UPDATE delivery SET state = 'delivered', attempt = attempt + 1, last_status = $2, last_error = NULL,
                                 delivered_at = $3
             WHERE delivery_id = $1 AND state = 'pending'",
        )
        .bind(delivery_id)
        .bind(i64::from(status))
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Records a failed try. With `retry_at` the delivery is tried again then; without, it is dead and the memory's next
    /// event may go.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn fail_delivery(
        &self,
        delivery_id: Uuid,
        status: Option<u16>,
        error: &str,
        retry_at: Option<Micros>,
    ) -> Result<()> {
        sqlx::query(
            "UPDATE delivery SET attempt = attempt + 1, last_status = $2, last_error = $3,
                                 state = CASE WHEN $4 IS NULL THEN 'dead' ELSE state END,
                                 next_at = COALESCE($4, next_at)
             WHERE delivery_id = $1 AND state = 'pending'",
        )
        .bind(delivery_id)
        .bind(status.map(i64::from))
        .bind(error)
        .bind(retry_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Puts a delivery back into the outbox, due now and with all its tries, whether it was delivered, dead or waiting.
    /// Returns it as it is then; what `answer` makes of it is kept with it. `None` if there is none of that id.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn resend_delivery(
        &self,
        delivery_id: Uuid,
        now: Micros,
        answer: impl FnOnce(&Delivery) -> Option<KeptAnswer> + Send,
    ) -> Result<Option<Delivery>> {
        let mut tx = self.begin().await?;
        let due = sqlx::query(
            "UPDATE delivery SET state = 'pending', attempt = 0, next_at = $2, delivered_at = NULL
             WHERE delivery_id = $1 RETURNING *",
        )
        .bind(delivery_id)
        .bind(now)
        .try_map(delivery)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(answer) = due.as_ref().and_then(answer) {
            answers::keep(&mut *tx, &answer).await?;
        }
        tx.commit().await?;
        Ok(due)
    }
}

const FOREIGN: &str = "SELECT 1 FROM delivery WHERE delivery_id = $1 AND account_id <> $2";

#[derive(Serialize)]
struct Body {
    event: BodyEvent,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BodyEvent {
    #[serde(rename = "memoryID")]
    memory_id: String,
    #[serde(rename = "batchID")]
    batch_id: String,
    total_samples: i64,
    processed_samples: i64,
    status: &'static str,
    message: &'static str,
}

/// The same event of the same batch has the same id, so that it cannot be written twice.
fn delivery_id(batch_id: Uuid, event: Event) -> Uuid {
    let digest =
        Sha256::new().chain_update(batch_id.as_bytes()).chain_update([event.ordinal()]).finalize();
    let bytes = std::array::from_fn(|i| digest[i]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

fn iso_millis(at: Micros) -> Result<String> {
    let at = jiff::Timestamp::from_microsecond(at)
        .map_err(|e| Error::Corrupt(format!("time `{at}`: {e}")))?;
    Ok(at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

fn delivery(row: SqliteRow) -> sqlx::Result<Delivery> {
    let state: String = row.try_get("state")?;
    Ok(Delivery {
        delivery_id: row.try_get("delivery_id")?,
        account_id: AccountId(row.try_get("account_id")?),
        memory_id: MemoryId(row.try_get("memory_id")?),
        seq: row.try_get("seq")?,
        url: row.try_get("url")?,
        body: row.try_get("body")?,
        state: DeliveryState::parse(&state)
            .ok_or_else(|| sqlx::Error::Decode(format!("delivery state `{state}`").into()))?,
        attempt: row.try_get("attempt")?,
        next_at: row.try_get("next_at")?,
        last_status: row.try_get("last_status")?,
        last_error: row.try_get("last_error")?,
        created_at: row.try_get("created_at")?,
        delivered_at: row.try_get("delivered_at")?,
    })
}
