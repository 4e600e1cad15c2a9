//! What kind of answer does a question want, and does a sentence carry one?

use std::sync::LazyLock;

use regex::Regex;

use super::date::{Event, date_of, has_date};
use super::kinship::Kin;
use crate::retrieve::fact::MONTHS;

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Date(Option<Event>),
    Place(Option<Event>),
    Country,
    Number,
    Price,
    Reason,
    /// Somebody, or somebody's relative of this kind.
    Person(Option<Kin>),
    Anything,
}

struct Patterns {
    when: Regex,
    price: Regex,
    money: Regex,
    how_many: Regex,
    place: Regex,
    country: Regex,
    why: Regex,
    who: Regex,
    birth: Regex,
    death: Regex,
    number: Regex,
    reason: Regex,
    at_place: Regex,
    born_at: Regex,
    born_in_brackets: Regex,
    from_place: Regex,
    died_at: Regex,
    died_in_brackets: Regex,
    nationality: Regex,
    name: Regex,
}

/// A capitalised word that is no month.
const NAME: &str = r"\p{Lu}[\p{L}.'’-]+";

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: &str| {
        Regex::new(pattern).expect("the pattern is a constant that a test compiles")
    };
    Patterns {
        when: regex(r"(?i)\bwhen\b|\bdate\b|\b(?:what|which) (?:year|month|day)\b"),
        price: regex(
            r"(?i)\b(?:how much (?:is|are|does|do|for)|what does .* cost|(?:price|cost|fee|charge)s?)\b",
        ),
        money: regex(
            r"(?i)[$€£¥]\s?\d|\d\s?[$€£¥]|\b(?:\d+|[a-z]+) (?:dollars?|euros?|pounds?|cents?|francs?|yen)\b|\bfree\b",
        ),
        how_many: regex(
            r"(?i)\bhow (?:many|much|long|old|far|tall|big|large)\b|\bpopulation\b|\bnumber of\b",
        ),
        place: regex(
            r"(?i)\bwhere\b|\bplace\b|\b(?:what|which) (?:city|town|village|county|state|location|building|room)\b",
        ),
        country: regex(r"(?i)\bnationality\b|\bcountry\b|\bcitizen"),
        why: regex(r"(?i)\bwhy\b|\bcause\b|\breason\b"),
        who: regex(r"(?i)\bwho(?:m|se)?\b"),
        birth: regex(r"(?i)\bborn\b|\bbirth\b"),
        death: regex(r"(?i)\bdied?\b|\bdeath\b"),
        number: regex(
            r"(?i)\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundred|thousand|million)\b",
        ),
        reason: regex(
            r"(?i)\b(?:because|due to|since|so that|caused?|reason|result of|diagnosed|disease|illness|cancer|suicide|accident|crash|murder(?:ed)?|killed|assassinated|executed|complications|heart attack|pneumonia|stroke|tuberculosis|wounds?)\b",
        ),
        at_place: regex(&format!(r"\b(?:in|at|near|from|to)\s+(?:the\s+)?{NAME}")),
        born_at: regex(&format!(
            r"\b[Bb]orn\b[^;]{{0,60}}?\b(?:in|at|near|from)\s+(?:\w+\s+){{0,3}}?{NAME}"
        )),
        born_in_brackets: regex(&format!(r"\([^()]*\d{{4}},?\s+(?:in\s+)?{NAME}")),
        from_place: regex(r"\b(?:native|birthplace|raised|grew up|comes from)\b"),
        died_at: regex(&format!(
            r"\b(?:[Dd]ied|[Dd]eath|killed|murdered|executed|drowned)\b[^;]{{0,60}}?\b(?:in|at|near)\s+(?:\w+\s+){{0,3}}?{NAME}"
        )),
        died_in_brackets: regex(&format!(r"[–—-][^()]*\d{{3,4}},?\s+(?:in\s+)?{NAME}")),
        nationality: regex(&format!(
            r"\b(?:is|was|are|were)\s+(?:an?|the)\s+[^.]{{0,40}}?{NAME}|\b(?:in|from|of)\s+(?:the\s+)?{NAME}"
        )),
        name: regex(NAME),
    }
});

