//! What is an entity said to be: "is a Nigerian film director", "the novel The Long Winter"?

use std::ops::Range;

use super::SupportSentence;
use super::clause::{Clause, Party, clauses};
use super::grammar::{is_adverb, is_copula, is_determiner, is_function_word};
use super::reading::{names_subject, party_name};
use super::token::{Kind, Token};
use super::types::Types;
use crate::ontology::{CueOrder, TypeNo};

/// Longest description in tokens.
const LONGEST: usize = 9;

/// A description that gives a type.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) type_no: TypeNo,
    /// Tokens without the article.
    pub(super) tokens: Range<usize>,
}

/// Learns the types that one sentence gives away.
pub(super) fn learn_types(sentence: &SupportSentence<'_>, tokens: &[Token], types: &mut Types<'_>) {
    types.learn_title(sentence.subject);
    let clauses = clauses(tokens, sentence, types);
    for clause in &clauses {
        if let Some(description) = description(clause, tokens, types) {
            for party in &clause.subjects {
                let name = party_name(*party, sentence);
                types.learn(name, description.type_no);
                if names_subject(name, sentence.subject)
                    && types.ontology.type_name(description.type_no) == "person"
                {
                    types.learn(sentence.subject, description.type_no);
                }
            }
        }
    }
    for at in 1..tokens.len() {
        let (noun, Kind::Name(mention)) = (&tokens[at - 1], tokens[at].kind) else { continue };
        let begins_clause = tokens.get(at + 1).is_some_and(|it| {
            let cues = types.ontology.cues_from(&it.lower);
            it.kind == Kind::Word && cues.iter().any(|it| it.order == CueOrder::ObjectFirst)
        });
        if noun.kind == Kind::Word
            && !begins_clause
            && let Some(type_no) = types.ontology.type_of_noun(&noun.lower)
        {
            types.learn(party_name(Party::Mention(mention), sentence), type_no);
        }
    }
}

/// "is a …" behind the subject of a clause, if the ontology knows what that is.
pub(super) fn description(
    clause: &Clause,
    tokens: &[Token],
    types: &Types<'_>,
) -> Option<Description> {
    let word = |at: usize| {
        let token = tokens.get(at).filter(|it| at < clause.tokens.end && it.kind == Kind::Word);
        token.map(|it| it.lower.as_str())
    };
    let mut at = clause.verb;
    if clause.subjects.is_empty() || !word(at).is_some_and(is_copula) {
        return None;
    }
    at += 1;
    while word(at).is_some_and(is_adverb) {
        at += 1;
    }
    if !word(at).is_some_and(|it| ["a", "an"].contains(&it)) {
        return None;
    }
    let start = at + 1;
    let mut end = start;
    while end < clause.tokens.end && end - start < LONGEST {
        let goes_on = match tokens[end].kind {
            Kind::Word => {
                !is_function_word(&tokens[end].lower) && !is_determiner(&tokens[end].lower)
            }
            Kind::Value(_) => end == start,
            Kind::Name(_) => word(end + 1).is_some_and(|it| !is_function_word(it)),
            Kind::Possessive => false,
            Kind::Mark(mark) => {
                mark == ','
                    && word(end + 1).is_some_and(|it| types.ontology.type_of_noun(it).is_none())
            }
        };
        let begins_cue = tokens[end].kind == Kind::Word
            && types.ontology.cues_from(&tokens[end].lower).iter().any(|cue| {
                let rest = tokens.get(end..end + cue.words.len()).unwrap_or_default();
                !rest.is_empty() && rest.iter().zip(&cue.words).all(|(it, word)| it.lower == *word)
            })
            && types.ontology.type_of_noun(&tokens[end].lower).is_none();
        if !goes_on || begins_cue {
            break;
        }
        end += 1;
    }
    let noun =
        (start..end).rev().find_map(|it| Some((types.ontology.type_of_noun(word(it)?)?, it)))?;
    // Only a participle may stand behind the noun: "film produced", not "film critic".
    (end - noun.1 <= 2).then_some(Description { type_no: noun.0, tokens: start..noun.1 + 1 })
}
