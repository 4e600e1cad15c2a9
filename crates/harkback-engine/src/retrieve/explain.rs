//! Why does a passage stand where it stands? The way from the question to it, its place in each list, and its score as a
//! sum.

use super::query::Query;
use super::rank::{GREATEST, RankedNo, SIGNALS};
use super::similarity::lists;
use super::support::{Evidence, Support, supports};
use crate::index::{Mention, PassageNo, Snapshot};
use crate::model::{
    ExplainedEntity, ExplainedPassage, ExplainedSignal, Explanation, MemoryKind, PathStep,
};
use crate::store::PassageText;

/// Explains the `seen` results of a question; `anchors` are the passages that bridges among them start from.
pub(crate) fn explain(
    snapshot: &Snapshot,
    question: &str,
    query: &Query,
    kind: MemoryKind,
    seen: &[Evidence],
    anchors: &[Evidence],
) -> Explanation {
    let entity = |it: &Mention| ExplainedEntity {
        name: question[it.start..it.end].to_owned(),
        idf: snapshot.idf[it.entity as usize],
        n_own_passages: snapshot.subject_passages.row(it.entity).len(),
    };
    let lists = lists(snapshot, query);
    let supports = supports(snapshot, query, seen);
    let way = Way { snapshot, question, query, seen, anchors, supports: &supports };
    let passage = |(place, Evidence { ranked, text }): (usize, &Evidence)| {
        let place_in = |list: &[(PassageNo, f32)]| {
            list.iter().position(|it| it.0 == ranked.passage).map(|it| it + 1)
        };
        let mut places: Vec<_> = lists.iter().map(|(name, list)| (*name, place_in(list))).collect();
        if kind == MemoryKind::Graph {
            places.push(("pagerank", ranked.pagerank_place()));
        }
        let (signals, divisor) = signals(ranked, kind);
        ExplainedPassage {
            rank: place + 1,
            file_id: text.file_id.clone(),
            record_id: text.record_id.clone(),
            title: text.title.clone(),
            score: ranked.score,
            signals,
            divisor,
            lists: places,
            path: way.to(place),
        }
    };
    Explanation {
        entities: query.entities.iter().map(entity).collect(),
        passages: seen.iter().enumerate().map(passage).collect(),
    }
}

fn signals(ranked: &RankedNo, kind: MemoryKind) -> (Vec<ExplainedSignal>, f32) {
    match kind {
        MemoryKind::Graph => {
            let values = SIGNALS.iter().zip(ranked.signals);
            let signal = values.map(|(it, value)| ExplainedSignal {
                name: it.name,
                weight: it.weight,
                value,
            });
            (signal.collect(), GREATEST)
        }
        MemoryKind::Vector => {
            let only = ExplainedSignal { name: "similarity", weight: 1.0, value: ranked.score };
            (vec![only], 1.0)
        }
    }
}

/// What is needed to tell the way from a question to its results.
struct Way<'a> {
    snapshot: &'a Snapshot,
    question: &'a str,
    query: &'a Query,
    seen: &'a [Evidence],
    anchors: &'a [Evidence],
    supports: &'a [Support<'a>],
}

impl Way<'_> {
    /// The way to the result at `place`: over the next hop, by its subject, by a mention, or by similarity alone.
    fn to(&self, place: usize) -> Vec<PathStep> {
        let Evidence { ranked, text } = &self.seen[place];
        let mut path = match ranked.from.and_then(|it| self.anchor(it)) {
            Some(anchor) => self.over(anchor, ranked.passage),
            None => self.named(ranked, text).unwrap_or_else(|| self.similar(place)),
        };
        path.push(PathStep::Passage(text.title.clone()));
        path
    }

    fn anchor(&self, passage: PassageNo) -> Option<&Evidence> {
        self.seen.iter().chain(self.anchors).find(|it| it.ranked.passage == passage)
    }

    fn over(&self, anchor: &Evidence, end: PassageNo) -> Vec<PathStep> {
        let leads_on = |it: &Mention| {
            self.snapshot.subject_passages.row(it.entity).iter().any(|edge| edge.to == end)
        };
        let mut path: Vec<PathStep> = self.subject(anchor.ranked.passage).into_iter().collect();
        path.extend(self.sentence(&anchor.text, leads_on));
        path
    }

    fn named(&self, ranked: &RankedNo, text: &PassageText) -> Option<Vec<PathStep>> {
        if let Some(subject) = self.subject(ranked.passage) {
            return Some(vec![subject]);
        }
        self.query.entities.iter().find_map(|named| {
            let sentence = self.sentence(text, |it| it.entity == named.entity)?;
            Some(vec![self.entity(named), sentence])
        })
    }

    fn similar(&self, place: usize) -> Vec<PathStep> {
        let best = self.supports.iter().find(|it| it.place == place);
        best.map(|it| step(it.passage, it.sentence)).into_iter().collect()
    }

    /// The entity of the question that a passage is about.
    fn subject(&self, passage: PassageNo) -> Option<PathStep> {
        let own = |it: &&Mention| {
            self.snapshot.subject_passages.row(it.entity).iter().any(|edge| edge.to == passage)
        };
        self.query.entities.iter().find(own).map(|it| self.entity(it))
    }

    fn entity(&self, mention: &Mention) -> PathStep {
        PathStep::Entity(self.question[mention.start..mention.end].to_owned())
    }

    /// The first sentence with a mention of that kind.
    fn sentence(&self, text: &PassageText, fits: impl Fn(&Mention) -> bool) -> Option<PathStep> {
        let sentences = text.sentences.iter();
        let mut sentences = sentences.map(|it| &text.text[it.start as usize..it.end as usize]);
        let found = sentences.find(|it| self.snapshot.mentions(it).iter().any(&fits))?;
        Some(step(text, found))
    }
}

fn step(passage: &PassageText, sentence: &str) -> PathStep {
    PathStep::Sentence { title: passage.title.clone(), text: sentence.trim().to_owned() }
}
