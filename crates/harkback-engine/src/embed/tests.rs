//! Tests of the embedder's shape with the hashed words; the real model is tested by the program's integration tests,
//! which can fetch it.

use super::*;

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
