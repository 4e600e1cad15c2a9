//! Does this version open the data directories of all released ones, with every answer still there?

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::{Caller, Serving};

const QUESTIONS: [(&str, &str); 2] = [
    ("On which days can I see the doctor who treats migraine?", "Mondays and Thursdays"),
    ("What is the telephone number of the Linden clinic?", "555-0144"),
];

#[tokio::test]
async fn data_of_every_released_version_is_opened_with_all_that_is_in_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/released");
    let archives: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "zip"))
        .collect();
    assert!(!archives.is_empty());
    for archive in archives {
        answers_as_before(&archive).await;
    }
}

async fn answers_as_before(archive: &Path) {
    let scratch = tempfile::tempdir().unwrap();
    zip::ZipArchive::new(File::open(archive).unwrap()).unwrap().extract(scratch.path()).unwrap();
    let read = |name: &str| fs::read_to_string(scratch.path().join(name)).unwrap();
    let serving = Serving::start(scratch.path());
    let caller = Caller::new(&serving, &read("key"));

    let before: Value = serde_json::from_str(&read("answers.json")).unwrap();
    for (path, before) in before.as_object().unwrap() {
        let (status, now) = caller.get(path).await;
        assert_eq!(status, 200, "{archive:?} {path}");
        assert_holds(&now, before, &format!("{archive:?} {path}"));
    }
    let memories = before["/memories/list"]["data"]["memories"].as_array().unwrap();
    assert_eq!(memories.len(), 2);
    for memory in memories {
        let id = memory["id"].as_str().unwrap();
        for (question, answer) in QUESTIONS {
            let recalled = caller.recall(id, question).await["payload"].to_string();
            assert!(recalled.contains(answer), "{archive:?} {question}\n{recalled}");
        }
    }
}

/// All that `before` says, `now` says too; it may say more.
fn assert_holds(now: &Value, before: &Value, place: &str) {
    match (now, before) {
        (Value::Object(now), Value::Object(before)) => {
            for (key, value) in before {
                let found = now.get(key).unwrap_or_else(|| panic!("{place}/{key} is gone"));
                assert_holds(found, value, &format!("{place}/{key}"));
            }
        }
        (Value::Array(now), Value::Array(before)) => {
            assert_eq!(now.len(), before.len(), "{place}");
            for (n, (now, before)) in now.iter().zip(before).enumerate() {
                assert_holds(now, before, &format!("{place}/{n}"));
            }
        }
        _ => assert_eq!(now, before, "{place}"),
    }
}
