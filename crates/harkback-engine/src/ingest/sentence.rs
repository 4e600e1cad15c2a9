//! Where do sentences begin and end?
//!
//! Unicode's rules (UAX #29) propose the bounds; the rules below take back those that English prose shows to be wrong:
//! after abbreviations and initials, before a lower-case word, inside brackets. One pass, linear in the text.

use unicode_segmentation::UnicodeSegmentation;

use crate::model::Span;

/// The sentences of `text`, in order. Each line end ends a sentence, so that list items and `key: value` lines are
/// sentences of their own. Every character that is not white space is in exactly one span; spans begin and end with such
/// a character. Sentences over 120 words are cut at semicolons.
///
/// Offsets are `u32`: `text` must be shorter than 4 GiB.
pub(crate) fn sentences(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        push_line(&mut spans, text, line_start, line);
        line_start += line.len();
    }
    spans
}

fn push_line(spans: &mut Vec<Span>, text: &str, line_start: usize, line: &str) {
    // List items and `key: value` lines seldom have a bound inside, and looking for one is slow.
    if line.is_ascii() && !line.trim_end().contains(['.', '!', '?', '\r']) {
        let start = line_start + (line.len() - line.trim_start().len());
        if !line.trim().is_empty() {
            push_sentence(spans, text, start, start + line.trim().len());
        }
        return;
    }
    let mut open: Option<Open> = None;
    for (at, part) in line.split_sentence_bound_indices() {
        let trimmed = part.trim();
        if trimmed.is_empty() {
            continue;
        }
        let start = line_start + at + (part.len() - part.trim_start().len());
        let end = start + trimmed.len();
        match &mut open {
            Some(sentence) if sentence.goes_on(&text[sentence.start..sentence.end], trimmed) => {
                sentence.extend(end, trimmed);
            }
            _ => {
                if let Some(done) = open.replace(Open::new(start, end, trimmed)) {
                    push_sentence(spans, text, done.start, done.end);
                }
            }
        }
    }
    if let Some(done) = open {
        push_sentence(spans, text, done.start, done.end);
    }
}

/// A sentence whose end is not certain yet.
struct Open {
    start: usize,
    end: usize,
    n_open_brackets: usize,
}

impl Open {
    fn new(start: usize, end: usize, part: &str) -> Self {
        let mut open = Self { start, end, n_open_brackets: 0 };
        open.extend(end, part);
        open
    }

