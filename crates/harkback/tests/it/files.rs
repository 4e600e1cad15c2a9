//! The contract of files: made of an upload or an address, read, listed, deleted.

use expect_test::expect;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::fixtures::{TextOf, file, memory, n_samples, pretty, upload};

#[tokio::test]
async fn an_uploaded_file_is_as_the_contract_says() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let key = upload(&app, anna, "notes.MD", "hello").await;
    let made = anna.post("/files/create", json!({"name": "notes.MD", "key": key})).await.data(201);
    let got = anna.get(&format!("/files/get/{}", made.text("id"))).await.data(200);
    for (name, value) in made.as_object().unwrap() {
        assert_eq!(&got[name], value, "{name}");
    }
    expect![[r#"
        {
          "aiKey": null,
          "bronzeKey": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15/019b7ca98f2e7838ac4c69ab7ef7d79a.MD",
          "category": "document",
          "content": null,
          "contentTruncated": false,
          "createdAt": "2026-01-02T03:04:05.678Z",
          "extension": "md",
          "externalURI": null,
          "fetchNote": null,
          "fileType": "text",
          "goldAudioKey": null,
          "goldChunkKey": null,
          "goldGraphKey": null,
          "hiddenFilesCreated": null,
          "hiddenFilesIngested": null,
          "hiddenFilesProcessed": null,
          "hiddenFilesTotal": null,
          "id": "019b7ca9-8f2e-79a0-9999-202a084be4b7",
          "jobID": null,
          "length": null,
          "memoryID": null,
          "name": "notes.MD",
          "numSpeakers": null,
          "organisationID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15",
          "originRegion": null,
          "silverAudioKey": null,
          "silverTranscriptKey": null,
          "size": 5,
          "source": "upload",
          "tokens": null,
          "updatedAt": "2026-01-02T03:04:05.678Z",
          "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15"
        }"#]]
    .assert_eq(&pretty(&got));
}

#[tokio::test]
async fn the_type_is_told_by_the_name_unless_it_is_given() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let uri = "https://e.com/a.pdf";
    for (body, file_type, category, extension) in [
        (json!({"name": "a.txt"}), "text", "document", "txt"),
        (json!({"name": "a.b.PDF"}), "document", "document", "pdf"),
        (json!({"name": "a.mp3"}), "audio", "audio", "mp3"),
        (json!({"name": "a.mp4"}), "video", "video", "mp4"),
        (json!({"name": "a.png"}), "image", "other", "png"),
        (json!({"name": "a"}), "other", "other", ""),
        (json!({"name": ".txt"}), "other", "other", ""),
        (json!({"name": "a.txt", "fileType": "audio_upload"}), "audio_upload", "audio", "txt"),
        (json!({"name": uri, "externalURI": uri}), "website", "web", ""),
        (json!({"name": uri, "external_uri": uri, "fileType": "sitemap"}), "sitemap", "web", ""),
        (
            json!({"name": uri, "externalURI": uri, "fileType": "website_bulk"}),
            "website_bulk",
            "web",
            "",
        ),
        (json!({"name": uri, "externalURI": uri, "fileType": "youtube"}), "youtube", "video", ""),
    ] {
        let made = anna.post("/files/create", body).await.data(201);
        assert_eq!(
            (&made["fileType"], &made["category"], &made["extension"]),
            (&json!(file_type), &json!(category), &json!(extension))
        );
    }
}

#[tokio::test]
async fn the_name_tells_the_type_and_the_key_where_it_does_not() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let key = upload(&app, anna, "notes.md", "hello").await;
    for (name, file_type, extension) in [
        ("a.mp3", "audio", "mp3"),
        ("a.PDF", "document", "pdf"),
        ("a", "text", "md"),
        ("Release 1.2", "text", "md"),
    ] {
        let made = anna.post("/files/create", json!({"name": name, "key": key})).await.data(201);
        assert_eq!(
            (made.text("fileType"), made.text("extension")),
            (file_type.to_owned(), extension.to_owned()),
            "{name}"
        );
    }
    let empty = json!({"name": "a.md", "key": key, "externalURI": ""});
    let made = anna.post("/files/create", empty).await.data(201);
    assert_eq!(made["externalURI"], Value::Null);
}

