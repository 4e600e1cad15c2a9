//! Every way in which a data directory can be wrong, made on purpose in a real one, is found and said.

use std::fs;
use std::path::PathBuf;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::world::World;

async fn world() -> World {
    let world = World::new().await;
    world
        .add(
            "ann",
            "Ann Weber runs the clinic in Bern. She has a dog.\n\nHer clinic opens at nine.",
        )
        .await;
    world.add("ben", "Ben Okafor sells bread in Ulm.").await;
    world.start().await;
    world.work().await;
    world
}

/// Runs statements against the database from outside.
async fn corrupt(world: &World, sql: &'static str) {
    let options = SqliteConnectOptions::new()
        .filename(world.dir.path().join("harkback.db"))
        .foreign_keys(false);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    connection.close().await.unwrap();
}

fn blob(world: &World, nth: usize) -> PathBuf {
    let folders = fs::read_dir(world.dir.path().join("blobs")).unwrap();
    let folder = folders.map(|it| it.unwrap().path()).next().unwrap();
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files.remove(nth)
}

#[tokio::test]
async fn a_directory_in_use_is_sound() {
    let world = world().await;
    let found = world.verify().await;
    World::assert_sound(&found);
    assert_eq!((found.n_passages, found.n_vectors, found.n_blobs), (2, 2, 2));
    world.change("ben", "Ben Okafor moved to Bern.").await;
    world.take_out("ann").await;
    World::assert_sound(&world.verify().await);
    world.start().await;
    world.delete("ben").await;
    World::assert_sound(&world.verify().await);
    let found = world.crash().await.verify().await;
    World::assert_sound(&found);
    assert!(super::super::verify(std::path::Path::new("/nowhere")).await.is_err());
}

#[tokio::test]
async fn every_contradiction_between_rows_is_said() {
    for (sql, said) in [
        ("DELETE FROM account", "a row of `receipt` refers"),
        ("UPDATE memory SET account_id = x'00'", "belongs to no account"),
        ("DELETE FROM memory", "is in no memory of its account"),
        ("DELETE FROM memory", "an ingestion is of no memory"),
        ("DELETE FROM memory", "is for no memory of its account"),
        ("DELETE FROM memory", "tells of no memory of its account"),
        ("DELETE FROM file WHERE id = 'ann'", "is of no file of its account"),
        ("DELETE FROM sample", "passages is no file's in memory"),
        (
            "INSERT INTO former_version SELECT memory_id, x'05', file_id, NULL, NULL FROM sample LIMIT 1",
            "version 05 was replaced, and is kept for no job or no file of memory ",
        ),
        (
            "INSERT INTO former_version SELECT memory_id, active_version, NULL, NULL, NULL FROM sample LIMIT 1",
            " is a file's and is to be dropped",
        ),
        ("DELETE FROM upload", "file ann has bytes of no finished upload: "),
        ("UPDATE upload SET uploaded_at = NULL", "file ann has bytes of no finished upload: "),
        ("UPDATE file SET size = 7 WHERE id = 'ann'", "file ann says 7 bytes, its upload 76"),
        (
            "INSERT INTO message (account_id, id, session_id, role, content, created_at, updated_at)
             SELECT account_id, 'm', 's', 'user', '', 1, 1 FROM account",
            "message m is of no session of its account: s",
        ),
        (
            "INSERT INTO kept_answer SELECT account_id, 'k', x'01', 201, x'00', 1, 'message', 'm' FROM account",
            "a kept answer tells of message m, which is deleted",
        ),
        (
            "INSERT INTO kept_answer SELECT account_id, 'k', x'01', 201, x'00', 1, 'memory',
                                            '00000000-0000-0000-0000-000000000009' FROM account",
            "a kept answer tells of memory 00000000-0000-0000-0000-000000000009, which is deleted",
        ),
        ("UPDATE sample SET n_passages = 9", "says 9 passages, "),
        ("UPDATE sample SET n_sentences = 9", ", 9 sentences, "),
        ("UPDATE sample SET n_tokens = 99", ", 99 tokens; its rows 1, "),
        ("DELETE FROM passage WHERE text LIKE 'Ben%'", "; its rows 0, 0, 0"),
        ("UPDATE passage SET seq = 4", "has 1 passages, the last is number 4"),
        ("UPDATE sample SET active_version = NULL", "is ready without what that needs"),
        ("UPDATE sample SET state = 'failed'", "is failed without what that needs"),
        ("UPDATE sample SET state = 'lost'", "is lost without what that needs"),
        ("UPDATE sample SET state = 'processing'", "is processed by no job"),
        ("UPDATE sample SET staged_version = x'00'", "is staged, but ready"),
        ("UPDATE job SET state = 'running'", "is running with a lease that does not fit"),
        ("UPDATE job SET lease_until = 1, lease_token = x'00'", "is done with a lease that"),
        (
            "INSERT INTO job SELECT x'09', account_id, memory_id, kind, 'queued', 0, 1, NULL, NULL, NULL, 1, 1 FROM job
             UNION ALL SELECT x'08', account_id, memory_id, kind, 'queued', 0, 1, NULL, NULL, NULL, 1, 1 FROM job",
            "has 2 unfinished jobs",
        ),
        ("UPDATE ingestion SET finished_at = NULL", "is success without what that needs"),
        ("UPDATE ingestion SET status = 'pending'", "is pending without what that needs"),
        ("UPDATE delivery SET seq = 1", "two deliveries of memory "),
        ("UPDATE delivery SET state = 'lost'", "is `lost`"),
        (
            "INSERT INTO session (account_id, id, metadata, created_at, updated_at)
             SELECT account_id, 's', '[', 1, 1 FROM account",
            "session s has metadata that is no JSON",
        ),
        ("UPDATE receipt SET counts = '{'", "has counts that are no JSON"),
    ] {
        let world = world().await;
        world.add("cy", "Cy lives in Bonn.").await;
        world.take_out("cy").await;
        corrupt(&world, sql).await;
        let found = world.verify().await.defects;
        assert!(found.iter().any(|it| it.contains(said)), "{sql}: {found:#?}");
    }
}