    fn extend(&mut self, end: usize, part: &str) {
        self.end = end;
        for byte in part.bytes() {
            match byte {
                b'(' | b'[' => self.n_open_brackets += 1,
                b')' | b']' => self.n_open_brackets = self.n_open_brackets.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Whether the proposed bound between `left` and `right`, both trimmed and of one line, is wrong.
    fn goes_on(&self, left: &str, right: &str) -> bool {
        /// A bracket that is still open after so many bytes was never meant to be closed.
        const MAX_BRACKET_BYTES: usize = 400;
        if self.n_open_brackets > 0 && left.len() < MAX_BRACKET_BYTES {
            return true;
        }
        let Some(first) = right.chars().next() else { return true };
        if matches!(first, ')' | ']' | '}' | ',' | ';' | ':' | '”' | '’' | '»' | '…') {
            return true;
        }
        if first.is_lowercase() || is_lone_quote(right) {
            return true;
        }
        left.ends_with('.') && is_abbreviation_before(left, right)
    }
}

/// A closing quote that stands alone, or before a space: it closes what was said before.
fn is_lone_quote(right: &str) -> bool {
    let rest = right.trim_start_matches(['"', '\'']);
    rest.len() < right.len() && (rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Whether the full stop at the end of `left` belongs to its last word and does not end the sentence.
fn is_abbreviation_before(left: &str, right: &str) -> bool {
    let word = last_word(left);
    let bare = word.trim_start_matches(['(', '[', '"', '\'', '“', '‘']).trim_end_matches('.');
    if bare.is_empty() || word.ends_with("..") {
        return false;
    }
    let next = first_word(right);
    let starts_with_digit = next.starts_with(|it: char| it.is_ascii_digit());
    if word.len() == left.len() && is_enumerator(bare) {
        return true;
    }
    if TITLES.contains(&bare) {
        return true;
    }
    if BEFORE_NUMBERS.contains(&bare) {
        return starts_with_digit;
    }
    if MONTHS.contains(&bare) {
        return starts_with_digit;
    }
    let is_initial = bare.chars().count() == 1 && bare.chars().all(char::is_uppercase);
    let is_dotted =
        bare.contains('.') && bare.split('.').all(|it| (1..=2).contains(&it.chars().count()));
    if is_initial || is_dotted && !TIMES.contains(&bare) || AMBIGUOUS.contains(&bare) {
        return !STARTERS.contains(&next);
    }
    TIMES.contains(&bare) && DAYS.contains(&next)
}

/// `1`, `12`, `a`, `iv` at the start of a line number what follows.
fn is_enumerator(bare: &str) -> bool {
    bare.len() <= 3 && (bare.bytes().all(|it| it.is_ascii_digit()) || bare.len() == 1)
}

fn last_word(text: &str) -> &str {
    // Longer words are no abbreviations; the limit keeps one long word from being walked again and again.
    const MAX_WORD_BYTES: usize = 24;
    let from = text.floor_char_boundary(text.len().saturating_sub(MAX_WORD_BYTES));
    let tail = &text[from..];
    tail.rsplit(|it: char| it.is_whitespace() || it == '-' || it == '—').next().unwrap_or(tail)
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start_matches(['(', '[', '"', '\'', '“', '‘']);
    text.split(|it: char| !it.is_alphanumeric()).next().unwrap_or(text)
}

fn push_sentence(spans: &mut Vec<Span>, text: &str, start: usize, end: usize) {
    const MAX_WORDS: usize = 120;
    const CUT_WORDS: usize = 60;
    let sentence = &text[start..end];
    // A word takes two bytes at least, which spares the count for nearly all sentences.
    if sentence.len() <= 2 * MAX_WORDS || sentence.split_whitespace().count() <= MAX_WORDS {
        spans.push(span(start, end));
        return;
    }
    let (mut piece_start, mut piece_end, mut n_words) = (start, start, 0);
    let mut at = start;
    for clause in sentence.split_inclusive(';') {
        let clause_words = clause.split_whitespace().count();
        if n_words > 0 && n_words + clause_words > CUT_WORDS {
            push_trimmed(spans, text, piece_start, piece_end);
            (piece_start, n_words) = (at, 0);
        }
        at += clause.len();
        piece_end = at;
        n_words += clause_words;
    }
    push_trimmed(spans, text, piece_start, piece_end);
}

fn push_trimmed(spans: &mut Vec<Span>, text: &str, start: usize, end: usize) {
    let piece = &text[start..end];
    let trimmed = piece.trim();
    if !trimmed.is_empty() {
        let start = start + (piece.len() - piece.trim_start().len());
        spans.push(span(start, start + trimmed.len()));
    }
}

fn span(start: usize, end: usize) -> Span {
    let offset = |it: usize| u32::try_from(it).expect("documents are shorter than 4 GiB");
    Span { start: offset(start), end: offset(end) }
}

/// A name follows these.
const TITLES: &[&str] = &[
    "Mr", "Mrs", "Ms", "Mx", "Dr", "Drs", "Prof", "Rev", "Fr", "Hon", "Gen", "Col", "Maj", "Capt",
    "Cpt", "Lt", "Cmdr", "Adm", "Sgt", "Cpl", "Pvt", "Gov", "Sen", "Rep", "Pres", "Supt", "Msgr",
    "Mme", "Mlle", "Sir", "Mt", "Messrs", "vs", "e.g", "i.e", "cf", "viz", "al", "approx", "Ven",
    "Bp", "Abp", "Ald", "née", "Insp", "Det",
];

/// A number follows these, or they end the sentence.
const BEFORE_NUMBERS: &[&str] = &[
    "No", "no", "Nos", "nos", "Nr", "Vol", "vol", "Vols", "p", "pp", "Fig", "fig", "Figs", "figs",
    "Sec", "sec", "Ch", "ch", "Chap", "chap", "Art", "art", "Eq", "eq", "b", "c", "ca", "d", "r",
    "fl", "ext", "Ext", "tel", "Tel", "Pt", "Op", "op", "v", "Nr", "Rm", "Apt", "para", "min",
    "max",
];

const MONTHS: &[&str] =
    &["Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec"];

/// These end a sentence as often as not; the next word decides.
const AMBIGUOUS: &[&str] = &[
    "St", "Ste", "Sts", "Jr", "Sr", "Inc", "Ltd", "Co", "Corp", "Bros", "Ave", "Blvd", "Rd", "Ln",
    "Sq", "Pl", "Hwy", "Dept", "Univ", "Assn", "Ft", "Pty", "Cie", "Esq", "PhD", "Ph.D", "M.Sc",
    "B.Sc", "Intl", "Mfg", "Est", "est", "Gr", "lit", "trans",
];

const TIMES: &[&str] = &["a.m", "p.m", "A.M", "P.M", "etc"];

const DAYS: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Mondays",
    "Tuesdays",
    "Wednesdays",
    "Thursdays",
    "Fridays",
    "Saturdays",
    "Sundays",
    "Mon",
    "Tue",
    "Wed",
    "Thu",
    "Fri",
    "Sat",
    "Sun",
    "GMT",
    "UTC",
    "EST",
    "EDT",
    "PST",
    "CET",
];

/// Words that begin a sentence and hardly ever a name.
const STARTERS: &[&str] = &[
    "A",
    "About",
    "According",
    "After",
    "All",
    "Also",
    "Although",
    "An",
    "And",
    "Another",
    "Any",
    "As",
    "At",
    "Because",
    "Before",
    "Between",
    "Both",
    "But",
    "By",
    "Despite",
    "Due",
    "During",
    "Each",
    "Every",
    "Following",
    "For",
    "From",
    "Given",
    "He",
    "Her",
    "Here",
    "His",
    "How",
    "However",
    "I",
    "If",
    "In",
    "Instead",
    "It",
    "Its",
    "Later",
    "Like",
    "Many",
    "May",
    "Most",
    "My",
    "No",
    "Not",
    "Now",
    "Of",
    "On",
    "Once",
    "One",
    "Only",
    "Or",
    "Other",
    "Our",
    "Over",
    "Patients",
    "Please",
    "She",
    "Since",
    "So",
    "Some",
    "Such",
    "That",
    "The",
    "Their",
    "Then",
    "There",
    "These",
    "They",
    "This",
    "Those",
    "Though",
    "Through",
    "To",
    "Today",
    "Two",
    "Under",
    "Unlike",
    "Until",
    "Upon",
    "We",
    "What",
    "When",
    "Where",
    "Which",
    "While",
    "Who",
    "Why",
    "With",
    "Yet",
    "You",
    "Your",
];

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::sentences;

    fn check(text: &str, expected: Expect) {
        let parts: Vec<&str> =
            sentences(text).iter().map(|it| &text[it.start as usize..it.end as usize]).collect();
        expected.assert_eq(&parts.join(" | "));
    }

    #[test]
    fn abbreviations_do_not_end_a_sentence() {
        check(
            "Mr. Hale met Dr. Okafor and Mrs. Prieto. They talked.",
            expect!["Mr. Hale met Dr. Okafor and Mrs. Prieto. | They talked."],
        );
        check(
            "J. R. R. Tolkien wrote it. George W. Bush read it.",
            expect!["J. R. R. Tolkien wrote it. | George W. Bush read it."],
        );
        check(
            "He lives in the U.S. The U.S. Navy is there.",
            expect!["He lives in the U.S. | The U.S. Navy is there."],
        );
        check(
            "It is on Main St. The clinic is near St. Mary's.",
            expect!["It is on Main St. | The clinic is near St. Mary's."],
        );
        check(
            "Use fruit, e.g. Apples, or i.e. Pears. See Fig. 3 and No. 7. No. That is all.",
            expect![
                "Use fruit, e.g. Apples, or i.e. Pears. | See Fig. 3 and No. 7. | No. | That is all."
            ],
        );
        check(
            "Apple Inc. Chief Tim Cook spoke. Apple Inc. It grew.",
            expect!["Apple Inc. Chief Tim Cook spoke. | Apple Inc. | It grew."],
        );
        check(
            "We open at 8 a.m. Patients wait. We close at 5 p.m. Monday to Friday.",
            expect!["We open at 8 a.m. | Patients wait. | We close at 5 p.m. Monday to Friday."],
        );
        check(
            "She took vitamin C. It helped. Born Jan. 5, 1900, in Oslo.",
            expect!["She took vitamin C. | It helped. | Born Jan. 5, 1900, in Oslo."],
        );
        check("She has a Ph.D. Her thesis won.", expect!["She has a Ph.D. | Her thesis won."]);
    }

    #[test]
    fn numbers_quotes_and_brackets_stay_whole() {
        check(
            "It costs 3.50 or 1,000.25 euros. Pay now.",
            expect!["It costs 3.50 or 1,000.25 euros. | Pay now."],
        );
        check(
            "His book \" What is God?\" first came out in 1989. It sold.",
            expect![[r#"His book " What is God?" first came out in 1989. | It sold."#]],
        );
        check(
            "\"Come in!\" she said. \"Sit down.\" He sat.",
            expect![[r#""Come in!" she said. | "Sit down." | He sat."#]],
        );
        check(
            "The light (built in 1887. Red lamp.) still works. (It is old.) Go.",
            expect!["The light (built in 1887. Red lamp.) still works. | (It is old.) | Go."],
        );
        check("Wait... Then go! Really?! Yes.", expect!["Wait... | Then go! | Really?! | Yes."]);
        check(
            "“Is it open?” he asked. ‘Yes.’ Good.",
            expect!["“Is it open?” he asked. | ‘Yes.’ | Good."],
        );
    }

    #[test]
    fn lines_are_sentences() {
        check(
            "Hours\n- Monday: 8 to 5\n- Friday: closed. Call us.\n\n1. First. Then stop.\na. Second",
            expect![
                "Hours | - Monday: 8 to 5 | - Friday: closed. | Call us. | 1. First. | Then stop. | a. Second"
            ],
        );
        check("二つの文。次の文。\r\n終わり", expect!["二つの文。 | 次の文。 | 終わり"]);
        check(" \n\t ", expect![[r#""#]]);
    }

    #[test]
    fn very_long_sentences_are_cut_at_semicolons() {
        let clause = format!("{};", "word ".repeat(40).trim_end());
        let text = [clause.as_str(); 5].join(" ");
        assert_eq!(sentences(&text).len(), 5);
        assert_eq!(sentences(&[clause.as_str(); 3].join(" ")[..clause.len() * 2]).len(), 1);
        assert_eq!(sentences(&"word ".repeat(1000)).len(), 1);
    }

    #[test]
    fn time_is_linear() {
        for piece in [
            "a. ",
            ".",
            "(",
            "1. ",
            "Dr. ",
            "a.!? ",
            "x",
            "\"",
            ". . ",
            "\n",
            "A.a ",
            ";",
            ".) ",
            "\u{301}",
            "?\u{200d}",
        ] {
            sentences(&piece.repeat(300_000));
        }
    }

    proptest! {
        #[test]
        fn each_character_is_in_one_sentence(
            text in prop_oneof![".{0,120}", "([A-Za-z]{1,4}|[.!?;:()\"'“”\n ]|Dr\\. |[0-9]| |é|日。){0,120}"]
        ) {
            let mut at = 0;
            for span in sentences(&text) {
                let (start, end) = (span.start as usize, span.end as usize);
                prop_assert!(start < end && text[at..start].trim().is_empty());
                prop_assert_eq!(text[start..end].trim(), &text[start..end]);
                at = end;
            }
            prop_assert!(text[at..].trim().is_empty());
        }
    }
}