#[tokio::test]
async fn a_change_of_what_is_fixed_is_refused_unless_it_is_none() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let uri = "https://e.com/";
    let body = json!({"id": "f", "name": "a", "externalURI": uri, "fileType": "website"});
    let made = anna.post("/files/create", body).await.data(201);
    for (field, other) in [
        ("id", "g"),
        ("fileType", "audio"),
        ("externalURI", "https://e.com/b"),
        ("external_uri", "https://e.com/b"),
    ] {
        let changed = anna.patch("/files/update/f", json!({"name": "b", field: other})).await;
        changed.expect_error(400, &format!("{field} cannot be changed"));
    }
    let got = anna.get("/files/get/f").await.data(200);
    assert_eq!(got["name"], "a", "what is refused changes nothing");
    let same = anna.patch("/files/update/f", got).await.data(200);
    assert_eq!(same["fileType"], made["fileType"]);
    let key = upload(&app, anna, "page.html", "<p>hello").await;
    let changed = json!({"key": key, "fileType": "text"});
    assert_eq!(anna.patch("/files/update/f", changed).await.data(200)["fileType"], "text");
}

#[tokio::test]
async fn what_a_file_must_be() {
    let app = TestApp::new().await;
    let (anna, eve) = (&app.alice, &app.bob);
    let not_uploaded = anna.post("/files/upload", json!({"fileName": "a.txt"})).await.data(200);
    let foreign = upload(&app, eve, "a.txt", "hers").await;
    file(anna, "taken").await;
    let no_upload = "key must be the key of a finished upload";
    for (body, error) in [
        (json!({}), "name is required"),
        (json!({"name": "  "}), "name is required"),
        (json!({"name": ["a"]}), "name must be a string"),
        (
            json!({"name": "a", "id": ""}),
            "id must be 1 to 255 characters without control characters",
        ),
        (
            json!({"name": "a", "id": "a".repeat(256)}),
            "id must be 1 to 255 characters without control characters",
        ),
        (
            json!({"name": "a", "id": "a\nb"}),
            "id must be 1 to 255 characters without control characters",
        ),
        (json!({"name": "a", "id": "taken"}), "File already exists"),
        (json!({"name": "a", "key": "k"}), no_upload),
        (json!({"name": "a", "key": ""}), no_upload),
        (json!({"name": "a", "key": "../../harkback.db"}), no_upload),
        (json!({"name": "a", "key": not_uploaded["key"]}), no_upload),
        (json!({"name": "a", "key": foreign}), no_upload),
        (json!({"name": "a", "externalURI": "e.com"}), "externalURI must be a URL"),
        (json!({"name": "a", "externalURI": ""}), "externalURI is required"),
        (
            json!({"name": "a", "external_uri": " ", "fileType": "website"}),
            "externalURI is required",
        ),
        (
            json!({"name": "a", "externalURI": "http://10.0.0.1/"}),
            "externalURI must be a URL of a public host",
        ),
        (
            json!({"name": "a", "external_uri": "file:///etc/passwd"}),
            "externalURI must be an http or https URL",
        ),
        (
            json!({"name": "a", "fileType": "poem"}),
            "fileType must be one of website, sitemap, website_bulk, youtube, document, text, image, audio, video, \
             audio_recording, audio_upload, video_upload, other",
        ),
    ] {
        anna.post("/files/create", body).await.expect_error(400, error);
    }
    assert_eq!(anna.get("/files/list").await.json()["count"], 1, "what fails changes nothing");
    eve.post("/files/create", json!({"name": "a", "id": "taken"})).await.data(201);
}

