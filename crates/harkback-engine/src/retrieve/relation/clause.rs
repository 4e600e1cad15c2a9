//! What is the grammatical subject of each clause of a sentence?

use std::ops::Range;

use super::SupportSentence;
use super::grammar::{
    divides_clauses, is_adverb, is_auxiliary, is_determiner, is_pronoun, is_verb_like,
    opens_introduction,
};
use super::token::{Kind, Token};
use super::types::Types;

/// One side of a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// A mention of the sentence, by index.
    Mention(usize),
    /// What the passage is about.
    Passage,
}

/// A stretch of tokens with at most one grammatical subject.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) tokens: Range<usize>,
    /// The subject; several when joined by "and"; none when it is not safe to say.
    pub(super) subjects: Vec<Party>,
    /// First token of the subject.
    pub(super) subject_start: usize,
    /// One past the last token of the subject, without what is put behind it between commas.
    pub(super) subject_end: usize,
    /// First token of the verb.
    pub(super) verb: usize,
}

/// The clauses of a sentence in order; `tokens` are those outside of brackets.
pub(super) fn clauses(
    tokens: &[Token],
    sentence: &SupportSentence<'_>,
    types: &Types<'_>,
) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    let mut start = 0;
    for end in 0..=tokens.len() {
        let ends = tokens.get(end).is_none_or(|it| {
            it.kind == Kind::Mark(';')
                || (end > start && end > 0 && it.kind == Kind::Word && divides_clauses(&it.lower))
        });
        if !ends {
            continue;
        }
        if end > start {
            let main = clauses.first().map(|it| it.subjects.clone());
            let reader = Reader { tokens: &tokens[..end], sentence, types, main };
            clauses.push(reader.clause(start));
        }
        start = end + 1;
    }
    clauses
}

struct Reader<'a> {
    tokens: &'a [Token],
    sentence: &'a SupportSentence<'a>,
    types: &'a Types<'a>,
    /// Subjects of the first clause, if this is a later one.
    main: Option<Vec<Party>>,
}

impl Reader<'_> {
    fn clause(&self, start: usize) -> Clause {
        let end = self.tokens.len();
        let none = Clause {
            tokens: start..end,
            subjects: Vec::new(),
            subject_start: start,
            subject_end: start,
            verb: start,
        };
        let Some(at) = self.after_introduction(start) else { return none };
        let Some((subjects, subject_end)) = self.subject(at) else { return none };
        match self.verb(subject_end) {
            Some(verb) => {
                Clause { tokens: start..end, subjects, subject_start: at, subject_end, verb }
            }
            None => none,
        }
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).filter(|it| it.kind == Kind::Word).map(|it| it.lower.as_str())
    }

    fn is_mark(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at).is_some_and(|it| it.kind == Kind::Mark(mark))
    }

    /// The token after "In 1990,", "Directed by Ada," and the like; `None` if the end of such a phrase is not found.
    fn after_introduction(&self, mut at: usize) -> Option<usize> {
        while self.is_mark(at, ',')
            || self
                .word(at)
                .is_some_and(|it| is_adverb(it) || ["and", "however", "but", "so"].contains(&it))
        {
            at += 1;
        }
        if !self.word(at).is_some_and(opens_introduction) {
            return Some(at);
        }
        let begins_noun_phrase = |at: usize| {
            matches!(self.tokens.get(at).map(|it| it.kind), Some(Kind::Name(_)))
                || self.word(at).is_some_and(|it| is_pronoun(it) || is_determiner(it))
        };
        if self.tokens.get(at + 1).is_some_and(|it| matches!(it.kind, Kind::Value(_)))
            && begins_noun_phrase(at + 2)
        {
            return Some(at + 2);
        }
        let is_end = |it: &usize| self.is_mark(*it, ',') && begins_noun_phrase(it + 1);
        // A list before the subject ("In Lund, York and Bath, she …") is not worth the risk: the last comma decides.
        (at..self.tokens.len()).filter(is_end).map(|it| it + 1).find(|it| {
            self.subject(*it).is_some_and(|(_, end)| self.word(end).is_some_and(is_verb_like))
        })
    }

    /// The subject that begins at a token, and one past its last token.
    fn subject(&self, at: usize) -> Option<(Vec<Party>, usize)> {
        let token = self.tokens.get(at)?;
        match token.kind {
            Kind::Name(first) => self.names(at, first),
            Kind::Word if is_pronoun(&token.lower) && !self.may_mean_passage(&token.lower) => None,
            Kind::Word if is_pronoun(&token.lower) => {
                let is_passage = self.main.as_ref().is_none_or(|it| it == &[Party::Passage]);
                let main = self.main.as_ref().filter(|it| it.len() == 1);
                match main {
                    Some(main) if !is_passage => Some((main.clone(), at + 1)),
                    _ => (is_passage && !self.sentence.subject.is_empty())
                        .then(|| (vec![Party::Passage], at + 1)),
                }
            }
            Kind::Word if ["the", "this"].contains(&token.lower.as_str()) => {
                match self.tokens.get(at + 1)?.kind {
                    Kind::Name(first) => self.names(at + 1, first),
                    _ => self.described_subject(at + 1),
                }
            }
            _ => None,
        }
    }

    /// Whether the type of what the passage is about allows this pronoun.
    fn may_mean_passage(&self, pronoun: &str) -> bool {
        match self.types.of(self.sentence.subject) {
            Some(_) if pronoun == "they" => true,
            Some(_) => {
                self.types.is_person(self.sentence.subject) == ["he", "she"].contains(&pronoun)
            }
            None => true,
        }
    }

    fn names(&self, at: usize, first: usize) -> Option<(Vec<Party>, usize)> {
        let mut subjects = vec![Party::Mention(first)];
        let mut end = at + 1;
        while self.word(end) == Some("and")
            && let Some(Kind::Name(next)) = self.tokens.get(end + 1).map(|it| it.kind)
        {
            subjects.push(Party::Mention(next));
            end += 2;
        }
        let is_possessive = self.tokens.get(end).is_some_and(|it| it.kind == Kind::Possessive);
        (!is_possessive).then_some((subjects, end))
    }

    /// "The film": what the passage is about, if it is one.
    fn described_subject(&self, at: usize) -> Option<(Vec<Party>, usize)> {
        let noun = self.types.ontology.type_of_noun(self.word(at)?)?;
        let is_meant = match self.types.of(self.sentence.subject) {
            Some(known) => known == noun,
            None => self.types.ontology.type_name(noun) != "person",
        };
        (is_meant && !self.sentence.subject.is_empty()).then(|| (vec![Party::Passage], at + 1))
    }

    /// The first token of the verb after a subject that ends at `end`; `None` if the subject goes on.
    fn verb(&self, end: usize) -> Option<usize> {
        if self.is_mark(end, ',') {
            let closing = (end + 1..self.tokens.len().min(end + 24)).find(|it| {
                self.is_mark(*it, ',')
                    && self.word(it + 1).is_some_and(|it| is_auxiliary(it) || is_verb_like(it))
            });
            return Some(closing.map_or(end, |it| it + 1));
        }
        let Some(word) = self.word(end) else {
            return self.tokens.get(end).is_none().then_some(end);
        };
        let begins_cue = !self.types.ontology.cues_from(word).is_empty();
        (is_verb_like(word) || begins_cue || word == "who" || word == "which").then_some(end)
    }
}
