//! Which stretches of a text are spoken, each as a sentence?
//!
//! What only the eye needs is in no stretch: the mark before a list item, the stamp before a turn of a chat, a rule of dashes.

use super::heading::headings;
use super::sentence::sentences;
use super::stamp::Chat;
use crate::model::Span;

/// A turn of a chat up to this length is one sentence, so that who says it stays with all that is said.
const MAX_TURN_WORDS: usize = 40;

/// The sentences of a passage, in order and without overlap, trimmed; at least one where the text is not blank.
///
/// Each line is a sentence or several, as [`sentences`] has it; a turn of a chat is one, with its speaker and without its
/// stamp.
pub(crate) fn spoken(text: &str) -> Vec<Span> {
    let chat = Chat::of(text);
    let mut spans = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        push_line(&mut spans, &chat, line, line_start);
        line_start += line.len();
    }
    if spans.is_empty() { sentences(text) } else { spans }
}

/// The sentences of a chunk, which is cut by size: as [`spoken`], without headings where there is anything else.
pub(crate) fn spoken_of_chunk(text: &str, title: &str) -> Vec<Span> {
    let headings = headings(text, title);
    let is_under =
        |it: &Span| !headings.iter().any(|(_, line)| line.contains(&(it.start as usize)));
    let all = spoken(text);
    let kept: Vec<Span> = all.iter().copied().filter(is_under).collect();
    if kept.is_empty() { all } else { kept }
}

fn push_line(spans: &mut Vec<Span>, chat: &Chat<'_>, line: &str, line_start: usize) {
    let name = chat.name_in(line);
    let start = name.unwrap_or_else(|| marker_len(line));
    let body = &line[start..];
    let offset = |at: usize| u32::try_from(line_start + start + at).expect("texts are below 4 GiB");
    if name.is_some() && body.split_whitespace().take(MAX_TURN_WORDS + 1).count() <= MAX_TURN_WORDS
    {
        spans.push(Span { start: offset(0), end: offset(body.trim_end().len()) });
        return;
    }
    let parts = sentences(body).into_iter();
    let has_words =
        |it: &Span| body[it.start as usize..it.end as usize].contains(char::is_alphanumeric);
    spans.extend(
        parts
            .filter(has_words)
            .map(|it| Span { start: offset(it.start as usize), end: offset(it.end as usize) }),
    );
}

/// Bytes of white space, bullet and task box before a list item's words.
fn marker_len(line: &str) -> usize {
    let mut rest = line.trim_start();
    for bullet in ["-", "*", "+", "•", "‣", "·", "–"] {
        if let Some(item) = rest.strip_prefix(bullet).filter(|it| it.starts_with([' ', '\t'])) {
            rest = item.trim_start();
            break;
        }
    }
    if rest.len() < line.trim_start().len() {
        for task in ["[ ] ", "[x] ", "[X] "] {
            rest = rest.strip_prefix(task).unwrap_or(rest);
        }
    }
    line.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::{spoken, spoken_of_chunk};
    use crate::model::Span;

    fn check(text: &str, spans: &[Span], expected: Expect) {
        let parts: Vec<&str> =
            spans.iter().map(|it| &text[it.start as usize..it.end as usize]).collect();
        expected.assert_eq(&parts.join(" | "));
    }

    #[test]
    fn items_are_sentences_without_their_marks() {
        let text = "Prices:\n- Puncture repair: 12 € plus tube\n- Small service: 49 €. Ask.\n  • Deep\n- [x] done\n1. First\n-5 degrees\n---\n";
        check(
            text,
            &spoken(text),
            expect![
                "Prices: | Puncture repair: 12 € plus tube | Small service: 49 €. | Ask. | Deep | done | 1. First | -5 degrees"
            ],
        );
        check("---", &spoken("---"), expect!["---"]);
        check(" \n", &spoken(" \n"), expect![""]);
    }

    #[test]
    fn turns_keep_their_speaker_and_lose_their_stamp() {
        let text = "[2026-11-02 09:17] Leyla: great. I told her so.\r\n[2026-11-02 09:20] Gus: ok\nIt is late. Bye.";
        check(
            text,
            &spoken(text),
            expect!["Leyla: great. I told her so. | Gus: ok | It is late. | Bye."],
        );
        let long = format!("(2026-11-02 09:17) Gus: {}Yes. No.", "word ".repeat(40));
        assert_eq!(spoken(&long).len(), 2);
    }

    #[test]
    fn chunks_are_spoken_without_headings() {
        let text = "# T\n\nTom Hill lives in Oslo.\n\n## Pets\n\nDogs are welcome. Cats are not.";
        check(
            text,
            &spoken_of_chunk(text, "T"),
            expect!["Tom Hill lives in Oslo. | Dogs are welcome. | Cats are not."],
        );
        check("# T", &spoken_of_chunk("# T", "T"), expect!["# T"]);
    }

    proptest! {
        #[test]
        fn sentences_are_in_order_and_trimmed(text in "([A-Za-z]{1,4}|[.!?:()\n -]|\\[|\\]|- |\\[09:2[0-9]\\] Gus: |é|日。){0,120}") {
            let mut at = 0;
            for span in spoken(&text) {
                let (start, end) = (span.start as usize, span.end as usize);
                prop_assert!(at <= start && start < end);
                prop_assert_eq!(text[start..end].trim(), &text[start..end]);
                at = end;
            }
            prop_assert_eq!(at == 0, text.trim().is_empty());
        }
    }
}
