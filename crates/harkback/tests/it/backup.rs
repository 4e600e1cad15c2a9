//! Does a backup taken under load hold all that was acknowledged before, and does a server made of it answer the same?

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harkback::backup::{self, BackupError, BackupManifest};
use harkback_engine::Store;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::app::TestApp;
use crate::binary::{Caller, Serving, create_key, run_well};
use crate::fixtures::{ingest, memory, put, text_file, upload_url};

const QUESTION: &str = "Who repairs sewing machines?";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    let (data, copy, again) = (at("data"), at("copy"), at("again"));
    let people = at("people.md");
    fs::write(&people, "# Odile Brand\n\nOdile Brand repairs sewing machines.\n").unwrap();
    let serving = Serving::start(&data);
    let key = create_key(&data, "shop");
    let caller = Arc::new(Caller::new(&serving, &key));
    let memory_id = caller.create_memory("Shop").await;
    let remote = ["--memory", &memory_id, "--url", &serving.url, "--key", &key];
    run_well(&[&["ingest", text(&people)], &remote[..]].concat());
    let before = caller.recall(&memory_id, QUESTION).await;

    let ending = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for n in 0..4 {
        writers.spawn(write(Arc::clone(&caller), n, Arc::clone(&ending)));
    }
    let mut acknowledged = Value::Null;
    while acknowledged["totalCount"].as_u64() <= Some(10) {
        acknowledged = caller.get("/messages/list?limit=100").await.1;
    }
    run_well(&["backup", text(&copy), "--data", text(&data)]);
    ending.store(true, Ordering::SeqCst);
    let rounds = writers.join_all().await;
    assert!(rounds.iter().all(|it| *it > 0), "nothing was written meanwhile: {rounds:?}");
    serving.kill();

    run_well(&["restore", text(&copy), "--data", text(&again)]);
    let serving = Serving::start(&again);
    let caller = Caller::new(&serving, &key);
    let after = caller.recall(&memory_id, QUESTION).await;
    assert!(before["payload"][0]["content"].as_str().unwrap().contains("Odile Brand"), "{before}");
    assert_eq!((&before["payload"], &before["sources"]), (&after["payload"], &after["sources"]));
    let acknowledged = acknowledged["messages"].as_array().unwrap();
    for message in acknowledged {
        let id = message["id"].as_str().unwrap();
        assert_eq!(caller.get(&format!("/messages/get/{id}")).await.1["data"], *message);
    }
    let keys = Store::blob_keys(&again).await.unwrap();
    assert!(!keys.is_empty() && keys.iter().all(|it| again.join("blobs").join(it).is_file()));
}

/// Writes messages, and files that are deleted again, until told to end. Returns how many rounds there were.
async fn write(caller: Arc<Caller>, writer: usize, ending: Arc<AtomicBool>) -> usize {
    let http = reqwest::Client::new();
    let mut n = 0;
    while !ending.load(Ordering::SeqCst) {
        let message = json!({"role": "user", "content": format!("{writer} says {n}")});
        assert_eq!(caller.post("/messages/create", message).await.0, 201);
        let (_, upload) = caller.post("/files/upload", json!({"fileName": "a.txt"})).await;
        let url = upload["data"]["uploadUrl"].as_str().unwrap();
        assert!(http.put(url).body("passing").send().await.unwrap().status().is_success());
        let file = json!({"name": "a.txt", "key": upload["data"]["key"]});
        let (_, file) = caller.post("/files/create", file).await;
        let id = file["data"]["id"].as_str().unwrap();
        let gone = http.delete(format!("{}/files/delete/{id}", caller.url));
        let gone = gone.header("X-API-Key", &caller.key).send().await.unwrap();
        assert!(gone.status().is_success());
        n += 1;
    }
    n
}

/// A backup of a small data directory.
async fn small_backup(dir: &Path) -> (TestApp, PathBuf, BackupManifest) {
    let app = TestApp::new().await;
    let made = memory(&app.alice).await;
    let file = text_file(&app, &app.alice, "a.txt", "Mia Holm tends the garden.").await;
    ingest(&app, &app.alice, &made, &[file]).await;
    let (url, _) = upload_url(&app.alice, "unused.txt").await;
    assert_eq!(put(&app, &url, "not a file yet").await.status, 200);
    let to = dir.join("copy");
    let manifest = backup::backup(&app.app.config.data, &to, "now".to_owned()).await.unwrap();
    (app, to, manifest)
}

#[tokio::test]
async fn a_backup_is_the_owners_alone_and_takes_no_directory_that_is_in_use() {
    let scratch = tempfile::tempdir().unwrap();
    let (app, to, manifest) = small_backup(scratch.path()).await;
    let paths: Vec<_> = manifest.files.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths.len(), 3, "the database, the file, the upload without a file: {paths:?}");
    #[cfg(unix)]
    for (path, mode) in [("", 0o700), ("blobs", 0o700), (paths[0], 0o600), (paths[1], 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(to.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }

    let data = &app.app.config.data;
    let refused = backup::backup(data, &to, "now".to_owned()).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))), "{refused:?}");
    let refused = backup::restore(&to, data).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty(_))), "{refused:?}");
    let (none, other) = (scratch.path().join("none"), scratch.path().join("other"));
    let refused = backup::backup(&none, &other, "now".to_owned()).await;
    assert!(matches!(refused, Err(BackupError::NoData(_))), "{refused:?}");
    let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "only the backup is there: {left:?}");
}

#[tokio::test]
async fn a_damaged_backup_restores_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (_app, from, manifest) = small_backup(scratch.path()).await;
    let blob = from.join(&manifest.files[1].path);
    let whole = fs::read(&blob).unwrap();
    let target = scratch.path().join("data");
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value = serde_json::to_value(&manifest).unwrap();
        change(&mut value);
        fs::write(from.join("manifest.json"), value.to_string()).unwrap();
    };
    let refused = async |what: &str| {
        let error = backup::restore(&from, &target).await.expect_err(what);
        assert!(!target.exists(), "{what}");
        error.to_string()
    };

    let mut other = whole.clone();
    other[0] ^= 1;
    fs::write(&blob, other).unwrap();
    assert!(
        refused("a changed bit").await.contains("is damaged: it is not what the manifest says")
    );
    fs::remove_file(&blob).unwrap();
    assert!(refused("a lost file").await.contains("is damaged: it is missing"));
    fs::write(&blob, whole).unwrap();

    fs::write(scratch.path().join("secret"), "x").unwrap();
    for path in ["../secret", "/etc/hostname", "blobs/../../secret", "keys", ""] {
        changed(&|it| it["files"][1]["path"] = json!(path));
        assert!(refused(path).await.contains(&format!("it names `{path}`")));
    }
    changed(&|it| it["format"] = json!(2));
    assert!(refused("another format").await.contains("its format is 2, not 1"));
    changed(&|it| drop(it["files"].as_array_mut().unwrap().pop()));
    assert!(refused("a file left out").await.contains("the database names it"));

    changed(&|_| ());
    backup::restore(&from, &target).await.unwrap();
}
