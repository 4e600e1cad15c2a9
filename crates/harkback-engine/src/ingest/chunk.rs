//! Chunks of vector memories: how is a text cut into pieces of a given size?

use text_splitter::{ChunkConfig, TextSplitter};

use super::segment::whole;
use crate::model::{Document, Passage};

/// Cuts a document into chunks of at most `chunk_size_chars` characters, at paragraph, sentence or word bounds where they
/// are in reach. Neighbours share up to `overlap_percent` of that size.
///
/// A size of 0 counts as 1; the overlap stays below the size, at 50 % at most. Chunks are trimmed and never empty.
pub(crate) fn chunks(
    document: &Document,
    chunk_size_chars: usize,
    overlap_percent: usize,
) -> Vec<Passage> {
    let size = chunk_size_chars.max(1);
    let overlap = (size.saturating_mul(overlap_percent.min(50)) / 100).min(size - 1);
    let config =
        ChunkConfig::new(size).with_overlap(overlap).expect("the overlap is below the size");
    let splitter = TextSplitter::new(config);
    let mut passages = Vec::new();
    for slab in slabs(&document.text) {
        passages.extend(splitter.chunks(slab).map(|chunk| Passage {
            record_id: document.record_id.clone(),
            title: document.title.clone(),
            place: document.place.clone(),
            text: chunk.to_owned(),
            sentences: whole(chunk),
        }));
    }
    passages
}

/// Pieces of some 256 KB that end at a paragraph's end if there is one: the splitter keeps bounds of the whole text it is
/// given in memory, many times the size of the text.
fn slabs(text: &str) -> Vec<&str> {
    const SLAB_BYTES: usize = 256 << 10;
    let mut slabs = Vec::new();
    let mut rest = text;
    while rest.len() > SLAB_BYTES {
        let window = &rest[..rest.floor_char_boundary(SLAB_BYTES)];
        let bound =
            window.rfind("\n\n").or_else(|| window.rfind('\n')).or_else(|| window.rfind(' '));
        let (slab, after) = rest.split_at(bound.filter(|it| *it > 0).unwrap_or(window.len()));
        slabs.push(slab);
        rest = after;
    }
    slabs.push(rest);
    slabs
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::chunks;
    use crate::model::Document;

    fn document(text: &str) -> Document {
        Document { record_id: None, title: "T".to_owned(), place: None, text: text.to_owned() }
    }

    #[test]
    fn chunks_end_at_sentences_and_overlap() {
        let text = "The lamp is red. It was lit in 1887. Hale built it.\n\nThe keeper left. Nobody came after him.";
        let texts: Vec<String> =
            chunks(&document(text), 40, 50).into_iter().map(|it| it.text).collect();
        expect!["The lamp is red. It was lit in 1887. | It was lit in 1887. Hale built it. | The keeper left. Nobody came after him."].assert_eq(&texts.join(" | "));
    }

    #[test]
    fn tiny_and_odd_sizes_end() {
        let text = "é日x ".repeat(2000);
        for (size, overlap) in [(0, 0), (1, 50), (2, 99), (3, usize::MAX), (usize::MAX, 50)] {
            let chunks = chunks(&document(&text), size, overlap);
            assert!(
                !chunks.is_empty() && chunks.len() <= 2 * text.chars().count(),
                "{size} {overlap}"
            );
        }
        assert!(chunks(&document(" \n "), 10, 10).is_empty());
    }

    #[test]
    fn texts_longer_than_a_slab_lose_nothing() {
        for text in ["word ".repeat(200_000), "é".repeat(300_000), "Some line.\n".repeat(60_000)] {
            let joined: String =
                chunks(&document(&text), 500, 0).into_iter().map(|it| it.text).collect();
            let solid = |it: &str| it.split_whitespace().collect::<String>();
            assert!(solid(&joined) == solid(&text));
        }
    }

    proptest! {
        #[test]
        fn sizes_are_kept(text in "[a-zA-Zé日.!? \n]{0,300}", size in 1_usize..80, overlap in 0_usize..60) {
            let document = document(&text);
            for chunk in chunks(&document, size, overlap) {
                prop_assert!((1..=size).contains(&chunk.text.chars().count()));
                prop_assert!(document.text.contains(&chunk.text));
                prop_assert_eq!(chunk.sentences[0].end as usize, chunk.text.len());
            }
        }
    }
}
