//! Sessions, as their callers see them; `DELETE /sessions/delete/{id}` to the letter.

use axum::body::Body;
use axum::http::{Request, header};
use expect_test::expect;
use serde_json::json;

use crate::app::{Client, Reply, TestApp};

#[tokio::test]
async fn a_session_is_created_and_found() {
    let test = TestApp::new().await;
    let body = json!({"id": "s 1/ü", "customerUserID": "cust",
                      "metadata": [{"key": "source", "value": "web"}]});
    let created = test.alice.post("/sessions/create", body).await;
    expect![[r#"
        201
        {
          "data": {
            "createdAt": "2026-01-02T03:04:05.678Z",
            "customerUserID": "cust",
            "deletedAt": null,
            "endedAt": null,
            "id": "s 1/ü",
            "metadata": [
              {
                "key": "source",
                "value": "web"
              }
            ],
            "organisationID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15",
            "updatedAt": "2026-01-02T03:04:05.678Z",
            "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15"
          },
          "status": "success"
        }
    "#]]
    .assert_eq(&created.snapshot());
    let found = test.alice.get("/sessions/get/s%201%2F%C3%BC").await;
    assert_eq!(found.expect(200), created.json());
}

#[tokio::test]
async fn everything_about_a_session_is_optional() {
    let test = TestApp::new().await;
    let made = test.alice.post("/sessions/create", json!({})).await.expect(201);
    assert_eq!(made["data"]["metadata"], json!([]));
    assert_eq!(made["data"]["customerUserID"], json!(null));
    let id = made["data"]["id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    let named = test.alice.post("/sessions/create", json!({"sessionID": "s2"})).await.expect(201);
    assert_eq!(named["data"]["id"], "s2");
    let nulls = json!({"id": null, "customerUserID": null, "metadata": null});
    test.alice.post("/sessions/create", nulls).await.expect(201);
}

#[tokio::test]
async fn a_session_cannot_be_made_of_just_anything() {
    let test = TestApp::new().await;
    let id_rule = "must be 1 to 255 characters without control characters";
    let pairs = "metadata must be a list of objects with a string `key` and `value`";
    for (body, error) in [
        (json!({"id": ""}), format!("id {id_rule}")),
        (json!({"id": " "}), format!("id {id_rule}")),
        (json!({"id": "x".repeat(256)}), format!("id {id_rule}")),
        (json!({"id": "a\u{0}b"}), format!("id {id_rule}")),
        (json!({"id": 7}), "id must be a string".into()),
        (json!({"customerUserID": "a\nb"}), format!("customerUserID {id_rule}")),
        (json!({"metadata": {}}), pairs.into()),
        (json!({"metadata": [{"key": "a"}]}), pairs.into()),
        (json!({"metadata": [{"key": "a", "value": 1}]}), pairs.into()),
        (json!({"metadata": [{"key": "a", "value": "\u{0}"}]}), pairs.into()),
        (json!([]), "Request body must be a JSON object".into()),
        (json!("x"), "Request body must be a JSON object".into()),
    ] {
        test.alice.post("/sessions/create", body).await.expect_error(400, &error);
    }
    test.alice.post("/sessions/create", json!({"id": "ü".repeat(255)})).await.expect(201);
    for body in ["", "{", "{\"id\":\"\\ud800\"}", "\u{feff}{}"] {
        let request = Request::post("/sessions/create").body(Body::from(body)).unwrap();
        let reply = test.alice.request(request).await;
        reply.expect_error(400, "Invalid JSON in request body");
    }
    assert_eq!(test.alice.get("/sessions/list").await.expect(200)["data"]["count"], 1);
}

#[tokio::test]
async fn bodies_are_bounded() {
    let test = TestApp::new().await;
    let body = json!({"id": "x".repeat(1024 * 1024)});
    let reply = test.alice.post("/sessions/create", body).await;
    reply.expect_error(413, "Request body must be at most 1048576 bytes");
    let deep = "[".repeat(100_000);
    let request = Request::post("/sessions/create").body(Body::from(deep)).unwrap();
    test.alice.request(request).await.expect_error(400, "Invalid JSON in request body");
}

#[tokio::test]
async fn an_id_is_taken_once_in_an_account_even_by_a_deleted_session() {
    let test = TestApp::new().await;
    let body = json!({"id": "s1"});
    test.alice.post("/sessions/create", body.clone()).await.expect(201);
    test.bob.post("/sessions/create", body.clone()).await.expect(201);
    let again = test.alice.post("/sessions/create", body.clone()).await;
    again.expect_error(400, "Session already exists");
    test.alice.delete("/sessions/delete/s1").await.expect(200);
    let again = test.alice.post("/sessions/create", body).await;
    again.expect_error(400, "Session already exists");
    test.bob.get("/sessions/get/s1").await.expect(200);
}

#[tokio::test]
async fn another_accounts_session_is_out_of_reach() {
    let test = TestApp::new().await;
    let body = json!({"id": "s1", "customerUserID": "cust"});
    test.alice.post("/sessions/create", body).await.expect(201);
    let reply = test.bob.get("/sessions/get/s1").await;
    reply.expect_error(403, "Not authorized to access this session");
    let reply = test.bob.delete("/sessions/delete/s1").await;
    reply.expect_error(403, "Not authorized to delete this session");
    let list = test.bob.get("/sessions/list?customerUserID=cust").await.expect(200);
    assert_eq!(list["data"]["count"], 0);
    test.alice.get("/sessions/get/s1").await.expect(200);
}

#[tokio::test]
async fn a_deleted_session_is_gone_for_reading() {
    let test = TestApp::new().await;
    test.alice.post("/sessions/create", json!({"id": "s1"})).await.expect(201);
    test.alice.delete("/sessions/delete/s1").await.expect(200);
    test.alice.get("/sessions/get/s1").await.expect_error(400, "Session not found");
    assert_eq!(test.alice.get("/sessions/list").await.expect(200)["data"]["sessions"], json!([]));
}

#[tokio::test]
async fn an_empty_filter_is_refused_and_not_ignored() {
    let test = TestApp::new().await;
    test.alice
        .post("/sessions/create", json!({"id": "s1", "customerUserID": "a"}))
        .await
        .expect(201);
    let message = json!({"id": "m1", "role": "user", "content": "hi", "sessionID": "s1"});
    test.alice.post("/messages/create", message).await.expect(201);
    let rule = "must be 1 to 255 characters without control characters";
    for (query, error) in [
        ("sessions/list?customerUserID=", format!("customerUserID {rule}")),
        ("sessions/list?customerUserID", format!("customerUserID {rule}")),
        (
            "sessions/list?customerUserID=a&customerUserID=b",
            "customerUserID must be given once".into(),
        ),
        (
            "sessions/list?customerUserID[]=a",
            "customerUserID must be given as customerUserID=VALUE".into(),
        ),
        (
            "sessions/list?customer_user_id=a",
            "customerUserID must be given as customerUserID=VALUE".into(),
        ),
        ("sessions/list?limit=1&limit=2", "limit must be given once".into()),
        ("messages/list?sessionID=&role=user", format!("sessionID {rule}")),
        ("messages/list?sessionID=s1&customerUserID=", format!("customerUserID {rule}")),
        ("messages/list?sessionId=s1", "sessionID must be given as sessionID=VALUE".into()),
        (
            "messages/list?role=",
            "role must be one of norole, system, assistant, user, function, tool".into(),
        ),
        ("messages/list?role=user&role=tool", "role must be given once".into()),
        ("deliveries/list?memoryID=", format!("memoryID {rule}")),
        ("deliveries/list?state=", "state must be pending, delivered or dead".into()),
    ] {
        test.alice.get(&format!("/{query}")).await.expect_error(400, &error);
    }
    // Tokens and what is none of ours may be empty: clients send them so.
    let page = "/messages/list?sessionID=s1&nextToken=&previousToken=&limit=&_=1&_=2";
    assert_eq!(test.alice.get(page).await.expect(200)["count"], 1);
}

#[tokio::test]
async fn a_wipe_may_be_sent_again() {
    let test = TestApp::new().await;
    let session = json!({"id": "s1", "customerUserID": "u1"});
    test.alice.post("/sessions/create", session).await.expect(201);
    let (wipe, plain) = ("/sessions/delete/s1?wipe=true", "/sessions/delete/s1");
    let first = test.alice.delete(wipe).await;
    let again = test.alice.delete(wipe).await;
    assert_eq!(again.expect(200), first.expect(200));
    assert_eq!(again.headers["x-receipt-id"], first.headers["x-receipt-id"]);
    test.alice.delete(plain).await.expect_error(400, "Session already deleted");
    test.bob.delete(wipe).await.expect_error(403, "Not authorized to delete this session");

    // A session that says nothing has nothing to be wiped after it was deleted.
    test.alice.post("/sessions/create", json!({"id": "s2"})).await.expect(201);
    test.alice.delete("/sessions/delete/s2").await.expect(200);
    test.alice.delete("/sessions/delete/s2?wipe=true").await.expect(200);

    let user = json!({"id": "u1", "firstName": "A", "lastName": "B"});
    test.alice.post("/users/create", user).await.expect(201);
    let first = test.alice.delete("/users/delete/u1?wipe=true").await;
    let again = test.alice.delete("/users/delete/u1?wipe=true").await;
    assert_eq!(again.expect(200), first.expect(200));
    assert_eq!(again.headers["x-receipt-id"], first.headers["x-receipt-id"]);
    test.alice.delete("/users/delete/u1").await.expect_error(400, "User not found");
    let mistyped = test.alice.delete("/users/delete/u2?wipe=true").await;
    mistyped.expect_error(400, "User not found");
    let of_nobody = test.bob.delete("/users/delete/u1?wipe=true").await;
    of_nobody.expect_error(400, "User not found");
}

#[tokio::test]
async fn delete_is_as_its_page_says() {
    let test = TestApp::new().await;
    for id in ["s1", "s2"] {
        test.alice.post("/sessions/create", json!({"id": id})).await.expect(201);
    }
    let alice = &test.alice;
    let done = alice.delete("/sessions/delete/s1").await.expect(200);
    assert_eq!(done, json!({"status": "success", "message": "Session deleted successfully"}));

    let bare = Request::delete("/sessions/delete/s1").body(Body::empty()).unwrap();
    test.stranger().request(bare).await.expect_error(400, "No headers provided");
    let reply = deleting(alice, "/sessions/delete/s2", "application/json", "{").await;
    reply.expect_error(400, "Invalid JSON in request body");
    for path in ["/sessions/delete", "/sessions/delete/", "/sessions/delete/%20%20"] {
        alice.delete(path).await.expect_error(400, "Session ID is required");
    }
    alice.delete("/sessions/delete/nope").await.expect_error(400, "Session not found");
    alice.delete("/sessions/delete/s1").await.expect_error(400, "Session already deleted");
    let accepting = Request::delete("/sessions/delete/s1").header(header::ACCEPT, "*/*");
    let reply = test.stranger().request(accepting.body(Body::empty()).unwrap()).await;
    reply.expect_error(401, "API key is required");
    let reply = test.with_key("hb_nope").delete("/sessions/delete/s1").await;
    reply.expect_error(403, "Invalid API key");
    let reply = test.bob.delete("/sessions/delete/s2").await;
    reply.expect_error(403, "Not authorized to delete this session");
    test.alice.get("/sessions/get/s2").await.expect(200);
}

#[tokio::test]
async fn delete_checks_in_order() {
    let test = TestApp::new().await;
    test.alice.post("/sessions/create", json!({"id": "s1"})).await.expect(201);
    test.alice.delete("/sessions/delete/s1").await.expect(200);
    let json = "application/json";
    // Key before JSON, JSON before id, id before look-up, owner before deleted-before.
    let reply = deleting(&test.stranger(), "/sessions/delete/", json, "{").await;
    reply.expect_error(401, "API key is required");
    let reply = deleting(&test.with_key("nope"), "/sessions/delete/", json, "{").await;
    reply.expect_error(403, "Invalid API key");
    let reply = deleting(&test.alice, "/sessions/delete/", json, "{").await;
    reply.expect_error(400, "Invalid JSON in request body");
    let reply = deleting(&test.alice, "/sessions/delete/", json, "{}").await;
    reply.expect_error(400, "Session ID is required");
    let reply = test.bob.delete("/sessions/delete/s1").await;
    reply.expect_error(403, "Not authorized to delete this session");
}

#[tokio::test]
async fn a_body_that_is_json_or_does_not_say_so_is_ignored_by_delete() {
    let test = TestApp::new().await;
    let bodies = [
        ("application/json", ""),
        ("application/json; charset=utf-8", "{\"x\": 1}"),
        ("application/json", "null"),
        ("text/plain", "{"),
        ("application/vnd.api+json", "[]"),
    ];
    for (at, (content_type, body)) in bodies.into_iter().enumerate() {
        let id = format!("s{at}");
        test.alice.post("/sessions/create", json!({"id": id})).await.expect(201);
        let path = format!("/sessions/delete/{id}");
        deleting(&test.alice, &path, content_type, body).await.expect(200);
    }
    let reply = deleting(&test.alice, "/sessions/delete/x", "Application/JSON;x=y", "{'x'}").await;
    reply.expect_error(400, "Invalid JSON in request body");
}

#[tokio::test]
async fn ids_in_paths_are_checked() {
    let test = TestApp::new().await;
    let rule = "Session ID must be 1 to 255 characters without control characters";
    for id in [&"x".repeat(256), "a%00b", "%0A"] {
        let error = if id == "%0A" { "Session ID is required" } else { rule };
        test.alice.get(&format!("/sessions/get/{id}")).await.expect_error(400, error);
        test.alice.delete(&format!("/sessions/delete/{id}")).await.expect_error(400, error);
    }
    for broken in ["%ff", "%zz", "100%", "%4"] {
        let reply = test.alice.get(&format!("/sessions/get/{broken}")).await;
        reply.expect_error(400, "Path must be percent-encoded UTF-8");
    }
    test.alice.get("/sessions/get").await.expect_error(400, "Session ID is required");
}

async fn deleting(client: &Client, path: &str, content_type: &str, body: &'static str) -> Reply {
    let request = Request::delete(path).header(header::CONTENT_TYPE, content_type);
    client.request(request.body(Body::from(body)).unwrap()).await
}
