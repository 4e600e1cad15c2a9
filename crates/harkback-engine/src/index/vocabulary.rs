//! Numbers for the words of a memory: a key for entity names, a stemmed term for BM25, and how the corpus writes it.

use rust_stemmers::{Algorithm, Stemmer};
use rustc_hash::{FxHashMap, FxHashSet};

use super::words::{fold, is_capitalised};

/// Number of a folded word.
pub(crate) type KeyId = u32;
/// The key of a word that no passage has.
pub(crate) const UNKNOWN_KEY: KeyId = KeyId::MAX;

/// What is known of a word as written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surface {
    /// Its key.
    pub(crate) key: KeyId,
    /// Whether a name may begin with it.
    pub(crate) is_capitalised: bool,
    /// Whether it has at most three characters, as an initial or a title has.
    pub(crate) is_short: bool,
}

#[derive(Debug)]
struct Key {
    text: Box<str>,
    term: Option<u32>,
    n_lower: u32,
    n_upper: u32,
}

/// Keys and terms of a memory; while it is built, surfaces too.
pub(crate) struct Vocabulary {
    stemmer: Stemmer,
    surface_ids: FxHashMap<Box<str>, u32>,
    surfaces: Vec<Surface>,
    key_ids: FxHashMap<Box<str>, KeyId>,
    keys: Vec<Key>,
    terms: FxHashMap<String, u32>,
    stop_words: FxHashSet<&'static str>,
}

impl Vocabulary {
    /// No words yet.
    pub(crate) fn new() -> Self {
        Self {
            stemmer: Stemmer::create(Algorithm::English),
            surface_ids: FxHashMap::default(),
            surfaces: Vec::new(),
            key_ids: FxHashMap::default(),
            keys: Vec::new(),
            terms: FxHashMap::default(),
            stop_words: STOP_WORDS.into_iter().collect(),
        }
    }

    /// The number of a word as written, a new one if need be.
    pub(crate) fn intern(&mut self, word: &str) -> u32 {
        if let Some(id) = self.surface_ids.get(word) {
            return *id;
        }
        let id = self.surfaces.len() as u32;
        let key = self.intern_key(&fold(word));
        self.surfaces.push(Surface {
            key,
            is_capitalised: is_capitalised(word),
            is_short: word.chars().nth(3).is_none(),
        });
        self.surface_ids.insert(word.into(), id);
        id
    }

    /// What is known of the word with this number.
    pub(crate) fn surface(&self, id: u32) -> Surface {
        self.surfaces[id as usize]
    }

    /// Counts how a word is written where case says something: not at the start of a sentence, unless in lower case.
    pub(crate) fn count_case(&mut self, surface: Surface, at_start: bool) {
        let key = &mut self.keys[surface.key as usize];
        if !surface.is_capitalised {
            key.n_lower += 1;
        } else if !at_start {
            key.n_upper += 1;
        }
    }

    /// The key of a word, [`UNKNOWN_KEY`] if no passage has it.
    pub(crate) fn find(&self, word: &str) -> KeyId {
        self.key_ids.get(fold(word).as_str()).copied().unwrap_or(UNKNOWN_KEY)
    }

    /// The BM25 term of a key; `None` for stop words and unknown keys.
    pub(crate) fn term(&self, key: KeyId) -> Option<u32> {
        self.keys.get(key as usize)?.term
    }

    /// The text of a key; empty if unknown.
    pub(crate) fn key_text(&self, key: KeyId) -> &str {
        self.keys.get(key as usize).map_or("", |it| &it.text)
    }

    /// Whether the corpus mostly writes this key in lower case, or it is a stop word.
    pub(crate) fn is_common(&self, key: KeyId) -> bool {
        self.is_stop_word(key)
            || self.keys.get(key as usize).is_some_and(|it| it.n_upper < it.n_lower)
    }

    /// Whether this key says nothing of a text.
    pub(crate) fn is_stop_word(&self, key: KeyId) -> bool {
        self.keys.get(key as usize).is_some_and(|it| it.term.is_none())
    }

    /// Whether a word, known or not, says something.
    pub(crate) fn says_something(&self, word: &str) -> bool {
        !self.stop_words.contains(fold(word).as_str())
    }

    /// How many BM25 terms there are.
    pub(crate) fn n_terms(&self) -> usize {
        self.terms.len()
    }

    /// Forgets what only building needs.
    pub(crate) fn finish(&mut self) {
        self.surface_ids = FxHashMap::default();
        self.surfaces = Vec::new();
        self.terms.shrink_to_fit();
        self.keys.shrink_to_fit();
    }

    /// Bytes held, estimated.
    pub(crate) fn n_bytes(&self) -> usize {
        self.keys.len() * 90 + self.terms.len() * 50
    }

    fn intern_key(&mut self, folded: &str) -> KeyId {
        if let Some(id) = self.key_ids.get(folded) {
            return *id;
        }
        let term = (!self.stop_words.contains(folded)).then(|| {
            let stem = self.stemmer.stem(folded).into_owned();
            let next = self.terms.len() as u32;
            *self.terms.entry(stem).or_insert(next)
        });
        let id = self.keys.len() as KeyId;
        self.keys.push(Key { text: folded.into(), term, n_lower: 0, n_upper: 0 });
        self.key_ids.insert(folded.into(), id);
        id
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vocabulary").field("n_keys", &self.keys.len()).finish_non_exhaustive()
    }
}

/// English words, folded, that carry no content.
const STOP_WORDS: [&str; 124] = [
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "been", "before", "being", "between", "both", "but", "by", "can", "could", "did", "do", "does",
    "down", "during", "each", "first", "for", "from", "had", "has", "have", "he", "her", "here",
    "him", "his", "how", "i", "if", "im", "in", "into", "is", "it", "its", "ive", "many", "may",
    "me", "might", "more", "most", "much", "must", "my", "no", "nor", "not", "of", "off", "on",
    "only", "or", "other", "our", "ours", "out", "over", "own", "please", "same", "shall", "she",
    "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "those", "through", "to", "too", "under", "until", "up", "us", "very",
    "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom", "whose", "why",
    "will", "with", "would", "you", "your", "yours", "dont", "doesnt", "didnt", "isnt", "cant",
    "wont", "youre",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fold_case_and_terms_are_stems() {
        let mut vocabulary = Vocabulary::new();
        let (upper, lower) = (vocabulary.intern("Running"), vocabulary.intern("running"));
        assert_ne!(upper, lower);
        let key = vocabulary.surface(upper).key;
        assert_eq!(key, vocabulary.surface(lower).key);
        let runs = vocabulary.intern("runs");
        assert_eq!(vocabulary.term(key), vocabulary.term(vocabulary.surface(runs).key));
        let the = vocabulary.intern("The");
        assert!(vocabulary.is_stop_word(vocabulary.surface(the).key));
        assert_eq!(vocabulary.find("RUNNING"), key);
        assert_eq!(vocabulary.find("unseen"), UNKNOWN_KEY);
        assert_eq!(vocabulary.term(UNKNOWN_KEY), None);
    }

    #[test]
    fn a_word_mostly_in_lower_case_is_common() {
        let mut vocabulary = Vocabulary::new();
        for (word, at_start) in
            [("Film", true), ("film", false), ("Film", true), ("Paris", false), ("Paris", true)]
        {
            let id = vocabulary.intern(word);
            vocabulary.count_case(vocabulary.surface(id), at_start);
        }
        assert!(vocabulary.is_common(vocabulary.find("film")));
        assert!(!vocabulary.is_common(vocabulary.find("Paris")));
    }
}
