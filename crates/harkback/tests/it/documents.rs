//! Are the documents true to the program: every setting in the table, every command and flag a real one, every metric there?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::error::{ContextKind, ErrorKind};
use harkback::cli;
use harkback::config::Config;

use crate::app::TestApp;
use crate::binary::Serving;
use crate::fixtures::{ingest, memory, text_file};

/// Where commands stand in running text too.
const DOCUMENTS: [&str; 3] = ["docs/OPERATIONS.md", "docs/SECURITY.md", "docs/ARCHIVE.md"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_table_of_settings_has_every_setting() {
    let readme = read("README.md");
    let table = readme.split("## Configuration").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows: BTreeSet<(String, String)> = table
        .lines()
        .filter_map(|line| {
            let mut cells =
                line.strip_prefix("| `")?.split('|').map(|it| it.trim().trim_matches('`'));
            Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
        })
        .collect();

    let commands = cli::command();
    let flags: BTreeSet<(String, String)> = commands
        .find_subcommand("serve")
        .unwrap()
        .get_arguments()
        .filter(|it| !["config", "models"].contains(&it.get_id().as_str()))
        .filter_map(|it| Some((it.get_id().to_string(), it.get_env()?.to_str()?.to_owned())))
        .collect();
    assert_eq!(rows, flags, "README.md's table against the flags of `serve`");

    let in_file = toml::from_str::<Config>("no_such_setting = 1").unwrap_err().to_string();
    let expected = in_file.split("expected one of").nth(1).expect("serde lists the settings");
    let in_file: BTreeSet<&str> = expected.split('`').skip(1).step_by(2).collect();
    assert_eq!(
        in_file,
        flags.iter().map(|it| it.0.as_str()).collect(),
        "the file against the flags"
    );
}

#[test]
fn every_command_in_the_documents_is_one() {
    let mut found = Vec::new();
    for path in DOCUMENTS {
        let text = read(path);
        found.extend(text.split('`').filter(|it| it.starts_with("harkback ")).map(line));
        found.extend(text.lines().filter(|it| it.starts_with("harkback ")).map(line));
    }
    let n_written = found.len();
    assert!(n_written > 12, "{found:?}");
    for path in ["packaging/harkback.service", "packaging/Dockerfile"] {
        let text = read(path);
        let commands = text.lines().filter_map(|it| it.split_once("harkback ").map(|it| it.1));
        let is_ours = |it: &&str| {
            let first = it.split(' ').next().unwrap_or_default();
            cli::command().find_subcommand(first).is_some()
        };
        // `docker exec harkback harkback keys …`
        let commands = commands.map(|it| it.strip_prefix("harkback ").unwrap_or(it));
        found.extend(commands.filter(is_ours).map(|it| line(&format!("harkback {it}"))));
    }
    let docker = read("packaging/Dockerfile");
    let words = |name: &str| -> Vec<String> {
        let line = docker.lines().find_map(|it| it.strip_prefix(name)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    found.push([words("ENTRYPOINT "), words("CMD ")].concat());
    assert!(found.len() >= n_written + 4, "the packages name no commands: {found:?}");
    for words in found {
        if is_name_of_command(&words) {
            continue;
        }
        if let Err(error) = cli::command().try_get_matches_from(&words) {
            // Documents leave the key to the environment.
            let missing = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            let only_the_key = error.kind() == ErrorKind::MissingRequiredArgument
                && missing.as_deref() == Some("--key <KEY>");
            assert!(only_the_key, "{words:?}: {error}");
        }
    }
}

/// `harkback keys` and the like, as one speaks of a command.
fn is_name_of_command(words: &[String]) -> bool {
    let mut command = cli::command();
    words[1..].iter().all(|word| match command.find_subcommand(word) {
        Some(found) => {
            command = found.clone();
            true
        }
        None => false,
    })
}

/// The words of a command, up to where its output goes.
fn line(text: &str) -> Vec<String> {
    let command = text.split(" > ").next().unwrap_or_default();
    command.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn what_the_packages_set_is_a_setting() {
    let commands = cli::command();
    let serve = commands.find_subcommand("serve").unwrap();
    let known: BTreeSet<&str> =
        serve.get_arguments().filter_map(|it| it.get_env()?.to_str()).collect();
    let docker = read("packaging/Dockerfile");
    let set: Vec<&str> = docker
        .lines()
        .filter_map(|it| it.strip_prefix("ENV "))
        .flat_map(|it| it.split(' '))
        .filter_map(|it| Some(it.split_once('=')?.0))
        .collect();
    assert!(!set.is_empty() && set.iter().all(|it| known.contains(it)), "{set:?}");
}

/// `systemd-analyze` is not on every machine; where it is, it reads the unit as systemd would.
#[test]
fn the_unit_is_one_that_systemd_takes() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let unit = scratch.path().join("harkback.service");
    let text = read("packaging/harkback.service");
    fs::write(&unit, text.replace("/usr/local/bin/harkback", env!("CARGO_BIN_EXE_harkback")))
        .unwrap();
    let said =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output().unwrap();
    let about_it = String::from_utf8_lossy(&said.stderr);
    let about_it: Vec<&str> = about_it.lines().filter(|it| it.contains("harkback")).collect();
    assert!(about_it.is_empty(), "{about_it:?}");
}

#[tokio::test]
async fn every_metric_that_operators_are_told_of_is_there() {
    let text = read("docs/OPERATIONS.md");
    let is_name = |it: char| it.is_ascii_lowercase() || it == '_';
    let named: BTreeSet<String> = text
        .match_indices("harkback_")
        .map(|(at, _)| text[at..].chars().take_while(|it| is_name(*it)).collect())
        .collect();
    assert!(named.len() >= 3, "{named:?}");

    let app = TestApp::new().await;
    let made = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "a.txt", "Mia Holm tends the garden.").await;
    ingest(&app, &app.alice, &made, &[file]).await;
    let metrics = String::from_utf8(app.stranger().get("/metrics").await.body).unwrap();
    for name in named {
        assert!(metrics.contains(&name), "{name} is not among\n{metrics}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_server_leaves_no_core_dump() {
    let scratch = tempfile::tempdir().unwrap();
    let serving = Serving::start(scratch.path());
    let limits = fs::read_to_string(format!("/proc/{}/limits", serving.pid())).unwrap();
    let core = limits.lines().find(|it| it.starts_with("Max core file size")).unwrap();
    let sizes: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(sizes, ["0", "0"], "{core}");
}
