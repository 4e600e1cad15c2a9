//! Does the source keep the rules of `docs/STYLE.md` that neither rustc nor clippy can check? A rule is a function below
//! and a row of `RULES`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use expect_test::expect;

type Rule = fn(&Source) -> Vec<String>;

const RULES: [Rule; 6] = [size, opening, file_name, type_names, arrows, sql];

/// One source file, its path counted from `crates/`.
struct Source {
    path: PathBuf,
    text: String,
}

#[test]
fn the_house_rules_hold() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = Vec::new();
    collect(crates, crates, &mut sources);
    assert!(sources.len() > 50, "only {} files found", sources.len());
    let mut complaints: Vec<String> = sources.iter().flat_map(complaints_about).collect();
    let n_traits = sources.iter().filter(|it| it.is_engine()).map(public_traits).sum::<usize>();
    if n_traits > 5 {
        complaints.push(format!("{n_traits} public traits in the engine; each needs two uses"));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_rule_can_complain() {
    let bad = [
        ("harkback/src/utils.rs", "//! What?\n".to_owned()),
        ("harkback/src/long.rs", format!("//! What?\n{}", "\n".repeat(500))),
        ("harkback/src/silent.rs", "use std::fs;\n".to_owned()),
        ("harkback/src/job.rs", "//! What?\npub(crate) struct JobManager;\n".to_owned()),
        ("harkback/src/reach.rs", "//! What?\nlet sql = sqlx::query(\"\");\n".to_owned()),
        ("harkback-engine/src/index/up.rs", "//! What?\nuse crate::store::Store;\n".to_owned()),
        (
            "harkback-engine/src/model/up.rs",
            "//! What?\nfn f(it: crate::{embed::A, B}) {}\n".to_owned(),
        ),
        ("harkback/tests/it/long.rs", format!("//! Tests may be long.\n{}", "\n".repeat(500))),
        ("harkback/src/fine.rs", "//! What?\npub struct Implication;\n".to_owned()),
    ];
    let said: Vec<String> = bad
        .into_iter()
        .flat_map(|(path, text)| complaints_about(&Source { path: path.into(), text }))
        .collect();
    expect![[r#"
        harkback/src/utils.rs: name the file after what is in it
        harkback/src/long.rs: 501 lines, at most 500; split it by what it is about
        harkback/src/silent.rs: begin with a `//!` sentence that says which question the file answers
        harkback/src/job.rs: name `JobManager` after the thing, not its job
        harkback/src/reach.rs: SQL outside the engine's `store`
        harkback-engine/src/index/up.rs: `index` must not know `store`
        harkback-engine/src/model/up.rs: `model` must not know `embed`"#]]
    .assert_eq(&said.join("\n"));
}

fn complaints_about(source: &Source) -> Vec<String> {
    let said = RULES.iter().flat_map(|rule| rule(source));
    said.map(|it| format!("{}: {it}", source.path.display())).collect()
}

fn size(source: &Source) -> Vec<String> {
    let n_lines = source.text.lines().count();
    let too_long = !source.is_test() && n_lines > 500;
    complain(too_long, || format!("{n_lines} lines, at most 500; split it by what it is about"))
}

fn opening(source: &Source) -> Vec<String> {
    complain(!source.text.starts_with("//! "), || {
        "begin with a `//!` sentence that says which question the file answers".to_owned()
    })
}

fn file_name(source: &Source) -> Vec<String> {
    const EMPTY: [&str; 8] =
        ["common", "helper", "helpers", "manager", "misc", "service", "util", "utils"];
    let stem = source.path.file_stem().unwrap_or_default().to_string_lossy();
    complain(EMPTY.contains(&&*stem), || "name the file after what is in it".to_owned())
}

fn type_names(source: &Source) -> Vec<String> {
    const JOBS: [&str; 9] = [
        "Manager",
        "Helper",
        "Util",
        "Utils",
        "Service",
        "Processor",
        "Orchestrator",
        "Dto",
        "Impl",
    ];
    let named = source.text.lines().filter_map(type_named);
    named
        .filter(|name| JOBS.iter().any(|job| name.ends_with(job)))
        .map(|name| format!("name `{name}` after the thing, not its job"))
        .collect()
}

/// The type that a line declares.
fn type_named(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|it| it.starts_with("pub"));
    matches!(words.next()?, "struct" | "enum" | "trait").then_some(())?;
    words.next()?.split(|it: char| !it.is_alphanumeric()).next()
}

/// Arrows inside the engine go one way; the crate boundary keeps HTTP out.
fn arrows(source: &Source) -> Vec<String> {
    const UNKNOWN_TO: [(&str, &[&str]); 6] = [
        ("model", &["store", "index", "embed", "ingest", "retrieve"]),
        ("index", &["store", "embed", "ingest", "retrieve"]),
        ("store", &["index", "embed", "ingest", "retrieve"]),
        ("embed", &["store", "index", "ingest", "retrieve"]),
        ("ingest", &["retrieve"]),
        ("retrieve", &["ingest"]),
    ];
    if !source.is_engine() {
        return Vec::new();
    }
    let module = |name: &str| source.has(name) || source.path.ends_with(format!("{name}.rs"));
    let rows = UNKNOWN_TO.iter().filter(|(name, _)| module(name));
    rows.flat_map(|(name, others)| {
        let known = others.iter().filter(|it| source.names(it));
        known.map(move |it| format!("`{name}` must not know `{it}`"))
    })
    .collect()
}

fn sql(source: &Source) -> Vec<String> {
    let at_home = source.is_engine() && source.has("store");
    // The engine's error type holds the database's.
    let outside = !at_home && !source.is_test() && source.text.contains("sqlx::query");
    complain(outside, || "SQL outside the engine's `store`".to_owned())
}

fn public_traits(source: &Source) -> usize {
    source.text.lines().filter(|it| it.starts_with("pub trait ")).count()
}

impl Source {
    fn is_engine(&self) -> bool {
        self.path.starts_with("harkback-engine/src")
    }

    fn is_test(&self) -> bool {
        self.has("tests") || self.path.ends_with("tests.rs")
    }

    fn has(&self, folder: &str) -> bool {
        self.path.components().any(|it| it == Component::Normal(folder.as_ref()))
    }

    /// Whether it names the engine's module of that name: `crate::name` or `crate::{…, name::…}`.
    fn names(&self, module: &str) -> bool {
        self.text.split("crate::").skip(1).any(|rest| {
            let path = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or_default(),
                None => rest.split([';', ' ', '\n']).next().unwrap_or_default(),
            };
            path.split(", ")
                .any(|it| it.trim_start().split(|c: char| !is_word(c)).next() == Some(module))
        })
    }
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

fn complain(wrong: bool, what: impl FnOnce() -> String) -> Vec<String> {
    wrong.then(what).into_iter().collect()
}

fn collect(crates: &Path, dir: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(crates, &path, sources);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            sources.push(Source { path: path.strip_prefix(crates).unwrap().to_owned(), text });
        }
    }
}
