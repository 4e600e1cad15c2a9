//! Isolation: every route of the API document, with every id that it takes, asked for what belongs to another account,
//! with a revoked key, with none, and with ids that try to be paths. A new route or a new kind of id is found by itself;
//! where this file cannot know what to send, it fails and says what to add.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::app::{Client, Reply, TestApp};
use crate::fixtures::{TextOf, ingest, text_file, upload};
use crate::openapi::operations;

/// Stands in every text of Alice's, so that a leak is seen wherever it is.
pub(crate) const MARK: &str = "xanthous";

/// Ids by kind: the first word of a route's path, `key` of an upload, `token` of a list.
pub(crate) type Records = BTreeMap<&'static str, String>;

/// Where a request carries an id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Slot {
    Path,
    Query(String),
    Field(String),
    Items(String),
}

pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: String,
    required: Vec<String>,
    pub(crate) slots: Vec<(Slot, &'static str)>,
}

/// The kind of id that a parameter or field holds; none if it holds no id.
fn kind(name: &str, of_route: &'static str) -> Option<&'static str> {
    Some(match name {
        "id" => of_route,
        "memoryID" => "memories",
        "fileID" | "files" => "files",
        "sessionID" => "sessions",
        "customerUserID" => "users",
        "key" => "key",
        "nextToken" | "previousToken" => "token",
        "query" | "assisted" | "facts" | "top_k" | "explain" | "budget_ms" | "limit"
        | "category" | "role" | "state" | "wipe" | "name" | "fileType" | "externalURI"
        | "fileName" | "memoryType" | "ontology" | "description" | "chunkSize" | "chunkOverlap"
        | "webhookUrl" | "acceleration" | "factExtraction" | "content" | "metadata"
        | "firstName" | "lastName" | "email" | "phone" | "Idempotency-Key" => return None,
        _ => panic!("say in `kind` which kind of id `{name}` is, or that it is none"),
    })
}

/// A body that the route takes from an account with these records.
fn body(path: &str, own: &Records) -> Value {
    match path {
        "/files/create" => json!({"name": "a.txt"}),
        "/files/upload" => json!({"fileName": "a.txt"}),
        "/files/update/{id}" | "/memories/update/{id}" => json!({"name": "b.txt"}),
        "/memories/create" => json!({"name": "m", "memoryType": "vector"}),
        "/memories/add-files" => json!({"memoryID": own["memories"], "files": [own["files"]]}),
        "/memories/start-ingestion" => json!({"memoryID": own["memories"]}),
        "/messages/create" => json!({"role": "user", "content": "x"}),
        "/sessions/create" => json!({}),
        "/users/create" => json!({"firstName": "A", "lastName": "B"}),
        _ => panic!("give `body` a body for {path}"),
    }
}

pub(crate) fn routes(document: &Value) -> Vec<Route> {
    let locked = operations(document).into_iter().filter(|it| it.2["security"].is_null());
    let routes: Vec<_> =
        locked.map(|(path, method, it)| route(document, path, &method, &it)).collect();
    assert!(routes.len() >= 32, "only {} routes", routes.len());
    routes
}

fn route(document: &Value, path: String, method: &str, operation: &Value) -> Route {
    const KINDS: [&str; 8] =
        ["memory", "memories", "files", "users", "sessions", "messages", "deliveries", "receipts"];
    let word = path.split('/').nth(1).unwrap_or_default();
    let of_route = KINDS.iter().find(|it| **it == word);
    let of_route =
        *of_route.unwrap_or_else(|| panic!("add `{word}` to `KINDS` and its id to `records`"));
    let (mut slots, mut required) = (Vec::new(), Vec::new());
    for it in operation["parameters"].as_array().into_iter().flatten() {
        let name = it.text("name");
        let Some(kind) = kind(&name, of_route) else { continue };
        if it["required"] == true {
            required.push(name.clone());
        }
        slots.push((if it["in"] == "path" { Slot::Path } else { Slot::Query(name) }, kind));
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    if let Some(schema) = schema.as_str() {
        let pointer = schema.trim_start_matches('#');
        let fields = document.pointer(pointer).unwrap()["properties"].as_object().unwrap();
        for (name, it) in fields {
            let Some(kind) = kind(name, of_route) else { continue };
            let is_list = it.to_string().contains("\"array\"");
            let slot = if is_list { Slot::Items(name.clone()) } else { Slot::Field(name.clone()) };
            slots.push((slot, kind));
        }
    }
    Route { method: method.to_uppercase().parse().unwrap(), path, required, slots }
}

impl Route {
    /// Asks with the caller's own ids, but `id` in `slot`; a path's id as it is, to be encoded before.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        own: &Records,
        slot: Option<&Slot>,
        id: &str,
    ) -> Reply {
        let mut path = self.path.clone();
        let mut query =
            if path == "/memory" { "query=Who%3F&top_k=3".to_owned() } else { String::new() };
        let mut body = matches!(self.method, Method::POST | Method::PATCH)
            .then(|| if self.has_body() { body(&self.path, own) } else { json!({}) });
        for (it, kind) in &self.slots {
            let asked = slot == Some(it);
            match it {
                Slot::Path => {
                    path = path.replace("{id}", if asked { id } else { &own[kind] });
                }
                Slot::Query(name) if asked || self.required.contains(name) => {
                    let id = if asked { id } else { &own[kind] };
                    let id = utf8_percent_encode(id, NON_ALPHANUMERIC);
                    query.push_str(&format!("&{name}={id}"));
                }
                Slot::Field(name) if asked => body.as_mut().unwrap()[name] = json!(id),
                Slot::Items(name) if asked => body.as_mut().unwrap()[name] = json!([id]),
                _ => {}
            }
        }
        let request = Request::builder().method(&self.method).uri(format!("{path}?{query}"));
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let body = body.map_or_else(Body::empty, |it| Body::from(it.to_string()));
        client.request(request.body(body).unwrap()).await
    }

    fn has_body(&self) -> bool {
        !self.path.starts_with("/deliveries/")
    }
}

/// Two records of every kind; the ids of the second ones. `mark` stands in all their texts, `padding` makes them long.
pub(crate) async fn records(app: &TestApp, client: &Client, mark: &str, padding: &str) -> Records {
    let words = format!("{mark} {padding}");
    let mut records = Records::new();
    for i in 0..2 {
        let hook = format!("https://hooks.example.com/{mark}");
        let body = json!({"name": mark, "description": words, "memoryType": "graph", "ontology": "culture",
                   "webhookUrl": hook});
        let memory = client.post("/memories/create", body).await.data(201).text("id");
        let text = format!("Mia Holm tends the {mark} garden. {padding}");
        let file = text_file(app, client, &format!("{mark}.txt"), &text).await;
        if mark == MARK {
            ingest(app, client, &memory, std::slice::from_ref(&file)).await;
        } else {
            let body = json!({"memoryID": memory, "files": [file]});
            client.post("/memories/add-files", body).await.data(201);
            client.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
        }
        let id = |kind: &str| format!("{mark}-{kind}-{i}");
        let user = json!({"firstName": mark, "lastName": words, "id": id("user")});
        client.post("/users/create", user).await.data(201);
        let session = json!({"id": id("session"), "customerUserID": id("user"),
                             "metadata": [{"key": "a", "value": words}]});
        client.post("/sessions/create", session).await.data(201);
        for message in [id("message"), id("deleted")] {
            let body = json!({"role": "user", "content": words, "sessionID": id("session"), "id": message});
            client.post("/messages/create", body).await.data(201);
        }
        let deleted = client.delete(&format!("/messages/delete/{}", id("deleted"))).await;
        let memory_id = harkback_engine::model::MemoryId(memory.parse().unwrap());
        let deliveries = app.app.store.deliveries_of_memory(memory_id).await.unwrap();
        records = Records::from([
            ("memories", memory),
            ("files", file),
            ("users", id("user")),
            ("sessions", id("session")),
            ("messages", id("message")),
            ("deliveries", deliveries[0].delivery_id.to_string()),
            ("receipts", deleted.headers["x-receipt-id"].to_str().unwrap().to_owned()),
            ("key", upload(app, client, "b.txt", mark).await),
        ]);
    }
    records
}

/// What can be seen of the records, as their owner sees it.
async fn seen(app: &TestApp, client: &Client, own: &Records, routes: &[Route]) -> Vec<Value> {
    let mut seen = Vec::new();
    for route in routes.iter().filter(|it| it.method == Method::GET) {
        let reply = route.ask(client, own, None, "").await;
        assert_eq!(reply.status, 200, "{}: {}", route.path, reply.json());
        seen.push(reply.json());
    }
    assert!(app.app.store.check().await.is_ok());
    seen
}

/// An id of the kind that no account has, as long as one that is there.
pub(crate) fn unknown(kind: &str, like: &str) -> String {
    match kind {
        "key" => like.replace(|it: char| it.is_ascii_hexdigit(), "0"),
        _ if uuid::Uuid::parse_str(like).is_ok() => {
            "00000000-0000-7000-8000-00000000dead".to_owned()
        }
        _ => "u".repeat(like.len()),
    }
}

/// The answer, and which headers it has, without what differs from one request to the next.
fn shape(reply: &Reply, id: &str) -> Value {
    fn walk(value: &mut Value, id: &str) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|it| walk(it, id)),
            Value::Object(fields) => fields.values_mut().for_each(|it| walk(it, id)),
            Value::String(text) if text == id => *text = "ID".to_owned(),
            Value::String(text) if uuid::Uuid::parse_str(text).is_ok() => *text = "U".to_owned(),
            Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => {
                *text = "T".to_owned()
            }
            _ => {}
        }
    }
    let mut body = reply.json();
    walk(&mut body, id);
    let mut headers: Vec<&str> = reply.headers.keys().map(|it| it.as_str()).collect();
    headers.sort_unstable();
    json!({"status": reply.status.as_u16(), "headers": headers, "body": body})
}

