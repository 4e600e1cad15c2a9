//! Which relations do these sentences state, as subject, predicate and object?
//!
//! No model: the grammatical subject of each clause, the ontology's cue words, and the names or values behind them.
//! What is not safe to say stays a plain co-occurrence (a relation without a predicate).

mod clause;
mod description;
mod grammar;
mod reading;
mod scope;
mod subject;
mod token;
mod types;

use rustc_hash::FxHashSet;

pub(super) use self::grammar::{
    is_determiner, is_function_word, is_possessive_pronoun, is_pronoun, is_verb_like,
};
use self::reading::Reading;
use self::types::{Types, fold};
use crate::ontology::OntologyFile;

/// An entity where a sentence names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// First byte in the sentence.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// The entity's display name.
    pub(crate) name: String,
}

/// A sentence that supports an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SupportSentence<'a> {
    /// What its passage is about: title or subject name; may be empty.
    pub(crate) subject: &'a str,
    /// The sentence.
    pub(crate) text: &'a str,
    /// The entities in it, sorted by their start; they may overlap.
    pub(crate) mentions: &'a [Named],
}

/// Subject, predicate and object as a sentence states them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    /// Display name.
    pub(crate) subject: String,
    /// Reads between subject and object; `None`: the two only occur in one sentence.
    pub(crate) predicate: Option<String>,
    /// Display name, a value as the sentence writes it, or a description.
    pub(crate) object: String,
    /// Index of the sentence.
    pub(crate) sentence: usize,
}

/// The relations of these sentences in their order, each once; a pair that a predicate joins is no co-occurrence.
pub(crate) fn relations(
    sentences: &[SupportSentence<'_>],
    ontology: &OntologyFile,
) -> Vec<Relation> {
    let mut types = Types::new(ontology);
    let tokens: Vec<_> = sentences.iter().map(|it| token::tokens(it.text, it.mentions)).collect();
    for (sentence, tokens) in sentences.iter().zip(&tokens) {
        description::learn_types(sentence, &tokens.main, &mut types);
    }
    let mut all = Vec::new();
    for (number, (sentence, tokens)) in sentences.iter().zip(&tokens).enumerate() {
        let found = Reading::new(sentence, tokens, &types).relations();
        all.extend(found.into_iter().map(|(subject, predicate, object)| Relation {
            subject,
            predicate,
            object,
            sentence: number,
        }));
    }
    deduplicated(all)
}

fn deduplicated(all: Vec<Relation>) -> Vec<Relation> {
    let pair = |it: &Relation| {
        let (subject, object) = (fold(&it.subject), fold(&it.object));
        if subject < object { (subject, object) } else { (object, subject) }
    };
    let mut joined: FxHashSet<(String, String)> =
        all.iter().filter(|it| it.predicate.is_some()).map(pair).collect();
    let mut seen = FxHashSet::default();
    let mut is_new = |it: &Relation| match &it.predicate {
        Some(predicate) => seen.insert((fold(&it.subject), predicate.clone(), fold(&it.object))),
        None => joined.insert(pair(it)),
    };
    all.into_iter().filter(&mut is_new).collect()
}

#[cfg(test)]
mod tests;
