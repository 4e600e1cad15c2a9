//! Of whom does a cue speak, judged by what stands before it?

use super::clause::Party;
use super::grammar::{
    is_adverb, is_auxiliary, is_copula, is_determiner, is_function_word, is_preposition, is_pronoun,
};
use super::reading::Reading;
use super::scope::{Scope, described_name};
use super::token::{Kind, Token};
use crate::ontology::{Cue, CueKind, CueOrder};

impl Reading<'_> {
    /// What is said by a cue that starts at `first` is said of these; empty if that is not safe to tell.
    pub(super) fn subjects(&self, scope: Scope<'_>, first: usize, cue: &Cue) -> Vec<Party> {
        let clause = scope.clause;
        if first > 0
            && scope
                .word(first - 1)
                .is_some_and(|it| ["great", "step", "grand", "god", "foster"].contains(&it))
        {
            return Vec::new();
        }
        if first < clause.subject_start {
            // A phrase before the subject, as in "Directed by Ada, the film": only if the cue opens it.
            return if first == clause.tokens.start { clause.subjects.clone() } else { Vec::new() };
        }
        let mut at = first;
        let mut n_prepositions = 0;
        while at > clause.subject_end.max(clause.tokens.start) {
            at -= 1;
            match scope.tokens[at].kind {
                Kind::Word => {
                    let word = scope.tokens[at].lower.as_str();
                    if is_copula(word)
                        || word == "and"
                        || (is_auxiliary(word) && n_prepositions == 0)
                    {
                        return if n_prepositions == 0 {
                            self.own_subjects(scope, at)
                        } else {
                            Vec::new()
                        };
                    }
                    if ["who", "which", "that"].contains(&word) {
                        return self.relative(scope, at, cue);
                    }
                    if is_pronoun(word) {
                        return self.pronoun(scope, at);
                    }
                    n_prepositions += usize::from(is_preposition(word));
                    let is_free_word =
                        is_adverb(word) || is_determiner(word) || !is_function_word(word);
                    if !is_free_word
                        || (cue.kind == CueKind::Verb
                            && cue.order == CueOrder::ObjectFirst
                            && !is_adverb(word))
                    {
                        return Vec::new();
                    }
                }
                Kind::Mark(',') => return self.after_comma(scope, at, cue),
                Kind::Name(mention) if at + 1 == first => {
                    return self.adjacent(scope, mention, cue);
                }
                Kind::Name(_) if scope.head(at).is_none() => {}
                Kind::Value(_) => {}
                _ => return Vec::new(),
            }
        }
        if n_prepositions == 0 { clause.subjects.clone() } else { Vec::new() }
    }

    /// The subject of a coordinated verb, unless a subordinate clause may have opened another one.
    fn own_subjects(&self, scope: Scope<'_>, before: usize) -> Vec<Party> {
        let inner = scope.clause.verb..before;
        let opens = |it: &Token| {
            it.kind == Kind::Word
                && ["who", "which", "that", "whose", "whom"].contains(&it.lower.as_str())
        };
        let is_safe = !scope.tokens.get(inner).unwrap_or_default().iter().any(opens);
        if is_safe { scope.clause.subjects.clone() } else { Vec::new() }
    }

    fn adjacent(&self, scope: Scope<'_>, mention: usize, cue: &Cue) -> Vec<Party> {
        let party = Party::Mention(mention);
        if scope.clause.subjects.contains(&party) {
            return scope.clause.subjects.clone();
        }
        let predicate = self.types.ontology.predicate(cue);
        let side =
            if cue.order == CueOrder::SubjectFirst { &predicate.domain } else { &predicate.range };
        if cue.kind == CueKind::Noun || cue.order == CueOrder::ObjectFirst || side.is_empty() {
            Vec::new()
        } else if self.types.is(self.name(party), side) {
            // "a firm in Lund founded in 1950": either of the two may be meant.
            let is_rival = |it: &Party| self.types.is(self.name(*it), side);
            if scope.clause.subjects.iter().any(is_rival) { Vec::new() } else { vec![party] }
        } else if self.types.of(self.name(party)).is_some() {
            scope.clause.subjects.clone()
        } else {
            Vec::new()
        }
    }

    /// A cue behind a comma: an apposition to the name before it, or the subject of the clause again.
    fn after_comma(&self, scope: Scope<'_>, comma: usize, cue: &Cue) -> Vec<Party> {
        let subjects = self.own_subjects(scope, comma);
        let Some(mention) = comma.checked_sub(1).and_then(|it| scope.name(it)) else {
            return subjects;
        };
        let party = Party::Mention(mention);
        if subjects.contains(&party) || cue.kind == CueKind::Verb {
            return subjects;
        }
        // "the son of A, brother of B" may mean either; after a verb ("married A, daughter of B") it means A.
        let counts = |it: &Token| ["one", "two", "three"].contains(&it.lower.as_str());
        if scope.tokens.get(comma + 1).is_some_and(counts) {
            return Vec::new();
        }
        let is_nominal = scope.word(scope.clause.verb).is_none_or(is_copula);
        let predicate = self.types.ontology.predicate(cue);
        let side =
            if cue.order == CueOrder::SubjectFirst { &predicate.domain } else { &predicate.range };
        let is_possible = self.types.fits(self.name(party), side);
        match (is_nominal, is_possible) {
            (true, true) => Vec::new(),
            (false, true) => vec![party],
            (_, false) => subjects,
        }
    }

    fn relative(&self, scope: Scope<'_>, at: usize, cue: &Cue) -> Vec<Party> {
        let before =
            if at > 0 && scope.is_comma(at - 1) { at.checked_sub(2) } else { at.checked_sub(1) };
        let Some(before) = before else { return Vec::new() };
        let predicate = self.types.ontology.predicate(cue);
        let side =
            if cue.order == CueOrder::SubjectFirst { &predicate.domain } else { &predicate.range };
        let is_copular = scope.word(scope.clause.verb).is_some_and(is_copula);
        match scope.name(before).map(Party::Mention) {
            Some(party) if scope.clause.subjects.contains(&party) => scope.clause.subjects.clone(),
            Some(party) if self.types.is(self.name(party), side) => vec![party],
            Some(_) => Vec::new(),
            None => {
                let between = scope.tokens.get(scope.clause.verb..before).unwrap_or_default();
                let is_simple =
                    !between.iter().any(|it| it.kind == Kind::Word && is_preposition(&it.lower));
                if is_copular && is_simple { scope.clause.subjects.clone() } else { Vec::new() }
            }
        }
    }

    /// A pronoun inside a clause means its subject if nothing else was named in between.
    fn pronoun(&self, scope: Scope<'_>, at: usize) -> Vec<Party> {
        let between = scope.tokens.get(scope.clause.subject_end..at).unwrap_or_default();
        let is_safe = !between.iter().any(|it| matches!(it.kind, Kind::Name(_)));
        if is_safe { scope.clause.subjects.clone() } else { Vec::new() }
    }

    /// "The capital of Norland is Lund": the subject stands behind the object.
    pub(super) fn subject_behind(
        &self,
        scope: Scope<'_>,
        first: usize,
        end: usize,
        cue: &Cue,
    ) -> Vec<Party> {
        let opens = first == scope.clause.tokens.start + 1 && scope.word(first - 1) == Some("the");
        if cue.kind != CueKind::Noun || !opens || !scope.word(end).is_some_and(is_copula) {
            return Vec::new();
        }
        described_name(scope, end + 1).map(|it| Party::Mention(it.0)).into_iter().collect()
    }
}
