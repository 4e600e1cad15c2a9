//! The API document, the routes beside the resources, and what every answer has in common.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, header};
use expect_test::expect_file;
use serde_json::Value;

use crate::app::TestApp;

#[tokio::test]
async fn the_document_is_the_one_in_the_repository() {
    let test = TestApp::new().await;
    let document = test.stranger().get("/openapi.json").await.expect(200);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    expect_file![path].assert_eq(&format!("{document:#}\n"));
}

#[tokio::test]
async fn every_operation_is_named_after_its_act_and_tells_its_errors() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap();
        let verb = id.split('_').next().unwrap();
        let verbs = [
            "create",
            "get",
            "list",
            "update",
            "delete",
            "add",
            "start",
            "upload",
            "query",
            "put",
            "redeliver",
            "export",
        ];
        assert!(verbs.contains(&verb), "{id}");
        assert!(ids.insert(id.to_owned()), "{id} twice");
        let errors = match (operation["security"].is_null(), path.starts_with("/uploads/")) {
            (true, _) => &["400", "401", "403", "404", "405", "413", "429", "431", "500"][..],
            (false, true) => &["400", "403", "404", "405", "413", "431", "500"],
            (false, false) => &["405", "431", "500"],
        };
        let told = operation["responses"].as_object().unwrap();
        for status in ["401", "429"].into_iter().filter(|it| !errors.contains(it)) {
            assert!(!told.contains_key(status), "{method} {path} needs no key: {status}");
        }
        for status in errors {
            let schema = &operation["responses"][status]["content"]["application/json"]["schema"];
            assert_eq!(
                schema["$ref"], "#/components/schemas/ErrorBody",
                "{method} {path} {status}"
            );
        }
        assert!(operation["summary"].is_string(), "{id} has no summary");
    }
}

#[tokio::test]
async fn every_documented_route_answers_with_and_without_a_slash() {
    let test = TestApp::new().await;
    for (path, method, _) in operations(&document()) {
        let path = path.replace("{id}", "x").replace("{account}", "x").replace("{name}", "x.txt");
        for path in [path.clone(), format!("{path}/")] {
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = Request::builder()
                .method(method.clone())
                .uri(&path)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::empty())
                .unwrap();
            let status = test.alice.request(request).await.status;
            assert!(!status.is_redirection(), "{method} {path}: {status}");
            assert!(status != 404 && status != 405, "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_answer_in_the_one_shape() {
    let test = TestApp::new().await;
    for path in ["/", "/nope", "/users", "/users/create/x/y", "/docs/nope.js", "/sessions//list"] {
        test.alice.get(path).await.expect_error(404, "Route not found");
        test.stranger().get(path).await.expect_error(404, "Route not found");
    }
    for (method, path, allow) in [
        (Method::PUT, "/users/create", "POST"),
        (Method::POST, "/sessions/list/", "GET,HEAD"),
        (Method::GET, "/sessions/delete/x", "DELETE"),
        (Method::OPTIONS, "/messages/create", "POST"),
    ] {
        let reply = test.alice.send(method, path, None).await;
        reply.expect_error(405, "Method not allowed");
        assert_eq!(reply.headers[header::ALLOW], allow);
    }
}

#[tokio::test]
async fn a_fault_of_ours_tells_nothing() {
    let test = TestApp::new().await;
    test.app.store.close().await;
    test.alice.get("/sessions/list").await.expect_error(500, "Internal server error");
    test.alice.delete("/sessions/delete/x").await.expect_error(500, "Internal server error");
    test.stranger().get("/readyz").await.expect_error(500, "Internal server error");
}

#[tokio::test]
async fn the_docs_are_served_without_any_outside_host() {
    let test = TestApp::new().await;
    for path in ["/docs", "/docs/"] {
        let reply = test.stranger().get(path).await;
        assert_eq!(reply.status, 200);
        let page = String::from_utf8(reply.body).unwrap();
        assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
        for part in page.split('"').filter(|it| it.ends_with(".js") || it.ends_with(".css")) {
            assert!(part.starts_with("/docs/"), "{part}");
            assert_eq!(test.stranger().get(part).await.status, 200, "{part}");
        }
    }
    let start = test.stranger().get("/docs/swagger-initializer.js").await;
    assert!(String::from_utf8(start.body).unwrap().contains("/openapi.json"));
}

#[tokio::test]
async fn health_and_numbers_need_no_key() {
    let test = TestApp::new().await;
    assert_eq!(test.stranger().get("/healthz").await.expect(200)["status"], "ok");
    assert_eq!(test.stranger().get("/readyz").await.expect(200)["status"], "ok");
    test.alice.get("/users/get/who").await.expect(400);
    let numbers = test.stranger().get("/metrics").await;
    assert!(numbers.headers[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/plain"));
    let text = String::from_utf8(numbers.body).unwrap();
    let counted =
        r#"harkback_http_requests_total{route="/users/get/{id}",method="GET",status="400"}"#;
    assert!(text.contains(counted), "{text}");
    assert!(text.contains("harkback_http_request_duration_seconds_bucket"), "{text}");
    test.app.ending.cancel();
    test.stranger().get("/readyz").await.expect_error(503, "Server is shutting down");
}

#[tokio::test]
async fn a_request_has_an_id_of_the_callers_or_ours() {
    let test = TestApp::new().await;
    let ask = async |id: &str| {
        let request = Request::get("/healthz").header("x-request-id", id);
        let reply = test.stranger().request(request.body(Body::empty()).unwrap()).await;
        reply.headers["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(ask("call-7:a").await, "call-7:a");
    for odd in ["", "a b", "<x>", &"x".repeat(129)] {
        let id = ask(odd).await;
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    }
}

/// The document as JSON.
pub(crate) fn document() -> Value {
    serde_json::to_value(harkback::api::document()).unwrap()
}

/// Its operations as (path, method, operation).
pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            found.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    assert!(!found.is_empty());
    found
}
