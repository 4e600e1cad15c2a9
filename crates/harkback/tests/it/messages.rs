//! Messages, as their callers see them.

use expect_test::expect;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn a_message_is_created_found_listed_and_deleted() {
    let test = TestApp::new().await;
    let session = json!({"id": "s1", "customerUserID": "cust"});
    test.alice.post("/sessions/create", session).await.expect(201);
    let body = json!({"id": "m1", "role": "user", "content": "hi", "sessionID": "s1"});
    let created = test.alice.post("/messages/create", body).await;
    expect![[r#"
        201
        {
          "data": {
            "content": "hi",
            "createdAt": "2026-01-02T03:04:05.678Z",
            "customerUserID": "cust",
            "id": "m1",
            "role": "user",
            "sessionID": "s1",
            "updatedAt": "2026-01-02T03:04:05.678Z",
            "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15"
          },
          "status": "success"
        }
    "#]]
    .assert_eq(&created.snapshot());
    assert_eq!(test.alice.get("/messages/get/m1").await.expect(200), created.json());

    let page = json!({"messages": [created.json()["data"]], "nextToken": null, "previousToken": null,
                      "count": 1, "totalCount": 1});
    let mut list = test.alice.get("/messages/list?sessionID=s1").await.expect(200);
    assert_eq!(list["status"], "success");
    assert_eq!(list["data"].take(), page);
    let top = list.as_object_mut().unwrap();
    top.remove("data");
    top.remove("status");
    assert_eq!(list, page, "the same keys at the top");

    let deleted = test.alice.delete("/messages/delete/m1").await.expect(200);
    assert_eq!(deleted, json!({"status": "success", "message": "Message deleted successfully"}));
    test.alice.get("/messages/get/m1").await.expect_error(400, "Message not found");
    test.alice.delete("/messages/delete/m1").await.expect_error(400, "Message not found");
}

#[tokio::test]
async fn a_message_cannot_be_made_of_just_anything() {
    let test = TestApp::new().await;
    test.alice.post("/sessions/create", json!({"id": "gone"})).await.expect(201);
    test.alice.delete("/sessions/delete/gone").await.expect(200);
    test.bob.post("/sessions/create", json!({"id": "bobs"})).await.expect(201);
    let roles = "role must be one of norole, system, assistant, user, function, tool";
    for (body, status, error) in [
        (json!({}), 400, "role is required"),
        (json!({"role": "user"}), 400, "content is required"),
        (json!({"role": "user", "content": " "}), 400, "content is required"),
        (json!({"role": "User", "content": "hi"}), 400, roles),
        (json!({"role": "", "content": "hi"}), 400, roles),
        (json!({"role": 1, "content": "hi"}), 400, "role must be a string"),
        (json!({"role": "user", "content": {}}), 400, "content must be a string"),
        (json!({"role": "user", "content": "hi", "sessionID": "nope"}), 400, "Session not found"),
        (
            json!({"role": "user", "content": "hi", "sessionID": "gone"}),
            400,
            "Session already deleted",
        ),
        (
            json!({"role": "user", "content": "hi", "sessionID": "bobs"}),
            403,
            "Not authorized to access this session",
        ),
    ] {
        test.alice.post("/messages/create", body).await.expect_error(status, error);
    }
    assert_eq!(test.alice.get("/messages/list").await.expect(200)["totalCount"], 0);
    assert_eq!(test.bob.get("/messages/list").await.expect(200)["totalCount"], 0);
}

#[tokio::test]
async fn a_message_needs_no_session_and_may_name_its_own_user() {
    let test = TestApp::new().await;
    let session = json!({"id": "s1", "customerUserID": "cust"});
    test.alice.post("/sessions/create", session).await.expect(201);
    for role in ["norole", "system", "assistant", "user", "function", "tool"] {
        let body = json!({"role": role, "content": "hi", "customerUserID": "other"});
        let made = test.alice.post("/messages/create", body).await.expect(201);
        assert_eq!(made["data"]["sessionID"], json!(null));
        assert_eq!(made["data"]["customerUserID"], "other");
    }
    let body =
        json!({"role": "user", "content": "hi", "sessionID": "s1", "customerUserID": "other"});
    let made = test.alice.post("/messages/create", body).await.expect(201);
    assert_eq!(made["data"]["customerUserID"], "other");
}

#[tokio::test]
async fn messages_are_filtered_and_counted() {
    let test = TestApp::new().await;
    for (session, user) in [("s1", "a"), ("s2", "b")] {
        let body = json!({"id": session, "customerUserID": user});
        test.alice.post("/sessions/create", body).await.expect(201);
        for role in ["user", "assistant", "user"] {
            let body = json!({"role": role, "content": "hi", "sessionID": session});
            test.alice.post("/messages/create", body).await.expect(201);
        }
    }
    let counted = async |query: &str| {
        let list = test.alice.get(&format!("/messages/list?limit=2&{query}")).await.expect(200);
        (list["count"].as_u64().unwrap(), list["totalCount"].as_u64().unwrap())
    };
    assert_eq!(counted("").await, (2, 6));
    assert_eq!(counted("sessionID=s1").await, (2, 3));
    assert_eq!(counted("customerUserID=b").await, (2, 3));
    assert_eq!(counted("role=assistant").await, (2, 2));
    assert_eq!(counted("sessionID=s1&role=assistant&customerUserID=a").await, (1, 1));
    assert_eq!(counted("sessionID=s1&customerUserID=b").await, (0, 0));
    assert_eq!(counted("sessionID=nope").await, (0, 0));
    test.alice.delete("/sessions/delete/s1").await.expect(200);
    assert_eq!(counted("").await, (2, 3), "messages of a deleted session are not listed");
    assert_eq!(counted("sessionID=s1").await, (0, 0));
    let reply = test.alice.get("/messages/list?role=nobody").await;
    reply.expect_error(400, "role must be one of norole, system, assistant, user, function, tool");
}

#[tokio::test]
async fn another_accounts_message_is_out_of_reach() {
    let test = TestApp::new().await;
    test.alice.post("/sessions/create", json!({"id": "s1"})).await.expect(201);
    let body = json!({"id": "m1", "role": "user", "content": "secret", "sessionID": "s1"});
    test.alice.post("/messages/create", body).await.expect(201);
    let reply = test.bob.get("/messages/get/m1").await;
    reply.expect_error(403, "Not authorized to access this message");
    let reply = test.bob.delete("/messages/delete/m1").await;
    reply.expect_error(403, "Not authorized to delete this message");
    let list = test.bob.get("/messages/list?sessionID=s1").await.expect(200);
    assert_eq!((&list["count"], &list["totalCount"]), (&json!(0), &json!(0)));
    let own = json!({"id": "m1", "role": "user", "content": "mine"});
    test.bob.post("/messages/create", own.clone()).await.expect(201);
    test.bob.post("/messages/create", own).await.expect_error(400, "Message already exists");
    assert_eq!(test.alice.get("/messages/get/m1").await.expect(200)["data"]["content"], "secret");
}
