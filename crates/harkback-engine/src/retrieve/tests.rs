//! Ranking over small memories: the chain, the walk against power iteration, and hostile shapes of memories and questions
//! with and without vectors.

use std::hint::black_box;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::pagerank::{EPSILON, Node, push};
use super::{Query, rank, rank_by_similarity};
use crate::embed::{Embedder, QuestionVectors};
use crate::index::Snapshot;
use crate::index::tests::{memory, memory_with};
use crate::model::Span;
use crate::store::PassageText;

/// Whether passages and questions have vectors.
#[derive(Clone, Copy, Debug)]
enum Mode {
    Lexical,
    Semantic,
}

const MODES: [Mode; 2] = [Mode::Lexical, Mode::Semantic];

fn memory_in<'a>(mode: Mode, passages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Snapshot {
    memory_with(passages, |text| vector(mode, text))
}

/// A passage from the store.
pub(super) fn passage(title: &str, text: &str, sentences: Vec<Span>) -> PassageText {
    PassageText {
        asked: 0,
        file_id: "f".into(),
        file_name: "f".into(),
        url: String::new(),
        record_id: None,
        title: title.into(),
        place: None,
        text: text.into(),
        sentences,
        n_tokens: 1,
    }
}

/// Read as recall reads it: by its vector where the memory has any.
fn question_in(mode: Mode, snapshot: &Snapshot, text: &str) -> Query {
    let mut query = Query::new(snapshot, text);
    if let Some(whole) = vector(mode, text).filter(|_| snapshot.has_vectors) {
        let names = query.names(text).iter().filter_map(|it| vector(mode, it)).collect();
        query.compare_with(&QuestionVectors { whole, names });
    }
    query
}

fn vector(mode: Mode, text: &str) -> Option<Vec<f32>> {
    match mode {
        Mode::Lexical => None,
        Mode::Semantic => Some(Embedder::for_tests().embed_query(text).unwrap()),
    }
}

/// How many times as large the large input of [`growth`] is.
pub(super) const TIMES: usize = 16;
/// A growth below this is that of work in proportion to its input.
pub(super) const LINEAR: f64 = 3.0;

