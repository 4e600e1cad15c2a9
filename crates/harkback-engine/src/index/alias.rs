//! Names that are parts or variants of other names: `Okafor` for `Amara Okafor`, `Jimmy Reed` for `Jim Reed`.
//!
//! An alias is an edge to the passages of the fuller name, never a merge.

use rustc_hash::FxHashMap;

use super::adjacency::Rows;
use super::names::NameSet;
use super::snapshot::Edge;
use super::vocabulary::{KeyId, Vocabulary};

/// A name that fits more passages than these is no name of any.
const MAX_PASSAGES: usize = 3;
/// A word in more names than these leads nowhere.
const MAX_NAMES_OF_WORD: usize = 2_000;
const MAX_FITTING_NAMES: usize = 50;
const MAX_WORDS: usize = 5;
/// Weight of an alias of two or more words that fits one passage, and of any other.
const CLEAR: f32 = 0.9;
const VAGUE: f32 = 0.5;

/// The gazetteer by its words.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    by_word: FxHashMap<KeyId, Vec<u32>>,
    by_last_word: FxHashMap<KeyId, Vec<u32>>,
}

/// What aliases are resolved against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) names: &'a NameSet,
    pub(crate) subject_passages: &'a Rows<Edge>,
}

impl Aliases {
    /// Indexes the gazetteer.
    pub(crate) fn new(names: &NameSet, vocabulary: &Vocabulary) -> Self {
        let mut res = Self::default();
        for number in 0..names.n_listed() {
            let keys = names.keys(number);
            for key in keys.iter().filter(|it| !vocabulary.is_stop_word(**it)) {
                let numbers = res.by_word.entry(*key).or_default();
                if numbers.last() != Some(&number) {
                    numbers.push(number);
                }
            }
            if (2..=6).contains(&keys.len()) {
                res.by_last_word.entry(keys[keys.len() - 1]).or_default().push(number);
            }
        }
        res
    }

    /// The passages that `name` means by being a part of their subject's name (all its words are in it) or a variant
    /// (same last word, and first words that share three letters or one of which is the other's initial). Empty if
    /// there are none or more than three.
    pub(crate) fn passages_of(&self, name: &[KeyId], known: Known<'_>) -> Vec<Edge> {
        let words: Vec<KeyId> =
            name.iter().copied().filter(|it| !known.vocabulary.is_stop_word(*it)).collect();
        if words.is_empty() || words.len() > MAX_WORDS {
            return Vec::new();
        }
        let mut passages = passages(&self.containing(&words), known);
        if passages.is_empty() && words.len() >= 2 {
            passages = self::passages(&self.variants(&words, known), known);
        }
        if passages.len() > MAX_PASSAGES {
            return Vec::new();
        }
        let weight = if passages.len() == 1 && words.len() >= 2 { CLEAR } else { VAGUE };
        passages.into_iter().map(|to| Edge { to, weight }).collect()
    }

    /// Bytes held, estimated.
    pub(crate) fn n_bytes(&self) -> usize {
        let of = |it: &FxHashMap<KeyId, Vec<u32>>| {
            it.values().map(|it| 32 + it.len() * 4).sum::<usize>()
        };
        of(&self.by_word) + of(&self.by_last_word)
    }

    fn containing(&self, words: &[KeyId]) -> Vec<u32> {
        let lists: Option<Vec<&Vec<u32>>> = words.iter().map(|it| self.by_word.get(it)).collect();
        let Some(mut lists) = lists else { return Vec::new() };
        lists.sort_by_key(|it| it.len());
        if lists[0].len() > MAX_NAMES_OF_WORD {
            return Vec::new();
        }
        let is_in_all = |number: &u32| lists[1..].iter().all(|it| it.binary_search(number).is_ok());
        let fitting: Vec<u32> = lists[0].iter().copied().filter(is_in_all).collect();
        if fitting.len() < MAX_FITTING_NAMES { fitting } else { Vec::new() }
    }

    fn variants(&self, words: &[KeyId], known: Known<'_>) -> Vec<u32> {
        let (first, last) = (words[0], words[words.len() - 1]);
        let Some(numbers) = self.by_last_word.get(&last) else { return Vec::new() };
        let text = known.vocabulary.key_text(first);
        let is_variant = |number: &u32| {
            let other_first = known.names.keys(*number)[0];
            other_first != last && are_variants(text, known.vocabulary.key_text(other_first))
        };
        numbers.iter().take(MAX_NAMES_OF_WORD).copied().filter(is_variant).collect()
    }
}

fn passages(names: &[u32], known: Known<'_>) -> Vec<u32> {
    let mut passages = Vec::new();
    for name in names {
        for edge in known.subject_passages.row(*name).iter().filter(|it| it.weight >= VAGUE) {
            if !passages.contains(&edge.to) {
                passages.push(edge.to);
            }
            if passages.len() > MAX_PASSAGES {
                return passages;
            }
        }
    }
    passages.sort_unstable();
    passages
}

fn are_variants(a: &str, b: &str) -> bool {
    let initial = |it: &str| (it.chars().count() == 1).then(|| it.chars().next()).flatten();
    let (first_a, first_b) = (a.chars().next(), b.chars().next());
    let shares_stem =
        a.chars().count() >= 3 && b.chars().count() >= 3 && a.chars().take(3).eq(b.chars().take(3));
    shares_stem
        || (initial(a).is_some() && first_a == first_b)
        || (initial(b).is_some() && first_a == first_b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_of_first_names() {
        assert!(are_variants("jim", "jimmy"));
        assert!(are_variants("j", "james"));
        assert!(are_variants("james", "j"));
        assert!(!are_variants("jim", "james"));
        assert!(!are_variants("ab", "abel"));
    }
}
