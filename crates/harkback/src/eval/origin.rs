//! What was a kept memory made from? A note beside it, written when its ingestion is done, so that no evaluation asks a memory
//! of another corpus or half of one.

use std::fs;
use std::io;
use std::path::Path;

use harkback_engine::sha256_of;
use serde::{Deserialize, Serialize};

const NOTE: &str = "eval.json";

/// Whether the titles of a corpus are ingested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Titles {
    /// As they are.
    Kept,
    /// Without.
    Dropped,
}

/// All that the passages and vectors of an evaluation's memory follow from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// SHA-256 of `corpus.jsonl`, in hexadecimal.
    corpus: String,
    titles: Titles,
    /// Id of the embedding model, `None` in lexical mode.
    model: Option<String>,
    /// Version of the program.
    version: String,
}

impl Origin {
    /// Of a memory made now, of the file `corpus` and by the embedding model of the id `model`.
    ///
    /// # Errors
    /// If the file cannot be read; the error names it.
    pub fn new(corpus: &Path, titles: Titles, model: Option<&str>) -> io::Result<Self> {
        let corpus = sha256_of(corpus).map_err(|it| named(corpus, &it))?;
        let version = env!("CARGO_PKG_VERSION").into();
        Ok(Self { corpus, titles, model: model.map(str::to_owned), version })
    }

    /// Whether the memory made from this is kept in `dir`; false if there is nothing yet.
    ///
    /// # Errors
    /// If something else lies there: the memory of another origin, one whose ingestion did not end, or what is no memory of
    /// an evaluation at all. The error says which, and what to do.
    pub fn is_kept_in(&self, dir: &Path) -> io::Result<bool> {
        let note = match fs::read(dir.join(NOTE)) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match is_empty(dir)? {
                    true => Ok(false),
                    false => Err(refused(dir, "holds no finished memory of an evaluation")),
                };
            }
            Err(error) => return Err(named(&dir.join(NOTE), &error)),
        };
        let kept: Self = serde_json::from_slice(&note)
            .map_err(|_| refused(dir, &format!("has a {NOTE} that this version cannot read")))?;
        match kept.difference(self) {
            None => Ok(true),
            Some(difference) => Err(refused(dir, &format!("keeps a memory {difference}"))),
        }
    }

    /// Says in `dir` that the memory there was made from this; to be called when its ingestion is done.
    ///
    /// # Errors
    /// If the note cannot be written.
    pub fn note_in(&self, dir: &Path) -> io::Result<()> {
        let part = dir.join(format!("{NOTE}.part"));
        fs::write(&part, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&part, dir.join(NOTE))
    }

    /// What tells the memory of this origin from one of `wanted`.
    fn difference(&self, wanted: &Self) -> Option<String> {
        let model = |it: &Self| it.model.clone().unwrap_or_else(|| "no model".into());
        let titles = |it: Titles| match it {
            Titles::Kept => "with titles",
            Titles::Dropped => "without titles",
        };
        if self.corpus != wanted.corpus {
            Some("of another corpus".into())
        } else if self.titles != wanted.titles {
            Some(format!("{}, not {}", titles(self.titles), titles(wanted.titles)))
        } else if self.model != wanted.model {
            Some(format!("made with {}, not with {}", model(self), model(wanted)))
        } else if self.version != wanted.version {
            Some(format!("made by version {}, not by {}", self.version, wanted.version))
        } else {
            None
        }
    }
}

fn is_empty(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(named(dir, &error)),
    }
}

fn refused(dir: &Path, what: &str) -> io::Error {
    let (dir, kind) = (dir.display(), io::ErrorKind::InvalidInput);
    let what_to_do =
        "name another directory with --keep; if it is of an evaluation, you can delete it instead";
    io::Error::new(kind, format!("`{dir}` {what}: {what_to_do}"))
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(corpus: &Path, titles: Titles, model: Option<&str>) -> Origin {
        Origin::new(corpus, titles, model).unwrap()
    }

    #[test]
    fn only_the_memory_of_the_same_origin_is_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, a, b) = (dir.path().join("kept"), dir.path().join("a"), dir.path().join("b"));
        fs::write(&a, "a").unwrap();
        fs::write(&b, "b").unwrap();
        let made = origin(&a, Titles::Kept, Some("m1"));
        assert!(!made.is_kept_in(&kept).unwrap());
        fs::create_dir(&kept).unwrap();
        assert!(!made.is_kept_in(&kept).unwrap());

        fs::write(kept.join("harkback.db"), "the ingestion goes on").unwrap();
        let unfinished = made.is_kept_in(&kept).unwrap_err().to_string();
        assert!(unfinished.contains("holds no finished memory of an evaluation"), "{unfinished}");

        made.note_in(&kept).unwrap();
        assert!(made.is_kept_in(&kept).unwrap());
        let other_version = Origin { version: "9.0.0".into(), ..made.clone() };
        for (other, difference) in [
            (origin(&b, Titles::Kept, Some("m1")), "of another corpus"),
            (origin(&a, Titles::Dropped, Some("m1")), "with titles, not without titles"),
            (origin(&a, Titles::Kept, Some("m2")), "made with m1, not with m2"),
            (origin(&a, Titles::Kept, None), "made with m1, not with no model"),
            (other_version, "not by 9.0.0"),
        ] {
            let refused = other.is_kept_in(&kept).unwrap_err().to_string();
            assert!(refused.contains(difference), "{refused}");
            assert!(refused.contains("name another directory with --keep"), "{refused}");
        }
        fs::write(kept.join(NOTE), "{}").unwrap();
        assert!(made.is_kept_in(&kept).is_err());
    }
}
