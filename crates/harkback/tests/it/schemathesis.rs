//! Does every generated request, valid or not, get an answer that our OpenAPI document describes?

use std::process::Command;

use serde_json::json;

use crate::binary::{Caller, Serving, create_key};
use crate::clients::REQUESTS;
use crate::toolchain::{run_well, virtual_environment};

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
const MAX_EXAMPLES: &str = "15";
const SEED: &str = "20241217";

#[tokio::test]
async fn every_answer_is_as_documented() {
    let programs = virtual_environment("schemathesis", &["schemathesis==4.32.5", REQUESTS]);
    let data = tempfile::tempdir().unwrap();
    let serving = Serving::start(data.path());
    let key = create_key(data.path(), "schemathesis");
    populate(&Caller::new(&serving, &key)).await;

    let output = run_well(
        Command::new(programs.join("schemathesis"))
            .current_dir(data.path())
            .arg("run")
            .arg(format!("{}/openapi.json", serving.url))
            .args(["--header", &format!("X-API-Key: {key}")])
            .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
            .args(["--max-examples", MAX_EXAMPLES, "--seed", SEED, "--generation-database", "none"])
            .args([
                "--continue-on-failure",
                "--request-timeout",
                "10",
                "--warnings",
                "off",
                "--no-color",
            ]),
    );
    assert!(output.contains("No issues found"), "{output}");
}

/// Rows for the lists to show, so that their pages are checked against the document too.
async fn populate(caller: &Caller) {
    let rows = [
        ("/users/create", json!({"firstName": "Ada", "lastName": "Byron", "id": "user-1"})),
        ("/sessions/create", json!({"id": "session-1", "customerUserID": "user-1"})),
        (
            "/messages/create",
            json!({"role": "user", "content": "Hello", "sessionID": "session-1", "id": "message-1"}),
        ),
        (
            "/files/create",
            json!({"name": "Page", "externalURI": "https://example.com/", "fileType": "website"}),
        ),
    ];
    for (path, body) in rows {
        let (status, answer) = caller.post(path, body).await;
        assert_eq!(status, 201, "{path}: {answer}");
    }
    caller.create_memory("For generated requests").await;
}
