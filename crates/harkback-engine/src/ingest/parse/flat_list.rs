//! How do paragraphs that only know their depth in a list (Word, PowerPoint, RTF) become nested lists?

use rustc_hash::FxHashMap;

use super::prose::Prose;

/// Lists that are open while paragraphs go by.
#[derive(Debug, Default)]
pub(super) struct FlatLists {
    /// Key of the list open at each depth.
    open: Vec<u32>,
    /// Items so far, by key and depth: a list goes on counting after a paragraph between its items.
    counts: FxHashMap<(u32, usize), u64>,
}

/// What stands before an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    Bullet,
    /// Numbered from this on.
    Number(u64),
}

/// Word has nine.
const MAX_LEVEL: usize = 8;

impl FlatLists {
    /// Starts an item at `level` (from 0) of the list that `key` names.
    pub(super) fn start_item(&mut self, prose: &mut Prose, key: u32, level: usize, marker: Marker) {
        let level = level.min(MAX_LEVEL);
        self.close_to(prose, level + 1);
        if self.open.len() == level + 1 && self.open[level] != key {
            self.close_to(prose, level);
        }
        while self.open.len() < level {
            prose.start_list(None);
            self.open.push(key);
        }
        if self.open.len() == level {
            let first = match marker {
                Marker::Bullet => None,
                Marker::Number(first) => {
                    let n_before = self.counts.get(&(key, level)).copied().unwrap_or(0);
                    Some(first.saturating_add(n_before))
                }
            };
            prose.start_list(first);
            self.open.push(key);
        }
        *self.counts.entry((key, level)).or_default() += 1;
        // Deeper numbers begin anew under each item.
        self.counts.retain(|(its_key, its_level), _| *its_key != key || *its_level <= level);
        prose.start_item();
    }

    /// Ends all open lists.
    pub(super) fn close(&mut self, prose: &mut Prose) {
        self.close_to(prose, 0);
    }

    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    fn close_to(&mut self, prose: &mut Prose, depth: usize) {
        while self.open.len() > depth {
            prose.end_list();
            self.open.pop();
        }
    }
}
