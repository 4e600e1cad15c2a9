//! What do the sentences of the ranked passages mention, and which of these passages are about it?

use rustc_hash::FxHashMap;

use super::{Evidence, Query, Snapshot};
use crate::index::{EntityId, MAX_LOOKED_AT, Mention};

/// A sentence with the entities in it.
pub(super) struct Sentence<'a> {
    pub(super) text: &'a str,
    pub(super) mentions: Vec<Mention>,
}

/// The ranked passages, read once for a question.
pub(super) struct Mentioned<'a> {
    /// Sentences of each passage, in the order of the ranking.
    pub(super) sentences: Vec<Vec<Sentence<'a>>>,
    /// Places of the passages that are about an entity, the surest first, with how surely they are.
    about: FxHashMap<EntityId, Vec<(usize, f32)>>,
}

impl<'a> Mentioned<'a> {
    /// Reads the passages.
    pub(super) fn read(snapshot: &Snapshot, query: &Query, evidence: &'a [Evidence]) -> Self {
        let sentences: Vec<Vec<Sentence<'a>>> =
            evidence.iter().map(|it| sentences(snapshot, it)).collect();
        let places: FxHashMap<u32, usize> =
            evidence.iter().enumerate().map(|(place, it)| (it.ranked.passage, place)).collect();
        let mentions = sentences.iter().flatten().flat_map(|it| &it.mentions);
        let mut about = FxHashMap::<EntityId, Vec<(usize, f32)>>::default();
        for mention in mentions.chain(&query.entities) {
            about.entry(mention.entity).or_insert_with(|| {
                let passages = snapshot.subject_passages.row(mention.entity);
                let place = |it: &crate::index::Edge| Some((*places.get(&it.to)?, it.weight));
                let mut found: Vec<(usize, f32)> =
                    passages.iter().take(MAX_LOOKED_AT).filter_map(place).collect();
                found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                found
            });
        }
        Self { sentences, about }
    }

    /// Places of the passages about an entity, the surest first, with how surely they are: above 0.
    pub(super) fn about(&self, entity: EntityId) -> &[(usize, f32)] {
        self.about.get(&entity).map_or(&[], Vec::as_slice)
    }

    /// How surely the passage at `place` is about an entity, if it is.
    pub(super) fn weight(&self, entity: EntityId, place: usize) -> Option<f32> {
        self.about(entity).iter().find(|it| it.0 == place).map(|it| it.1)
    }
}

fn sentences<'a>(snapshot: &Snapshot, evidence: &'a Evidence) -> Vec<Sentence<'a>> {
    let text = |it: &crate::model::Span| &evidence.text.text[it.start as usize..it.end as usize];
    let sentence = |text: &'a str| Sentence { text, mentions: snapshot.mentions(text) };
    evidence.text.sentences.iter().map(text).map(sentence).collect()
}