#[track_caller]
fn tells_nothing(reply: &Reply, alice: &Records, what: &str) {
    let text = String::from_utf8_lossy(&reply.body).into_owned() + &format!("{:?}", reply.headers);
    let asked_for: Vec<_> = alice.values().filter(|it| it.contains(MARK)).collect();
    let mut text = text;
    for id in asked_for {
        text = text.replace(id.as_str(), "");
    }
    assert!(!text.contains(MARK), "{what}: {text}");
}

/// The 403 that the contract has for another account's record, and nothing more.
fn is_refusal(reply: &Reply) -> bool {
    let nouns = ["memory", "file", "user", "session", "message", "delivery", "receipt"];
    let texts = nouns.iter().flat_map(|noun| {
        ["access", "update", "delete"].map(|verb| format!("Not authorized to {verb} this {noun}"))
    });
    let mut bodies = texts.map(|it| json!({"error": it, "status": "forbidden", "message": it}));
    reply.status == 403 && bodies.any(|it| it == reply.json())
}

#[tokio::test]
async fn nothing_of_another_account_can_be_seen_or_touched() {
    let app = TestApp::new().await;
    let document = app.stranger().get("/openapi.json").await.expect(200);
    let routes = routes(&document);
    let alice = records(&app, &app.alice, MARK, "").await;
    let eve_client = app.with_key(&app.new_key("eve").await);
    let eve = records(&app, &eve_client, "evening", "").await;
    let una_client = app.with_key(&app.new_key("una").await);
    let una = records(&app, &una_client, "unicorn", "").await;
    let before = seen(&app, &app.alice, &alice, &routes).await;
    let mut n_refused = 0;
    for route in &routes {
        for (slot, kind) in &route.slots {
            let what = format!("{} {} {slot:?}", route.method, route.path);
            let (foreign, nobodys) = if *kind == "token" {
                let page = app.alice.get(&format!("{}?limit=1", route.path)).await.expect(200);
                let token = [&page, &page["data"]].iter().find_map(|it| it["nextToken"].as_str());
                let token = token.unwrap_or_else(|| panic!("{what}: no second page in {page}"));
                (token.to_owned(), "A".repeat(token.len()))
            } else {
                (alice[kind].clone(), unknown(kind, &alice[kind]))
            };
            let answer = route.ask(&eve_client, &eve, Some(slot), &foreign).await;
            let of_nobody = route.ask(&una_client, &una, Some(slot), &nobodys).await;
            tells_nothing(&answer, &alice, &what);
            if is_refusal(&answer) {
                n_refused += 1;
                let text = of_nobody.json().text("error");
                assert!(of_nobody.status == 400 && text.ends_with("not found"), "{what}: {text}");
            } else {
                assert_eq!(shape(&answer, &foreign), shape(&of_nobody, &nobodys), "{what}");
            }
        }
        if route.method == Method::GET {
            let own = route.ask(&eve_client, &eve, None, "").await;
            tells_nothing(&own, &alice, &route.path);
        }
    }
    assert!(n_refused >= 18, "{n_refused} refusals");
    assert_eq!(seen(&app, &app.alice, &alice, &routes).await, before, "nothing was changed");
}

