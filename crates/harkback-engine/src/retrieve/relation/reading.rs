//! Which relations does one sentence state?

use super::SupportSentence;
use super::clause::{Clause, Party, clauses};
use super::description::description;
use super::grammar::{
    is_adverb, is_auxiliary, is_copula, is_function_word, is_possessive_pronoun, is_preposition,
};
use super::scope::{Scope, described_name, is_doubted};
use super::token::{Kind, Token, Tokens};
use super::types::{Types, fold};
use crate::index::without_brackets;
use crate::ontology::{Cue, CueKind, CueOrder, Pattern, Predicate, ValueKind};

/// Brackets that hold these words are no lifespan.
const REIGN_WORDS: [&str; 7] = ["reigned", "ruled", "r", "fl", "active", "flourished", "reign"];

/// Subject, predicate, object.
pub(super) type Triple = (String, Option<String>, String);

/// A sentence being read.
pub(super) struct Reading<'a> {
    sentence: &'a SupportSentence<'a>,
    pub(super) types: &'a Types<'a>,
    tokens: &'a Tokens,
    clauses: Vec<Clause>,
}

/// The display name of a party.
pub(super) fn party_name<'a>(party: Party, sentence: &SupportSentence<'a>) -> &'a str {
    match party {
        Party::Passage => sentence.subject,
        Party::Mention(index) => &sentence.mentions[index].name,
    }
}

