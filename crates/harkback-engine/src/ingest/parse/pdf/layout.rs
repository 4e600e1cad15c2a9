//! In which order are the rows of a page read: which stand in columns beside each other, which are rows of a table?

use super::page::{Line, Row};

/// A part of a page in reading order.
#[derive(Debug)]
pub(super) enum Part {
    Line(Line),
    /// Cells by row; all rows have as many.
    Table(Vec<Vec<String>>),
    /// The text goes on at the top of the next column.
    ColumnEnd,
}

/// Columns within columns within columns: more is no page.
const MAX_DEPTH: usize = 4;
/// What is looked at together; a page of small print has a hundred rows.
const MAX_REGION_ROWS: usize = 200;
/// Of a row's height: the least width of what divides columns.
const GUTTER: f32 = 0.8;
/// Average characters in the narrowest column of a table; lines of prose are longer.
const MAX_CELL_CHARS: usize = 25;

/// The parts of a page whose rows come from top to bottom.
pub(super) fn parts(rows: Vec<Row>) -> Vec<Part> {
    let mut parts = Vec::new();
    arrange(rows, 0, &mut parts);
    parts
}

fn arrange(rows: Vec<Row>, depth: usize, parts: &mut Vec<Part>) {
    let mut rest = rows.as_slice();
    while let Some(row) = rest.first() {
        let region = (depth < MAX_DEPTH).then(|| Region::at_start_of(rest)).flatten();
        let Some(region) = region else {
            parts.push(Part::Line(joined(row)));
            rest = &rest[1..];
            continue;
        };
        // A title above columns or a table is read before them.
        arrange(rest[..region.start].to_vec(), depth + 1, parts);
        if region.is_table {
            parts.push(Part::Table(region.cells(rest)));
        } else {
            for (i, column) in region.columns(rest).into_iter().enumerate() {
                if i > 0 {
                    parts.push(Part::ColumnEnd);
                }
                arrange(column, depth + 1, parts);
            }
        }
        rest = &rest[region.end..];
    }
}

fn joined(row: &Row) -> Line {
    let mut line = row.first().clone();
    for next in &row.0[1..] {
        line.text.push(' ');
        line.text.push_str(&next.text);
        line.x1 = line.x1.max(next.x1);
        line.y0 = line.y0.min(next.y0);
        line.y1 = line.y1.max(next.y1);
    }
    line
}

/// Rows of a slice that have something on both sides of at least one strip that none of them crosses.
struct Region {
    start: usize,
    end: usize,
    /// The middles of the strips, from left to right.
    gutters: Vec<f32>,
    is_table: bool,
}

type Strip = (f32, f32);

impl Region {
    /// The region that begins with the first rows or a little below them.
    fn at_start_of(rows: &[Row]) -> Option<Self> {
        let mut region = Self::found(rows)?;
        // Rows above that are of no column may have hidden a strip.
        while let Some(below) =
            (region.start > 0).then(|| Self::found(&rows[region.start..])).flatten()
            && below.start < below.end
        {
            let skipped = region.start;
            region = Self { start: skipped + below.start, end: skipped + below.end, ..below };
            if region.start == skipped {
                break;
            }
        }
        region.is_table = region.has_cells(rows);
        if !region.is_table {
            region.grow(rows);
        }
        Some(region)
    }

    fn found(rows: &[Row]) -> Option<Self> {
        let mut strips: Option<Vec<Strip>> = None;
        let mut end = 0;
        for (i, row) in rows.iter().enumerate().take(MAX_REGION_ROWS) {
            let free = free_strips(row);
            let both = match &strips {
                None => free,
                Some(strips) => intersection(strips, &free),
            };
            let n_before = strips.as_ref().map_or(0, |it| n_gutters(it, &rows[..i]));
            let n = n_gutters(&both, &rows[..=i]);
            // A line of its own that crosses a strip ends a table, even if it leaves another strip free.
            let is_end = n < n_before && (n == 0 || row.0.len() == 1);
            if is_end || i > 0 && is_far_below(&rows[i - 1], row) {
                break;
            }
            strips = Some(both);
            end = i + 1;
        }
        let rows = &rows[..end];
        let gutters: Vec<Strip> = strips?.into_iter().filter(|it| is_gutter(*it, rows)).collect();
        let (top, bottom) = gutters.iter().map(|it| beside(*it, rows)).reduce(wider)?;
        let gutters = gutters.into_iter().map(|it| f32::midpoint(it.0, it.1)).collect();
        let start = rows.iter().position(|it| it.middle() > top)?;
        let end = rows.iter().rposition(|it| it.middle() < bottom)? + 1;
        Some(Self { start, end, gutters, is_table: false })
    }

    /// Takes in the rows above and below that go on with a column without a gap.
    fn grow(&mut self, rows: &[Row]) {
        let is_close = |above: &Row, below: &Row| {
            let size = below.first().size().min(above.first().size());
            below.first().y0 - above.first().y1 < 0.5 * size
        };
        let gutters = self.gutters.clone();
        let is_free =
            |it: &Row| !it.0.iter().any(|it| gutters.iter().any(|at| it.x0 < *at && *at < it.x1));
        while self.start > 0
            && is_free(&rows[self.start - 1])
            && is_close(&rows[self.start - 1], &rows[self.start])
        {
            self.start -= 1;
        }
        while self.end < rows.len()
            && is_free(&rows[self.end])
            && is_close(&rows[self.end - 1], &rows[self.end])
        {
            self.end += 1;
        }
    }

