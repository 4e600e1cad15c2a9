//! Passages of graph memories: which stretch of a document is found and shown as one piece, and under which name?

use std::ops::Range;

use super::heading::headings;
pub(crate) use super::sentence::sentences;
use super::spoken::spoken;
use super::title::Outline;
use crate::model::{Document, Passage, Span};

/// Counts the tokens that a text takes in the embedder.
pub(crate) type CountTokens<'a> = dyn Fn(&str) -> usize + 'a;

/// Title and text together, so that the embedder's 512 positions hold both and its two marks.
const MAX_TOKENS: usize = 500;
/// Titles longer than this are cut by the embedder's caller or by nobody; they do not shrink a passage further.
const MAX_TITLE_TOKENS: usize = 120;
/// Paragraphs below this do not stand alone beside a neighbour.
const SHORT_TOKENS: usize = 48;
/// Merged paragraphs stay below this.
const MERGED_TOKENS: usize = 200;
/// No passage is longer, whatever its tokens: a megabyte without a space is one unknown token to the embedder.
const MAX_BYTES: usize = 6000;

/// Cuts a document into passages, in order: paragraphs, short neighbours under one heading merged; a record stays whole.
///
/// A passage's text is found in the document's text as it is. Its title names what it is about; see [`Outline`] for the
/// choice between the nearest heading and the document's title. A heading with nothing under it is text of its parent.
pub(crate) fn passages(document: &Document, count_tokens: &CountTokens<'_>) -> Vec<Passage> {
    let mut cutter = Cutter { document, count_tokens, passages: Vec::new() };
    if document.record_id.is_some() {
        cutter.push_section(&document.title, &[trimmed(&document.text, 0..document.text.len())]);
        return cutter.passages;
    }
    let headings = headings(&document.text, &document.title);
    let outline = Outline::new(&document.title, headings.iter().map(|it| it.0.clone()).collect());
    let mut at = 0;
    let mut section: Vec<Range<usize>> = Vec::new();
    let mut title = document.title.clone();
    for (i, (heading, line)) in headings.iter().enumerate() {
        section.extend(paragraphs(&document.text, at..line.start));
        at = line.end;
        let body_end = headings.get(i + 1).map_or(document.text.len(), |(_, next)| next.start);
        let has_body = !document.text[line.end..body_end].trim().is_empty();
        let has_children = headings.get(i + 1).is_some_and(|(next, _)| next.level > heading.level);
        cutter.push_section(&title, &std::mem::take(&mut section));
        title = outline.title_under(i);
        if !has_body && !has_children {
            let bare = document.text[line.clone()].trim_start_matches('#');
            let name = trimmed(&document.text, line.end - bare.len()..line.end);
            cutter.push_section(&outline.title_above(i), &[name]);
        }
    }
    section.extend(paragraphs(&document.text, at..document.text.len()));
    cutter.push_section(&title, &section);
    cutter.passages
}

/// One sentence that is the whole text.
pub(super) fn whole(text: &str) -> Vec<Span> {
    vec![Span {
        start: 0,
        end: u32::try_from(text.len()).expect("passages are shorter than 4 GiB"),
    }]
}

struct Cutter<'a> {
    document: &'a Document,
    count_tokens: &'a CountTokens<'a>,
    passages: Vec<Passage>,
}

