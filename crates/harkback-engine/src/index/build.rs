//! Builds a snapshot from the passages of a memory: a pure function of what is live, so that adding A and B and deleting
//! B gives exactly what adding A gives.

use rustc_hash::FxHashMap;
use uuid::Uuid;

use super::adjacency::Rows;
use super::alias::{Aliases, Known};
use super::bm25::Bm25Builder;
use super::copies::TextHash;
use super::kernels::DIM;
use super::names::{Grammar, Language, NameSet, Origin, Token, find_names, gap_joins};
use super::snapshot::{Edge, EntityId, Snapshot};
use super::subject::subject_names;
use super::vectors::Vectors;
use super::vocabulary::{KeyId, Vocabulary};
use super::words::{without_brackets, words};
use crate::model::{FileId, Span};

/// Marks a token that joins the one before; the other bits are its surface.
const JOINS: u32 = 1 << 31;
/// Most mentions of an entity that count in a passage.
const MAX_COUNT: f32 = 3.0;
/// What being the subject adds to an entity's count in a passage.
const SUBJECT_COUNT: f32 = 2.0;

/// A passage as the index takes it in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IndexPassage<'a> {
    /// Where it stands in the store.
    pub(crate) place: (FileId, Uuid, u32),
    /// Title or nearest heading, or empty.
    pub(crate) title: &'a str,
    /// The text.
    pub(crate) text: &'a str,
    /// Its sentences.
    pub(crate) sentences: &'a [Span],
    /// Its vector, if it has one.
    pub(crate) vector: Option<&'a [f32]>,
}

/// Takes passages in, in their order.
pub(crate) struct SnapshotBuilder {
    versions: Vec<(FileId, Uuid)>,
    passages: Vec<(u32, u32)>,
    text_hashes: Vec<u64>,
    first_sentences: Vec<u32>,
    has_vectors: bool,
    vectors: Vectors,
    bm25: Bm25Builder,
    vocabulary: Vocabulary,
    grammar: Grammar,
    names: NameSet,
    /// Tokens of all sentences, by surface.
    tokens: Rows<u32>,
    /// Candidates for the subject of each passage.
    subject_names: Vec<Vec<SubjectName>>,
}

#[derive(Debug)]
struct SubjectName {
    keys: Box<[KeyId]>,
    weight: f32,
    is_title: bool,
}

impl SnapshotBuilder {
    /// No passages yet.
    pub(crate) fn new() -> Self {
        let mut vocabulary = Vocabulary::new();
        let grammar = Grammar::new(&mut vocabulary);
        Self {
            versions: Vec::new(),
            passages: Vec::new(),
            text_hashes: Vec::new(),
            first_sentences: vec![0],
            has_vectors: false,
            vectors: Vectors::default(),
            bm25: Bm25Builder::default(),
            vocabulary,
            grammar,
            names: NameSet::default(),
            tokens: Rows::default(),
            subject_names: Vec::new(),
        }
    }

    /// Adds the next passage. Passages of one version follow each other.
    pub(crate) fn push(&mut self, passage: IndexPassage<'_>) {
        let (file, version, seq) = passage.place;
        if self.versions.last() != Some(&(file, version)) {
            self.versions.push((file, version));
        }
        self.passages.push((self.versions.len() as u32 - 1, seq));
        let (mut terms, mut text_hash) = (self.title_terms(passage.title), TextHash::default());
        for span in passage.sentences {
            let sentence = &passage.text[span.start as usize..span.end as usize];
            self.push_sentence(sentence, &mut terms, &mut text_hash);
        }
        self.text_hashes.push(text_hash.finish());
        self.first_sentences.push(self.tokens.len() as u32);
        self.bm25.push(terms.into_iter());
        self.push_vector(passage.vector);
        let first = passage
            .sentences
            .first()
            .map_or("", |it| &passage.text[it.start as usize..it.end as usize]);
        let subjects = self.name_subjects(passage.title, first);
        self.subject_names.push(subjects);
    }

    /// Finds the names in all sentences and builds the graph; `rev` is the revision the passages were read at.
    pub(crate) fn finish(mut self, rev: i64) -> Snapshot {
        let subjects = self.intern_subjects();
        let entities_of_sentences = self.find_all_names();
        let n_sentences = self.tokens.len();
        // A third of a kilobyte a passage that nobody needs any more.
        self.tokens = Rows::default();
        let n_entities = self.names.len();
        let edge_to = |row, it: Edge| Edge { to: row, weight: it.weight };
        let own_passages = subjects.invert(n_entities, |it| it.to, edge_to);
        let aliases = Aliases::new(&self.names, &self.vocabulary);
        let subject_passages = self.with_aliases(&own_passages, &aliases);
        let counts = self.passage_entities(&entities_of_sentences, &subject_passages);
        let by_entity = counts.invert(n_entities, |it| it.to, edge_to);
        let n = self.passages.len() as f32;
        let idf: Vec<f32> = (0..n_entities as u32)
            .map(|it| (1.0 + n / by_entity.row(it).len().max(1) as f32).ln())
            .collect();
        let bm25 = self.bm25.finish(self.vocabulary.n_terms());
        self.vocabulary.finish();
        Snapshot {
            rev,
            versions: self.versions,
            passages: self.passages,
            text_hashes: self.text_hashes,
            n_sentences,
            has_vectors: self.has_vectors,
            vectors: self.vectors,
            bm25,
            vocabulary: self.vocabulary,
            grammar: self.grammar,
            names: self.names,
            aliases,
            subjects,
            subject_passages,
            passage_entities: normalised(&counts, |it| it.weight * idf[it.to as usize]),
            entity_passages: normalised(&by_entity, |it| it.weight),
            idf,
        }
    }

