//! Which rows of a page are its running head and foot and its number, and no text?

use rustc_hash::{FxHashMap, FxHashSet};

use super::page::{Row, Sheet};
use super::text::Style;

/// Rows at the top and at the bottom of a page where heads and feet stand.
const EDGE_ROWS: usize = 2;

/// How a row that is no text may show on other pages: at one height, the same but for a number that counts pages.
type Key = (i32, String, i64);

/// Takes out what stands at the same edge of many pages, word by word or but for the page's number.
///
/// Pages of a few rows (labels, slides) tell nothing about heads and feet: all their rows stand at an edge.
pub(super) fn drop_running(sheets: &mut [Sheet], style: &Style) {
    let mut n_uses = FxHashMap::<Key, usize>::default();
    for sheet in sheets.iter().filter(|it| it.rows.len() > 2 * EDGE_ROWS) {
        let n_rows = sheet.rows.len();
        let edge = sheet
            .rows
            .iter()
            .enumerate()
            .filter(|(i, row)| is_edge(*i, n_rows) && row.first().size() < 1.13 * style.body);
        let keys: FxHashSet<Key> = edge.flat_map(|(_, row)| keys(row, sheet.number)).collect();
        for key in keys {
            *n_uses.entry(key).or_default() += 1;
        }
    }
    let n_pages = sheets.len();
    for sheet in sheets {
        let n_rows = sheet.rows.len();
        let mut i = 0;
        sheet.rows.retain(|row| {
            let n = |it: &Key| n_uses.get(it).copied().unwrap_or(0);
            let is_running = |it: &Key| {
                let n = n(it);
                // A number alone at its place, whatever else the row says, takes more evidence.
                if it.1.is_empty() {
                    n >= 3 && n * 3 >= n_pages
                } else {
                    n >= 3 || n >= 2 && n * 2 >= n_pages
                }
            };
            let is_outermost = i == 0 || i + 1 == n_rows;
            let is_running = is_edge(i, n_rows) && keys(row, sheet.number).iter().any(is_running);
            i += 1;
            !(is_running || is_outermost && is_page_number(&row.text()))
        });
    }
}

fn is_edge(i: usize, n_rows: usize) -> bool {
    i < EDGE_ROWS || i + EDGE_ROWS >= n_rows
}

/// The row as it is; with each of its numbers told by its distance from the page's; and a number at its beginning or end
/// alone, since heads that name the chapter differ.
fn keys(row: &Row, page: u32) -> Vec<Key> {
    const MAX_CHARS: usize = 200;
    const MAX_NUMBERS: usize = 4;
    let text = row.text();
    if text.chars().count() > MAX_CHARS {
        return Vec::new();
    }
    // Rounded, so that a head of letters with and without descenders stays where it is.
    let height = (row.middle() / 6.0).round() as i32;
    let words: Vec<&str> = text.split(' ').collect();
    let mut keys = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let Some(number) = page_number(word) else { continue };
        let distance = number - i64::from(page);
        let others: Vec<&str> =
            words.iter().enumerate().map(|(j, it)| if i == j { "#" } else { it }).collect();
        keys.push((height, others.join(" "), distance));
        if i == 0 || i + 1 == words.len() {
            keys.push((height, String::new(), distance));
        }
        if keys.len() >= 2 * MAX_NUMBERS {
            break;
        }
    }
    keys.push((height, text, i64::MAX));
    keys
}

fn page_number(word: &str) -> Option<i64> {
    let digits = word.trim_matches(|it: char| "-–—|/.,()[]".contains(it));
    (digits.len() <= 5 && digits.bytes().all(|it| it.is_ascii_digit()))
        .then(|| digits.parse().ok())?
}

fn is_page_number(text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|it: char| it.is_whitespace() || "-–—/|".contains(it))
        .filter(|it| !it.is_empty())
        .collect();
    let is_number = |it: &str| it.len() <= 4 && it.bytes().all(|it| it.is_ascii_digit());
    match words.as_slice() {
        [number] => is_number(number),
        ["page" | "p.", number] | ["page" | "p.", number, _] => is_number(number),
        [number, of] | [number, "of" | "von" | "de", of] => {
            is_number(number) && is_number(of) && lower.contains(['/', 'o', 'd', '–'])
        }
        ["page", number, "of", total] => is_number(number) && is_number(total),
        _ => false,
    }
}