#[tokio::test]
async fn without_a_valid_key_nothing_differs() {
    let app = TestApp::new().await;
    let routes = routes(&app.stranger().get("/openapi.json").await.expect(200));
    let alice = records(&app, &app.alice, MARK, "").await;
    let key = app.new_key("alice").await;
    let revoked = app.with_key(&key);
    revoked.get("/users/list").await.expect(200);
    assert!(harkback::keys::revoke_key(&app.app.store, &key, &app.app.clock).await.unwrap());
    let before = seen(&app, &app.alice, &alice, &routes).await;
    for route in &routes {
        let slots = route.slots.iter().filter(|it| it.1 != "token");
        for (slot, kind) in slots.map(|(slot, kind)| (Some(slot), *kind)).chain([(None, "users")]) {
            for id in [alice[kind].clone(), unknown(kind, &alice[kind])] {
                let answer = route.ask(&app.stranger(), &alice, slot, &id).await;
                answer.expect_error(401, "API key is required");
                let answer = route.ask(&revoked, &alice, slot, &id).await;
                answer.expect_error(403, "Invalid API key");
            }
        }
    }
    assert_eq!(seen(&app, &app.alice, &alice, &routes).await, before, "nothing was changed");
}

#[tokio::test]
async fn ids_that_try_to_be_something_else_are_ids() {
    let app = TestApp::new().await;
    let routes = routes(&app.stranger().get("/openapi.json").await.expect(200));
    let alice = records(&app, &app.alice, MARK, "").await;
    let eve_client = app.with_key(&app.new_key("eve").await);
    let eve = records(&app, &eve_client, "evening", "").await;
    // Eve makes records of such ids; whoever names one in a path must not be her.
    let una_client = app.with_key(&app.new_key("una").await);
    let una = records(&app, &una_client, "unicorn", "").await;
    let before = seen(&app, &app.alice, &alice, &routes).await;
    let long = "x".repeat(300);
    let right_to_left = "\u{202e}שלום/..";
    let texts =
        ["a/b", "..", "../..", "%2f", "a\0b", "\n", &long, right_to_left, "' OR 1=1 --", "*", "%"];
    let encoded = texts.map(|it| utf8_percent_encode(it, NON_ALPHANUMERIC).to_string());
    let raw = ["a/b", "..", "../list", "%2e%2e", "%2F..%2f", "%252f", "%00", "%ff", "%", ";", "//"];
    for route in &routes {
        for (slot, _) in &route.slots {
            let ids: Vec<&str> = match slot {
                Slot::Path => encoded.iter().map(String::as_str).chain(raw).collect(),
                _ => texts.to_vec(),
            };
            for id in ids {
                let what = format!("{} {} {slot:?} {id:?}", route.method, route.path);
                let answer = match slot {
                    Slot::Path => route.ask(&una_client, &una, Some(slot), id).await,
                    _ => route.ask(&eve_client, &eve, Some(slot), id).await,
                };
                tells_nothing(&answer, &alice, &what);
                let status = answer.status.as_u16();
                let refused = matches!(status, 400 | 403 | 404 | 405);
                // A caller's own id may be any text; an end user need not be there.
                let accepted = matches!(status, 200 | 201) && *slot != Slot::Path;
                assert!(refused || accepted, "{what}: {status} {}", answer.json());
                let body = answer.json();
                assert!(accepted || body["error"] == body["message"], "{what}: {body}");
            }
        }
    }
    assert_eq!(seen(&app, &app.alice, &alice, &routes).await, before, "nothing was changed");
}
