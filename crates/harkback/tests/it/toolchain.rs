//! The Python and Node programs that test us from outside: made once under the target directory, from exact versions.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// `tests/clients` of the repository.
pub(crate) fn client_sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients")
}

/// A virtual environment with exactly these packages. Returns its folder of programs.
pub(crate) fn virtual_environment(name: &str, requirements: &[&str]) -> PathBuf {
    let dir = made_once(name, &requirements.join("\n"), |dir| {
        run_well(Command::new("python3").args(["-m", "venv"]).arg(dir));
        run_well(Command::new(dir.join("bin/pip")).args(["install", "--quiet"]).args(requirements));
    });
    dir.join("bin")
}

/// The TypeScript flows, compiled. Returns the JavaScript to run.
pub(crate) fn compiled_typescript() -> PathBuf {
    let sources = client_sources().join("typescript");
    let names = ["package.json", "package-lock.json", "tsconfig.json", "flows.ts", ".npmrc"];
    let read =
        |name| fs::read_to_string(sources.join(name)).expect("the sources are in the repository");
    let contents: Vec<String> = names.into_iter().map(read).collect();
    let dir = made_once("typescript", &contents.concat(), |dir| {
        for (name, content) in names.iter().zip(&contents) {
            fs::write(dir.join(name), content).expect("the target directory is writable");
        }
        run_well(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(dir));
        run_well(Command::new("npm").args(["run", "build"]).current_dir(dir));
    });
    dir.join("build/flows.js")
}

/// Runs a program and fails the test with its output unless it succeeds.
pub(crate) fn run_well(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let text =
        [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}

/// A directory that `make` fills; kept as long as it is made from the same `recipe`, locked against other test runs.
fn made_once(name: &str, recipe: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    fs::create_dir_all(&root).expect("the target directory is writable");
    let lock =
        File::create(root.join(format!("{name}.lock"))).expect("the target directory is writable");
    lock.lock().expect("files can be locked");

    let dir = root.join(name);
    let stamp = dir.join("made-from");
    if fs::read_to_string(&stamp).is_ok_and(|it| it == recipe) {
        return dir;
    }
    if dir.exists() {
        fs::remove_dir_all(&dir).expect("the target directory is ours");
    }
    fs::create_dir_all(&dir).expect("the target directory is writable");
    make(&dir);
    fs::write(stamp, recipe).expect("the target directory is writable");
    dir
}