    fn column_of(&self, line: &Line) -> usize {
        let middle = f32::midpoint(line.x0, line.x1);
        self.gutters.iter().filter(|it| **it < middle).count()
    }

    fn columns(&self, rows: &[Row]) -> Vec<Vec<Row>> {
        let mut columns = vec![Vec::new(); self.gutters.len() + 1];
        for row in &rows[self.start..self.end] {
            let mut cells = vec![Vec::new(); columns.len()];
            for line in &row.0 {
                cells[self.column_of(line)].push(line.clone());
            }
            for (column, lines) in columns.iter_mut().zip(cells) {
                if !lines.is_empty() {
                    column.push(Row(lines));
                }
            }
        }
        columns
    }

    /// Tables have short cells at the same height; columns of prose have long lines.
    fn has_cells(&self, rows: &[Row]) -> bool {
        let columns = self.columns(rows);
        let average = |rows: &Vec<Row>| {
            let n: usize = rows.iter().map(|it| it.text().chars().count()).sum();
            n / rows.len().max(1)
        };
        let sparsest = columns.iter().min_by_key(|it| it.len());
        let is_level = |row: &&Row| {
            let y = f32::midpoint(row.first().y0, row.first().y1);
            let is_beside = |it: &Row| it.first().y0 < y && y < it.first().y1;
            columns.iter().filter(|it| it.iter().any(is_beside)).count() > 1
        };
        let n_level = sparsest.map_or(0, |it| it.iter().filter(is_level).count());
        let n_sparsest = sparsest.map_or(0, Vec::len);
        columns.iter().map(average).min().is_some_and(|it| it <= MAX_CELL_CHARS)
            && n_level * 5 >= n_sparsest * 4
    }

    fn cells(&self, rows: &[Row]) -> Vec<Vec<String>> {
        let mut table: Vec<Vec<String>> = Vec::new();
        let mut below: Option<&Row> = None;
        for row in &rows[self.start..self.end] {
            let mut cells = vec![String::new(); self.gutters.len() + 1];
            for line in &row.0 {
                let cell = &mut cells[self.column_of(line)];
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(&line.text);
            }
            // A row without a first cell, close below another, goes on with its cells.
            let is_close =
                below.is_some_and(|it| row.first().y0 - it.first().y1 < 0.35 * row.first().size());
            match table.last_mut().filter(|_| is_close && cells[0].is_empty()) {
                Some(above) => {
                    for (above, cell) in
                        above.iter_mut().zip(cells).filter(|(_, it)| !it.is_empty())
                    {
                        if !above.is_empty() {
                            above.push(' ');
                        }
                        above.push_str(&cell);
                    }
                }
                None => table.push(cells),
            }
            below = Some(row);
        }
        table
    }
}

/// What no line of the row covers, from minus infinity to infinity.
fn free_strips(row: &Row) -> Vec<Strip> {
    let mut strips = Vec::with_capacity(row.0.len() + 1);
    let mut at = f32::NEG_INFINITY;
    for line in &row.0 {
        strips.push((at, line.x0));
        at = line.x1;
    }
    strips.push((at, f32::INFINITY));
    strips
}

fn intersection(a: &[Strip], b: &[Strip]) -> Vec<Strip> {
    let mut both = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let strip = (a[i].0.max(b[j].0), a[i].1.min(b[j].1));
        if strip.1 > strip.0 {
            both.push(strip);
        }
        if a[i].1 < b[j].1 { i += 1 } else { j += 1 }
    }
    both
}

fn n_gutters(strips: &[Strip], rows: &[Row]) -> usize {
    strips.iter().filter(|it| is_gutter(**it, rows)).count()
}

fn wider(a: Strip, b: Strip) -> Strip {
    (a.0.min(b.0), a.1.max(b.1))
}

fn is_far_below(above: &Row, row: &Row) -> bool {
    row.first().y0 - above.first().y1 > 3.0 * row.first().size()
}

/// Wide enough, with two lines at least on each side that stand beside each other.
fn is_gutter(strip: Strip, rows: &[Row]) -> bool {
    let sizes = [rows.first(), rows.last()].map(|it| it.map_or(0.0, |it| it.first().size()));
    let size = sizes[0].min(sizes[1]);
    if strip.1 - strip.0 < GUTTER * size || strip.0.is_infinite() || strip.1.is_infinite() {
        return false;
    }
    let (left, right) = sides(strip, rows);
    left.2 >= 2 && right.2 >= 2 && left.1.min(right.1) - left.0.max(right.0) > 1.5 * size
}

/// Top, bottom and number of the lines left and right of a strip.
fn sides(strip: Strip, rows: &[Row]) -> ((f32, f32, usize), (f32, f32, usize)) {
    let none = (f32::INFINITY, f32::NEG_INFINITY, 0);
    let (mut left, mut right) = (none, none);
    for line in rows.iter().flat_map(|it| &it.0) {
        let side = if line.x1 <= strip.0 { &mut left } else { &mut right };
        *side = (side.0.min(line.y0), side.1.max(line.y1), side.2 + 1);
    }
    (left, right)
}

/// Top and bottom of what has something on both sides of the strip.
fn beside(strip: Strip, rows: &[Row]) -> (f32, f32) {
    let (left, right) = sides(strip, rows);
    (left.0.max(right.0), left.1.min(right.1))
}
