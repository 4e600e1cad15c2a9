//! Which thing of the question does an answer start from, and by which words does the question go on from there?

use super::Query;
use super::kinship::{Kin, Sex, compound};
use super::mentioned::Mentioned;
use super::phrase::{Phrase, after_bracket};
use crate::index::{EntityId, Word, is_capitalised, words};
use crate::retrieve::relation::{is_determiner, is_function_word};

/// A name in the question and the passages about it.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) start: usize,
    /// One past its last byte, with a bracket that belongs to it.
    pub(super) end: usize,
    pub(super) entities: Vec<EntityId>,
    /// Places of the passages about it in the ranking, the surest first.
    pub(super) own: Vec<usize>,
    /// The words around it that stand for something else, as in `Ann's mother`.
    pub(super) phrase: Option<Phrase>,
}

/// What leads from the name to what the question asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Kin(Kin, Option<Sex>),
    Words(Vec<String>),
    /// Words that describe the thing without a name to start from.
    Description(Vec<String>),
}

/// The name that an answer starts from.
#[derive(Clone, Debug)]
pub(super) struct Focus {
    pub(super) view: View,
    pub(super) hop: Option<Hop>,
}

/// The question asks something of what a phrase around a name stands for.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) phrase: Phrase,
    pub(super) relation: Relation,
    /// The second relation of a compound: what a father-in-law is to the spouse.
    pub(super) tail: Option<&'static str>,
}

/// The names in a question that do not overlap, in their order; those with passages of their own come before longer ones.
/// Where the question writes names with capitals, a word without is none.
pub(super) fn views(question: &str, query: &Query, mentioned: &Mentioned<'_>) -> Vec<View> {
    let is_written_as_name =
        |it: Word<'_>| it.text.len() > 1 && it.text.starts_with(char::is_uppercase);
    let has_capital = words(question).skip(1).any(is_written_as_name);
    let mut views = Vec::<View>::new();
    for mention in &query.entities {
        let name = &question[mention.start..mention.end];
        if has_capital && !words(name).any(|it| is_capitalised(it.text)) {
            continue;
        }
        match views.iter_mut().find(|it| it.start == mention.start && it.end == mention.end) {
            Some(view) => view.entities.push(mention.entity),
            None => views.push(View {
                start: mention.start,
                end: mention.end,
                entities: vec![mention.entity],
                own: Vec::new(),
                phrase: Phrase::around(question, mention.start, mention.end),
            }),
        }
    }
    for view in &mut views {
        view.own = own_places(mentioned, &view.entities);
    }
    views.sort_by_key(|it| (it.own.is_empty(), std::cmp::Reverse(it.end - it.start)));
    let mut kept = Vec::<View>::new();
    for view in views {
        if kept.iter().all(|it| view.end <= it.start || it.end <= view.start) {
            kept.push(view);
        }
    }
    kept.sort_by_key(|it| it.start);
    for view in &mut kept {
        view.end = after_bracket(question, view.end);
    }
    kept
}

fn own_places(mentioned: &Mentioned<'_>, entities: &[EntityId]) -> Vec<usize> {
    let mut own: Vec<(usize, f32)> =
        entities.iter().flat_map(|it| mentioned.about(*it)).copied().collect();
    own.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut places = Vec::new();
    for (place, _) in own {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

impl Focus {
    /// The last name in a phrase that has passages; else what a clause describes; else the first name that has passages,
    /// else any.
    pub(super) fn of(question: &str, views: &[View]) -> Option<Self> {
        let named = Self::named(question, views);
        let leads_on = |it: &Self| it.hop.is_some() && !it.view.own.is_empty();
        if named.as_ref().is_some_and(leads_on) {
            return named;
        }
        Self::described(question).or(named)
    }

    fn described(question: &str) -> Option<Self> {
        let phrase = Phrase::description(question)?;
        let view = View {
            start: phrase.start,
            end: phrase.end,
            entities: Vec::new(),
            own: Vec::new(),
            phrase: Some(phrase.clone()),
        };
        let relation = Relation::Description(phrase.relation.clone());
        Some(Self { view, hop: Some(Hop { phrase, relation, tail: None }) })
    }

    fn named(question: &str, views: &[View]) -> Option<Self> {
        let has = |own: bool, phrase: bool| {
            let fits =
                move |it: &&View| (!own || !it.own.is_empty()) && (!phrase || it.phrase.is_some());
            views.iter().filter(fits).collect::<Vec<_>>()
        };
        let candidates = [has(true, true), has(true, false), has(false, true), has(false, false)];
        let candidates = candidates.into_iter().find(|it| !it.is_empty())?;
        let last = candidates.last().filter(|it| it.phrase.is_some());
        let view = (*last.or(candidates.first())?).clone();
        let hop = view.phrase.clone().and_then(|it| Hop::of(question, it));
        Some(Self { view, hop })
    }

    /// The question without the name, and without the words that lead on from it.
    pub(super) fn rest(&self, question: &str) -> String {
        match &self.hop {
            Some(Hop { phrase, tail, .. }) => {
                phrase.replaced(question, &format!(" {} ", tail.unwrap_or("")))
            }
            None => format!("{} {}", &question[..self.view.start], &question[self.view.end..]),
        }
    }
}

impl Hop {
    /// `None` where nothing but the phrase is asked for, as in `Who is Ann's mother?`.
    fn of(question: &str, phrase: Phrase) -> Option<Self> {
        let taken_apart = compound(&phrase.relation);
        let asks_more = || {
            words(&phrase.replaced(question, " ")).any(|it| !is_empty_word(&it.text.to_lowercase()))
        };
        if taken_apart.is_none() && !asks_more() {
            return None;
        }
        let (relation, tail) = match taken_apart {
            Some((first, second)) => (vec![first.to_owned()], Some(second)),
            None => (phrase.relation.clone(), None),
        };
        let kin = relation.iter().find_map(|it| Kin::of_word(it));
        let relation = match kin {
            Some((kin, sex)) => Relation::Kin(kin, sex),
            None => Relation::Words(relation),
        };
        Some(Self { phrase, relation, tail })
    }

    /// The question asked of the thing called `name`.
    pub(super) fn asked_of(&self, question: &str, name: &str) -> String {
        match self.tail {
            Some(tail) => self.phrase.replaced(question, &format!("{name}'s {tail}")),
            None => self.phrase.replaced(question, name),
        }
    }
}

/// Whether a word asks for nothing.
fn is_empty_word(word: &str) -> bool {
    const ASKING: [&str; 11] =
        ["who", "whom", "whose", "what", "which", "when", "where", "why", "how", "name", "tell"];
    is_function_word(word) || is_determiner(word) || ASKING.contains(&word)
}
