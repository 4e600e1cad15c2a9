//! What does a hostile or huge file do to the server that is given it? It fails, with a reason, and nothing else happens.

use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::{Expect, expect};
use harkback_engine::{ParserLimits, ParserProcess};

fn binary() -> ParserProcess {
    ParserProcess {
        program: env!("CARGO_BIN_EXE_harkback").into(),
        arguments: vec!["parse-file".into()],
        limits: ParserLimits::default(),
    }
}

/// Parses a file as the server does, and returns what comes out of the pipe and what is complained of.
fn parse(path: &Path, limits: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_harkback"))
        .args(["parse-file", "--name=-x.txt"])
        .args(limits)
        .env_clear()
        .env("MIMALLOC_ARENA_RESERVE", "32768")
        .stdin(std::fs::File::open(path).unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn check(text: &str, limits: &[&str], expected: Expect) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.txt");
    std::fs::write(&path, text).unwrap();
    let (out, complaints) = parse(&path, limits);
    expected.assert_eq(&format!("{out}{complaints}"));
}

#[test]
fn a_file_becomes_lines_of_json() {
    check(
        "Garden\n\nMia tends it.",
        &["--extension=txt", "--memory-bytes=1073741824", "--cpu-seconds=60"],
        expect![[r#"
            {"ready":{"missing":[]}}
            {"document":{"document":{"record_id":null,"title":"Garden","place":null,"text":"Garden\n\nMia tends it."},"done":1.0}}
            "end"
        "#]],
    );
    check(
        " ",
        &["--extension=txt", "--memory-bytes=1073741824", "--cpu-seconds=60"],
        expect![[r#"
            {"ready":{"missing":[]}}
            {"failed":"the file is empty: upload a file with text in it"}
        "#]],
    );
}

#[test]
fn of_a_fetched_page_the_links_can_be_had_alone() {
    check(
        "<title>Team</title><link rel=canonical href=/team><p>Mia <a href=b>tends</a> it.",
        &["--extension=webpage-links", "--memory-bytes=1073741824", "--cpu-seconds=60"],
        expect![[r#"
            {"ready":{"missing":[]}}
            {"page":{"title":"Team","canonical":"/team","base":null,"links":["b"],"text_sha256":[15,133,221,129,231,187,47,120,24,186,119,75,171,198,45,200,165,34,131,42,203,26,195,174,148,233,254,226,34,131,71,94]}}
        "#]],
    );
}

#[test]
fn memory_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.txt");
    std::fs::write(&path, "word ".repeat(40 << 20)).unwrap();
    let limits = ["--extension=html", "--memory-bytes=134217728", "--cpu-seconds=60"];
    let (out, complaints) = parse(&path, &limits);
    let is_told = out.contains("the file needs more memory to be read than a parser may use");
    assert!(is_told || complaints.starts_with("memory allocation of"), "{out}{complaints}");
    let limits = ["--extension=txt", "--memory-bytes=134217728", "--cpu-seconds=60"];
    let (out, _) = parse(&path, &limits);
    assert!(out.ends_with("\"end\"\n"), "text is read piece by piece");
}

#[test]
fn the_limits_can_be_had() {
    let mut missing = binary().missing_limits().unwrap();
    // Kernels before 5.13 and some containers have no Landlock; it is said, and parsing goes on.
    missing.retain(|it| !it.contains("Landlock"));
    if cfg!(target_os = "linux") {
        assert_eq!(missing, [] as [&str; 0]);
    }
}

/// Whatever the reader of a format needs (poppler for PDF), it has it within the limits.
#[test]
fn every_fixture_is_read_within_the_limits() {
    let engine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../harkback-engine/test-data");
    let mut n_documents = 0;
    for folder in std::fs::read_dir(engine).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let extension = name.rsplit_once('.').map_or("", |it| it.1);
            let output = Command::new(env!("CARGO_BIN_EXE_harkback"))
                .args(["parse-file", "--memory-bytes=1073741824", "--cpu-seconds=60"])
                .args([format!("--name={name}"), format!("--extension={extension}")])
                .env_clear()
                .env("MIMALLOC_ARENA_RESERVE", "32768")
                .stdin(std::fs::File::open(&path).unwrap())
                .output()
                .unwrap();
            let out = String::from_utf8(output.stdout).unwrap();
            let last = out.lines().last().unwrap_or_default();
            assert!(last == "\"end\"" || last.starts_with("{\"failed\""), "{name}: {out}");
            assert!(!out.contains("does not start"), "{name}: {out}");
            n_documents += out.matches("{\"document\":{\"document\"").count();
        }
    }
    assert!(n_documents > 20, "{n_documents} documents");
}
