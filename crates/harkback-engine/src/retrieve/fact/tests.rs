//! Sentences made to stand alone, case by case.

use expect_test::{Expect, expect};

use super::*;

fn check(sentence: &str, subject: &str, names: &[&str], previous: Option<&str>, expected: Expect) {
    let named = |it: &&str| {
        let start = sentence.find(it).unwrap();
        Named { start, end: start + it.len(), name: (*it).to_owned() }
    };
    let mentions: Vec<Named> = names.iter().map(named).collect();
    expected.assert_eq(&self_contained(sentence, subject, &mentions, previous));
}
const ADA: &str = "Ada Lovelace";

#[test]
fn pronouns_at_the_start_become_the_name() {
    check(
        "She married a baron in 1835.",
        ADA,
        &[],
        None,
        expect!["Ada Lovelace married a baron in 1835."],
    );
    check(
        "Her notes were printed in 1843.",
        ADA,
        &[],
        Some("Ada Lovelace wrote notes."),
        expect!["Ada Lovelace's notes were printed in 1843."],
    );
    check(
        "In 1843, she published her notes.",
        ADA,
        &[],
        Some("She was a mathematician."),
        expect!["In 1843, Ada Lovelace published her notes."],
    );
    check(
        "However, they were soon forgotten.",
        "The Peppers",
        &[],
        None,
        expect!["The Peppers were soon forgotten."],
    );
    check(
        "Their first song was a hit.",
        "The Peppers",
        &[],
        None,
        expect!["The Peppers' first song was a hit."],
    );
    check(
        "It opens at 08:00 on weekdays.",
        "Riverside Clinic",
        &[],
        None,
        expect!["Riverside Clinic opens at 08:00 on weekdays."],
    );
    check(
        "It's open on Sundays.",
        "Riverside Clinic",
        &[],
        None,
        expect!["Riverside Clinic: It's open on Sundays."],
    );
}

#[test]
fn nouns_that_stand_for_the_subject() {
    check(
        "The clinic opens at 08:00.",
        "Riverside Clinic",
        &[],
        None,
        expect!["Riverside Clinic opens at 08:00."],
    );
    check(
        "The film's music is by Bo Ek.",
        "Ice (2004 film)",
        &[],
        None,
        expect!["Ice's music is by Bo Ek."],
    );
    check(
        "This is a clinic for children.",
        "Riverside Clinic",
        &[],
        None,
        expect!["Riverside Clinic: This is a clinic for children."],
    );
    check(
        "The film director was ill.",
        "Ice",
        &[],
        Some("Ice is a film."),
        expect!["Ice: The film director was ill."],
    );
    check(
        "This happens when the filter is full.",
        "Aero Kettle",
        &[],
        None,
        expect!["Aero Kettle: This happens when the filter is full."],
    );
}

#[test]
fn left_alone_where_somebody_else_may_be_meant() {
    let film = Some("Ice is a 2004 film directed by Bo Ek.");
    check(
        "He also wrote the script with Carl Moe.",
        "Ice",
        &["Carl Moe"],
        film,
        expect!["He also wrote the script with Carl Moe."],
    );
    check("It was shot in Lund.", "Ice", &["Lund"], film, expect!["Ice was shot in Lund."]);
    check(
        "She met Carl in 1840.",
        ADA,
        &["Carl"],
        Some("Then Dora came to London."),
        expect!["She met Carl in 1840."],
    );
    check(
        "When he died, she left London.",
        ADA,
        &["London"],
        None,
        expect!["When he died, she left London."],
    );
    check(
        "Ada Lovelace wrote notes.",
        ADA,
        &["Ada Lovelace"],
        None,
        expect!["Ada Lovelace wrote notes."],
    );
    check(
        "Later Lovelace wrote notes.",
        ADA,
        &["Lovelace"],
        None,
        expect!["Later Lovelace wrote notes."],
    );
    check("It is said that Bo came.", "Ice", &["Bo"], None, expect!["It is said that Bo came."]);
}

#[test]
fn a_sentence_without_any_name_gets_one() {
    check(
        "Descale the tank once a month.",
        "Aero Kettle",
        &[],
        None,
        expect!["Aero Kettle: Descale the tank once a month."],
    );
    check(
        "But call us before you come.",
        "Riverside Clinic",
        &[],
        None,
        expect!["Riverside Clinic: call us before you come."],
    );
    check("", "Riverside Clinic", &[], None, expect![]);
    check("Nobody knows.", "", &[], None, expect!["Nobody knows."]);
}

fn check_speech(sentence: &str, expected: Expect) {
    expected.assert_eq(&speakable(sentence));
}

#[test]
fn what_cannot_be_read_out_is_dropped() {
    check_speech(
        "Lund (Swedish: Lund, pronounced [lɵnːd]) is a city[1][2, 3] in Skane [citation needed]",
        expect!["Lund is a city in Skane."],
    );
    check_speech(
        "Kyoto (京都) was( 794 – 1868) the capital (until 1868).",
        expect!["Kyoto was (794 – 1868) the capital (until 1868)."],
    );
    check_speech(
        "Ada (; 10 December 1815 – 27 November 1852) wrote.",
        expect!["Ada (10 December 1815 – 27 November 1852) wrote."],
    );
    check_speech("Ada (/ˈeɪdə/) wrote (see (the) notes).", expect!["Ada wrote (see (the) notes)."]);
}

#[test]
fn markup_is_dropped() {
    check_speech(
        "- **Opening hours**: see [the page](https://example.org/a_(b)) or `call` us",
        expect!["Opening hours: see the page or call us."],
    );
    check_speech("1. _Rinse_ the tank;", expect!["Rinse the tank."]);
    check_speech("## Delivery", expect!["Delivery."]);
    check_speech(
        "Set snake_case_names and 2 * 3 * 4 or 5*3*2 as they are",
        expect!["Set snake_case_names and 2 * 3 * 4 or 5*3*2 as they are."],
    );
    check_speech("  two   spaces , and\na line ", expect!["two spaces, and a line."]);
    check_speech("\"Really?\"", expect![[r#""Really?""#]]);
    check_speech("", expect![]);
}

#[test]
fn somebody_named_first_in_the_sentence_before_may_be_meant() {
    check(
        "He will repeat it on 6 November.",
        "Risks",
        &[],
        Some("Tom warned that the load test failed."),
        expect!["Risks: He will repeat it on 6 November."],
    );
}

#[test]
fn a_title_that_asks_names_nothing() {
    check(
        "It was turned into a clinic in 2017.",
        "Why some clinics moved to the store",
        &[],
        None,
        expect!["It was turned into a clinic in 2017."],
    );
}

#[test]
fn a_file_name_is_not_said() {
    check(
        "She was built in 2014.",
        "fleet_sheet.pdf",
        &[],
        None,
        expect!["She was built in 2014."],
    );
}
