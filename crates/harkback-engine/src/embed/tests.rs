//! Tests of the embedder's shape with the hashed words; the real model is tested by the program's integration tests,
//! which can fetch it.

use super::*;
use crate::model::{Passage, Span};

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn without_files_there_are_no_models() {
    let dir = tempfile::tempdir().unwrap();
    let models = Models::load(dir.path()).unwrap();
    assert!(models.embedder.is_none() && models.reranker.is_none());
}

#[test]
fn a_wrong_file_is_an_error_not_an_absence() {
    let dir = tempfile::tempdir().unwrap();
    let model = Manifest::pinned().model(ModelRole::Embedder).unwrap();
    std::fs::create_dir(model.dir(dir.path())).unwrap();
    std::fs::write(model.dir(dir.path()).join("model.onnx"), "not a model").unwrap();
    let error = Models::load(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("is not the pinned file") && error.contains("harkback models fetch"),
        "{error}"
    );
}

#[test]
fn hashed_words_are_near_when_they_are_shared() {
    let embedder = Embedder::for_tests();
    let question = embedder.embed_query("When was the lighthouse built?").unwrap();
    let texts = embedder
        .embed_passages(&["The lighthouse was built in 1887.", "Bread is baked twice a day.", ""])
        .unwrap();
    assert!(dot(&question, &texts[0]) > dot(&question, &texts[1]) + 0.3);
    assert!(
        texts
            .iter()
            .all(|text| text.len() == embedder.dim() && (dot(text, text) - 1.0).abs() < 1e-5)
    );
}

#[test]
fn hashed_documents_have_a_vector_a_sentence() {
    let embedder = Embedder::for_tests();
    let passage = Passage {
        record_id: None,
        title: "Port Ellery".to_owned(),
        text: "It is old. It is small.".to_owned(),
        sentences: vec![Span { start: 0, end: 10 }, Span { start: 11, end: 23 }],
    };
    let [vectors] =
        embedder.embed_documents(std::slice::from_ref(&passage)).unwrap().try_into().unwrap();
    assert_eq!(
        vectors.passage,
        embedder.embed_passages(&["Port Ellery. It is old. It is small."]).unwrap()[0]
    );
    assert_eq!(
        vectors.sentences,
        embedder.embed_passages(&["It is old.", "It is small."]).unwrap()
    );
}
