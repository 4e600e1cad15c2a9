//! Question sets in BEIR layout: `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` in a folder.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A question with the records that answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: String,
    /// The text.
    pub text: String,
    /// Ids of the relevant records, at least one.
    pub gold: Vec<String>,
    /// The right answer, where the set carries one.
    pub answer: Option<String>,
}

/// A folder in BEIR layout.
#[derive(Clone, Debug)]
pub struct QuestionSet {
    /// The corpus, one record a line.
    pub corpus: PathBuf,
    /// Questions that have at least one relevant record, in the order of the file.
    pub questions: Vec<Question>,
}

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id")]
    id: String,
    text: String,
    #[serde(default)]
    metadata: QueryMetadata,
}

#[derive(Default, Deserialize)]
struct QueryMetadata {
    answer: Option<String>,
}

impl QuestionSet {
    /// Reads the questions in `dir`; the corpus is left for ingestion.
    ///
    /// # Errors
    /// If a file is missing or a line does not parse; the error names both.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let corpus = dir.join("corpus.jsonl");
        if !corpus.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is missing", corpus.display()),
            ));
        }
        let mut gold = read_judgements(&dir.join("qrels").join("test.tsv"))?;
        let path = dir.join("queries.jsonl");
        let mut questions = Vec::new();
        for (number, line) in read(&path)?.lines().enumerate().filter(|it| !it.1.trim().is_empty())
        {
            let line: QueryLine =
                serde_json::from_str(line).map_err(|e| bad_line(&path, number, &e.to_string()))?;
            if let Some(gold) = gold.remove(&line.id) {
                questions.push(Question {
                    id: line.id,
                    text: line.text,
                    gold,
                    answer: line.metadata.answer,
                });
            }
        }
        Ok(Self { corpus, questions })
    }
}

/// Relevant records of each question: lines of `query-id`, `corpus-id`, `score` with a header; scores above 0 count.
fn read_judgements(path: &Path) -> io::Result<HashMap<String, Vec<String>>> {
    let mut gold = HashMap::<String, Vec<String>>::new();
    for (number, line) in
        read(path)?.lines().enumerate().skip(1).filter(|it| !it.1.trim().is_empty())
    {
        let fields: Vec<&str> = line.split('\t').collect();
        let [question, record, score] = fields[..] else {
            return Err(bad_line(path, number, "expected three fields separated by tabs"));
        };
        let score: f64 = score
            .trim()
            .parse()
            .map_err(|_| bad_line(path, number, "the score is not a number"))?;
        if score > 0.0 {
            gold.entry(question.to_owned()).or_default().push(record.to_owned());
        }
    }
    Ok(gold)
}

fn read(path: &Path) -> io::Result<String> {
    std::fs::read_to_string(path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

fn bad_line(path: &Path, number: usize, what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{}, line {}: {what}", path.display(), number + 1),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(queries: &str, judgements: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("qrels")).unwrap();
        std::fs::write(dir.path().join("corpus.jsonl"), "").unwrap();
        std::fs::write(dir.path().join("queries.jsonl"), queries).unwrap();
        std::fs::write(dir.path().join("qrels/test.tsv"), judgements).unwrap();
        dir
    }

    #[test]
    fn questions_without_judgements_are_left_out() {
        let queries = "{\"_id\":\"a\",\"text\":\"Who?\",\"metadata\":{\"answer\":\"Ann\"}}\n{\"_id\":\"b\",\"text\":\"What?\"}\n";
        let dir = folder(queries, "query-id\tcorpus-id\tscore\na\td1\t1\na\td2\t0\n");
        let set = QuestionSet::read(dir.path()).unwrap();
        let expected = Question {
            id: "a".into(),
            text: "Who?".into(),
            gold: vec!["d1".into()],
            answer: Some("Ann".into()),
        };
        assert_eq!(set.questions, [expected]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let dir = folder("{}\n", "query-id\tcorpus-id\tscore\na d1 1\n");
        let error = QuestionSet::read(dir.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("test.tsv, line 2: expected three fields separated by tabs"),
            "{error}"
        );
    }
}
