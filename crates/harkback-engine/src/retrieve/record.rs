//! How is a line of a record said: a row of a sheet, or a JSON object, as `key: value` lines?

use super::support::Support;

/// A key is not longer; what is longer before a colon is a sentence.
const MAX_WORDS_OF_KEY: usize = 4;
/// A value of so many words with a full stop behind it is a sentence.
const MIN_WORDS_OF_SENTENCE: usize = 4;

/// A line of a record with the record's name ("Dr. Brandt: room 110"); the line that names it stands for the record as a whole, up
/// to `max_words` words.
///
/// `None` if the passage is no record, that is if the passage's title is the value of none of its lines, or if the line is
/// no `key: value`.
pub(super) fn in_record(support: &Support<'_>, max_words: usize) -> Option<String> {
    let passage = support.passage;
    let lines: Vec<&str> = passage
        .sentences
        .iter()
        .map(|it| passage.text[it.start as usize..it.end as usize].trim())
        .collect();
    let title = passage.title.trim();
    let names_it = |it: &&str| field(it).is_some_and(|(_, value)| value == title);
    if title.is_empty() || lines.len() < 2 || !lines.iter().any(names_it) {
        return None;
    }
    let (key, value) = field(support.sentence)?;
    if value == title {
        return Some(whole(title, &lines, max_words));
    }
    let is_sentence =
        support.sentence.ends_with('.') && value.split(' ').count() >= MIN_WORDS_OF_SENTENCE;
    Some(match is_sentence {
        true if value.contains(title) => value.to_owned(),
        true => format!("{title}: {value}"),
        false => format!("{title}: {key} {value}"),
    })
}

/// The name and as many of the other values as are not too long to be heard.
fn whole(title: &str, lines: &[&str], max_words: usize) -> String {
    let mut said = title.to_owned();
    for (key, value) in lines.iter().filter_map(|it| field(it)).filter(|it| it.1 != title) {
        let more = format!(", {key} {value}");
        if said.split(' ').count() + more.split(' ').count() <= max_words {
            said.push_str(&more);
        }
    }
    said
}

/// The key and the value of a line, without the full stop at its end.
fn field(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(": ")?;
    let is_key = key.split_whitespace().count() <= MAX_WORDS_OF_KEY && !key.contains(['.', ',']);
    is_key.then(|| (key, value.trim().trim_end_matches('.')))
}

#[cfg(test)]
pub(super) mod tests {
    use super::in_record;
    use crate::model::Span;
    use crate::retrieve::support::Support;
    use crate::retrieve::tests::passage;

    /// Each line without its bullet, or each sentence of it.
    fn sentences(text: &str) -> Vec<Span> {
        let mut start = 0;
        let mut spans = Vec::new();
        for part in text.split_inclusive(['\n']).flat_map(|it| it.split_inclusive(". ")) {
            let body = part.trim_start_matches("- ");
            let (from, trimmed) = (start + part.len() - body.len(), body.trim());
            if !trimmed.is_empty() {
                spans.push(Span { start: from as u32, end: (from + trimmed.len()) as u32 });
            }
            start += part.len();
        }
        spans
    }

    /// What `say` makes of each sentence of a text.
    pub(in crate::retrieve) fn each_line(
        title: &str,
        text: &str,
        say: impl Fn(&Support<'_>) -> Option<String>,
    ) -> Vec<Option<String>> {
        let passage = passage(title, text, sentences(text));
        let said = |(number, span): (usize, &Span)| {
            let sentence = &passage.text[span.start as usize..span.end as usize];
            let passage = &passage;
            say(&Support {
                place: 0,
                number,
                passage,
                sentence,
                coverage: 0.0,
                words: 0.0,
                score: 0.0,
            })
        };
        passage.sentences.iter().enumerate().map(said).collect()
    }

    fn lines(title: &str, text: &str) -> Vec<Option<String>> {
        each_line(title, text, |it| in_record(it, 9))
    }

    #[test]
    fn lines_are_said_with_the_name() {
        let said = |it: &str| Some(it.to_owned());
        assert_eq!(
            lines(
                "Ada Brandt",
                "name: Ada Brandt\nroom: 110\ndays: Tuesday and Thursday\nbio: She likes to make kites. She is old."
            ),
            [
                said("Ada Brandt, room 110, days Tuesday and Thursday"),
                said("Ada Brandt: room 110"),
                said("Ada Brandt: days Tuesday and Thursday"),
                said("Ada Brandt: She likes to make kites"),
                None,
            ]
        );
    }

    #[test]
    fn lists_are_no_records() {
        assert_eq!(lines("Prices", "- Repair: 12 €\n- Service: 49 €"), [None, None]);
        assert_eq!(lines("", "name: \nx: 1"), [None, None]);
        assert_eq!(lines("A", "name: A"), [None]);
    }
}
