//! What kind of answer does a question want, and does a sentence carry one?

use std::sync::LazyLock;

use regex::Regex;

use super::date::{Event, date_of};
use super::kinship::Kin;
use crate::calendar::MONTHS;
use crate::index::words;
use crate::ontology::ValueKind;
use crate::retrieve::value::{Value, values};

/// A kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Date(Option<Event>),
    /// When something happens again and again.
    Schedule,
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
    false_friends: Regex,
    recurs: Regex,
    date: Regex,
    price: Regex,
    money: Regex,
    how_many: Regex,
    place: Regex,
    country: Regex,
    why: Regex,
    birth: Regex,
    death: Regex,
    number: Regex,
    month: Regex,
    repeatedly: Regex,
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
        false_friends: regex(
            r"(?i)\b(?:in|tak(?:e|es|en|ing)|took) charge\b|\bcharge nurse\b|\b(?:tak(?:e|es|en|ing)|took|in) place\b|\bfirst place\b|\b(?:up )?to date\b|\bat (?:any|all) costs?\b|\bhow much is known\b",
        ),
        recurs: regex(
            r"(?i)\bwhen (?:is|are|does|do|can|could|may|must|should|will)\b|\b(?:what|which) (?:week)?days?\b|\b(?:what|which|opening|office|visiting|working) (?:times?|hours?)\b",
        ),
        date: regex(r"(?i)\bdate\b|\b(?:what|which) (?:year|month)\b"),
        price: regex(
            r"(?i)\bhow much (?:is|are|for)\b|\b(?:price|cost|fee|fare)s?\b|\bcharge[sd]? (?:for|to|per)\b|\b(?:do|does|did|will) .{1,40}\bcharge\b",
        ),
        money: regex(
            r"(?i)\b[a-z]+ (?:dollars?|euros?|pounds?|cents?|francs?|yen|crowns?)\b|(?:^|[^-\p{L}])free\b",
        ),
        how_many: regex(
            r"(?i)\bhow (?:many|much|long|old|far|tall|big|large)\b|\bpopulation\b|\bnumber of\b",
        ),
        place: regex(
            r"(?i)\bplace\b|\b(?:what|which) (?:city|town|village|county|state|location|building|room)\b",
        ),
        country: regex(r"(?i)\bnationality\b|\bcountry\b|\bcitizen"),
        why: regex(r"(?i)\bwhy\b|\bcause\b|\breason\b"),
        birth: regex(r"(?i)\bborn\b|\bbirth(?:day|place)?\b"),
        death: regex(r"(?i)\bdied?\b|\bdeath\b"),
        number: regex(
            r"(?i)\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundred|thousand|million)\b",
        ),
        month: regex(&format!(
            r"\b(?i:in|of|until|since|from|to|by|every|each|early|late|mid)[ -](?:{})\b",
            MONTHS.join("|")
        )),
        repeatedly: regex(
            r"(?i)\b(?:daily|weekly|monthly|yearly|weekdays|weekends?|(?:every|each) (?:day|morning|afternoon|evening|night|week|month|year)|(?:at|until|till|past|to) (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|in the (?:morning|afternoon|evening))\b",
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
        let rest = &*patterns.false_friends.replace_all(rest, " ");
        let event = || match () {
            () if patterns.death.is_match(rest) => Some(Event::Death),
            () if patterns.birth.is_match(rest) => Some(Event::Birth),
            () => None,
        };
        let person = || {
            let kin = words(rest).find_map(|it| Kin::of_word(it.text));
            Self::Person(kin.map(|it| it.0))
        };
        let recurs = patterns.recurs.is_match(rest);
        match Asking::of(rest) {
            Some(Asking::When) if recurs && event().is_none() => Self::Schedule,
            Some(Asking::When) => Self::Date(event()),
            Some(Asking::Where) => Self::Place(event()),
            Some(Asking::Why) => Self::Reason,
            Some(Asking::Who) => person(),
            None if patterns.date.is_match(rest) => Self::Date(event()),
            None if recurs => Self::Schedule,
            None if patterns.price.is_match(rest) => Self::Price,
            None if patterns.how_many.is_match(rest) => Self::Number,
            None if patterns.country.is_match(rest) => Self::Country,
            None if patterns.place.is_match(rest) => Self::Place(event()),
            None if patterns.why.is_match(rest) => Self::Reason,
            None => Self::Anything,
        }
    }

    /// How likely a sentence carries such an answer: 0..=1, and up to 2 where it names the very relation.
    pub(super) fn in_sentence(self, sentence: &str) -> f32 {
        let patterns = &*PATTERNS;
        let values = values(sentence);
        let is_dated = |it: &Value| it.date.is_some();
        match self {
            Self::Date(None) => match (has(&values, is_dated), has(&values, Value::recurs)) {
                (true, _) => 1.0,
                (false, true) => 0.7,
                _ => 0.7 * f32::from(patterns.month.is_match(sentence)),
            },
            Self::Date(Some(event)) => match date_of(event, sentence) {
                Some(_) => 1.0,
                None => 0.3 * f32::from(has(&values, is_dated)),
            },
            Self::Schedule => {
                let recurs = has(&values, Value::recurs) || patterns.repeatedly.is_match(sentence);
                let is_dated = || has(&values, is_dated) || patterns.month.is_match(sentence);
                if recurs { 1.0 } else { 0.5 * f32::from(is_dated()) }
            }
            Self::Price => {
                let is_price = has(&values, |it| it.kind == ValueKind::Price);
                f32::from(is_price || patterns.money.is_match(sentence))
            }
            Self::Number => {
                let is_amount =
                    |it: &Value| matches!(it.kind, ValueKind::Number | ValueKind::Price);
                match has(&values, is_amount) || patterns.number.is_match(sentence) {
                    true => 1.0,
                    false => 0.5 * f32::from(!values.is_empty()),
                }
            }
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

fn has(values: &[Value], is: impl Fn(&Value) -> bool) -> bool {
    values.iter().any(is)
}

/// What the first word that asks says; `when I come` behind another one asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    When,
    Where,
    Why,
    Who,
}

impl Asking {
    fn of(rest: &str) -> Option<Self> {
        let mut all = words(rest).map(|it| it.text.to_lowercase()).peekable();
        if all.peek().is_some_and(|it| IS_IT_SO.contains(&it.as_str())) {
            return None;
        }
        all.find_map(|it| match it.as_str() {
            "when" => Some(Some(Self::When)),
            "where" => Some(Some(Self::Where)),
            "why" => Some(Some(Self::Why)),
            "who" | "whom" | "whose" => Some(Some(Self::Who)),
            "what" | "which" | "how" => Some(None),
            _ => None,
        })?
    }
}

/// First words of a question whose answer is yes or no.
const IS_IT_SO: [&str; 11] =
    ["is", "are", "was", "were", "does", "did", "has", "have", "must", "should", "may"];

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
            ("When is  in?", Wanted::Schedule),
            ("On which days is  open?", Wanted::Schedule),
            ("What time does  close?", Wanted::Schedule),
            ("When did  open?", Wanted::Date(None)),
            ("What do I have to do when I come for ?", Wanted::Anything),
            ("Who stands in for  when she is away?", Wanted::Person(None)),
            ("Who is in charge of the garden?", Wanted::Person(None)),
            ("What does the nurse in charge do?", Wanted::Anything),
            ("What do you charge for parking?", Wanted::Price),
            ("Where do I pay the fee?", Wanted::Place(None)),
            ("Why is the price so high?", Wanted::Reason),
            ("Which event takes place in the hall?", Wanted::Anything),
            ("How much is known about ?", Wanted::Anything),
            ("Is the room free when I come?", Wanted::Anything),
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
            Wanted::Schedule,
            &["He is in on Tuesdays.", "He came in 1990.", "Room 120, telephone 555-0188."],
        );
        best(
            Wanted::Date(None),
            &["It opened in 1990.", "It is open from 9:00.", "It has 250 rooms."],
        );
        best(
            Wanted::Date(Some(Event::Death)),
            &["She died in 1980.", "She moved in 1970.", "She sang."],
        );
        best(
            Wanted::Person(Some(Kin::Parent)),
            &["Ann, daughter of Eve Holm.", "Ann married Eve Holm."],
        );
        best(Wanted::Reason, &["It is closed because of repairs.", "It is closed."]);
        best(Wanted::Price, &["Everybody else pays 20 dollars.", "Room 20, sugar-free."]);
        best(Wanted::Number, &["It has 40 rooms.", "It has rooms."]);
    }
}
