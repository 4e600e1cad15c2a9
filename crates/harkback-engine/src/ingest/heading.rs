//! Which lines of a text are headings, also where no mark says so?

use std::ops::Range;

use super::parse::shorten;
use super::title::Heading;

/// Headings are repeated as the titles of their passages.
const MAX_HEADING_CHARS: usize = 120;
/// A line without a mark that is longer is text.
const MAX_PLAIN_CHARS: usize = 80;
/// And one with more words.
const MAX_PLAIN_WORDS: usize = 8;
/// The text under a heading without a mark has as many words in its first line.
const MIN_BODY_WORDS: usize = 6;

/// Headings with the byte ranges of their lines: the `#` lines, or else short lines that stand over a text, numbered or
/// not ("1. Launch date", "Budget"), and the text's `title` where it is the first line.
pub(super) fn headings(text: &str, title: &str) -> Vec<(Heading, Range<usize>)> {
    let lines = lines(text);
    let marked: Vec<_> =
        lines.iter().filter_map(|it| Some((marked(it.text)?, it.range()))).collect();
    if !marked.is_empty() {
        return marked;
    }
    let is_head = |i: &usize| *i == 0 && is_title(&lines, title);
    let heading = |i: usize| {
        let level = if is_head(&i) { Some(1) } else { plain_level(&lines, i) };
        let name = shorten(lines[i].text.trim(), MAX_HEADING_CHARS);
        Some((Heading { level: level?, name, is_plain: true }, lines[i].range()))
    };
    (0..lines.len()).filter_map(heading).collect()
}

/// A line that is not blank.
struct Line<'a> {
    text: &'a str,
    start: usize,
    /// Whether it is the first of its paragraph.
    is_first: bool,
    /// Whether it is the last of its paragraph.
    is_last: bool,
}

impl Line<'_> {
    fn range(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let (mut start, mut is_first) = (0, true);
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            is_first = true;
            if let Some(above) = lines.last_mut() {
                above.is_last = true;
            }
        } else {
            lines.push(Line { text: line, start, is_first, is_last: false });
            is_first = false;
        }
        start += line.len();
    }
    if let Some(last) = lines.last_mut() {
        last.is_last = true;
    }
    lines
}

fn marked(line: &str) -> Option<Heading> {
    let level = line.bytes().take_while(|it| *it == b'#').count();
    let name = line[level..].trim();
    ((1..=6).contains(&level) && line[level..].starts_with(' ') && !name.is_empty())
        .then(|| Heading { level, name: shorten(name, MAX_HEADING_CHARS), is_plain: false })
}