    /// Passages without a vector take no room for one unless others have theirs.
    fn push_vector(&mut self, vector: Option<&[f32]>) {
        const NONE: [f32; DIM] = [0.0; DIM];
        if vector.is_some() && !self.has_vectors {
            self.has_vectors = true;
            (1..self.passages.len()).for_each(|_| self.vectors.push(&NONE));
        }
        if self.has_vectors {
            self.vectors.push(vector.unwrap_or(&NONE));
        }
    }

    /// Gives the subject names their numbers: the gazetteer. A common word is no subject, unless it is the title.
    fn intern_subjects(&mut self) -> Rows<Edge> {
        let mut subjects = Rows::default();
        for of_passage in std::mem::take(&mut self.subject_names) {
            let (names, vocabulary) = (&mut self.names, &self.vocabulary);
            let is_name = |it: &&SubjectName| {
                it.is_title || it.keys.len() > 1 || !vocabulary.is_common(it.keys[0])
            };
            let edges = of_passage
                .iter()
                .filter(is_name)
                .map(|it| Edge { to: names.intern(&it.keys), weight: it.weight });
            subjects.push(edges);
        }
        self.names.end_gazetteer();
        subjects
    }

    /// A name that is nobody's subject leads to the subjects that it is a part or a variant of.
    fn with_aliases(&self, own_passages: &Rows<Edge>, aliases: &Aliases) -> Rows<Edge> {
        let known = Known {
            vocabulary: &self.vocabulary,
            names: &self.names,
            subject_passages: own_passages,
        };
        let mut rows = Rows::default();
        for entity in 0..self.names.len() as u32 {
            let own = own_passages.row(entity);
            if own.is_empty() {
                rows.push(aliases.passages_of(self.names.keys(entity), known));
            } else {
                rows.push(own.iter().copied());
            }
        }
        rows
    }