impl Wanted {
    /// What a question wants; `rest` is the question without the names it asks about.
    pub(super) fn of(rest: &str) -> Self {
        let patterns = &*PATTERNS;
        let event = || match () {
            () if patterns.death.is_match(rest) => Some(Event::Death),
            () if patterns.birth.is_match(rest) => Some(Event::Birth),
            () => None,
        };
        if patterns.when.is_match(rest) {
            Self::Date(event())
        } else if patterns.price.is_match(rest) {
            Self::Price
        } else if patterns.how_many.is_match(rest) {
            Self::Number
        } else if patterns.country.is_match(rest) {
            Self::Country
        } else if patterns.place.is_match(rest) {
            Self::Place(event())
        } else if patterns.why.is_match(rest) {
            Self::Reason
        } else if patterns.who.is_match(rest) {
            let kin = crate::index::words(rest).find_map(|it| Kin::of_word(it.text));
            Self::Person(kin.map(|it| it.0))
        } else {
            Self::Anything
        }
    }

    /// How likely a sentence carries such an answer: 0..=1, and up to 2 where it names the very relation.
    pub(super) fn in_sentence(self, sentence: &str) -> f32 {
        let patterns = &*PATTERNS;
        match self {
            Self::Date(None) => f32::from(has_date(sentence)),
            Self::Date(Some(event)) => match date_of(event, sentence) {
                Some(_) => 1.0,
                None => 0.3 * f32::from(has_date(sentence)),
            },
            Self::Price => f32::from(patterns.money.is_match(sentence)),
            Self::Number => f32::from(patterns.number.is_match(sentence)),
            Self::Reason => f32::from(patterns.reason.is_match(sentence)),
            Self::Country => f32::from(names_something(&patterns.nationality, sentence)),
            Self::Place(event) => {
                let is = |it: &Regex| names_something(it, sentence);
                match event {
                    Some(Event::Birth) if is(&patterns.born_at) => 1.0,
                    Some(Event::Birth) if is(&patterns.born_in_brackets) => 0.9,
                    Some(Event::Birth) if patterns.from_place.is_match(sentence) => 0.7,
                    Some(Event::Death) if is(&patterns.died_at) => 1.0,
                    Some(Event::Death) if is(&patterns.died_in_brackets) => 0.9,
                    _ => 0.5 * f32::from(is(&patterns.at_place)),
                }
            }
            Self::Person(None) => {
                f32::from(patterns.name.find_iter(sentence).any(|it| it.start() > 0))
            }
            Self::Person(Some(kin)) => {
                let mut names = patterns.name.find_iter(sentence).filter(|it| it.start() > 0);
                let is_kin = names.any(|it| Kin::before_name(&sentence[..it.start()]) == Some(kin));
                if is_kin { 2.0 } else { 0.0 }
            }
            Self::Anything => 0.5,
        }
    }
}

/// Whether a pattern that ends with a name is found with one that is no month.
fn names_something(pattern: &Regex, sentence: &str) -> bool {
    pattern.find_iter(sentence).any(|it| {
        let last = it.as_str().rsplit(|it: char| it.is_whitespace()).next().unwrap_or_default();
        !MONTHS.contains(&last.trim_end_matches(['.', ',']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_say_what_they_want() {
        for (rest, wanted) in [
            ("When did  die?", Wanted::Date(Some(Event::Death))),
            ("Where was  born?", Wanted::Place(Some(Event::Birth))),
            ("What is the place of death of ?", Wanted::Place(Some(Event::Death))),
            ("Which country is  from?", Wanted::Country),
            ("How many rooms has ?", Wanted::Number),
            ("how much is a room", Wanted::Price),
            ("Who is the mother of ?", Wanted::Person(Some(Kin::Parent))),
            ("Who runs ?", Wanted::Person(None)),
            ("Which award did  win?", Wanted::Anything),
        ] {
            assert_eq!(Wanted::of(rest), wanted, "{rest}");
        }
    }

    #[test]
    fn sentences_that_carry_it_stand_out() {
        let best = |wanted: Wanted, sentences: &[&str]| {
            let values: Vec<f32> = sentences.iter().map(|it| wanted.in_sentence(it)).collect();
            assert!(values[1..].iter().all(|it| *it < values[0]), "{wanted:?}: {values:?}");
        };
        best(
            Wanted::Place(Some(Event::Birth)),
            &["He was born in Lund.", "He moved to Lund.", "He sang."],
        );
        best(Wanted::Place(None), &["The clinic is in Lund.", "The clinic opened in March 2020."]);
        best(
            Wanted::Date(Some(Event::Death)),
            &["She died in 1980.", "She moved in 1970.", "She sang."],
        );
        best(
            Wanted::Person(Some(Kin::Parent)),
            &["Ann, daughter of Eve Holm.", "Ann married Eve Holm."],
        );
        best(Wanted::Reason, &["It is closed because of repairs.", "It is closed."]);
        best(Wanted::Price, &["Everybody else pays 20 dollars.", "Room 20 is on floor 2."]);
        best(Wanted::Number, &["It has 40 rooms.", "It has rooms."]);
    }
}
