//! How does a list give pages that neither repeat nor skip a row while rows come and go? By the place of the last row
//! seen in the order (`created_at`, key), never by counting.

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqlitePool};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::{Cursor, Direction, Page, PageRequest};

/// The column that breaks ties of `created_at` and whose text is a [`Cursor`]'s id.
#[derive(Clone, Copy, Debug)]
pub(super) enum PageKey {
    /// A column of callers' ids.
    Text(&'static str),
    /// A column of our UUIDs.
    Uuid(&'static str),
}

/// What is listed: `select` builds `SELECT … WHERE …` up to and with the last filter; `row` and `cursor` read its rows.
pub(super) struct Listing<T, S: Fn() -> QueryBuilder<Sqlite>> {
    pub(super) select: S,
    pub(super) key: PageKey,
    pub(super) row: fn(SqliteRow) -> sqlx::Result<T>,
    pub(super) cursor: fn(&T) -> Cursor,
}

/// One page of a listing, newest first whichever way it was reached.
pub(super) async fn fetch_page<T, S>(
    reader: &SqlitePool,
    listing: &Listing<T, S>,
    request: &PageRequest,
) -> Result<Page<T>>
where
    T: Send + Unpin,
    S: Fn() -> QueryBuilder<Sqlite>,
{
    let from = request.from.as_ref();
    let direction = from.map_or(Direction::Next, |(direction, _)| *direction);
    let mut items =
        rows(reader, listing, direction, from.map(|it| &it.1), request.limit + 1).await?;
    let goes_on = items.len() > request.limit;
    items.truncate(request.limit);
    let ahead = items.last().map(listing.cursor).filter(|_| goes_on);
    let behind = match from {
        None => None,
        Some((_, start)) => cursor_behind(reader, listing, direction, items.first(), start).await?,
    };
    Ok(match direction {
        Direction::Next => Page { items, next: ahead, previous: behind },
        Direction::Previous => {
            items.reverse();
            Page { items, next: behind, previous: ahead }
        }
    })
}

/// The cursor by which to turn round after a page whose row nearest to its `start` is `first`, if rows lie that way.
async fn cursor_behind<T, S>(
    reader: &SqlitePool,
    listing: &Listing<T, S>,
    direction: Direction,
    first: Option<&T>,
    start: &Cursor,
) -> Result<Option<Cursor>>
where
    T: Send + Unpin,
    S: Fn() -> QueryBuilder<Sqlite>,
{
    let (back, inclusive) = match direction {
        Direction::Next => (Direction::Previous, start.clone()),
        Direction::Previous => {
            (Direction::Next, Cursor { created_at: start.created_at + 1, ..start.clone() })
        }
    };
    // After an empty page there is no row to turn round at; the row that the start names must not be skipped then.
    let cursor = first.map_or(Cursor { id: String::new(), ..inclusive }, listing.cursor);
    let there = rows(reader, listing, back, Some(&cursor), 1).await?;
    Ok((!there.is_empty()).then_some(cursor))
}

/// Rows beyond `from` in the order in which `direction` meets them.
async fn rows<T, S>(
    reader: &SqlitePool,
    listing: &Listing<T, S>,
    direction: Direction,
    from: Option<&Cursor>,
    limit: usize,
) -> Result<Vec<T>>
where
    T: Send + Unpin,
    S: Fn() -> QueryBuilder<Sqlite>,
{
    let (PageKey::Text(key) | PageKey::Uuid(key)) = listing.key;
    let (beyond, order) = match direction {
        Direction::Next => ("<", "DESC"),
        Direction::Previous => (">", "ASC"),
    };
    let mut sql = (listing.select)();
    if let Some(from) = from {
        sql.push(format_args!(" AND (created_at, {key}) {beyond} ("));
        sql.push_bind(from.created_at).push(", ");
        match listing.key {
            PageKey::Text(_) => sql.push_bind(from.id.clone()),
            PageKey::Uuid(_) => sql.push_bind(uuid_of(&from.id)?),
        };
        sql.push(")");
    }
    sql.push(format_args!(" ORDER BY created_at {order}, {key} {order} LIMIT "));
    sql.push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    sql.build().try_map(listing.row).fetch_all(reader).await.map_err(Error::from)
}

/// The empty id stands before every other, as the nil UUID does.
fn uuid_of(id: &str) -> Result<Uuid> {
    if id.is_empty() {
        return Ok(Uuid::nil());
    }
    Uuid::parse_str(id).map_err(|e| Error::BadInput(format!("cursor: {e}")))
}
