//! Users, as their callers see them.

use expect_test::expect;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn a_user_is_created_found_listed_and_deleted() {
    let test = TestApp::new().await;
    let body =
        json!({"firstName": "Ada", "lastName": "Lovelace", "email": "ada@example.com", "id": "u1"});
    let created = test.alice.post("/users/create/", body).await;
    expect![[r#"
        201
        {
          "data": {
            "createdAt": "2026-01-02T03:04:05.678Z",
            "email": "ada@example.com",
            "firstName": "Ada",
            "id": "u1",
            "lastName": "Lovelace",
            "owner": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15",
            "phone": null,
            "updatedAt": "2026-01-02T03:04:05.678Z",
            "userID": "019b7ca9-8f2e-7474-bdc5-e24d2a413b15"
          },
          "status": "success"
        }
    "#]]
    .assert_eq(&created.snapshot());
    assert_eq!(test.alice.get("/users/get/u1/").await.expect(200), created.json());

    let page = json!({"users": [created.json()["data"]], "nextToken": null, "previousToken": null,
                      "count": 1});
    let mut list = test.alice.get("/users/list/").await.expect(200);
    assert_eq!(list["data"].take(), page);
    list.as_object_mut().unwrap().remove("data");
    assert_eq!(list, page, "the same keys at the top");

    let deleted = test.alice.delete("/users/delete/u1/").await.expect(200);
    assert_eq!(deleted, json!({"status": "success", "message": "User deleted successfully"}));
    test.alice.get("/users/get/u1").await.expect_error(400, "User not found");
    test.alice.delete("/users/delete/u1").await.expect_error(400, "User not found");
}

#[tokio::test]
async fn a_user_cannot_be_made_of_just_anything() {
    let test = TestApp::new().await;
    for (body, error) in [
        (json!({}), "firstName is required"),
        (json!({"firstName": null}), "firstName is required"),
        (json!({"firstName": "  ", "lastName": "L"}), "firstName is required"),
        (json!({"firstName": "A"}), "lastName is required"),
        (json!({"firstName": 1, "lastName": "L"}), "firstName must be a string"),
        (json!({"firstName": "A", "lastName": ["L"]}), "lastName must be a string"),
        (
            json!({"firstName": "A\u{0}", "lastName": "L"}),
            "firstName must be a text without NUL characters",
        ),
        (json!({"firstName": "A", "lastName": "L", "email": 1}), "email must be a string"),
        (json!({"firstName": "A", "lastName": "L", "phone": true}), "phone must be a string"),
    ] {
        test.alice.post("/users/create", body).await.expect_error(400, error);
    }
    assert_eq!(test.alice.get("/users/list").await.expect(200)["count"], 0);
}

#[tokio::test]
async fn another_accounts_user_is_out_of_reach() {
    let test = TestApp::new().await;
    let body = json!({"firstName": "Ada", "lastName": "Lovelace", "id": "u1"});
    test.alice.post("/users/create", body.clone()).await.expect(201);
    let reply = test.bob.get("/users/get/u1").await;
    reply.expect_error(403, "Not authorized to access this user");
    let reply = test.bob.delete("/users/delete/u1").await;
    reply.expect_error(403, "Not authorized to delete this user");
    assert_eq!(test.bob.get("/users/list").await.expect(200)["count"], 0);
    test.bob.post("/users/create", body.clone()).await.expect(201);
    test.bob.delete("/users/delete/u1").await.expect(200);
    test.alice.get("/users/get/u1").await.expect(200);
    let again = test.alice.post("/users/create", body).await;
    again.expect_error(400, "User already exists");
}

#[tokio::test]
async fn a_user_without_an_id_is_named() {
    let test = TestApp::new().await;
    for path in ["/users/get", "/users/get/", "/users/get/%20"] {
        test.alice.get(path).await.expect_error(400, "User ID is required");
    }
    for path in ["/users/delete", "/users/delete/", "/users/delete/%20"] {
        test.alice.delete(path).await.expect_error(400, "User ID is required");
    }
}
