//! What must hold of whatever comes from outside? One function a fuzz target in `fuzz/`, each over any bytes; a test
//! replays the seeds and every input that once failed.
//!
//! Not part of the interface: only with the feature `fuzzing`.

use uuid::Uuid;

pub use crate::ingest::fuzzing::{
    docx, epub, html, mail, opendocument, passages, pdf, pptx, records, rtf, text, xlsx,
};

use crate::embed::QuestionVectors;
use crate::index::{DIM, IndexPassage, Snapshot, SnapshotBuilder};
use crate::ingest::fuzzing::{check_frames, passages_of};
use crate::model::{Document, FileId, MemoryKind, Ontology, Passage};
use crate::retrieve::{
    Evidence, Query, choose, context, explain, facts, knowledge, rank, rank_by_similarity, readings,
};
use crate::store::PassageText;
use crate::store::fuzzing::check_columns;

const TOP: usize = 10;

/// What was written to the database or to a parser's pipe, damaged.
pub fn stored(bytes: &[u8]) {
    check_columns(bytes);
    check_frames(bytes);
}

/// A question in the first line, asked of a memory of the rest: everything between the question and its answer.
pub fn question(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (question, text) = text.split_once('\n').unwrap_or((text, ""));
    let document = Document {
        record_id: None,
        title: "Harbour office".to_owned(),
        place: None,
        text: text.replace('\r', "\n"),
    };
    let passages = passages_of(&document);
    let snapshot = snapshot_of(&passages);
    // All vectors are alike, so that nothing is too far from the question to be read.
    let lexical = Query::new(&snapshot, question);
    let names = lexical.names(question).iter().map(|_| alike().to_vec()).collect();
    let mut query = Query::new(&snapshot, question);
    query.compare_with(&QuestionVectors { whole: alike().to_vec(), names });
    for mention in &query.entities {
        assert!(!question[mention.start..mention.end].is_empty());
    }
    let by_words = rank(&snapshot, &lexical);
    let by_similarity = rank_by_similarity(&snapshot, &query);
    let ranked = rank(&snapshot, &query);
    for it in ranked.iter().chain(&by_words).chain(&by_similarity) {
        assert!((0.0..=1.001).contains(&it.score), "a score of {}", it.score);
    }
    let text_of = |passage: u32| passage_text(&passages[passage as usize]);
    let evidence: Vec<Evidence> = ranked
        .into_iter()
        .take(TOP)
        .map(|it| Evidence { text: text_of(it.passage), ranked: it })
        .collect();
    check_answer(&snapshot, question, &query, &evidence);
}

fn check_answer(snapshot: &Snapshot, question: &str, query: &Query, evidence: &[Evidence]) {
    for ontology in [Ontology::Culture, Ontology::Essays, Ontology::SupportRequests] {
        let _text = context(snapshot, evidence, Some(ontology)).into_text();
        for it in evidence {
            let (mentions, relations) = knowledge(snapshot, &it.text, Some(ontology));
            assert!(mentions.iter().all(|m| it.text.text.get(m.start..m.end) == Some(&m.name)));
            assert!(relations.iter().all(|r| r.sentence < it.text.sentences.len()));
        }
    }
    for fact in facts(snapshot, query, evidence) {
        assert!((0.0..=1.001).contains(&fact.relevance), "{}", fact.relevance);
    }
    let explanation = explain(snapshot, question, query, MemoryKind::Graph, evidence, &[]);
    assert_eq!(explanation.passages.len(), evidence.len());
    let readings = readings(snapshot, question, query, evidence);
    // Nothing was read, and the first few sentences were.
    for fits in [&[][..], &[0.0, 1.0]] {
        let answer = choose(snapshot, &readings, fits);
        assert!(!answer.trim().is_empty(), "something is said, be it that nothing is known");
    }
}

fn snapshot_of(passages: &[Passage]) -> Snapshot {
    let vector = alike();
    let mut builder = SnapshotBuilder::new();
    for (seq, passage) in (0..).zip(passages) {
        builder.push(IndexPassage {
            place: (FileId(Uuid::nil()), Uuid::nil(), seq),
            title: &passage.title,
            text: &passage.text,
            sentences: &passage.sentences,
            vector: Some(&vector),
        });
    }
    builder.finish(1)
}

fn alike() -> [f32; DIM] {
    let mut vector = [0.0; DIM];
    vector[0] = 1.0;
    vector
}

fn passage_text(passage: &Passage) -> PassageText {
    PassageText {
        asked: 0,
        file_id: "file".to_owned(),
        file_name: "office.txt".to_owned(),
        url: String::new(),
        record_id: passage.record_id.clone(),
        title: passage.title.clone(),
        place: passage.place.clone(),
        text: passage.text.clone(),
        sentences: passage.sentences.clone(),
        n_tokens: passage.text.len() as u32 / 4,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 14] = [
        ("docx", super::docx),
        ("epub", super::epub),
        ("html", super::html),
        ("mail", super::mail),
        ("opendocument", super::opendocument),
        ("passages", super::passages),
        ("pdf", super::pdf),
        ("pptx", super::pptx),
        ("question", super::question),
        ("records", super::records),
        ("rtf", super::rtf),
        ("stored", super::stored),
        ("text", super::text),
        ("xlsx", super::xlsx),
    ];

    #[test]
    fn the_seeds_of_the_fuzz_targets_hold() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        for (name, target) in TARGETS {
            let mut n_seeds = 0;
            for seed in fs::read_dir(seeds.join(name)).unwrap() {
                let path = seed.unwrap().path();
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
                n_seeds += 1;
            }
            assert!(n_seeds > 0, "{name} has no seeds");
        }
    }
}