    fn title_terms(&mut self, title: &str) -> Vec<u32> {
        let vocabulary = &mut self.vocabulary;
        let term = |word: super::words::Word<'_>| {
            let id = vocabulary.intern(word.text);
            vocabulary.term(vocabulary.surface(id).key)
        };
        words(title).filter_map(term).collect()
    }

    fn push_sentence(&mut self, sentence: &str, terms: &mut Vec<u32>, text_hash: &mut TextHash) {
        let vocabulary = &mut self.vocabulary;
        let mut before: Option<(usize, bool)> = None;
        let tokens = words(sentence).map(|word| {
            let id = vocabulary.intern(word.text);
            let surface = vocabulary.surface(id);
            vocabulary.count_case(surface, before.is_none());
            terms.extend(vocabulary.term(surface.key));
            text_hash.push(surface.key);
            let joins = before
                .is_some_and(|(end, is_short)| gap_joins(&sentence[end..word.start], is_short));
            before = Some((word.end(), surface.is_short));
            id | if joins { JOINS } else { 0 }
        });
        self.tokens.push(tokens);
    }

    /// Names under which a passage is the thing itself, with weights: its title 1, the title's part before a comma and
    /// the first sentence's subject ½; without a title the first sentence's subject 1, its other names less.
    fn name_subjects(&mut self, title: &str, first_sentence: &str) -> Vec<SubjectName> {
        let bare_title = without_brackets(title);
        let mut candidates: Vec<(String, f32)> = Vec::new();
        if !bare_title.is_empty() {
            candidates.push((bare_title.to_owned(), 1.0));
            candidates.push((title.to_owned(), 1.0));
            // Ingestion puts the subject in front of a heading that names none: `Riverside Clinic – Opening hours`.
            if let Some((subject, _)) = bare_title.split_once(" – ") {
                candidates.push((subject.to_owned(), 1.0));
            }
            if let Some((before, _)) = bare_title.split_once(',') {
                candidates.push((before.to_owned(), 0.5));
            }
        }
        for (rank, name) in subject_names(first_sentence).into_iter().enumerate() {
            let weight = match (bare_title.is_empty(), rank) {
                (false, _) => 0.5,
                (true, 0) => 1.0,
                (true, _) => 0.8,
            };
            candidates.push((name, weight));
        }
        let mut names = Vec::new();
        for (rank, (name, weight)) in candidates.into_iter().enumerate() {
            let keys = self.canonical_keys(&name);
            let is_title = rank == 0 && !bare_title.is_empty();
            self.add_name(&keys, weight, &mut names);
            if let Some(first) = names.first_mut().filter(|_| is_title) {
                first.is_title = true;
            }
            if bare_title.is_empty()
                && (3..=5).contains(&keys.len())
                && !keys.iter().any(|it| self.grammar.is_connector(*it))
            {
                self.add_name(&[keys[0], keys[keys.len() - 1]], 0.6, &mut names);
            }
        }
        names
    }

    fn canonical_keys(&mut self, name: &str) -> Vec<KeyId> {
        let vocabulary = &mut self.vocabulary;
        let keys: Vec<KeyId> = words(name)
            .map(|it| {
                let id = vocabulary.intern(it.text);
                vocabulary.surface(id).key
            })
            .collect();
        self.grammar.canonical(&keys, vocabulary).to_vec()
    }

    fn add_name(&self, keys: &[KeyId], weight: f32, names: &mut Vec<SubjectName>) {
        let is_new = !names.iter().any(|it| *it.keys == *keys);
        if is_new && self.grammar.is_name(keys, &self.vocabulary) {
            names.push(SubjectName { keys: keys.into(), weight, is_title: false });
        }
    }

    fn find_all_names(&mut self) -> Rows<EntityId> {
        let mut rows = Rows::default();
        let (mut tokens, mut entities) = (Vec::new(), Vec::<EntityId>::new());
        for sentence in 0..self.tokens.len() as u32 {
            tokens.clear();
            tokens.extend(self.tokens.row(sentence).iter().map(|it| {
                let surface = self.vocabulary.surface(it & !JOINS);
                Token {
                    key: surface.key,
                    is_capitalised: surface.is_capitalised,
                    joins: it & JOINS != 0,
                }
            }));
            let language = Language {
                vocabulary: &self.vocabulary,
                grammar: &self.grammar,
                names: &self.names,
            };
            let found = find_names(&tokens, language, Origin::Corpus);
            entities.clear();
            for it in found {
                let keys: Vec<KeyId> = tokens[it.start..it.end].iter().map(|it| it.key).collect();
                let listed = self.names.find(&keys);
                let entity = listed.unwrap_or_else(|| {
                    self.names.intern(self.grammar.canonical(&keys, &self.vocabulary))
                });
                if !entities.contains(&entity) {
                    entities.push(entity);
                }
            }
            rows.push(entities.iter().copied());
        }
        rows
    }

    fn passage_entities(
        &self,
        of_sentences: &Rows<EntityId>,
        subject_passages: &Rows<Edge>,
    ) -> Rows<Edge> {
        let subjects = subject_passages.invert(
            self.passages.len(),
            |it| it.to,
            |row, it| Edge { to: row, weight: it.weight },
        );
        let mut rows = Rows::default();
        for passage in 0..self.passages.len() {
            let mut counts = FxHashMap::<EntityId, f32>::default();
            for sentence in self.first_sentences[passage]..self.first_sentences[passage + 1] {
                for entity in of_sentences.row(sentence) {
                    let count = counts.entry(*entity).or_default();
                    *count = (*count + 1.0).min(MAX_COUNT);
                }
            }
            for subject in subjects.row(passage as u32) {
                *counts.entry(subject.to).or_default() += SUBJECT_COUNT * subject.weight;
            }
            let mut edges: Vec<Edge> =
                counts.into_iter().map(|(to, weight)| Edge { to, weight }).collect();
            edges.sort_unstable_by_key(|it| it.to);
            rows.push(edges);
        }
        rows
    }
}

/// The same edges with weights of `weight` that sum to 1 in every row.
fn normalised(rows: &Rows<Edge>, weight: impl Fn(&Edge) -> f32) -> Rows<Edge> {
    let mut res = Rows::default();
    for number in 0..rows.len() as u32 {
        let row = rows.row(number);
        let total: f32 = row.iter().map(&weight).sum();
        res.push(
            row.iter()
                .map(|it| Edge { to: it.to, weight: weight(it) / total.max(f32::MIN_POSITIVE) }),
        );
    }
    res
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The index of passages with these vectors.
    fn index(vectors: &[Option<[f32; DIM]>]) -> Snapshot {
        let mut builder = SnapshotBuilder::new();
        for (seq, vector) in vectors.iter().enumerate() {
            builder.push(IndexPassage {
                place: (FileId(Uuid::nil()), Uuid::nil(), seq as u32),
                title: "",
                text: "Mia tends it.",
                sentences: &[Span { start: 0, end: 13 }],
                vector: vector.as_ref().map(|it| &it[..]),
            });
        }
        builder.finish(1)
    }

    #[test]
    fn vectors_take_room_where_there_are_any_and_stay_those_of_their_passages() {
        let vector = [1.0 / (DIM as f32).sqrt(); DIM];
        let one = Some(vector);
        assert_eq!(index(&[None, None]).vectors.len(), 0);
        for (vectors, nearest) in [([None, one, None], 1), ([one, None, None], 0)] {
            let snapshot = index(&vectors);
            assert_eq!(snapshot.vectors.len(), 3);
            let query = crate::index::Quantised::new(&vector);
            assert_eq!(snapshot.vectors.nearest(&query, 1)[0].0, nearest);
        }
    }
}