/// How much longer `work` takes on an input [`TIMES`] as large than on the small one as many times over: about 1 where it
/// grows with the input, [`TIMES`] where it grows with its square. Both take about equally long, so a busy machine slows both
/// down; the shortest of some rounds counts, and more of them are made before it is called too long.
pub(super) fn growth<T: ?Sized>(small: &T, large: &T, work: impl Fn(&T)) -> f64 {
    const ROUNDS: std::ops::Range<usize> = 3..12;
    let time = |input, times| {
        let started = Instant::now();
        (0..times).for_each(|_| work(input));
        started.elapsed()
    };
    let mut shortest = [Duration::MAX; 2];
    let mut growth = f64::INFINITY;
    for round in 1..ROUNDS.end {
        shortest = [shortest[0].min(time(small, TIMES)), shortest[1].min(time(large, 1))];
        growth = shortest[1].as_secs_f64() / shortest[0].as_secs_f64();
        if round >= ROUNDS.start && growth < LINEAR {
            break;
        }
    }
    growth
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

/// In other scripts, of one character, of punctuation only, and as long as the API lets through.
fn strange_questions() -> Vec<String> {
    let few = [
        "",
        "?",
        "x",
        "Ж",
        "…—!?",
        "東京はどこですか",
        "אין כאן כלום",
        "\u{202e}\u{0}",
        "the of and",
        "😀😀",
    ];
    let long =
        ["Mia Holm and the Riverside building, ", "the ", "Visitor Number1 ", "?!", "東京", "Mia"];
    let visitors = (0..).map(|it| format!("Visitor Number{it}, "));
    let many_names: String = visitors.take(400).collect();
    let long = long.into_iter().map(|it| it.repeat(8192 / it.len())).chain([many_names]);
    few.into_iter().map(str::to_owned).chain(long).collect()
}

/// Passages of a memory that somebody could make in earnest and that invites quadratic work.
fn hostile(shape: &str, n: usize) -> Vec<(String, String)> {
    let passage = |number: usize| {
        let visitor = format!("Visitor Number{number}");
        match shape {
            "identical" => {
                ("Mia Holm".into(), "Mia Holm leads the Riverside Clinic in Bath.".into())
            }
            "one title" => {
                ("Mia Holm".into(), format!("She saw {visitor} at the Riverside Clinic."))
            }
            "hub" => (visitor.clone(), format!("{visitor} saw Mia Holm at the Riverside Clinic.")),
            _ => unreachable!("no such shape"),
        }
    };
    (0..n).map(passage).collect()
}

const SHAPES: [&str; 3] = ["identical", "one title", "hub"];

fn borrowed(passages: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    passages.iter().map(|it| (it.0.as_str(), it.1.as_str()))
}

#[test]
fn questions_of_any_shape_are_answered_without_a_panic() {
    let hostile = SHAPES.map(|shape| hostile(shape, 300));
    for mode in MODES {
        let clinic = memory_in(mode, CLINIC);
        let one = memory_in(mode, [CLINIC[4]]);
        let none = memory_in(mode, []);
        let hostile = hostile.each_ref().map(|it| memory_in(mode, borrowed(it)));
        for text in strange_questions() {
            for snapshot in [&clinic, &one, &none].into_iter().chain(&hostile) {
                let query = question_in(mode, snapshot, &text);
                for ranked in [rank(snapshot, &query), rank_by_similarity(snapshot, &query)] {
                    let scores: Vec<f32> = ranked.iter().map(|it| it.score).collect();
                    assert!(scores.iter().all(|it| (0.0..=1.0).contains(it)), "{text}: {scores:?}");
                    assert!(scores.is_sorted_by(|a, b| a >= b), "{text}: {scores:?}");
                }
            }
        }
        let query = question_in(mode, &one, "What does Mia Holm speak?");
        assert_eq!(rank(&one, &query).len(), 1);
        assert!(rank(&none, &question_in(mode, &none, "Mia Holm?")).is_empty());
    }
}

const FEW: usize = 1_000;
const MANY: usize = TIMES * FEW;

#[test]
fn questions_to_hostile_memories_cost_no_quadratic_time() {
    let mut questions = strange_questions();
    questions.push("Where does Mia Holm work?".into());
    questions.push("Who met Visitor Number7 at the Riverside Clinic in Bath?".into());
    for (shape, mode) in SHAPES.into_iter().flat_map(|shape| MODES.map(|mode| (shape, mode))) {
        let snapshot_of = |n| memory_in(mode, borrowed(&hostile(shape, n)));
        let grown = growth(&snapshot_of(FEW), &snapshot_of(MANY), |snapshot| {
            for text in &questions {
                black_box(rank(snapshot, &question_in(mode, snapshot, text)));
            }
        });
        assert!(grown < LINEAR, "{shape}, {mode:?}: grows by {grown:.1}");
    }
}

#[test]
fn hostile_memories_are_indexed_in_no_quadratic_time() {
    for shape in SHAPES {
        let grown = growth(&hostile(shape, FEW), &hostile(shape, MANY), |passages| {
            black_box(memory(borrowed(passages)));
        });
        assert!(grown < LINEAR, "{shape}: grows by {grown:.1}");
    }
}

proptest! {
    /// What is left unpushed is below ε times a node's degree, so on a small graph push and power iteration agree; they would not
    /// if the walk ended after its second hop.
    #[test]
    fn push_agrees_with_power_iteration(mentions in prop::collection::vec((0u8..12, 0u8..12), 1..40)) {
        const NAMES: [&str; 12] =
            ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fritz", "Gus", "Hanna", "Ida", "Jan", "Kai", "Lena"];
        let titles: Vec<String> = NAMES.iter().map(|it| format!("{it} Stone")).collect();
        let mut texts = titles.clone();
        for (passage, name) in mentions {
            texts[passage as usize].push_str(&format!(" met {} Stone", NAMES[name as usize]));
        }
        let snapshot = memory(titles.iter().map(String::as_str).zip(texts.iter().map(String::as_str)));
        let pushed = push(&snapshot, &[(Node::Passage(0), 1.0)]);
        let pushed: Vec<f32> = (0..12).map(|it| pushed.get(&it).copied().unwrap_or(0.0)).collect();
        let exact = power_iteration(&snapshot, 0, 60);
        let off = greatest_difference(&pushed, &exact);
        prop_assert!(off < MAX_OFF, "{} off: {:?} for {:?}", off, pushed, exact);
        let cut_short = power_iteration(&snapshot, 0, 3);
        prop_assert!(greatest_difference(&cut_short, &exact) > MAX_OFF);
    }
}

/// ε times the greatest degree that a passage or an entity of twelve can have.
const MAX_OFF: f32 = 12.0 * EPSILON;

fn greatest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Mass of the passages after so many rounds; each takes the walk one hop further.
fn power_iteration(snapshot: &Snapshot, seed: u32, n_rounds: usize) -> Vec<f32> {
    let (n_passages, n_entities) = (snapshot.n_passages(), snapshot.n_entities());
    let (mut passages, mut entities) = (vec![0f32; n_passages], vec![0f32; n_entities]);
    for _ in 0..n_rounds {
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
