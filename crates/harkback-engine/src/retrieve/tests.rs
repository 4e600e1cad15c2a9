//! Ranking over small memories in lexical mode: the chain, the walk against power iteration, and hostile shapes.

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use uuid::Uuid;

use super::pagerank::{Node, push};
use super::{Query, rank};
use crate::index::{IndexPassage, Snapshot, SnapshotBuilder};
use crate::model::{FileId, Span};

/// A memory of passages, each one sentence under a title.
pub(super) fn memory<'a>(passages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Snapshot {
    let mut builder = SnapshotBuilder::new();
    for (seq, (title, text)) in (0..).zip(passages) {
        builder.push(IndexPassage {
            place: (FileId(Uuid::nil()), Uuid::nil(), seq),
            title,
            text,
            sentences: &[Span { start: 0, end: text.len() as u32 }],
            vector: None,
        });
    }
    builder.finish(1)
}

const CLINIC: [(&str, &str); 5] = [
    ("Headaches", "Migraine is treated by Dr. Anneke Lindqvist."),
    (
        "Dr. Anneke Lindqvist",
        "Dr. Anneke Lindqvist sees patients in the Riverside building on Tuesdays.",
    ),
    ("Riverside building", "The Riverside building opens at eight and is led by Mia Holm."),
    ("Parking", "Parking is free for two hours."),
    ("Mia Holm", "Mia Holm speaks Dutch and English."),
];

fn check(question: &str, expected: Expect) {
    let snapshot = memory(CLINIC);
    let query = Query::new(&snapshot, question);
    let lines: Vec<String> = rank(&snapshot, &query)
        .iter()
        .take(3)
        .map(|it| {
            let from =
                it.from.map_or(String::new(), |from| format!(" from {}", CLINIC[from as usize].0));
            format!("{}{from}\n", CLINIC[it.passage as usize].0)
        })
        .collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn a_chain_is_followed_to_its_end() {
    check(
        "Who leads the building where Dr. Anneke Lindqvist works?",
        expect![[r"
            Dr. Anneke Lindqvist
            Riverside building from Dr. Anneke Lindqvist
            Headaches
        "]],
    );
    check(
        "Which languages does the head of the Riverside building speak?",
        expect![[r#"
            Riverside building
            Dr. Anneke Lindqvist
            Mia Holm from Riverside building
        "#]],
    );
}

#[test]
fn questions_of_any_shape_are_answered_without_a_panic() {
    let snapshot = memory(CLINIC);
    let long = "Mia Holm and the Riverside building, ".repeat(220);
    for question in ["", "?", "x", "…—!?", "東京はどこですか", "\u{202e}\u{0}", "the of and", &long]
    {
        let query = Query::new(&snapshot, question);
        let ranked = rank(&snapshot, &query);
        assert!(ranked.iter().all(|it| (0.0..=1.0).contains(&it.score)), "{question}");
    }
    assert!(rank(&memory([]), &Query::new(&memory([]), "Mia Holm?")).is_empty());
    let one = memory([("Mia Holm", "Mia Holm speaks Dutch.")]);
    assert_eq!(rank(&one, &Query::new(&one, "What does Mia Holm speak?")).len(), 1);
}

#[test]
fn identical_passages_and_hubs_cost_no_quadratic_time() {
    let identical =
        std::iter::repeat_n(("Mia Holm", "Mia Holm leads the Riverside Clinic in Bath."), 10_000);
    let titles: Vec<String> = (0..10_000).map(|it| format!("Visitor Number{it}")).collect();
    let texts: Vec<String> =
        titles.iter().map(|it| format!("{it} saw Mia Holm at the clinic.")).collect();
    let hub = titles.iter().map(String::as_str).zip(texts.iter().map(String::as_str));
    for snapshot in [memory(identical), memory(hub)] {
        let query = Query::new(&snapshot, "Where does Mia Holm work?");
        let started = Instant::now();
        assert!(rank(&snapshot, &query).len() >= 5);
        assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
    }
}

proptest! {
    /// What is left unpushed is below ε times a node's degree, so on a small graph push and power iteration agree.
    #[test]
    fn push_agrees_with_power_iteration(mentions in prop::collection::vec((0u8..12, 0u8..12), 1..40)) {
        const NAMES: [&str; 12] =
            ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fritz", "Gus", "Hanna", "Ida", "Jan", "Kai", "Lena"];
        let mut texts: Vec<String> = NAMES.iter().map(|it| format!("{it} Stone")).collect();
        for (passage, name) in mentions {
            texts[passage as usize].push_str(&format!(" met {} Stone", NAMES[name as usize]));
        }
        let titles: Vec<String> = NAMES.iter().map(|it| format!("{it} Stone")).collect();
        let snapshot = memory(titles.iter().map(String::as_str).zip(texts.iter().map(String::as_str)));
        let pushed = push(&snapshot, &[(Node::Passage(0), 1.0)]);
        let exact = power_iteration(&snapshot, 0);
        for passage in 0..12u32 {
            let got = pushed.get(&passage).copied().unwrap_or(0.0);
            prop_assert!((got - exact[passage as usize]).abs() < 0.01, "{}: {} for {}", passage, got, exact[passage as usize]);
        }
    }
}

fn power_iteration(snapshot: &Snapshot, seed: u32) -> Vec<f32> {
    let (n_passages, n_entities) = (snapshot.n_passages(), snapshot.n_entities());
    let (mut passages, mut entities) = (vec![0f32; n_passages], vec![0f32; n_entities]);
    for _ in 0..60 {
        let (mut next_passages, mut next_entities) =
            (vec![0f32; n_passages], vec![0f32; n_entities]);
        next_passages[seed as usize] = 0.5;
        for (passage, mass) in passages.iter().enumerate() {
            for edge in snapshot.passage_entities.row(passage as u32) {
                next_entities[edge.to as usize] += 0.5 * mass * edge.weight;
            }
        }
        for (entity, mass) in entities.iter().enumerate() {
            for edge in snapshot.entity_passages.row(entity as u32) {
                next_passages[edge.to as usize] += 0.5 * mass * edge.weight;
            }
        }
        (passages, entities) = (next_passages, next_entities);
    }
    passages
}
