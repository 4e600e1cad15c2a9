//! Keyset pagination, newest first.

use super::Micros;

/// Which way a page goes from its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Towards older rows.
    Next,
    /// Towards newer rows.
    Previous,
}

/// A row's place in the order (`created_at`, `id`), both descending. The row itself need not exist any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Creation time of the row.
    pub created_at: Micros,
    /// Its id, which breaks ties.
    pub id: String,
}

/// A request for a page.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Most rows wanted, 1..=100.
    pub limit: usize,
    /// Where to go on from; `None` starts at the newest row.
    pub from: Option<(Direction, Cursor)>,
}

/// A page of rows, newest first whichever way it was reached.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Cursor of the last row, if older rows follow.
    pub next: Option<Cursor>,
    /// Cursor of the first row, if newer rows precede.
    pub previous: Option<Cursor>,
}
