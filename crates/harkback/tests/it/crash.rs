//! The crash drill in its short form: the long one is `cargo run --release --example crash_drill -- --rounds 200`.

use std::path::Path;

#[path = "../../examples/crash_drill/drill/mod.rs"]
mod drill;

use crate::binary::{create_key, run, run_well};
use crate::real_models::real_models_dir;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    real_models_dir();
    let binary = Path::new(env!("CARGO_BIN_EXE_harkback")).to_owned();
    let drill =
        drill::Drill { binary, rounds: 5, writers: 6, seed: 7, mix: drill::Mix::Everything };
    let figures = drill::run(&drill, &|_| ()).await.unwrap_or_else(|loss| panic!("{loss}"));
    let figures = figures.to_string();
    assert!(figures.starts_with("5 kills, ") && figures.contains(" torn logs, "), "{figures}");
    assert!(!figures.contains(" 0 torn logs"), "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `strace` and the right to trace"]
async fn nothing_acknowledged_is_lost_when_the_power_goes() {
    let binary = Path::new(env!("CARGO_BIN_EXE_harkback")).to_owned();
    let drill =
        drill::Drill { binary, rounds: 20, writers: 4, seed: 7, mix: drill::Mix::Everything };
    let done = drill::power::run(&drill, &|_| ()).await.unwrap_or_else(|loss| panic!("{loss}"));
    assert!(done.starts_with("20 power cuts in "), "{done}");
}

#[test]
fn verify_exits_by_what_it_finds() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let nothing = run(&["verify", "--data", data]);
    assert!(!nothing.status.success());
    assert!(nothing.stderr.contains("there is no data in"), "{}", nothing.stderr);
    create_key(dir.path(), "ann");
    let clean = run_well(&["verify", "--data", data]);
    assert_eq!(clean.stdout, "");
    assert_eq!(clean.stderr, "0 defects in 0 passages, 0 vectors, 0 uploads\n");
    let json = run_well(&["verify", "--data", data, "--json"]).stdout;
    let empty = r#"{"blobs":0,"defects":[],"leftovers":[],"passages":0,"vectors":0}"#;
    assert_eq!(json.trim(), empty);
    std::fs::write(dir.path().join("harkback.db"), "no database ".repeat(500)).unwrap();
    let broken = run(&["verify", "--data", data]);
    assert_eq!(broken.status.code(), Some(1));
    assert_eq!(broken.stdout, "the database file is broken: restore a backup\n");
}
