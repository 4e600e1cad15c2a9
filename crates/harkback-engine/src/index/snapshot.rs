//! Everything retrieval reads of one memory at one revision: vectors, postings and the graph, immutable and shared.

use uuid::Uuid;

use super::adjacency::Rows;
use super::alias::{Aliases, Known};
use super::bm25::Bm25;
use super::names::{Found, Grammar, Language, NameSet, Origin, Token, find_names, gap_joins};
use super::vectors::Vectors;
use super::vocabulary::{KeyId, Vocabulary};
use super::words::{is_capitalised, words};
use crate::model::FileId;

/// Number of a passage in a snapshot, from 0.
pub(crate) type PassageNo = u32;
/// Number of an entity in a snapshot, from 0.
pub(crate) type EntityId = u32;

/// Passages of a subject that are looked at: a title that very many passages share names none of them.
pub(crate) const MAX_LOOKED_AT: usize = 20_000;

/// A weighted edge to a passage or an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Edge {
    /// The other end.
    pub(crate) to: u32,
    /// Greater than 0.
    pub(crate) weight: f32,
}

/// One memory at one revision.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The revision it was built from.
    pub(crate) rev: i64,
    /// File and version of the passages.
    pub(super) versions: Vec<(FileId, Uuid)>,
    /// Index into `versions`, and place in it.
    pub(super) passages: Vec<(u32, u32)>,
    /// Of each passage a hash of its words, without the title.
    pub(super) text_hashes: Vec<u64>,
    pub(super) n_sentences: usize,
    /// Whether any passage has a vector.
    pub(crate) has_vectors: bool,
    /// A vector a passage.
    pub(crate) vectors: Vectors,
    /// Terms of title and text.
    pub(crate) bm25: Bm25,
    pub(super) vocabulary: Vocabulary,
    pub(super) grammar: Grammar,
    pub(super) names: NameSet,
    pub(super) aliases: Aliases,
    /// What a passage is about: its title or heading with weight 1, weaker names below.
    pub(super) subjects: Rows<Edge>,
    /// Passages that an entity is the subject of, or an alias of the subject of.
    pub(crate) subject_passages: Rows<Edge>,
    /// Entities of a passage; weights of a row sum to 1, an entity's is its count times its idf.
    pub(crate) passage_entities: Rows<Edge>,
    /// Passages of an entity; weights of a row sum to 1, a passage's is the entity's count in it.
    pub(crate) entity_passages: Rows<Edge>,
    /// ln(1 + N/df) of an entity.
    pub(crate) idf: Vec<f32>,
}

/// An entity found in a text, with the bytes where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mention {
    /// Which.
    pub(crate) entity: EntityId,
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
}

impl Snapshot {
    /// How many passages there are.
    pub(crate) fn n_passages(&self) -> usize {
        self.passages.len()
    }

    /// How many sentences there are.
    pub(crate) fn n_sentences(&self) -> usize {
        self.n_sentences
    }

    /// How many entities there are.
    pub(crate) fn n_entities(&self) -> usize {
        self.names.len()
    }

    /// How many edges join passages and entities.
    pub(crate) fn n_relations(&self) -> usize {
        self.passage_entities.n_items()
    }

    /// File, version and place of a passage in the store.
    pub(crate) fn passage_place(&self, passage: PassageNo) -> (FileId, Uuid, u32) {
        let (version, seq) = self.passages[passage as usize];
        let (file, version) = self.versions[version as usize];
        (file, version, seq)
    }

    /// The BM25 terms of a text, in order, with repetition.
    pub(crate) fn terms(&self, text: &str) -> Vec<u32> {
        words(text).filter_map(|it| self.vocabulary.term(self.vocabulary.find(it.text))).collect()
    }

    /// How many words of a text say something, known or not, with repetition.
    pub(crate) fn n_telling_words(&self, text: &str) -> usize {
        words(text).filter(|it| self.vocabulary.says_something(it.text)).count()
    }

