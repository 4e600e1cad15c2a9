//! Which dates does a sentence name, and which of them is a birth, a death or a beginning?

use std::sync::LazyLock;

use regex::Regex;

use crate::retrieve::fact::MONTHS;

/// Year, month and day; 0 where it is not said.
pub(super) type Date = (i32, u8, u8);

/// An event of which a date is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Birth,
    Death,
    /// Release, opening, foundation: the first date there is.
    Beginning,
}

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    let month =
        "(?:january|february|march|april|may|june|july|august|september|october|november|december)";
    pattern(&format!(
        r"(?i)\b(?:(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<m1>{month}),?\s+(?P<y1>\d{{3,4}})|(?P<m2>{month})\s+(?P<d2>\d{{1,2}}),?\s+(?P<y2>\d{{3,4}})|(?P<m3>{month})\s+(?P<y3>\d{{4}})|(?P<y4>[12]?\d{{3}}))\b"
    ))
});
/// `(… – …)`: a life in brackets.
static LIFE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\([^()]*\d{3,4}[^()]*?(?P<dash>[–—-])[^()]*\d{3,4}[^()]*\)"));
static BORN: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:born|b\.)"));
static DIED: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:died|dies|death|d\.)"));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that a test compiles")
}

/// Whether there is any date.
pub(super) fn has_date(sentence: &str) -> bool {
    DATE.is_match(sentence)
}

/// The date of an event, if the sentence says it of whom or what it is about.
pub(super) fn date_of(event: Event, sentence: &str) -> Option<Date> {
    let dates = dates(sentence);
    let life = LIFE.captures(sentence);
    let within = |start: usize, end: usize| {
        dates.iter().filter(move |it| (start..end).contains(&it.0)).map(|it| it.1)
    };
    let bounds = life.as_ref().map(|it| {
        let (whole, dash) =
            (it.get(0).expect("group 0"), it.name("dash").expect("it is not optional"));
        (whole.start(), dash.start(), whole.end())
    });
    match event {
        Event::Beginning => dates.first().map(|it| it.1),
        Event::Birth => match (bounds, BORN.find(sentence)) {
            (Some((start, dash, _)), _) => within(start, dash).next(),
            (None, Some(born)) => within(born.end(), sentence.len()).next(),
            (None, None) => None,
        },
        Event::Death => match (bounds, DIED.find(sentence)) {
            (Some((_, dash, end)), _) => within(dash, end).next(),
            (None, Some(died)) => within(died.end(), sentence.len()).next(),
            (None, None) => None,
        },
    }
}

/// Dates with the byte where each begins, in order.
fn dates(sentence: &str) -> Vec<(usize, Date)> {
    let date = |found: regex::Captures<'_>| {
        let number = |names: &[&str]| {
            let text = names.iter().find_map(|it| found.name(it))?.as_str();
            text.parse::<i32>().ok()
        };
        let month = ["m1", "m2", "m3"]
            .iter()
            .find_map(|it| found.name(it))
            .and_then(|it| MONTHS.iter().position(|month| it.as_str().eq_ignore_ascii_case(month)));
        let year = number(&["y1", "y2", "y3", "y4"]).filter(|it| *it <= 2100)?;
        let month = month.map_or(0, |it| it as u8 + 1);
        let day = number(&["d1", "d2"]).and_then(|it| u8::try_from(it).ok()).unwrap_or(0);
        Some((found.get(0)?.start(), (year, month, day)))
    };
    DATE.captures_iter(sentence).filter_map(date).collect()
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
    }

    #[test]
    fn a_beginning_is_the_first_date() {
        let sentence = "Low Tide is a 1999 film that was restored in 2012.";
        assert_eq!(date_of(Event::Beginning, sentence), Some((1999, 0, 0)));
        assert_eq!(date_of(Event::Birth, sentence), None);
        assert!(!has_date("The film is 90 minutes long."));
    }
}
