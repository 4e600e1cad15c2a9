//! Runs in TREC format: `question Q0 record rank score tag`, a line a result.

use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

/// Results of each question, best first: record id and score.
pub type Run = HashMap<String, Vec<(String, f32)>>;

/// Writes a run; questions in the order of `questions`.
///
/// # Errors
/// If the file cannot be written; the error names it.
pub fn write_run<'a>(
    path: &Path,
    questions: impl Iterator<Item = &'a str>,
    run: &Run,
) -> io::Result<()> {
    let mut text = String::new();
    for question in questions {
        for (rank, (record, score)) in run.get(question).into_iter().flatten().enumerate() {
            let _ = writeln!(text, "{question} Q0 {record} {} {score} harkback", rank + 1);
        }
    }
    std::fs::write(path, text)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

/// Reads a run, of ours or of another system.
///
/// # Errors
/// If the file cannot be read or a line does not have the six fields.
pub fn read_run(path: &Path) -> io::Result<Run> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
    let mut ranked = HashMap::<String, Vec<(u64, String, f32)>>::new();
    for (number, line) in text.lines().enumerate().filter(|it| !it.1.trim().is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let parsed = match fields[..] {
            [question, _, record, rank, score, _] => rank
                .parse()
                .ok()
                .zip(score.parse().ok())
                .map(|(rank, score)| (question, record, rank, score)),
            _ => None,
        };
        let Some((question, record, rank, score)) = parsed else {
            let what = format!(
                "{}, line {}: expected `question Q0 record rank score tag`",
                path.display(),
                number + 1
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        };
        ranked.entry(question.to_owned()).or_default().push((rank, record.to_owned(), score));
    }
    let by_rank = |(question, mut results): (String, Vec<(u64, String, f32)>)| {
        results.sort_by_key(|it| it.0);
        (question, results.into_iter().map(|it| (it.1, it.2)).collect())
    };
    Ok(ranked.into_iter().map(by_rank).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.trec");
        let run = Run::from([
            ("q1".into(), vec![("d2".into(), 0.75), ("d1".into(), 0.5)]),
            ("q2".into(), Vec::new()),
        ]);
        write_run(&path, ["q1", "q2"].into_iter(), &run).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "q1 Q0 d2 1 0.75 harkback\nq1 Q0 d1 2 0.5 harkback\n"
        );
        let back = read_run(&path).unwrap();
        assert_eq!(back["q1"], run["q1"]);
        assert!(!back.contains_key("q2"));
    }

    #[test]
    fn a_bad_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.trec");
        std::fs::write(&path, "q1 Q0 d2 first 0.75 x\n").unwrap();
        assert!(read_run(&path).unwrap_err().to_string().contains("line 1"));
    }
}