fn is_title(lines: &[Line<'_>], title: &str) -> bool {
    lines.len() > 1 && lines[0].is_last && lines[0].text.trim() == title
}

/// The level of a heading without a mark: 2, or deeper by the depth of its number.
fn plain_level(lines: &[Line<'_>], i: usize) -> Option<usize> {
    let line = &lines[i];
    let below = lines.get(i + 1)?;
    if !line.is_first || !is_name(line.text) {
        return None;
    }
    let above = i.checked_sub(1).map_or(0, |it| depth(lines[it].text));
    match (depth(line.text), depth(below.text)) {
        (0, 0) if line.is_last => is_body(below.text).then_some(2),
        // In one paragraph with its text, it has to be a sentence that follows.
        (0, 0) => {
            let is_sentence = below.text.trim_end().ends_with(['.', '!', '?']);
            (is_sentence && is_body(below.text) && below.is_last).then_some(2)
        }
        (0, _) => None,
        // An item follows an item or has one after it, of the same depth.
        (own, next) => {
            let is_item = above >= own || next != 0 && next <= own;
            (!is_item && (next > own || is_body(below.text))).then_some((own + 1).min(6))
        }
    }
}

/// How many numbers are in front of a line: 1 for "2. Budget", 2 for "2.1 Rooms", 0 for "Budget" and "2 rooms".
fn depth(line: &str) -> usize {
    let line = line.trim_start();
    let rest = line.trim_start_matches(|it: char| it.is_ascii_digit() || it == '.' || it == ')');
    let number = &line[..line.len() - rest.len()];
    let is_number = number.len() <= 12
        && number.starts_with(|it: char| it.is_ascii_digit())
        && number.contains(['.', ')'])
        && rest.starts_with(' ');
    if !is_number {
        return 0;
    }
    number.split(['.', ')']).filter(|it| !it.is_empty()).count()
}

/// Whether a line may name what stands under it: short, no sentence, no item, no field.
fn is_name(line: &str) -> bool {
    let line = line.trim_end();
    let bare =
        line.trim_start_matches(|it: char| it.is_ascii_digit() || matches!(it, '.' | ')' | ' '));
    let is_short = line.chars().take(MAX_PLAIN_CHARS + 1).count() <= MAX_PLAIN_CHARS
        && bare.split_whitespace().count() <= MAX_PLAIN_WORDS;
    is_short
        && bare.starts_with(char::is_uppercase)
        && !line.starts_with([' ', '\t'])
        && !bare.ends_with(['.', '!', '?', ',', ';', ':', '…'])
        && !bare.contains([':', ';', '|', '\t', '@', '='])
        && !bare.contains(". ")
}

/// Whether a line is the beginning of a text.
fn is_body(line: &str) -> bool {
    let line = line.trim();
    let is_text =
        line.starts_with(|it: char| it.is_alphanumeric() || matches!(it, '"' | '“' | '('));
    is_text && line.split_whitespace().take(MIN_BODY_WORDS).count() == MIN_BODY_WORDS
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::headings;

    fn check(text: &str, title: &str, expected: Expect) {
        let shown: Vec<String> = headings(text, title)
            .iter()
            .map(|(it, line)| {
                assert!(text[line.clone()].contains(&it.name));
                format!("{} {}", it.level, it.name)
            })
            .collect();
        expected.assert_eq(&shown.join(" | "));
    }

    #[test]
    fn marks_say_what_headings_are() {
        check(
            "Budget\n\nIt was said that all of it is spent.\n\n## Risks\n#no\n####### no\n# \n",
            "Budget",
            expect!["2 Risks"],
        );
    }

    #[test]
    fn short_lines_over_a_text_are_headings() {
        let meeting = "Meeting notes, Project Lighthouse, 14 October 2026\n\nPresent: Anna Keller\n\n1. Launch date\nThe launch was moved \
            because the provider was late.\n\n2. Budget\n\n2.1 Rooms and other things\nRavi reported that 64,000 euros of it are spent.\n\n\
            Next meeting: 28 October";
        check(
            meeting,
            "Meeting notes, Project Lighthouse, 14 October 2026",
            expect![
                "1 Meeting notes, Project Lighthouse, 14 October 2026 | 2 1. Launch date | 2 2. Budget | 3 2.1 Rooms and other things"
            ],
        );
        check(
            "Spa\n\nThe spa is on the fifth floor of the house.\n\nPets\nDogs are welcome in rooms on the ground floor.",
            "x",
            expect!["2 Spa | 2 Pets"],
        );
    }

    #[test]
    fn items_names_and_ends_are_no_headings() {
        for text in [
            "1. Apples\n2. Pears\n3. Plums\n\nThat is all that we need to buy today.",
            "1. Apples\n\n2. Pears\n\nThat is all that we need to buy today.",
            "Dear Anna,\n\nwe are glad that you can come to us on Monday.",
            "We are glad that you can come to us.\n\nKind regards\n\nMarta Oliveira",
            "Marta Oliveira\nHotel Seeblick\n12 Lake Road\nSomewhere",
            "Hours: daily\n\nWe are glad that you can come to us on Monday.",
            "It ends here.\n\nWe are glad that you can come to us on Monday.",
        ] {
            check(text, "x", expect![""]);
        }
    }
}
