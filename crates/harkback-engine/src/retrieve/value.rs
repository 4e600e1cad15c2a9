//! Which dates, prices, times and numbers stand in a text?
//!
//! Not every number is a year: one of four digits counts as such unless a unit follows or it is part of something longer,
//! one of three digits only behind a word or in a bracket that says so.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::relation::is_function_word;
use crate::calendar::{MONTHS, WEEKDAYS, month};
use crate::ontology::ValueKind;

/// Year, month and day; 0 where it is not said.
pub(super) type Date = (i32, u8, u8);

/// A value in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// First byte.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    pub(super) kind: ValueKind,
    /// The date, where a year is said; a weekday and a day of every year have none.
    pub(super) date: Option<Date>,
}

impl Value {
    /// Whether it says when something happens again and again: a time of day, a weekday, a day of every year.
    pub(super) fn recurs(&self) -> bool {
        self.kind == ValueKind::Time || (self.kind == ValueKind::Date && self.date.is_none())
    }
}

/// Years that people live at most, so that two numbers may be a life.
const LONGEST_LIFE: i32 = 130;
const LAST_YEAR: i32 = 2100;
/// Words behind which a number is a name, not an amount or a year.
const NAMES_A_NUMBER: [&str; 14] = [
    "room",
    "no",
    "number",
    "extension",
    "ext",
    "page",
    "line",
    "suite",
    "flat",
    "building",
    "code",
    "bus",
    "flight",
    "channel",
];
/// Words behind which a number of three digits is a year.
const NAMES_A_YEAR: [&str; 13] =
    ["in", "born", "died", "since", "until", "year", "ad", "b", "d", "c", "ca", "circa", "anno"];

struct Patterns {
    value: Regex,
    short_life: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: &str| {
        Regex::new(pattern).expect("the pattern is a constant that a test compiles")
    };
    let month = format!("(?i:{})", MONTHS.join("|"));
    let weekday = format!("(?:{})s?", WEEKDAYS.join("|"));
    let clock = r"(?:\d{1,2}:\d{2}(?:\s?[ap](?:m\b|\.m\.))?|\d{1,2}\s?[ap](?:m\b|\.m\.)|(?:\d{1,2}|[a-z]+)\so['’]clock\b|noon\b|midnight\b)";
    let unit = r"(?:percent|(?:working|business)\sdays?|seconds?|minutes?|hours?|days?|weeks?|months?|years?|km|miles|people|inhabitants|residents)\b";
    let money = r"(?:dollars?|euros?|pounds?|cents?|pence|francs?|yen|crowns?|kron[aeo]r?|rupees?|pesos?|USD|EUR|GBP|CHF)\b";
    let value = format!(
        r"(?x)
        (?P<quantity>\d[\d,]*(?:\.\d+)?(?:\s?%|\s{unit}))
        |(?P<price>[$£€¥]\s?\d[\d,]*(?:\.\d+)?(?:\s(?:million|billion))?|\d[\d,]*(?:\.\d+)?\s?(?:{money}|[$£€¥]))
        |(?P<date>(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m1>{month})(?:,?\s+(?P<y1>\d{{3,4}}))?\b
            |(?P<m2>{month})\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y2>\d{{3,4}})\b)?
            |(?P<m3>{month}),?\s+(?P<y3>\d{{3,4}})\b
            |(?P<y4>\d{{4}})-(?P<m4>\d{{2}})-(?P<d4>\d{{2}})\b
            |{weekday}\b)
        |(?P<time>{clock}(?:\s?(?:to|until|and|–|-)\s?{clock})?)
        |(?P<year>(?:1\d|20)\d\d)\b
        |(?P<number>\d[\d,]*(?:\.\d+)?\b)"
    );
    Patterns {
        value: regex(&value),
        short_life: regex(
            r"[(;,:]\s*(?:(?:c|ca)\.?\s*|circa\s+)?(\d{3})\s*[–—-]\s*(?:(?:c|ca)\.?\s*|circa\s+)?(\d{3,4})\s*[);,]",
        ),
    }
});

/// The values of a text in their order, without overlap.
pub(super) fn values(text: &str) -> Vec<Value> {
    let mut values = Vec::<Value>::new();
    for found in PATTERNS.value.captures_iter(text) {
        let whole = found.get_match();
        if text[..whole.start()].ends_with(char::is_alphanumeric) {
            continue;
        }
        let (kind, date) = read(text, &found, values.last());
        values.push(Value { start: whole.start(), end: whole.end(), kind, date });
    }
    for life in PATTERNS.short_life.captures_iter(text) {
        let years = [1, 2].map(|it| life.get(it).expect("it is not optional"));
        let [Ok(from), Ok(to)] = years.map(|it| it.as_str().parse::<i32>()) else { continue };
        if !(from..=from + LONGEST_LIFE).contains(&to) {
            continue;
        }
        for value in &mut values {
            if let Some(year) = years.iter().find(|it| it.range() == (value.start..value.end)) {
                value.kind = ValueKind::Date;
                value.date = year.as_str().parse().ok().map(|it| (it, 0, 0));
            }
        }
    }
    values
}

