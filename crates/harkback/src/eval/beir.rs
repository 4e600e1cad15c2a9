//! Question sets in BEIR layout: `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` in a folder.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
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
    /// Relevant records that are not in the corpus: nobody can find them.
    pub n_lost: usize,
}

#[derive(Deserialize)]
struct QueryLine {
    #[serde(rename = "_id")]
    id: String,
    text: String,
    #[serde(default)]
    metadata: QueryMetadata,
}

#[derive(Deserialize)]
struct RecordLine {
    #[serde(rename = "_id")]
    id: String,
}

#[derive(Default, Deserialize)]
struct QueryMetadata {
    answer: Option<String>,
}

impl QuestionSet {
    /// Reads the questions in `dir`; of the corpus only the ids, its texts are left for ingestion.
    ///
    /// # Errors
    /// If a file is missing or a line does not parse, the error names both. If nothing can be measured: no question has a relevant
    /// record, or none of them is in the corpus.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let corpus = dir.join("corpus.jsonl");
        if !corpus.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} is missing", corpus.display()),
            ));
        }
        let judgements = dir.join("qrels").join("test.tsv");
        let mut gold = read_judgements(&judgements)?;
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
        if questions.is_empty() {
            let (queries, judgements) = (path.display(), judgements.display());
            let what = format!("no question of {queries} has a relevant record in {judgements}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let records = read_ids(&corpus)?;
        let gold = || questions.iter().flat_map(|it| &it.gold);
        let n_lost = gold().filter(|it| !records.contains(*it)).count();
        if n_lost == gold().count() {
            let (judgements, corpus) = (judgements.display(), corpus.display());
            let what = format!("no relevant record of {judgements} is in {corpus}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Self { corpus, questions, n_lost })
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
        let of_question = gold.entry(question.to_owned()).or_default();
        if score > 0.0 && !of_question.iter().any(|it| it == record) {
            of_question.push(record.to_owned());
        }
    }
    gold.retain(|_, records| !records.is_empty());
    Ok(gold)
}

/// The ids of a corpus.
fn read_ids(path: &Path) -> io::Result<HashSet<String>> {
    let mut ids = HashSet::new();
    let lines = BufReader::new(File::open(path)?).lines().enumerate();
    for (number, line) in lines {
        let line = line.map_err(|e| bad_line(path, number, &e.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let record: RecordLine =
            serde_json::from_str(&line).map_err(|e| bad_line(path, number, &e.to_string()))?;
        ids.insert(record.id);
    }
    Ok(ids)
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

    const CORPUS: &str =
        "{\"_id\":\"d1\",\"text\":\"One.\"}\n\n{\"_id\":\"d2\",\"text\":\"Two.\"}\n";

    fn folder(queries: &str, judgements: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("qrels")).unwrap();
        std::fs::write(dir.path().join("corpus.jsonl"), CORPUS).unwrap();
        std::fs::write(dir.path().join("queries.jsonl"), queries).unwrap();
        std::fs::write(dir.path().join("qrels/test.tsv"), judgements).unwrap();
        dir
    }

    #[test]
    fn questions_without_judgements_are_left_out() {
        let queries = "{\"_id\":\"a\",\"text\":\"Who?\",\"metadata\":{\"answer\":\"Ann\"}}\n{\"_id\":\"b\",\"text\":\"What?\"}\n";
        let dir =
            folder(queries, "query-id\tcorpus-id\tscore\na\td1\t1\na\td2\t0\na\td1\t2\nb\td1\t0\n");
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

    #[test]
    fn a_set_on_which_nothing_can_be_measured_is_refused() {
        let question = "{\"_id\":\"a\",\"text\":\"Who?\"}\n";
        let refused = |queries: &str, judgements: &str| {
            let dir = folder(queries, &format!("query-id\tcorpus-id\tscore\n{judgements}"));
            QuestionSet::read(dir.path()).unwrap_err().to_string()
        };
        for judgements in ["", "a\td1\t0\n", "b\td1\t1\n"] {
            let error = refused(question, judgements);
            assert!(error.starts_with("no question of "), "{error}");
        }
        let error = refused(question, "a\td3\t1\n");
        assert!(error.starts_with("no relevant record of ") && error.ends_with("corpus.jsonl"));
        let dir = folder(question, "query-id\tcorpus-id\tscore\na\td1\t1\na\td3\t1\n");
        assert_eq!(QuestionSet::read(dir.path()).unwrap().n_lost, 1);
    }
}
