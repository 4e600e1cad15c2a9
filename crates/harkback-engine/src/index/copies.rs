//! Which passages say the same? The same words in the same order; one passage stands for its copies, so that a footer or a
//! price list that lies in many files does not take all places of an answer.

use std::hash::{DefaultHasher, Hasher};

use super::snapshot::{EntityId, Mention, PassageNo, Snapshot};
use super::vocabulary::KeyId;

/// Takes in the words of a text, and ends as the number by which texts are compared: 64 bits, so among a million texts two
/// different ones share it once in 40 million memories.
#[derive(Default)]
pub(super) struct TextHash(DefaultHasher);

impl TextHash {
    /// Adds the next word.
    pub(super) fn push(&mut self, key: KeyId) {
        self.0.write_u32(key);
    }

    /// The number.
    pub(super) fn finish(self) -> u64 {
        self.0.finish()
    }
}

/// The same for passages of which one stands for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CopyKey {
    text: u64,
    title: Option<EntityId>,
}

impl Snapshot {
    /// What a passage says, in an answer to a question that names these entities. Its title is no part of that (a file's name is
    /// one), unless the question names it: the opening hours of two buildings that are compared stand side by side, also
    /// where they are word for word the same.
    pub(crate) fn copy_key(&self, passage: PassageNo, named: &[Mention]) -> CopyKey {
        let is_named = |it: &EntityId| named.iter().any(|named| named.entity == *it);
        // Names that the text gives weigh less where there is a title; without one they are the same in every copy.
        let titles = self.subjects.row(passage).iter().filter(|it| it.weight == 1.0);
        let title = titles.map(|it| it.to).find(is_named);
        CopyKey { text: self.text_hashes[passage as usize], title }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::index::PassageNo;
    use crate::index::tests::memory;

    const HOURS: &str = "The doors open at nine on every day.";

    /// The passages that are nobody's copy, of all in their order.
    fn originals(passages: &[(&str, &str)], question: &str) -> Vec<PassageNo> {
        let snapshot = memory(passages.iter().copied());
        let named = snapshot.query_entities(question);
        let mut seen = HashSet::new();
        let is_new = |it: &PassageNo| seen.insert(snapshot.copy_key(*it, &named));
        (0..passages.len() as PassageNo).filter(is_new).collect()
    }

    #[test]
    fn the_first_of_the_same_words_stands_for_all() {
        let passages = [
            ("Prices 2025", HOURS),
            ("Prices 2026", "The doors open at nine on every day!"),
            ("Prices 2026", "THE DOORS\nopen at nine – on every day."),
            ("Prices 2026", "The doors open at ten on every day."),
            ("Prices 2026", "On every day the doors open at nine."),
            ("", HOURS),
        ];
        assert_eq!(originals(&passages, "When do the doors open?"), [0, 3, 4]);
    }

    #[test]
    fn the_same_words_stand_under_each_title_that_is_asked_for() {
        let passages = [
            ("Riverside building", HOURS),
            ("Orchard building", HOURS),
            ("Meadow building", HOURS),
            ("Harbour building", HOURS),
            ("Orchard building – Opening hours", HOURS),
        ];
        let question = "Does the Orchard building open before the Meadow building?";
        assert_eq!(originals(&passages, question), [0, 1, 2]);
        assert_eq!(originals(&passages, "What opens at nine?"), [0]);
    }
}