/// What a match is, and the date it says.
fn read(text: &str, found: &Captures<'_>, last: Option<&Value>) -> (ValueKind, Option<Date>) {
    let number = |names: &[&str]| {
        names.iter().find_map(|it| found.name(it)).and_then(|it| it.as_str().parse::<i32>().ok())
    };
    if found.name("date").is_some() {
        let named = ["m1", "m2", "m3"].iter().find_map(|it| found.name(it));
        let month =
            named.and_then(|it| month(it.as_str())).map_or(number(&["m4"]), |it| Some(it.into()));
        let small = |it: Option<i32>| it.and_then(|it| u8::try_from(it).ok()).unwrap_or(0);
        let year = number(&["y1", "y2", "y3", "y4"]).filter(|it| *it <= LAST_YEAR);
        return (
            ValueKind::Date,
            year.map(|it| (it, small(month), small(number(&["d1", "d2", "d4"])))),
        );
    }
    for (name, kind) in [("price", ValueKind::Price), ("time", ValueKind::Time)] {
        if found.name(name).is_some() {
            return (kind, None);
        }
    }
    let whole = found.get_match();
    let is_year = match whole.as_str().len() {
        4 if found.name("year").is_some() => is_year(text, whole.start(), whole.end(), last),
        3 => is_short_year(text, whole.start(), whole.end()),
        _ => false,
    };
    let date = whole.as_str().parse().ok().filter(|_| is_year).map(|it| (it, 0, 0));
    (date.map_or(ValueKind::Number, |_| ValueKind::Date), date)
}

/// Whether four digits are a year: not a part of a longer number, no room, and nothing that is counted.
fn is_year(text: &str, start: usize, end: usize, last: Option<&Value>) -> bool {
    let joint = last.map(|it| (it, &text[it.end..start]));
    let is_continued = joint.is_some_and(|(it, gap)| {
        it.kind == ValueKind::Number && matches!(gap, " " | "-" | "." | "/" | "–")
    });
    let before = word_before(text, start);
    let counts = word_behind(text, end).is_some_and(|it| {
        it.len() > 3 && it.ends_with('s') && !it.ends_with("ss") && !is_function_word(it)
    });
    let owns = ["has", "have", "had"].contains(&before.as_str());
    let opens = is_function_word(&before)
        || ["", "the", "a", "an", "early", "late", "mid"].contains(&before.as_str());
    let is_amount = counts && (owns || !opens);
    !is_continued && !is_amount && !NAMES_A_NUMBER.contains(&before.as_str())
}

/// Whether three digits are a year: a word before says so and nothing is counted.
fn is_short_year(text: &str, start: usize, end: usize) -> bool {
    let is_named = NAMES_A_YEAR.contains(&word_before(text, start).as_str());
    is_named && word_behind(text, end).is_none_or(|it| is_function_word(it) || it == "and")
}

/// The word right before a place, in lower case, without its full stop.
fn word_before(text: &str, at: usize) -> String {
    let before = text[..at].trim_end();
    let before = before.strip_suffix('.').unwrap_or(before);
    let start = before
        .rfind(|it: char| !it.is_alphanumeric())
        .map_or(0, |it| it + before[it..].chars().next().map_or(0, char::len_utf8));
    before[start..].to_lowercase()
}

/// The word right behind a place, with nothing but a space between, if it has no capital.
fn word_behind(text: &str, at: usize) -> Option<&str> {
    let rest = text[at..].strip_prefix(' ')?;
    let word = rest.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
    word.starts_with(char::is_lowercase).then_some(word)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expected: Expect) {
        let show = |it: &Value| format!("{:?}:{} {:?}", it.kind, &text[it.start..it.end], it.date);
        expected.assert_eq(&values(text).iter().map(show).collect::<Vec<_>>().join(" | "));
    }

    #[test]
    fn not_every_number_is_a_year() {
        for text in [
            "The Grand Hotel has 250 rooms.",
            "The Grand Hotel has 1200 rooms.",
            "Call 555-0188, 555-1988 or 0550 1990.",
            "Room 1204 is next to room 120.",
            "It costs $1990, 1500 euros or 300 crowns.",
            "It is eaten in 250 homes by 1,999 dogs (pages 250–300).",
        ] {
            let dates: Vec<Value> =
                values(text).into_iter().filter(|it| it.kind == ValueKind::Date).collect();
            assert_eq!(dates, [], "{text}");
        }
    }

    #[test]
    fn years_are_told_by_what_stands_around_them() {
        check(
            "He was born in 803 (c. 770 – 840).",
            expect![
                "Date:803 Some((803, 0, 0)) | Date:770 Some((770, 0, 0)) | Date:840 Some((840, 0, 0))"
            ],
        );
        check(
            "It is a 1990 film; in 1999 scientists found it, 1990–1995.",
            expect![
                "Date:1990 Some((1990, 0, 0)) | Date:1999 Some((1999, 0, 0)) | Date:1990 Some((1990, 0, 0)) | Date:1995 Some((1995, 0, 0))"
            ],
        );
        check(
            "May 3, 1971, 3 may 1950, the 4th of July 1776 and 2024-05-06",
            expect![
                "Date:May 3, 1971 Some((1971, 5, 3)) | Date:3 may 1950 Some((1950, 5, 3)) | Date:4th of July 1776 Some((1776, 7, 4)) | Date:2024-05-06 Some((2024, 5, 6))"
            ],
        );
    }

    #[test]
    fn what_comes_again_has_no_year() {
        check(
            "On Tuesdays from 8 am to 5:30 p.m., at nine o'clock, on 12 May",
            expect![
                "Date:Tuesdays None | Time:8 am to 5:30 p.m. None | Time:nine o'clock None | Date:12 May None"
            ],
        );
        assert!(values("Mondays, noon, 1 June").iter().all(Value::recurs));
        assert!(!values("1 June 1990, 12 days").iter().any(Value::recurs));
    }
}