#[tokio::test]
async fn lists_go_by_category_and_have_no_envelope() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    for (id, name) in
        [("1", "a.txt"), ("2", "b.mp3"), ("3", "c.pdf"), ("4", "d.png"), ("5", "e.md")]
    {
        anna.post("/files/create", json!({"id": id, "name": name})).await.data(201);
    }
    for (query, ids) in [
        ("", &["5", "4", "3", "2", "1"][..]),
        ("?category=all", &["5", "4", "3", "2", "1"]),
        ("?category=document", &["5", "3", "1"]),
        ("?category=audio", &["2"]),
        ("?category=other", &["4"]),
        ("?category=web", &[]),
        ("?category=video", &[]),
    ] {
        let page = anna.get(&format!("/files/list{query}")).await.json();
        assert_eq!(listed(&page), ids, "{query}");
        assert_eq!(page["count"], ids.len());
        assert_eq!(page.as_object().unwrap().len(), 4, "files, nextToken, previousToken, count");
    }
    anna.get("/files/list?category=")
        .await
        .expect_error(400, "category must be audio, video, web, document, other or all");
    anna.get("/files/list?category=poems")
        .await
        .expect_error(400, "category must be audio, video, web, document, other or all");
    let first = anna.get("/files/list?category=document&limit=2").await.json();
    assert_eq!(listed(&first), ["5", "3"]);
    let token = first.text("nextToken");
    anna.delete("/files/delete/3").await.says("File deleted successfully");
    let next =
        anna.get(&format!("/files/list?category=document&limit=2&nextToken={token}")).await.json();
    assert_eq!(listed(&next), ["1"]);
    anna.get(&format!("/files/list?limit=2&nextToken={token}"))
        .await
        .expect_error(400, "nextToken must be a token from an earlier answer to the same request");
    for limit in ["0", "101", "-1", "x"] {
        anna.get(&format!("/files/list?limit={limit}"))
            .await
            .expect_error(400, "limit must be an integer from 1 to 100");
    }
}

#[tokio::test]
async fn a_deleted_file_leaves_every_memory_and_the_disk() {
    let app = TestApp::new().await;
    let anna = &app.alice;
    let key = upload(&app, anna, "a.txt", "hello").await;
    for id in ["one", "two"] {
        anna.post("/files/create", json!({"id": id, "name": "a.txt", "key": key})).await.data(201);
    }
    let (m1, m2) = (memory(anna).await, memory(anna).await);
    for memory in [&m1, &m2] {
        anna.post("/memories/add-files", json!({"memoryID": memory, "files": ["one"]}))
            .await
            .data(201);
    }
    anna.delete("/files/delete/one").await.says("File deleted successfully");
    anna.delete("/files/delete/one").await.expect_error(400, "File not found");
    anna.get("/files/get/one").await.expect_error(400, "File not found");
    assert_eq!((n_samples(anna, &m1).await, n_samples(anna, &m2).await), (0, 0));
    assert!(
        app.app.blobs.get(&key).await.unwrap().is_some(),
        "another file is made of the same bytes"
    );
    anna.delete("/files/delete/two").await.says("File deleted successfully");
    assert!(app.app.blobs.get(&key).await.unwrap().is_none());
    anna.post("/files/create", json!({"name": "a.txt", "key": key}))
        .await
        .expect_error(400, "key must be the key of a finished upload");
}

#[tokio::test]
async fn ids_are_the_callers_own() {
    let app = TestApp::new().await;
    let (anna, eve) = (&app.alice, &app.bob);
    file(anna, "f/ü 1").await;
    let path = "f%2F%C3%BC%201";
    assert_eq!(anna.get(&format!("/files/get/{path}")).await.data(200)["id"], "f/ü 1");
    eve.get(&format!("/files/get/{path}"))
        .await
        .expect_error(403, "Not authorized to access this file");
    eve.delete(&format!("/files/delete/{path}"))
        .await
        .expect_error(403, "Not authorized to delete this file");
    file(eve, "f/ü 1").await;
    eve.delete(&format!("/files/delete/{path}")).await.says("File deleted successfully");
    assert_eq!(anna.get(&format!("/files/get/{path}")).await.data(200)["id"], "f/ü 1");
    for path in ["/files/get", "/files/get/"] {
        anna.get(path).await.expect_error(400, "File ID is required");
    }
    anna.delete("/files/delete/").await.expect_error(400, "File ID is required");
}

fn listed(page: &Value) -> Vec<&str> {
    page["files"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}
