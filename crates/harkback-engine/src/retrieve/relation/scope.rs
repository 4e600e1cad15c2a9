//! Where in a sentence is a cue looked for, and which name or doubt stands near it?

use super::clause::Clause;
use super::grammar::{is_adverb, is_determiner, is_doubt, is_function_word};
use super::token::{Kind, Token};
use crate::ontology::{Cue, CueKind, OntologyFile};

/// Words that may describe an object in front of it.
const MOST_DESCRIBING_WORDS: usize = 5;
/// How far before a cue a doubt counts.
const DOUBT_REACH: usize = 5;

/// The stretch of tokens cues are looked for in, and what is the subject there.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) tokens: &'a [Token],
    pub(super) clause: &'a Clause,
    pub(super) ontology: &'a OntologyFile,
}

impl Scope<'_> {
    pub(super) fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).filter(|it| it.kind == Kind::Word).map(|it| it.lower.as_str())
    }

    pub(super) fn name(&self, at: usize) -> Option<usize> {
        match self.tokens.get(at)?.kind {
            Kind::Name(mention) => Some(mention),
            _ => None,
        }
    }

    pub(super) fn is_comma(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|it| it.kind == Kind::Mark(','))
    }

    pub(super) fn begins(&self, cue: &Cue, at: usize) -> bool {
        let fits = |(offset, word): (usize, &String)| self.word(at + offset) == Some(word.as_str());
        cue.words.iter().enumerate().all(fits)
    }

    /// Whether a word behind a name makes the name its modifier, as in "Lund clinic".
    pub(super) fn describes(&self, word: &str) -> bool {
        let opens_cue = self.ontology.cues_from(word).iter().any(|it| it.kind == CueKind::Verb);
        let is_participle = word.ends_with("ing") || word.ends_with("ed");
        !is_function_word(word) && !is_adverb(word) && !opens_cue && !is_participle
    }

    /// Whether a word may stand between a cue and the name it leads to: no verb of another clause.
    fn describes_object(&self, word: &str, at: usize) -> bool {
        let follows_article = at > 0 && self.word(at - 1).is_some_and(is_determiner);
        let opens_cue = self.ontology.cues_from(word).iter().any(|it| it.kind == CueKind::Verb);
        let is_verb = (word.ends_with("ed") || opens_cue) && !follows_article;
        !is_function_word(word) && !is_doubt(word) && !is_verb
    }

    /// A name that is not the modifier of a noun ("Lund clinic", "Ada's"): its mention.
    pub(super) fn head(&self, at: usize) -> Option<usize> {
        let mention = self.name(at)?;
        let goes_on = match self.tokens.get(at + 1) {
            Some(it) if it.kind == Kind::Word => self.describes(&it.lower),

            Some(it) => matches!(it.kind, Kind::Possessive | Kind::Name(_)),
            None => false,
        };
        (!goes_on).then_some(mention)
    }
}

/// The first name behind articles and describing words, and one past it.
pub(super) fn described_name(scope: Scope<'_>, start: usize) -> Option<(usize, usize)> {
    for at in start..=start + MOST_DESCRIBING_WORDS {
        if let Some(mention) = scope.head(at) {
            return Some((mention, at + 1));
        }
        let describes = match scope.tokens.get(at)?.kind {
            Kind::Word => {
                let word = scope.tokens[at].lower.as_str();
                is_determiner(word) || scope.describes_object(word, at)
            }
            Kind::Value(_) => scope.word(at + 1).is_some(),
            Kind::Name(_) => scope.word(at + 1).is_some_and(|it| scope.describes(it)),
            _ => false,
        };
        if !describes {
            return None;
        }
    }
    None
}

/// Whether a "not", "may" or the like stands a few words before a token.
pub(super) fn is_doubted(scope: Scope<'_>, at: usize) -> bool {
    let start = at.saturating_sub(DOUBT_REACH).max(scope.clause.tokens.start);
    (start..at).any(|it| scope.word(it).is_some_and(is_doubt))
}
