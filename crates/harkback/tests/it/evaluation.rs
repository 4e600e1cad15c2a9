//! Do `eval` and `bench` say what was measured, or else what stands in the way? The real binary in lexical mode.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::harkback;

const PEOPLE: [&str; 3] = [
    "Mia Holm tends the garden behind the clinic.",
    "Jon Berg keeps the keys of the boathouse.",
    "Ada Quist paints the signs on the harbour.",
];
const PLACES: [&str; 2] =
    ["The boathouse stands at the northern quay.", "The garden is open until dusk."];

/// A question set in BEIR layout: a question of each text, which is its own answer.
fn set(texts: &[&str]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut corpus, mut queries) = (String::new(), String::new());
    let mut judgements = String::from("query-id\tcorpus-id\tscore\n");
    for (number, text) in texts.iter().enumerate() {
        let record =
            json!({"_id": format!("d{number}"), "title": format!("Note {number}"), "text": text});
        corpus += &format!("{record}\n");
        queries += &format!("{}\n", json!({"_id": format!("q{number}"), "text": text}));
        judgements += &format!("q{number}\td{number}\t1\n");
    }
    fs::write(dir.path().join("corpus.jsonl"), corpus).unwrap();
    fs::write(dir.path().join("queries.jsonl"), queries).unwrap();
    fs::create_dir(dir.path().join("qrels")).unwrap();
    fs::write(dir.path().join("qrels/test.tsv"), judgements).unwrap();
    dir
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The figures, and what was noted beside them.
fn figures(set: &TempDir, more: &[&str]) -> (Value, String) {
    let args = [&["eval", text(set.path()), "--lexical", "--json"], more].concat();
    let (status, stdout, stderr) = harkback(&args);
    assert_eq!(status, 0, "{stderr}");
    (serde_json::from_str(&stdout).unwrap(), stderr)
}

/// Why there are none.
fn refusal(set: &Path, more: &[&str]) -> String {
    let args = [&["eval", text(set), "--lexical"], more].concat();
    let (status, stdout, stderr) = harkback(&args);
    assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
    stderr
}

#[test]
fn a_kept_memory_is_asked_again_for_the_same_corpus_only() {
    let (people, places) = (set(&PEOPLE), set(&PLACES));
    let scratch = tempfile::tempdir().unwrap();
    let kept = scratch.path().join("deep/kept");
    let keep = ["--keep", text(&kept)];
    let (first, stderr) = figures(&people, &keep);
    assert!(stderr.contains("ingested 3 passages"), "{stderr}");
    assert_eq!((&first["R@5"], &first["passages"]), (&json!(100.0), &json!(3)));
    let (again, stderr) = figures(&people, &keep);
    assert!(stderr.starts_with("asking the memory that is kept in `"), "{stderr}");
    for figure in ["R@2", "R@5", "nDCG@10", "passages", "queries"] {
        assert_eq!(first[figure], again[figure]);
    }
    let refused = refusal(places.path(), &keep);
    assert!(refused.contains("keeps a memory of another corpus: name another"), "{refused}");
    let refused = refusal(people.path(), &["--without-titles", keep[0], keep[1]]);
    assert!(refused.contains("keeps a memory with titles, not without titles"), "{refused}");
    assert_eq!(figures(&people, &keep).0["R@5"], first["R@5"], "a refusal changes nothing");
}

#[test]
fn a_memory_whose_ingestion_was_killed_is_not_asked() {
    let texts: Vec<String> =
        (0..40_000).map(|it| format!("Visitor Number{it} came by the northern quay.")).collect();
    let visitors = set(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let scratch = tempfile::tempdir().unwrap();
    let kept = scratch.path().join("kept");
    let args = ["eval", text(visitors.path()), "--lexical", "--keep", text(&kept)];
    let mut killed = Command::new(env!("CARGO_BIN_EXE_harkback"))
        .args(args)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !kept.join("harkback.db").exists() {
        assert!(killed.try_wait().unwrap().is_none(), "it ended before it could be killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(!kept.join("eval.json").exists(), "it was done before it could be killed");
    for _ in 0..2 {
        let refused = refusal(visitors.path(), &["--keep", text(&kept)]);
        assert!(refused.contains("holds no finished memory of an evaluation"), "{refused}");
        assert!(refused.contains("you can delete it"), "{refused}");
    }
}

#[test]
fn the_data_of_a_server_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    assert_eq!(harkback(&["keys", "create", "--account", "clinic", "--data", text(&data)]).0, 0);
    let refused = refusal(set(&PEOPLE).path(), &["--keep", text(&data)]);
    assert!(refused.contains("holds no finished memory of an evaluation"), "{refused}");
    let (_, listed, _) = harkback(&["keys", "list", "--data", text(&data)]);
    assert_eq!(listed.lines().count(), 1, "{listed}");
}

#[test]
fn nothing_is_said_where_nothing_was_measured() {
    let people = set(&PEOPLE);
    let file = |name: &str, content: &str| -> PathBuf {
        fs::write(people.path().join(name), content).unwrap();
        people.path().join(name)
    };
    let foreign = file("foreign.trec", "x1 Q0 d0 1 0.5 other\n");
    let refused = refusal(people.path(), &["--against", text(&foreign)]);
    assert!(refused.contains("has no results for any question of this set"), "{refused}");
    let refused = refusal(people.path(), &["--answers"]);
    assert!(refused.contains("the set carries no answers"), "{refused}");
    let refused = refusal(people.path(), &["--run", "no/such/folder/run.trec"]);
    assert!(refused.contains("there is no folder `no/such/folder`"), "{refused}");

    let partial = file("partial.trec", "q1 Q0 d1 1 0.5 other\n");
    let (compared, _) = figures(&people, &["--against", text(&partial)]);
    assert_eq!(compared["against"]["without_results"], 2);

    file("corpus.jsonl", "{\"_id\":\"d0\",\"text\":\" \"}\n");
    let refused = refusal(people.path(), &[]);
    assert!(refused.contains("error: the corpus is refused: "), "{refused}");
    file("qrels/test.tsv", "query-id\tcorpus-id\tscore\n");
    for command in [&["eval", "--lexical"][..], &["bench", "api"]] {
        let (status, stdout, stderr) = harkback(&[command, &[text(people.path())]].concat());
        assert_eq!((status, stdout.as_str()), (1, ""));
        assert!(stderr.contains("error: no question of "), "{stderr}");
    }
    for nothing in ["--passages", "--questions", "--runs"] {
        let (status, stdout, stderr) = harkback(&["bench", "retrieval", nothing, "0"]);
        assert_eq!((status, stdout.as_str()), (2, ""));
        assert!(stderr.contains("0 is not in 1.."), "{stderr}");
    }
}