/// Whether a name is the first, the last or the first and last words of another, as people are called.
pub(super) fn names_subject(name: &str, subject: &str) -> bool {
    let (subject, name) = (fold(subject), fold(name));
    let full = subject.split(',').next().unwrap_or_default();
    let (first, last) =
        (full.split(' ').next(), full.rsplit(' ').next().filter(|_| !full.contains(" of ")));
    let is_one_word = !name.contains(' ');
    let (begins, ends) = (name.split(' ').next() == first, name.rsplit(' ').next() == last);
    if is_one_word { begins || ends } else { begins && ends }
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        sentence: &'a SupportSentence<'a>,
        tokens: &'a Tokens,
        types: &'a Types<'a>,
    ) -> Self {
        Self { sentence, types, tokens, clauses: clauses(&tokens.main, sentence, types) }
    }

    /// Relations with a predicate in the order of their cues, then co-occurrences.
    pub(super) fn relations(&self) -> Vec<Triple> {
        let mut found = Vec::new();
        for clause in &self.clauses {
            self.descriptions(clause, &mut found);
            self.cues(
                Scope { tokens: &self.tokens.main, clause, ontology: self.types.ontology },
                &mut found,
            );
        }
        self.brackets(&mut found);
        self.co_occurrences(&mut found);
        found
    }

    /// The display name; a part of the name of the person the passage is about becomes the whole.
    pub(super) fn name(&self, party: Party) -> &'a str {
        let (name, subject) = (party_name(party, self.sentence), self.sentence.subject);
        let is_person = || self.types.is_person(subject);
        let is_subject =
            fold(name) == fold(subject) || (names_subject(name, subject) && is_person());
        if is_subject { without_brackets(subject) } else { name }
    }

    fn text(&self, tokens: &[Token]) -> &'a str {
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => &self.sentence.text[first.start..last.end],
            _ => "",
        }
    }

    fn descriptions(&self, clause: &Clause, found: &mut Vec<Triple>) {
        let Some(description) = description(clause, &self.tokens.main, self.types) else { return };
        let tokens = &self.tokens.main[description.tokens];
        for party in &clause.subjects {
            let name = self.name(*party).to_owned();
            let year = tokens
                .first()
                .filter(|it| matches!(it.kind, Kind::Value(_)) && it.end - it.start == 4);
            if let Some(year) = year
                && let Some(predicate) = self.types.ontology.predicate_of(Pattern::DescriptionYear)
                && predicate.domain.contains(&description.type_no)
            {
                let year = self.text(std::slice::from_ref(year)).to_owned();
                found.push((name.clone(), Some(predicate.label.clone()), year));
            }
            found.push((name, Some("is a".to_owned()), self.text(tokens).to_owned()));
        }
    }

    fn cues(&self, scope: Scope<'_>, found: &mut Vec<Triple>) {
        let mut at = scope.clause.tokens.start;
        while at < scope.clause.tokens.end {
            self.possession(scope, at, found);
            let n_words = scope.word(at).and_then(|word| {
                let cues =
                    self.types.ontology.cues_from(word).iter().filter(|it| scope.begins(it, at));
                let mut read =
                    cues.filter(|it| self.cue(scope, at, it, found)).map(|it| it.words.len());
                read.next()
            });
            at += n_words.unwrap_or(1);
        }
    }

    /// Reads one cue; whether an object stood behind it.
    fn cue(&self, scope: Scope<'_>, at: usize, cue: &Cue, found: &mut Vec<Triple>) -> bool {
        let predicate = self.types.ontology.predicate(cue);
        let (objects, end) = self.objects(scope, at + cue.words.len(), cue);
        if objects.is_empty() {
            return false;
        }
        if !is_doubted(scope, at) {
            let mut same: Vec<&Predicate> = vec![predicate];
            let first = self.coordinated(scope, at, cue, &mut same);
            let mut subjects = self.subjects(scope, first, cue);
            if subjects.is_empty() {
                subjects = self.subject_behind(scope, first, end, cue);
            }
            for subject in &subjects {
                for predicate in same.iter().rev() {
                    objects.iter().for_each(|object| {
                        self.push(*subject, predicate, cue.order, object, found)
                    });
                }
                self.second_object(scope, end, cue, *subject, found);
            }
        }
        true
    }

    fn push(
        &self,
        subject: Party,
        predicate: &Predicate,
        order: CueOrder,
        object: &str,
        found: &mut Vec<Triple>,
    ) {
        let (subject, object) = match order {
            CueOrder::SubjectFirst => (self.name(subject), object),
            CueOrder::ObjectFirst => (object, self.name(subject)),
        };
        let fits = self.types.fits(subject, &predicate.domain)
            && (!predicate.takes_names() || self.types.fits(object, &predicate.range));
        if fits && fold(subject) != fold(object) {
            found.push((subject.to_owned(), Some(predicate.label.clone()), object.to_owned()));
        }
    }

    /// Names or values behind a cue, and one past the last token of them.
    fn objects(&self, scope: Scope<'_>, mut at: usize, cue: &Cue) -> (Vec<&'a str>, usize) {
        let predicate = self.types.ontology.predicate(cue);
        if !predicate.takes_names() {
            return self.value(scope, at, predicate).unwrap_or((Vec::new(), at));
        }
        if scope.word(at) == Some("and")
            && let Some(word) = scope.word(at + 1)
            && let Some(next) =
                self.types.ontology.cues_from(word).iter().find(|it| scope.begins(it, at + 1))
        {
            at += 1 + next.words.len();
        }
        let Some((first, mut end)) = described_name(scope, at) else { return (Vec::new(), at) };
        let mut names = vec![self.name(Party::Mention(first))];
        let is_place =
            predicate.range.iter().any(|it| self.types.ontology.type_name(*it) == "place");
        if !is_place {
            let (more, new_end) = self.list(scope, end, cue.kind);
            names.extend(more);
            end = new_end;
        }
        (names, end)
    }

    /// The rest of "A, B and C" after A; without an "and" only "A" is sure.
    fn list(&self, scope: Scope<'_>, mut at: usize, kind: CueKind) -> (Vec<&'a str>, usize) {
        let start = at;
        let mut names = Vec::new();
        loop {
            let is_last = scope.word(at).is_some_and(|it| it == "and")
                || (scope.is_comma(at) && scope.word(at + 1) == Some("and"));
            // Behind "son of", a comma puts a title or an apposition, not a second parent.
            if !is_last && (!scope.is_comma(at) || kind == CueKind::Noun) {
                return (Vec::new(), start);
            }
            at += if is_last && scope.is_comma(at) { 2 } else { 1 };
            let is_subject = scope
                .word(at + 1)
                .is_some_and(|it| is_auxiliary(it) || is_adverb(it) || it == "who");
            let Some(mention) = scope.head(at).filter(|_| !is_subject) else {
                return (Vec::new(), start);
            };
            names.push(self.name(Party::Mention(mention)));
            at += 1;
            if is_last {
                return (names, at);
            }
        }
    }

    fn value(
        &self,
        scope: Scope<'_>,
        mut at: usize,
        predicate: &Predicate,
    ) -> Option<(Vec<&'a str>, usize)> {
        let opens = |it: &str| {
            [
                "on",
                "in",
                "at",
                "from",
                "about",
                "around",
                "approximately",
                "only",
                "just",
                "c",
                "circa",
                "every",
            ]
            .contains(&it)
        };
        let start = at;
        while at < start + 2 && scope.word(at).is_some_and(opens) {
            at += 1;
        }
        let token = scope.tokens.get(at)?;
        let Kind::Value(kind) = token.kind else { return None };
        let describes =
            scope.word(at + 1).is_some_and(|it| !is_function_word(it) && !is_adverb(it));
        let is_number = kind == ValueKind::Number;
        (predicate.values.contains(&kind) && (!describes || is_number))
            .then(|| (vec![self.text(std::slice::from_ref(token))], at + 1))
    }

    /// "born 12 May 1950 in Lund", "born in Lund on 12 May 1950": the same verb with another preposition.
    fn second_object(
        &self,
        scope: Scope<'_>,
        end: usize,
        cue: &Cue,
        subject: Party,
        found: &mut Vec<Triple>,
    ) {
        let at = if scope.is_comma(end) { end + 1 } else { end };
        let Some(preposition) = scope.word(at).filter(|it| is_preposition(it)) else { return };
        let verb = cue.words[0].as_str();
        let cues =
            [self.types.ontology.cue(&[verb, preposition]), self.types.ontology.cue(&[verb])];
        for second in cues.into_iter().flatten().filter(|it| it.predicate != cue.predicate) {
            let (objects, _) = self.objects(scope, at + 1, second);
            let predicate = self.types.ontology.predicate(second);
            objects
                .iter()
                .for_each(|object| self.push(subject, predicate, second.order, object, found));
        }
    }

    /// "written and directed by": the predicates before a cue that share its "by", and where the first one starts.
    fn coordinated<'b>(
        &'b self,
        scope: Scope<'_>,
        at: usize,
        cue: &Cue,
        same: &mut Vec<&'b Predicate>,
    ) -> usize {
        let mut first = at;
        if cue.words.last().is_none_or(|it| it != "by") {
            return first;
        }
        while first > 1 && (scope.word(first - 1) == Some("and") || scope.is_comma(first - 1)) {
            let before = scope.word(first - 2).and_then(|it| self.types.ontology.cue(&[it, "by"]));
            let Some(before) = before else { break };
            same.push(self.types.ontology.predicate(before));
            first -= 2;
        }
        first
    }

    /// "Her father was Boso", "Ada's brother Carl": a noun cue without its "of".
    fn possession(&self, scope: Scope<'_>, at: usize, found: &mut Vec<Triple>) {
        let Some(token) = scope.tokens.get(at) else { return };
        let owner = match token.kind {
            Kind::Possessive => at.checked_sub(1).and_then(|it| scope.name(it)).map(Party::Mention),
            Kind::Word if is_possessive_pronoun(&token.lower) => self.possessor(scope, at),
            _ => None,
        };
        let Some(owner) = owner else { return };
        for start in at + 1..at + 4 {
            for end in (start + 1..start + 4).rev() {
                let mut words: Vec<&str> = (start..end).map_while(|it| scope.word(it)).collect();
                words.push("of");
                let cue = self
                    .types
                    .ontology
                    .cue(&words)
                    .filter(|it| it.kind == CueKind::Noun && words.len() == end - start + 1);
                if let Some(cue) = cue {
                    let links = scope.word(end).is_some_and(is_copula) || scope.is_comma(end);
                    let (objects, _) = self.objects(scope, end + usize::from(links), cue);
                    let predicate = self.types.ontology.predicate(cue);
                    if !is_doubted(scope, start) {
                        self.push_possessed(owner, predicate, cue.order, &objects, found);
                    }
                    return;
                }
            }
            if scope.word(start).is_none_or(is_function_word) {
                return;
            }
        }
    }

    fn push_possessed(
        &self,
        owner: Party,
        predicate: &Predicate,
        order: CueOrder,
        objects: &[&str],
        found: &mut Vec<Triple>,
    ) {
        let turned = match order {
            CueOrder::SubjectFirst => CueOrder::ObjectFirst,
            CueOrder::ObjectFirst => CueOrder::SubjectFirst,
        };
        objects.iter().for_each(|object| self.push(owner, predicate, turned, object, found));
    }

    fn possessor(&self, scope: Scope<'_>, at: usize) -> Option<Party> {
        let is_first = at == 0;
        if is_first && !self.sentence.subject.is_empty() {
            return Some(Party::Passage);
        }
        let between = scope.tokens.get(scope.clause.subject_end..at)?;
        let is_safe = !between.iter().any(|it| matches!(it.kind, Kind::Name(_)));
        match scope.clause.subjects[..] {
            [only] if is_safe => Some(only),
            _ => None,
        }
    }

    fn brackets(&self, found: &mut Vec<Triple>) {
        for (at, inside) in &self.tokens.brackets {
            let owner = at.checked_sub(1).and_then(|it| self.tokens.main.get(it));
            let Some(Kind::Name(mention)) = owner.map(|it| it.kind) else { continue };
            let clause = Clause {
                tokens: 0..inside.len(),
                subjects: vec![Party::Mention(mention)],
                subject_start: 0,
                subject_end: 0,
                verb: 0,
            };
            self.cues(
                Scope { tokens: inside, clause: &clause, ontology: self.types.ontology },
                found,
            );
            self.lifespan(inside, mention, found);
        }
    }

    fn lifespan(&self, inside: &[Token], mention: usize, found: &mut Vec<Triple>) {
        let is_date = |it: &&Token| it.kind == Kind::Value(ValueKind::Date);
        let dash = inside.iter().position(|it| matches!(it.kind, Kind::Mark('–' | '—')));
        let is_reign = inside.iter().any(|it| REIGN_WORDS.contains(&it.lower.as_str()));
        let Some(dash) = dash.filter(|_| !is_reign && inside.iter().filter(is_date).count() == 2)
        else {
            return;
        };
        let sides =
            [(&inside[..dash], Pattern::LifespanStart), (&inside[dash..], Pattern::LifespanEnd)];
        for (side, pattern) in sides {
            let Some(date) = side.iter().find(is_date) else { return };
            let Some(predicate) = self.types.ontology.predicate_of(pattern) else { return };
            if self.types.is(self.name(Party::Mention(mention)), &predicate.domain) {
                let date = self.text(std::slice::from_ref(date));
                self.push(Party::Mention(mention), predicate, CueOrder::SubjectFirst, date, found);
            }
        }
    }

    /// The subject with every other name of the sentence; without a subject, the first name with every other one.
    fn co_occurrences(&self, found: &mut Vec<Triple>) {
        let main = &self.tokens.main;
        let subject = self.clauses.first().and_then(|it| it.subjects.first().copied());
        let is_name = |it: &usize| matches!(main[*it].kind, Kind::Name(_));
        let mut names = (0..main.len()).filter(is_name).filter_map(|at| match main[at].kind {
            Kind::Name(mention) => Some(Party::Mention(mention)),
            _ => None,
        });
        let Some(subject) = subject.or_else(|| names.next()) else { return };
        for other in names {
            let (subject, other) = (self.name(subject), self.name(other));
            if fold(subject) != fold(other) {
                found.push((subject.to_owned(), None, other.to_owned()));
            }
        }
    }
}