#[tokio::test]
async fn every_broken_passage_is_said() {
    for (sql, said) in [
        ("UPDATE passage SET text = '', sentence_spans = x''", "it has no text"),
        ("UPDATE passage SET sentence_spans = x'00'", "sentence spans of 1 bytes"),
        (
            "UPDATE passage SET sentence_spans = x'0000000000020000'",
            "a sentence outside its passage",
        ),
        (
            "UPDATE passage SET text = 'né', sentence_spans = x'0000000002000000'",
            "a sentence outside its passage",
        ),
        (
            "UPDATE passage SET sentence_spans = x'00000000050000000400000006000000'",
            "its sentences overlap",
        ),
        (
            "UPDATE passage SET vector = x'0000' WHERE text LIKE 'Ben%'",
            "numbers, those of `for-tests-only` ",
        ),
        ("UPDATE passage SET vector = x'00'", "a vector of 1 bytes"),
        ("UPDATE passage SET vector = x'007c'", "its vector has numbers that are not finite"),
        ("UPDATE passage SET vector = NULL", "it has no vector of `for-tests-only`"),
        ("UPDATE passage SET title = 'Other'", "its vector is of another text"),
        ("UPDATE sample SET model_id = NULL", "it has a vector, its file has no model"),
        (
            "UPDATE sample SET model_id = 'bge-small-en-v1.5-int8'; UPDATE passage SET vector = x'0000'",
            "its vector has 1 numbers, those of `bge-small-en-v1.5-int8` 384",
        ),
    ] {
        let world = world().await;
        corrupt(&world, sql).await;
        let found = world.verify().await.defects;
        let is_said = |it: &String| it.starts_with("passage 0 of version ") && it.contains(said);
        assert!(found.iter().any(is_said), "{sql}: {found:#?}");
    }
}

#[tokio::test]
async fn every_content_that_is_not_as_it_was_is_said() {
    let world = world().await;
    fs::remove_file(blob(&world, 0)).unwrap();
    let found = world.verify().await.defects;
    assert!(found[0].starts_with("the bytes of upload ") && found[0].ends_with(" are gone"));

    let last = blob(&world, 0);
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[1..]).unwrap();
    let found = world.verify().await.defects;
    assert!(found[1].ends_with(" has 29 bytes, its row says 30"), "{found:#?}");

    fs::write(&last, [b"X", &bytes[1..]].concat()).unwrap();
    let found = world.verify().await.defects;
    assert!(found[1].ends_with(" is not what its passages were made of"), "{found:#?}");

    fs::write(&last, &bytes).unwrap();
    fs::write(last.with_file_name("stray.txt"), "x").unwrap();
    fs::write(last.with_file_name("a.txt#1"), "x").unwrap();
    let found = world.verify().await;
    assert_eq!(found.defects.len(), 1, "what nobody owns is no defect");
    assert!(found.leftovers[0].starts_with("a part of an upload: "), "{found:?}");
    assert!(found.leftovers[1].starts_with("nobody's bytes: "), "{found:?}");
}

#[tokio::test]
async fn passages_that_a_killed_deletion_has_left_are_no_defect() {
    let world = world().await;
    let sql = "INSERT INTO former_version SELECT memory_id, active_version, NULL, account_id, NULL FROM sample LIMIT 1; \
               DELETE FROM sample WHERE active_version IN (SELECT version_id FROM former_version)";
    corrupt(&world, sql).await;
    let found = world.verify().await;
    assert_eq!(found.defects, [] as [&str; 0]);
    assert_eq!(found.leftovers.len(), 1);
    assert!(found.leftovers[0].starts_with("nobody's passages: version "), "{found:?}");
    world.store.drop_unread_versions().await.unwrap();
    World::assert_sound(&world.verify().await);
}

#[tokio::test]
async fn an_overwritten_page_is_said() {
    let world = world().await;
    world.store.close().await;
    let path = world.dir.path().join("harkback.db");
    let mut bytes = fs::read(&path).unwrap();
    let n_pages = bytes.len() / 4096;
    for page in 30..n_pages {
        bytes[page * 4096..page * 4096 + 64].fill(0xff);
    }
    fs::write(&path, bytes).unwrap();
    assert!(!world.verify().await.defects.is_empty());
    fs::write(&path, "not a database at all, and longer than a header is".repeat(20)).unwrap();
    let found = world.verify().await.defects;
    assert_eq!(found, ["the database file is broken: restore a backup"]);
}
