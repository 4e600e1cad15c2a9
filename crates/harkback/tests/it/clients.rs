//! Do the official client and the published example flows run against the real server, with only the base URL changed?

use std::process::Command;

use crate::binary::{Caller, Serving, create_key, run_well as harkback};
use crate::toolchain::{client_sources, compiled_typescript, run_well, virtual_environment};

/// The client imports `requests` without declaring it.
pub(crate) const REQUESTS: &str = "requests==2.34.2";
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sample");

#[test]
fn official_client_2_2_0() {
    official_client("2.2.0");
}

#[test]
fn official_client_2_1_4() {
    official_client("2.1.4");
}

#[test]
fn official_client_0_15_0() {
    official_client("0.15.0");
}

#[test]
fn official_client_0_13_4() {
    official_client("0.13.4");
}

/// The client comes unmodified from the package registry; the script fails if it leaves out a public method.
fn official_client(version: &str) {
    let duohub = format!("duohub=={version}");
    let programs = virtual_environment(&duohub, &[&duohub, REQUESTS]);
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(data.path());
    let key = create_key(data.path(), "official client");

    let mut command = Command::new(programs.join("python"));
    command.arg(client_sources().join("official_client.py")).args([&serving.url, version]);
    let output = run_well(command.env("DUOHUB_API_KEY", key));
    assert!(output.contains("all as they should be"), "{output}");
}

#[tokio::test]
async fn example_flows_in_python_and_typescript() {
    let programs = virtual_environment("requests", &[REQUESTS]);
    let flows_js = compiled_typescript();
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(data.path());
    let key = create_key(data.path(), "example flows");
    let memory_id = Caller::new(&serving, &key).create_memory("Willowmere Family Clinic").await;
    harkback(&["ingest", SAMPLE, "--memory", &memory_id, "--url", &serving.url, "--key", &key]);

    let mut python = Command::new(programs.join("python"));
    python.arg(client_sources().join("example_flows.py"));
    let mut node = Command::new("node");
    node.arg(flows_js);
    for command in [&mut python, &mut node] {
        let output = run_well(command.args([&serving.url, &memory_id]).env("DUOHUB_API_KEY", &key));
        assert!(output.contains("all as they should be"), "{output}");
    }
}
