//! How fast are the models on this machine? `cargo run --release --example embed_bench -- MODELS_DIR`
#![expect(clippy::print_stdout, reason = "a report for a person")]

use std::time::{Duration, Instant};

use harkback_engine::{Embedder, Models};

const QUESTIONS: [&str; 4] = [
    "When was the lighthouse at Port Ellery built?",
    "Who runs the bakery that supplies the ferry?",
    "What is the refund policy for annual plans?",
    "Which school did the founder's sister attend?",
];

fn main() {
    let dir = std::env::args().nth(1).expect("the models directory is the first argument");
    let start = Instant::now();
    let models = Models::load(dir.as_ref()).expect("the models are sound");
    println!("load (read, hash, prepack)   {:>8.1} ms", ms(start.elapsed()));
    let embedder = models.embedder.expect("the embedder is there");
    let passages: Vec<String> = (0..64).map(passage).collect();
    let texts: Vec<&str> = passages.iter().map(String::as_str).collect();
    let n_tokens = embedder.count_tokens(texts[0]).expect("tokenises");

    report("query", || query(&embedder), 300);
    let start = Instant::now();
    embedder.embed_passages(&texts).expect("runs");
    let per_s = texts.len() as f64 / start.elapsed().as_secs_f64();
    println!("passages of {n_tokens} tokens       {per_s:>8.1} /s");
    std::thread::scope(|scope| {
        scope.spawn(|| (0..4).for_each(|_| drop(embedder.embed_passages(&texts))));
        report("query during ingestion", || query(&embedder), 100);
    });
    let reranker = models.reranker.expect("the reranker is there");
    let pairs = vec![(QUESTIONS[0].into(), "The lighthouse was built in 1887.".into()); 8];
    report("rerank 1 sentence", || drop(reranker.score(&pairs[..1])), 100);
    report("rerank 8 sentences", || drop(reranker.score(&pairs)), 30);
}

fn passage(seed: usize) -> String {
    let sentence = |i: usize| {
        format!(
            "In {} the harbour of Port Ellery froze and the ferry to the island could not sail. ",
            1800 + seed + i
        )
    };
    (0..6).map(sentence).collect()
}

fn query(embedder: &Embedder) {
    for question in QUESTIONS {
        embedder.embed_query(question).expect("runs");
    }
}

/// Runs `work` some times; a question is a quarter of the four that `query` asks.
fn report(name: &str, work: impl Fn(), n: usize) {
    work();
    let share = if name.starts_with("query") { QUESTIONS.len() as u32 } else { 1 };
    let mut times: Vec<Duration> = (0..n).map(|_| timed(&work) / share).collect();
    times.sort_unstable();
    println!("{name:<28} {:>8.1} ms p50 {:>8.1} ms p95", ms(times[n / 2]), ms(times[n * 95 / 100]));
}

fn timed(work: impl Fn()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