    /// The entities of a question in the order they were found, each once; a name that is not known as such stands for
    /// the subjects that it is a part or a variant of.
    pub(crate) fn query_entities(&self, query: &str) -> Vec<Mention> {
        let mut entities = Vec::<Mention>::new();
        let (tokens, places) = self.tokens(query);
        for Found { start, end } in find_names(&tokens, self.language(), Origin::Query) {
            let keys: Vec<KeyId> = tokens[start..end].iter().map(|it| it.key).collect();
            for entity in self.resolve(&keys) {
                if !entities.iter().any(|it| it.entity == entity) {
                    let (start, end) = (places[start].0, places[end - 1].1);
                    entities.push(Mention { entity, start, end });
                }
            }
        }
        entities
    }

    /// The entities in a sentence of a passage, as the index found them when it was built, in order of the text.
    pub(crate) fn mentions(&self, sentence: &str) -> Vec<Mention> {
        let (tokens, places) = self.tokens(sentence);
        let mut mentions = Vec::new();
        for Found { start, end } in find_names(&tokens, self.language(), Origin::Corpus) {
            let keys: Vec<KeyId> = tokens[start..end].iter().map(|it| it.key).collect();
            let entity = self.names.find(&keys).or_else(|| self.names.find(self.canonical(&keys)));
            if let Some(entity) = entity {
                mentions.push(Mention { entity, start: places[start].0, end: places[end - 1].1 });
            }
        }
        mentions.sort_by_key(|it| (it.start, std::cmp::Reverse(it.end)));
        mentions
    }

    /// The entity of a name such as a title, if the memory knows it.
    pub(crate) fn find_entity(&self, name: &str) -> Option<EntityId> {
        let keys: Vec<KeyId> = words(name).map(|it| self.vocabulary.find(it.text)).collect();
        self.names.find(self.canonical(&keys))
    }

    /// Bytes held, estimated.
    pub(crate) fn n_bytes(&self) -> usize {
        self.passages.len() * 16
            + self.vectors.n_bytes()
            + self.bm25.n_bytes()
            + self.vocabulary.n_bytes()
            + self.names.n_bytes()
            + self.aliases.n_bytes()
            + self.subjects.n_bytes()
            + self.subject_passages.n_bytes()
            + self.passage_entities.n_bytes()
            + self.entity_passages.n_bytes()
            + self.idf.len() * 4
    }

    fn language(&self) -> Language<'_> {
        Language { vocabulary: &self.vocabulary, grammar: &self.grammar, names: &self.names }
    }

    fn canonical<'a>(&self, keys: &'a [KeyId]) -> &'a [KeyId] {
        self.grammar.canonical(keys, &self.vocabulary)
    }

    fn resolve(&self, keys: &[KeyId]) -> Vec<EntityId> {
        if let Some(entity) =
            self.names.find(keys).or_else(|| self.names.find(self.canonical(keys)))
        {
            return vec![entity];
        }
        let known = Known {
            vocabulary: &self.vocabulary,
            names: &self.names,
            subject_passages: &self.subject_passages,
        };
        let passages = self.aliases.passages_of(self.canonical(keys), known);
        passages.iter().filter_map(|it| self.main_subject(it.to)).collect()
    }

    /// The strongest of a passage's subjects, the first one of equals.
    fn main_subject(&self, passage: PassageNo) -> Option<EntityId> {
        let subjects = self.subjects.row(passage);
        let greatest = subjects.iter().map(|it| it.weight).fold(0.0, f32::max);
        subjects.iter().find(|it| it.weight == greatest).map(|it| it.to)
    }

    fn tokens(&self, text: &str) -> (Vec<Token>, Vec<(usize, usize)>) {
        let (mut tokens, mut places) = (Vec::new(), Vec::new());
        let mut before: Option<(usize, bool)> = None;
        for word in words(text) {
            let joins =
                before.is_some_and(|(end, is_short)| gap_joins(&text[end..word.start], is_short));
            let key = self.vocabulary.find(word.text);
            tokens.push(Token { key, is_capitalised: is_capitalised(word.text), joins });
            places.push((word.start, word.end()));
            before = Some((word.end(), word.text.chars().nth(3).is_none()));
        }
        (tokens, places)
    }
}
