//! House rules that rustc and clippy cannot check. `docs/STYLE.md` explains each.

use std::path::{Path, PathBuf};

const MAX_LINES: usize = 500;

/// A trait is earned by its second implementation.
const MAX_ENGINE_TRAITS: usize = 5;

const BANNED_FILES: &[&str] = &[
    "utils.rs",
    "util.rs",
    "helpers.rs",
    "helper.rs",
    "common.rs",
    "misc.rs",
    "manager.rs",
    "service.rs",
];

const BANNED_SUFFIXES: &[&str] =
    &["Manager", "Helper", "Util", "Utils", "Service", "Processor", "Orchestrator", "Dto", "Impl"];

const BANNED_TEXT: &[&str] = &["FIXME", "In a real implementation", "For now,", "placeholder"];

/// Who may not know whom inside the engine. A crate boundary keeps HTTP out; this keeps the rest in order.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("model", &["store", "index", "embed", "ingest", "retrieve"]),
    ("index", &["store", "embed", "ingest", "retrieve"]),
    ("store", &["index", "embed", "ingest", "retrieve"]),
    ("embed", &["store", "index", "ingest", "retrieve"]),
    ("ingest", &["retrieve"]),
    ("retrieve", &["embed", "ingest"]),
];

#[test]
fn house_rules_hold() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut complaints = Vec::new();
    let mut n_engine_traits = 0;
    for path in rust_files(root) {
        if path.ends_with("it/tidy.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        check_file(&path, &text, &mut complaints);
        if path.to_string_lossy().contains("engine/src") {
            n_engine_traits += text.lines().filter(|it| it.starts_with("pub trait ")).count();
        }
    }
    if MAX_ENGINE_TRAITS < n_engine_traits {
        complaints.push(format!(
            "{n_engine_traits} public traits in the engine (at most {MAX_ENGINE_TRAITS})"
        ));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn check_file(path: &Path, text: &str, complaints: &mut Vec<String>) {
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_test = path.components().any(|it| it.as_os_str() == "tests") || name == "tests.rs";
    let mut complain = |what: String| complaints.push(format!("{}: {what}", path.display()));

    let n_lines = text.lines().count();
    if !is_test && MAX_LINES < n_lines {
        complain(format!("{n_lines} lines; split it by what it is about (at most {MAX_LINES})"));
    }
    if !text.starts_with("//! ") {
        complain("say in a `//!` line what this file is for".to_owned());
    }
    if BANNED_FILES.contains(&name) {
        complain("name the file after what is in it".to_owned());
    }
    for (line_idx, line) in text.lines().enumerate() {
        if let Some(banned) = BANNED_TEXT.iter().find(|it| line.contains(**it)) {
            complain(format!("line {}: `{banned}`", line_idx + 1));
        }
        let Some(item) =
            line.trim_start().strip_prefix("pub ").unwrap_or(line.trim_start()).split_once(' ')
        else {
            continue;
        };
        if !matches!(item.0, "struct" | "enum" | "trait") {
            continue;
        }
        let ident = item.1.split(|c: char| !c.is_alphanumeric()).next().unwrap();
        if BANNED_SUFFIXES.iter().any(|it| ident.ends_with(it)) {
            complain(format!(
                "line {}: name `{ident}` after the thing, not its job title",
                line_idx + 1
            ));
        }
    }
    for (module, forbidden) in FORBIDDEN {
        if !path.components().any(|it| it.as_os_str() == *module)
            || !path.to_string_lossy().contains("engine/src")
        {
            continue;
        }
        for other in *forbidden {
            if text.contains(&format!("crate::{other}")) {
                complain(format!("`{module}` must not know `{other}`"));
            }
        }
    }
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut res = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            res.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            res.push(path);
        }
    }
    res
}