impl Cutter<'_> {
    /// Makes passages of consecutive paragraphs under one title.
    fn push_section(&mut self, title: &str, paragraphs: &[Range<usize>]) {
        let max_tokens = MAX_TOKENS - self.tokens(title).min(MAX_TITLE_TOKENS);
        let mut open: Option<(Range<usize>, usize)> = None;
        for paragraph in paragraphs.iter().filter(|it| !it.is_empty()) {
            let n = self.tokens(&self.document.text[paragraph.clone()]);
            match &mut open {
                Some((range, total)) if self.belong_together(range, *total, n, max_tokens) => {
                    range.end = paragraph.end;
                    *total += n;
                }
                _ => {
                    if let Some((range, total)) = open.replace((paragraph.clone(), n)) {
                        self.push_range(title, range, total, max_tokens);
                    }
                }
            }
        }
        if let Some((range, total)) = open {
            self.push_range(title, range, total, max_tokens);
        }
    }

    fn belong_together(
        &self,
        open: &Range<usize>,
        total: usize,
        next: usize,
        max_tokens: usize,
    ) -> bool {
        let introduces = self.document.text[open.clone()].ends_with(':') && total < SHORT_TOKENS;
        let limit = if introduces { max_tokens } else { MERGED_TOKENS };
        (total < SHORT_TOKENS || next < SHORT_TOKENS) && total + next <= limit
    }

    fn push_range(&mut self, title: &str, range: Range<usize>, n_tokens: usize, max_tokens: usize) {
        let text = &self.document.text[range];
        if n_tokens <= max_tokens && text.len() <= MAX_BYTES {
            self.push_passage(title, text);
            return;
        }
        // Pieces of about the same size, so that no few words are left over at the end.
        let n_pieces = n_tokens.div_ceil(max_tokens).max(text.len().div_ceil(MAX_BYTES));
        let target = n_tokens.div_ceil(n_pieces);
        let (mut start, mut end, mut total) = (0, 0, 0);
        for unit in self.units(text, max_tokens) {
            let n = self.tokens(&text[unit.clone()]);
            let is_full = total + n > max_tokens || unit.end - start > MAX_BYTES;
            if total > 0 && (is_full || total + n / 2 > target) {
                self.push_passage(title, &text[start..end]);
                (start, total) = (unit.start, 0);
            }
            end = unit.end;
            total += n.max(1);
        }
        self.push_passage(title, &text[start..end]);
    }

    /// Sentences, and the halves of those that are too long, halved again at a space until they fit.
    fn units(&self, text: &str, max_tokens: usize) -> Vec<Range<usize>> {
        let mut units = Vec::new();
        for sentence in sentences(text) {
            let mut pending = Vec::new();
            pending.push(sentence.start as usize..sentence.end as usize);
            while let Some(range) = pending.pop() {
                let piece = &text[range.clone()];
                let fits = piece.len() <= MAX_BYTES
                    && (piece.len() < max_tokens || self.tokens(piece) <= max_tokens);
                let middle = range.start + cut_near_middle(piece);
                if fits || middle == range.start || middle == range.end {
                    units.push(range);
                    continue;
                }
                pending.push(trimmed(text, middle..range.end));
                pending.push(trimmed(text, range.start..middle));
            }
        }
        units
    }

    fn push_passage(&mut self, title: &str, text: &str) {
        let text = text.trim();
        let sentences = spoken(text);
        if !sentences.is_empty() {
            self.passages.push(Passage {
                record_id: self.document.record_id.clone(),
                title: title.to_owned(),
                place: self.document.place.clone(),
                text: text.to_owned(),
                sentences,
            });
        }
    }

    fn tokens(&self, text: &str) -> usize {
        if text.len() > 16 * MAX_BYTES {
            // Far too long for one passage in any case; four bytes a token is what English has.
            return text.len() / 4;
        }
        (self.count_tokens)(text)
    }
}

/// The last space before the middle, else the first after it, else the middle itself on a character's bound.
fn cut_near_middle(text: &str) -> usize {
    let middle = text.floor_char_boundary(text.len() / 2);
    let before = text[..middle].rfind(char::is_whitespace).filter(|it| *it > 0);
    before
        .or_else(|| text[middle..].find(char::is_whitespace).map(|it| middle + it))
        .unwrap_or(middle)
}

