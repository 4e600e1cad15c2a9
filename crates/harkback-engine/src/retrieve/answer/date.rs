//! Which date of a sentence is a birth, a death or a beginning?

use std::sync::LazyLock;

use regex::Regex;

use crate::retrieve::value::{Date, values};

/// An event of which a date is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Birth,
    Death,
    /// Release, opening, foundation.
    Beginning,
}

/// `(… – …)`: a life in brackets, if dates stand on both sides.
static LIFE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\([^()]*\d{3,4}[^()]*?(?P<dash>[–—-])[^()]*\d{3,4}[^()]*\)"));
static BORN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:born|b\.)"));
static DIED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:died|dies|death|d\.)"));
static BEGAN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:opened|founded|established|formed|built|created|launched|started|began|begun|released|premiered|published|introduced|inaugurated|c[ao]me out)\b",
    )
});
/// What stands between a verb and a date that is another's.
static ANOTHER: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)[,;:]|\b(?:and|but)\b"));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that a test compiles")
}

/// The date of an event, if the sentence says it of whom or what it is about.
pub(super) fn date_of(event: Event, sentence: &str) -> Option<Date> {
    let dates = dates(sentence);
    let within = |start: usize, end: usize| {
        dates.iter().find(|it| (start..end).contains(&it.0)).map(|it| it.1)
    };
    let behind = |it: &Regex| within(it.find(sentence)?.end(), sentence.len());
    let life = LIFE.captures_iter(sentence).find_map(|it| {
        let (whole, dash) = (it.get_match(), it.name("dash").expect("it is not optional"));
        Some((within(whole.start(), dash.start())?, within(dash.start(), whole.end())?))
    });
    match event {
        Event::Beginning => beginning(sentence, &dates).or(dates.first().map(|it| it.1)),
        Event::Birth => life.map(|it| it.0).or_else(|| behind(&BORN)),
        Event::Death => life.map(|it| it.1).or_else(|| behind(&DIED)),
    }
}

/// The date behind a verb that says that something began.
fn beginning(sentence: &str, dates: &[(usize, Date)]) -> Option<Date> {
    BEGAN.find_iter(sentence).find_map(|verb| {
        let (start, date) = dates.iter().find(|it| it.0 >= verb.end())?;
        (!ANOTHER.is_match(&sentence[verb.end()..*start])).then_some(*date)
    })
}

/// Dates with a year and the byte where each begins, in order.
fn dates(sentence: &str) -> Vec<(usize, Date)> {
    values(sentence).into_iter().filter_map(|it| Some((it.start, it.date?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_a_life() {
        let sentence = "Mia Holm (1 March 1901 – April 2, 1980) was a gardener.";
        assert_eq!(date_of(Event::Birth, sentence), Some((1901, 3, 1)));
        assert_eq!(date_of(Event::Death, sentence), Some((1980, 4, 2)));
        let living = "Mia Holm (born June 1975 in Lund) is a gardener.";
        assert_eq!(date_of(Event::Birth, living), Some((1975, 6, 0)));
        assert_eq!(date_of(Event::Death, living), None);
        assert_eq!(date_of(Event::Death, "She died in Lund in 851."), Some((851, 0, 0)));
        let phone = "Mia Holm (555-0188) was born in 1901.";
        assert_eq!(date_of(Event::Birth, phone), Some((1901, 0, 0)));
        assert_eq!(date_of(Event::Death, phone), None);
    }

    #[test]
    fn a_beginning_is_the_date_behind_its_verb_or_the_first() {
        for (sentence, date) in [
            ("Low Tide is a 1999 film that was restored in 2012.", Some(1999)),
            ("The Grand Hotel has 250 rooms and opened in 1990.", Some(1990)),
            ("The hotel, renovated in 1990, opened on 3 May 1920.", Some(1920)),
            ("In 1920 the hotel opened and was renovated in 1990.", Some(1920)),
            ("The hotel was founded by Mia Holm, who died in 1990.", Some(1990)),
            ("The hotel has 250 rooms.", None),
            ("It opens at 8 am on Mondays.", None),
        ] {
            assert_eq!(date_of(Event::Beginning, sentence).map(|it| it.0), date, "{sentence}");
        }
        assert_eq!(date_of(Event::Birth, "Low Tide is a 1999 film."), None);
    }
}
