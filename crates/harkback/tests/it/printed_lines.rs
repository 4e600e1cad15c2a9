//! Do the lines that the README and the quickstart tell people to run really work, word by word?

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binary::Serving;
use crate::clients::REQUESTS;
use crate::toolchain::{run_well, virtual_environment};

const README: &str = include_str!("../../../../README.md");
/// The address that the README speaks of.
const README_ADDRESS: &str = "127.0.0.1:8787";

#[test]
fn readme_lines_work() {
    let blocks: Vec<&str> =
        README.split("<!-- tested -->\n```sh\n").skip(1).map(|it| until(it, "```")).collect();
    assert_eq!(blocks.len(), 4, "the marks in README.md have changed");
    let scratch = tempfile::tempdir().unwrap();
    let serving = Serving::start(&scratch.path().join("harkback-data"));
    let script = format!(
        "set -euo pipefail\n{}",
        blocks.concat().replace(README_ADDRESS, &serving.address())
    );

    let output = shell(&script, scratch.path());
    for wanted in
        ["The garden is tended by Mia Holm", "555-0188", "behind the kitchen door", "\"facts\""]
    {
        assert!(output.contains(wanted), "`{wanted}` is not in\n{output}");
    }
    assert!(!output.contains("\"error\""), "{output}");
}

#[test]
fn quickstart_lines_work() {
    let programs = virtual_environment("duohub==2.2.0", &["duohub==2.2.0", REQUESTS]);
    let scratch = tempfile::tempdir().unwrap();
    let (_serving, printed) = Serving::quickstart(scratch.path());

    let curl = printed.lines().find(|it| it.starts_with("curl ")).expect("a curl line is printed");
    assert!(shell(curl, scratch.path()).contains("Marchetti"));

    let python = &printed[printed.find("import duohub").expect("Python lines are printed")..];
    let output =
        run_well(Command::new(programs.join("python")).args(["-c", until(python, "\n\n")]));
    assert!(output.contains("Marchetti"), "{output}");
}

/// Runs a script with our binary on the path, as after `cargo install`.
fn shell(script: &str, dir: &Path) -> String {
    let file = dir.join("script.sh");
    fs::write(&file, script).unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_harkback")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), env!("PATH"));
    run_well(Command::new("bash").arg(file).current_dir(dir).env("PATH", path))
}

fn until<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or(text, |it| it.0)
}