/// Stretches without a blank line, trimmed.
fn paragraphs(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut paragraphs = Vec::new();
    let mut open: Option<Range<usize>> = None;
    let mut at = range.start;
    for line in text[range].split_inclusive('\n') {
        let end = at + line.len();
        if !line.trim().is_empty() {
            open.get_or_insert(at..end).end = end;
        } else if let Some(done) = open.take() {
            paragraphs.push(trimmed(text, done));
        }
        at = end;
    }
    paragraphs.extend(open.map(|it| trimmed(text, it)));
    paragraphs
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::{MAX_BYTES, MAX_TOKENS, headings, passages};
    use crate::model::{Document, Passage};

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn cut(record_id: Option<&str>, text: &str) -> Vec<Passage> {
        let record_id = record_id.map(str::to_owned);
        passages(
            &Document { record_id, title: "Doc".to_owned(), place: None, text: text.to_owned() },
            &words,
        )
    }

    /// Each passage as `title: words in it`.
    fn check(record_id: Option<&str>, text: &str, expected: Expect) {
        let lines: Vec<String> = cut(record_id, text)
            .iter()
            .map(|it| format!("{}: {}", it.title, words(&it.text)))
            .collect();
        expected.assert_eq(&lines.join("\n"));
    }

    fn paragraph(n_words: usize) -> String {
        "One two three four. ".repeat(n_words / 4).trim().to_owned()
    }

    #[test]
    fn short_neighbours_are_merged_and_long_ones_are_not() {
        let [short, middle, long] = [20, 60, 180].map(paragraph);
        check(
            None,
            &[short.as_str(); 12].join("\n\n"),
            expect![[r#"
            Doc: 200
            Doc: 40"#]],
        );
        check(
            None,
            &[middle.as_str(); 3].join("\n\n"),
            expect![[r#"
            Doc: 60
            Doc: 60
            Doc: 60"#]],
        );
        check(
            None,
            &format!("{short}\n\n{long}\n\n{short}\n\n{middle}"),
            expect![[r#"
            Doc: 200
            Doc: 80"#]],
        );
        check(
            None,
            &format!("We offer:\n\n{long}\n\n# Other\n\n{short}"),
            expect![[r#"
            Doc: 182
            Doc – Other: 20"#]],
        );
    }

    #[test]
    fn too_long_ones_are_cut_evenly_at_sentences() {
        check(
            None,
            &paragraph(1200),
            expect![[r#"
            Doc: 400
            Doc: 400
            Doc: 400"#]],
        );
        check(
            Some("7"),
            &format!("{}\n\n# no heading\n\n{}", paragraph(200), paragraph(200)),
            expect!["Doc: 403"],
        );
        check(
            Some("7"),
            &paragraph(600),
            expect![[r#"
            Doc: 300
            Doc: 300"#]],
        );
        check(
            None,
            &"word ".repeat(1100),
            expect![[r#"
            Doc: 274
            Doc: 275
            Doc: 275
            Doc: 276"#]],
        );
        let lengths: Vec<usize> =
            cut(None, &"x".repeat(20_000)).iter().map(|it| it.text.len()).collect();
        expect!["[5000, 5000, 5000, 5000]"].assert_eq(&format!("{lengths:?}"));
    }

    #[test]
    fn headings_become_titles() {
        let text = "Intro text.\n\n# Doc\n\nA.\n\n## Hale House\n\nB.\n\n### Opening hours\n\nC.\n\n## Chapter 2: Wren House\n\n\
                    ### Opening hours\n\nD.\n\n### 2.1 Lamps and lenses\n\nE.\n\n## Why go there?\n\nF.\n\n## Bare\n\n## Faq\n\nG.";
        let shown: Vec<String> =
            cut(None, text).iter().map(|it| format!("[{}] {}", it.title, it.text)).collect();
        expect![[r#"
            [Doc] Intro text.
            [Doc] A.
            [Hale House] B.
            [Hale House – Opening hours] C.
            [Wren House – Opening hours] D.
            [Lamps and lenses] E.
            [Doc – Why go there?] F.
            [Doc] Bare
            [Doc – Faq] G."#]]
        .assert_eq(&shown.join("\n"));
    }

    proptest! {
        #[test]
        fn passages_cover_the_document(
            text in "([a-zA-Z]{1,9}|[.!?;:\n# ]|\n\n|\n# |é|x{300}| ){0,200}",
            is_record in any::<bool>(),
        ) {
            let document = Document {
                record_id: is_record.then(|| "1".to_owned()),
                title: "Doc".to_owned(),
                place: None,
                text: text.clone(),
            };
            let count = |it: &str| it.len().div_ceil(3);
            let mut n_solid = 0;
            for passage in passages(&document, &count) {
                prop_assert!(text.contains(&passage.text) && passage.text.len() <= MAX_BYTES);
                prop_assert!(count(&passage.text) <= MAX_TOKENS);
                n_solid += passage.text.chars().filter(|it| !it.is_whitespace()).count();
            }
            // Headings with text under them are in the titles only.
            let headings = headings(&text, "Doc");
            let n_heading: usize = headings.iter().map(|it| text[it.1.clone()].chars().filter(|it| !it.is_whitespace()).count()).sum();
            let n_all = text.chars().filter(|it| !it.is_whitespace()).count();
            prop_assert!(n_solid <= n_all);
            let n_untitled = if is_record { n_all } else { n_all - n_heading };
            prop_assert!(n_solid >= n_untitled);
        }
    }
}
