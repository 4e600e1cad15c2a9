//! Websites, from a real server on this machine that is allowed by its name: pages, sitemaps, crawls, traps, refresh.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use harkback::worker::run_next;
use harkback_engine::Models;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::app::TestApp;
use crate::fixtures::{TextOf, memory, n_blob_files, upload};

/// What a path of the site answers.
#[derive(Clone)]
enum Answer {
    Html(String),
    Bytes(&'static str, Vec<u8>),
    Redirect(String),
    Status(u16),
    Slow,
    Huge,
}

type Otherwise = fn(&str) -> Answer;

/// A website on a free port of this machine. Pages have an `ETag`.
#[derive(Clone)]
struct Website {
    address: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    /// What is answered where nothing else is.
    otherwise: Arc<Mutex<Otherwise>>,
    /// Paths that were asked, with the status of the answer.
    log: Arc<Mutex<Vec<(String, u16)>>>,
    /// Told when a slow page is asked.
    slow: Arc<Notify>,
}

impl Website {
    #[expect(clippy::disallowed_methods, reason = "the site ends with the test's runtime")]
    async fn serve() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let site = Self {
            address: listener.local_addr().unwrap().to_string(),
            answers: Arc::default(),
            otherwise: Arc::new(Mutex::new(|_| Answer::Status(404))),
            log: Arc::default(),
            slow: Arc::default(),
        };
        let router = axum::Router::new().fallback(answer).with_state(site.clone());
        tokio::task::spawn(async move { axum::serve(listener, router).await.unwrap() });
        site
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn set(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    fn page(&self, path: &str, title: &str, body: &str) {
        let html = format!(
            "<html><head><title>{title} | Riverside</title></head><body><nav><a href='/'>Home</a></nav>\
             <h1>{title}</h1>{body}<footer>Riverside is closed on Sunday.</footer></body></html>"
        );
        self.set(path, Answer::Html(html));
    }

    fn sitemap(&self, path: &str, pages: &[&str]) {
        self.set(path, Answer::Bytes("application/xml", self.sitemap_of("url", pages).into()));
    }

    fn sitemap_of(&self, element: &str, pages: &[&str]) -> String {
        let urls =
            pages.iter().map(|it| format!("<{element}><loc>{}</loc></{element}>", self.url(it)));
        format!("<?xml version=\"1.0\"?><set>{}</set>", urls.collect::<String>())
    }

    /// What was asked since the last call, without `robots.txt`.
    fn asked(&self) -> Vec<(String, u16)> {
        let mut log = std::mem::take(&mut *self.log.lock().unwrap());
        log.retain(|it| it.0 != "/robots.txt");
        log
    }
}

async fn answer(State(site): State<Website>, request: Request) -> Response {
    let path = request.uri().to_string();
    let set = site.answers.lock().unwrap().get(&path).cloned();
    let answer = set.unwrap_or_else(|| (site.otherwise.lock().unwrap())(&path));
    let response = match answer {
        Answer::Html(html) => cached(request.headers(), "text/html; charset=utf-8", html.into()),
        Answer::Bytes(media_type, bytes) => cached(request.headers(), media_type, bytes),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Slow => {
            site.slow.notify_one();
            tokio::time::sleep(Duration::from_secs(30)).await;
            "late".into_response()
        }
        Answer::Huge => {
            let chunks =
                futures_util::stream::repeat_with(|| Ok::<_, Infallible>(vec![b'x'; 1 << 16]));
            ([(header::CONTENT_TYPE, "text/html")], Body::from_stream(chunks)).into_response()
        }
    };
    site.log.lock().unwrap().push((path, response.status().as_u16()));
    response
}

fn cached(headers: &HeaderMap, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let etag = format!("\"{:x}\"", Sha256::digest(&bytes)[0]);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|it| it == &*etag) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let headers = [(header::CONTENT_TYPE, media_type.to_owned()), (header::ETAG, etag)];
    (headers, bytes).into_response()
}

/// A program that may call the site, and nothing else that is private.
async fn app_for(site: &Website) -> TestApp {
    let address = site.address.clone();
    TestApp::with(Models::default(), |config| {
        config.allowed_private_hosts = vec![address];
        config.site_requests_per_second = 10_000.try_into().unwrap();
        config.page_timeout_seconds = 1;
        config.max_site_pages = 40;
    })
    .await
}

async fn web_file(app: &TestApp, uri: &str, file_type: &str) -> String {
    let body = json!({"name": uri, "externalURI": uri, "fileType": file_type});
    app.alice.post("/files/create", body).await.data(201).text("id")
}

/// Puts a file into a memory of its own and ingests it; the memory's id.
async fn ingested(app: &TestApp, file: &str) -> String {
    let memory = memory(&app.alice).await;
    let body = json!({"memoryID": memory, "files": [file]});
    app.alice.post("/memories/add-files", body).await.data(201);
    ingest_again(app, &memory).await;
    memory
}

async fn ingest_again(app: &TestApp, memory: &str) {
    app.alice.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
    assert!(run_next(&app.app).await.unwrap());
}

async fn status(app: &TestApp, memory: &str) -> Value {
    app.alice.get(&format!("/memories/get/{memory}")).await.data(200)
}

/// Name and reason of each file that failed.
async fn failures(app: &TestApp, memory: &str) -> Vec<(String, String)> {
    let status = status(app, memory).await;
    let failed = status["progress"]["failed"].as_array().unwrap();
    failed.iter().map(|it| (it.text("name"), it.text("reason"))).collect()
}

/// Name and URL of the best source of an answer, and the passage.
async fn found(app: &TestApp, memory: &str, query: &str) -> (String, String, String) {
    let answer = ask(app, memory, query).await;
    let metadata = &answer["payload"][0]["metadata"];
    let passage = &metadata["passages"][0];
    let source = &answer["sources"][0];
    (
        source.text("name"),
        source.text("url"),
        passage["text"].as_str().unwrap_or_default().to_owned(),
    )
}

async fn ask(app: &TestApp, memory: &str, query: &str) -> Value {
    let query = query.replace(' ', "+").replace('?', "%3F");
    let path = format!("/memory?memoryID={memory}&query={query}&top_k=3");
    app.alice.get(&path).await.expect(200)
}

/// `hiddenFilesTotal`, `Created`, `Processed`, `Ingested`.
async fn counters(app: &TestApp, file: &str) -> [i64; 4] {
    let file = app.alice.get(&format!("/files/get/{file}")).await.data(200);
    ["Total", "Created", "Processed", "Ingested"]
        .map(|it| file[format!("hiddenFiles{it}")].as_i64().unwrap())
}

async fn note(app: &TestApp, file: &str) -> Value {
    app.alice.get(&format!("/files/get/{file}")).await.data(200)["fetchNote"].clone()
}

#[tokio::test]
async fn a_page_is_ingested_with_its_title_and_address_and_asked_again_whether_it_changed() {
    let site = Website::serve().await;
    let canonical = format!("<link rel=canonical href='{}'>", site.url("/team"));
    site.page(
        "/team?utm=1",
        "Team",
        &format!("{canonical}<p>Dr. Amara Okafor is the cardiologist.</p>"),
    );
    site.set("/start", Answer::Redirect("/team?utm=1".into()));
    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/start"), "website").await;
    let memory = ingested(&app, &file).await;
    assert_eq!(failures(&app, &memory).await, []);
    let (name, url, text) = found(&app, &memory, "Who is the cardiologist?").await;
    assert_eq!((name, url), ("Team".into(), site.url("/team")));
    assert!(text.contains("Dr. Amara Okafor is the cardiologist."), "{text}");
    let detail = app.alice.get(&format!("/files/get/{file}")).await.data(200);
    assert_eq!(
        (detail.text("extension"), detail.text("externalURI")),
        ("html".into(), site.url("/start"))
    );
    assert!(!detail.text("content").contains("closed on Sunday"), "the footer is left out");
    assert_eq!(detail["hiddenFilesTotal"], Value::Null);

    site.asked();
    ingest_again(&app, &memory).await;
    assert_eq!(site.asked(), [("/start".into(), 302), ("/team?utm=1".into(), 304)]);
    assert_eq!(status(&app, &memory).await["progress"]["samples"], json!({"total": 1, "done": 1}));

    site.page("/team?utm=1", "Team", "<p>Dr. Per Lind is the cardiologist.</p>");
    ingest_again(&app, &memory).await;
    let (_, url, text) = found(&app, &memory, "Who is the cardiologist?").await;
    assert!(url.ends_with("/team?utm=1") && text.contains("Per Lind") && !text.contains("Okafor"));
    assert_eq!(n_blob_files(&app), 1, "the former bytes are gone");

    site.set("/team?utm=1", Answer::Status(500));
    ingest_again(&app, &memory).await;
    let reason = &failures(&app, &memory).await[0].1;
    let expected = "the site answered HTTP 500; what was fetched at 2026-01-02T03:04:05Z is kept";
    assert_eq!(reason, expected);
    assert!(found(&app, &memory, "Who is the cardiologist?").await.2.contains("Per Lind"));

    site.set("/team?utm=1", Answer::Status(410));
    ingest_again(&app, &memory).await;
    assert_eq!(failures(&app, &memory).await[0].1, "the site has removed it (HTTP 410)");
    assert_eq!(ask(&app, &memory, "Who is the cardiologist?").await["sources"], json!([]));
    assert_eq!(n_blob_files(&app), 0);
}

#[tokio::test]
async fn a_page_that_cannot_be_fetched_fails_its_file_with_the_reason() {
    let site = Website::serve().await;
    site.set(
        "/robots.txt",
        Answer::Bytes("text/plain", b"User-agent: *\nDisallow: /private".into()),
    );
    site.page("/private/a", "Private", "<p>Not for us.</p>");
    site.set("/image", Answer::Bytes("image/png", b"\x89PNG".into()));
    site.set("/empty", Answer::Html(" ".into()));
    site.set("/slow", Answer::Slow);
    site.set("/huge", Answer::Huge);
    site.set("/loop", Answer::Redirect("/loop".into()));
    site.set("/to-private", Answer::Redirect("http://10.0.0.1/".into()));
    site.set("/to-metadata", Answer::Redirect("http://0xa9fea9fe/latest/meta-data/".into()));
    site.set("/to-file", Answer::Redirect("file:///etc/passwd".into()));
    // Another port of the same machine is not allowed by the setting.
    site.set("/to-name", Answer::Redirect("http://localhost:1/".into()));
    site.set("/no-text", Answer::Html("<script>draw()</script>".into()));
    let app = app_for(&site).await;
    let private = "the site redirects to an address that may not be called: it must be a URL of a public host";
    for (path, reason) in [
        ("/nothing", "the site does not have it (HTTP 404)"),
        ("/private/a", "the site's robots.txt forbids it"),
        ("/image", "it is not a page but image/png"),
        ("/empty", "the page is empty"),
        ("/slow", "no answer came in time"),
        ("/huge", "it is too large: more than 10 MB"),
        ("/loop", "the site redirects more than 5 times"),
        ("/to-private", private),
        ("/to-metadata", private),
        (
            "/to-file",
            "the site redirects to an address that may not be called: it must be an http or https URL",
        ),
        ("/to-name", "the site's robots.txt could not be read: the host has no public address"),
        ("/no-text", "no text was found in this web page file: upload a file with text in it"),
    ] {
        let file = web_file(&app, &site.url(path), "website").await;
        let memory = ingested(&app, &file).await;
        let failures = failures(&app, &memory).await;
        assert_eq!(failures.iter().map(|it| &*it.1).collect::<Vec<_>>(), [reason], "{path}");
        assert_eq!(status(&app, &memory).await["status"], "failed");
    }
}

#[tokio::test]
async fn each_page_of_a_sitemap_is_a_source_of_its_own_and_fails_alone() {
    let site = Website::serve().await;
    let names: Vec<String> = (0..24).map(|i| format!("/doctors/{i}")).collect();
    for (name, doctor) in names.iter().zip(DOCTORS) {
        site.page(
            name,
            &format!("Dr. {doctor}"),
            &format!("<p>Dr. {doctor} works in {doctor} hall.</p>"),
        );
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let packed = site.sitemap_of("url", &names[12..].iter().map(|it| &**it).collect::<Vec<_>>());
    gzip.write_all(packed.as_bytes()).unwrap();
    site.set("/b.xml.gz", Answer::Bytes("application/gzip", gzip.finish().unwrap()));
    let mut first: Vec<&str> = names[..12].iter().map(|it| &**it).collect();
    first.extend(["/gone", "/slow", "/doctors/0"]);
    site.sitemap("/a.xml", &first);
    site.set("/slow", Answer::Slow);
    // It names itself, a sitemap that is not there, and the two.
    let index = site.sitemap_of("sitemap", &["/sitemap.xml", "/a.xml", "/b.xml.gz", "/c.xml"]);
    site.set("/sitemap.xml", Answer::Bytes("application/xml", index.into()));

    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/sitemap.xml"), "sitemap").await;
    let memory = ingested(&app, &file).await;
    assert_eq!(status(&app, &memory).await["status"], "success");
    assert_eq!(counters(&app, &file).await, [26, 26, 24, 24]);
    let mut failed = failures(&app, &memory).await;
    failed.sort();
    assert_eq!(
        failed,
        [
            (site.url("/gone"), "the site does not have it (HTTP 404)".to_owned()),
            (site.url("/slow"), "no answer came in time".to_owned()),
        ]
    );
    let missing = format!(
        "the sitemap {} could not be fetched: the site does not have it (HTTP 404)",
        site.url("/c.xml")
    );
    assert_eq!(note(&app, &file).await, missing);
    let (name, url, _) = found(&app, &memory, "Where does Dr. Rossi work?").await;
    assert_eq!((name, url), ("Dr. Rossi".into(), site.url("/doctors/17")));
    let listed = app.alice.get("/files/list").await.json();
    assert_eq!(listed["files"].as_array().unwrap().len(), 1, "pages are not listed");

    // Refresh: one page changed, one is gone, one is new, one does not answer.
    site.page("/doctors/3", "Dr. Dubois", "<p>Dr. Dubois works in the tower.</p>");
    site.page("/doctors/new", "Dr. Yilmaz", "<p>Dr. Yilmaz works in the garden.</p>");
    site.set("/doctors/4", Answer::Status(503));
    site.set("/slow", Answer::Status(404));
    let index = site.sitemap_of("sitemap", &["/a.xml", "/b.xml.gz"]);
    site.set("/sitemap.xml", Answer::Bytes("application/xml", index.into()));
    first.retain(|it| !["/doctors/2", "/gone", "/slow"].contains(it));
    first.push("/doctors/new");
    site.sitemap("/a.xml", &first);
    site.asked();
    ingest_again(&app, &memory).await;
    let asked = site.asked();
    let n_with =
        |status| asked.iter().filter(|it| it.0.starts_with("/doctors") && it.1 == status).count();
    assert_eq!((n_with(304), n_with(200)), (21, 2), "{asked:?}");
    assert_eq!(counters(&app, &file).await, [24, 24, 24, 24]);
    assert_eq!(n_blob_files(&app), 24);
    let kept = "the site answered HTTP 503; what was fetched at 2026-01-02T03:04:05Z is kept";
    assert_eq!(failures(&app, &memory).await, [("Dr. Eklund".into(), kept.to_owned())]);
    assert_eq!(note(&app, &file).await, Value::Null);
    for (doctor, text) in [
        ("Dubois", "works in the tower"),
        ("Yilmaz", "works in the garden"),
        ("Eklund", "works in Eklund hall"),
    ] {
        let answer = ask(&app, &memory, &format!("Where does Dr. {doctor} work?")).await;
        assert!(answer.to_string().contains(&format!("Dr. {doctor} {text}")), "{answer}");
    }
    let gone = ask(&app, &memory, "Where does Dr. Corvo work?").await.to_string();
    assert!(!gone.contains("Corvo hall"), "{gone}");
    let verified = harkback_engine::verify(&app.app.config.data).await.unwrap();
    assert_eq!(verified.defects, [] as [&str; 0]);
}

const DOCTORS: [&str; 24] = [
    "Abara", "Bellin", "Corvo", "Dubois", "Eklund", "Farkas", "Gruber", "Haddad", "Ibsen",
    "Jansen", "Kowal", "Lind", "Moreau", "Nakata", "Okafor", "Petrov", "Quist", "Rossi", "Santos",
    "Tanaka", "Ulrich", "Varga", "Weber", "Xavier",
];

#[tokio::test]
async fn a_crawl_stays_within_host_rules_and_limits_and_stores_the_same_once() {
    let site = Website::serve().await;
    site.set(
        "/robots.txt",
        Answer::Bytes("text/plain", b"User-agent: *\nDisallow: /private".into()),
    );
    site.page(
        "/",
        "Home",
        "<p>The clinic stands in Ulm.</p><a href='/team'>Team</a> <a href='/team#top'>Team</a> <a href='/print/team'>P</a>\
         <a href='/private/x'>no</a> <a href='http://10.0.0.1/'>no</a> <a href='/logo.png'>no</a> <a href='/dead'>no</a>\
         <a href='/trap/0'>trap</a> <a href='/to-private'>no</a> <a href='/slow'>no</a>",
    );
    site.page("/team", "Team", "<p>Mira Okonkwo runs the reception.</p><a href='/deep'>Deep</a>");
    site.page(
        "/print/team",
        "Team",
        "<p>Mira Okonkwo runs the reception.</p><a href='/x'>Deep</a>",
    );
    site.page("/deep", "Deep", "<p>The cellar holds the archive.</p>");
    site.page("/private/x", "Private", "<p>Secret things.</p>");
    site.set("/to-private", Answer::Redirect("http://192.168.0.1/".into()));
    site.set("/slow", Answer::Slow);
    // Endless pages, each with words of its own.
    *site.otherwise.lock().unwrap() = |path| match path.strip_prefix("/trap/") {
        Some(n) => {
            let n: u64 = n.parse().unwrap();
            Answer::Html(format!(
                "<title>Day {n}</title><p>On day{n} nothing.</p><a href='/trap/{}'>next</a>",
                n + 1
            ))
        }
        None => Answer::Status(404),
    };
    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/"), "website_bulk").await;
    let memory = ingested(&app, &file).await;
    let asked: Vec<String> = site.asked().into_iter().map(|it| it.0).collect();
    assert!(!asked.iter().any(|it| it.starts_with("/private") || it == "/logo.png"), "{asked:?}");
    assert!(!asked.contains(&"/trap/11".into()), "ten links deep at most: {asked:?}");
    let (name, url, _) = found(&app, &memory, "Who runs the reception?").await;
    assert_eq!((name, url), ("Team".into(), site.url("/team")));
    assert!(found(&app, &memory, "What does the cellar hold?").await.1.ends_with("/deep"));
    let [total, created, processed, ingested] = counters(&app, &file).await;
    assert_eq!(
        (total, created, processed, ingested),
        (15, 15, 13, 13),
        "3 pages, 10 days, 2 that failed"
    );
    let mut failed = failures(&app, &memory).await;
    failed.sort();
    assert_eq!(failed[0], (site.url("/slow"), "no answer came in time".into()));
    assert_eq!(failed.len(), 2);
    assert_eq!(
        note(&app, &file).await,
        "addresses of pages that others hold already: 1; pages that robots.txt forbids: 1"
    );

    let receipt = app.alice.delete(&format!("/files/delete/{file}")).await;
    receipt.says("File deleted successfully");
    assert_eq!(n_blob_files(&app), 0, "nothing is left");
    assert_eq!(ask(&app, &memory, "Who runs the reception?").await["sources"], json!([]));
    assert_eq!(status(&app, &memory).await["progress"]["samples"]["total"], 0);
}

#[tokio::test]
async fn a_site_that_answers_200_to_everything_is_one_page() {
    let site = Website::serve().await;
    *site.otherwise.lock().unwrap() = |path| match path {
        "/robots.txt" => Answer::Bytes("text/html", b"<p>Welcome to Ulm.</p>".into()),
        _ => Answer::Html(format!(
            "<p>Welcome to Ulm.</p><a href='{path}x/'>a</a><a href='{path}y/'>b</a>"
        )),
    };
    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/"), "website_bulk").await;
    let memory = ingested(&app, &file).await;
    assert_eq!(counters(&app, &file).await, [1, 1, 1, 1]);
    assert_eq!(site.asked().len(), 3, "the doubles lead no further");
    assert_eq!(status(&app, &memory).await["status"], "success");
    let many = web_file(&app, &site.url("/z/"), "website_bulk").await;
    assert_eq!(status(&app, &ingested(&app, &many).await).await["status"], "success");
}

#[tokio::test]
async fn a_site_with_more_pages_than_allowed_says_so() {
    let site = Website::serve().await;
    *site.otherwise.lock().unwrap() = |path| {
        if path == "/robots.txt" {
            return Answer::Status(404);
        }
        let links: String = (0..100).map(|i| format!("<a href='/p{i}'>{i}</a>")).collect();
        Answer::Html(format!("<title>{path}</title><p>This is page {path}.</p>{links}"))
    };
    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/"), "website_bulk").await;
    ingested(&app, &file).await;
    assert_eq!(counters(&app, &file).await, [40, 40, 40, 40]);
    assert_eq!(note(&app, &file).await, "the fetch was ended after 40 pages (max_site_pages)");
}

#[tokio::test]
async fn a_list_of_addresses_is_uploaded_as_text() {
    let site = Website::serve().await;
    site.page("/a", "Alpha", "<p>Alpha stands on the hill.</p>");
    site.set("/b.txt", Answer::Bytes("text/plain", b"Beta stands by the river.".into()));
    let app = app_for(&site).await;
    let list =
        format!("# ours\n{}\n{}\nnonsense\nhttp://10.0.0.1/\n", site.url("/a"), site.url("/b.txt"));
    let key = upload(&app, &app.alice, "list.txt", &list).await;
    let body = json!({"name": "ours", "key": key, "fileType": "website_bulk"});
    let file = app.alice.post("/files/create", body).await.data(201).text("id");
    let memory = ingested(&app, &file).await;
    assert_eq!(counters(&app, &file).await, [4, 4, 2, 2]);
    let mut failed = failures(&app, &memory).await;
    failed.sort();
    assert_eq!(failed[0].1, "the address may not be called: it must be a URL of a public host");
    assert_eq!(failed[1], ("nonsense".into(), "it is no http or https URL".into()));
    let (name, url, _) = found(&app, &memory, "What stands by the river?").await;
    assert_eq!((name, url), ("b.txt".into(), site.url("/b.txt")));
}

#[tokio::test]
async fn without_the_setting_this_machine_is_not_called() {
    let site = Website::serve().await;
    site.page("/", "Home", "<p>Inner things.</p>");
    let app = TestApp::new().await;
    let body = json!({"name": "a", "externalURI": site.url("/"), "fileType": "website"});
    let refused = app.alice.post("/files/create", body).await;
    refused.expect_error(400, "externalURI must be a URL of a public host");
    let by_name = site.url("/").replace("127.0.0.1", "localhost");
    let memory = ingested(&app, &web_file(&app, &by_name, "website").await).await;
    let reason = "the site's robots.txt could not be read: the host has no public address";
    assert_eq!(failures(&app, &memory).await[0].1, reason);
    assert_eq!(site.log.lock().unwrap().len(), 0, "it was never reached");
}

#[tokio::test]
async fn a_fetch_goes_on_where_a_killed_worker_left_it_and_doubles_nothing() {
    let site = Website::serve().await;
    let names: Vec<String> = (0..10).map(|i| format!("/p{i}")).collect();
    for (i, name) in names.iter().enumerate() {
        site.page(name, &format!("Page {i}"), &format!("<p>Word{i} is on page {i}.</p>"));
    }
    site.set("/p6", Answer::Slow);
    site.sitemap("/sitemap.xml", &names.iter().map(|it| &**it).collect::<Vec<_>>());
    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/sitemap.xml"), "sitemap").await;
    let memory = memory(&app.alice).await;
    let body = json!({"memoryID": memory, "files": [file]});
    app.alice.post("/memories/add-files", body).await.data(201);
    app.alice.post("/memories/start-ingestion", json!({"memoryID": memory})).await.data(200);
    tokio::select! {
        ended = run_next(&app.app) => panic!("it waits for /p6: {ended:?}"),
        () = site.slow.notified() => {}
    }
    assert_eq!(site.asked().len(), 7, "the sitemap and six pages");
    assert_eq!(counters(&app, &file).await[..3], [10, 6, 6]);

    site.page("/p6", "Page 6", "<p>Word6 is on page 6.</p>");
    let app = app.restart().await;
    app.app.clock.set(crate::app::NOW + 30_000_000);
    assert!(run_next(&app.app).await.unwrap());
    let asked: Vec<String> = site.asked().into_iter().map(|it| it.0).collect();
    assert_eq!(asked, ["/sitemap.xml", "/p6", "/p7", "/p8", "/p9"]);
    assert_eq!(counters(&app, &file).await, [10, 10, 10, 10]);
    assert_eq!(
        status(&app, &memory).await["progress"]["samples"],
        json!({"total": 11, "done": 11})
    );
    assert_eq!(n_blob_files(&app), 10);
}

#[tokio::test]
async fn a_site_in_two_memories_is_one_set_of_pages() {
    let site = Website::serve().await;
    site.page("/a", "Alpha", "<p>Alpha stands on the hill.</p>");
    site.page("/b", "Beta", "<p>Beta stands by the river.</p>");
    site.sitemap("/sitemap.xml", &["/a", "/b"]);
    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/sitemap.xml"), "sitemap").await;
    let (one, two) = (ingested(&app, &file).await, ingested(&app, &file).await);
    assert_eq!(counters(&app, &file).await, [2, 2, 2, 2]);
    for memory in [&one, &two] {
        assert!(found(&app, memory, "What stands by the river?").await.1.ends_with("/b"));
    }
    app.alice
        .delete(&format!("/memories/delete-file?memoryID={one}&fileID={file}"))
        .await
        .expect(200);
    assert_eq!(status(&app, &one).await["progress"]["samples"]["total"], 0);
    assert_eq!(ask(&app, &one, "What stands by the river?").await["sources"], json!([]));
    assert!(found(&app, &two, "What stands by the river?").await.1.ends_with("/b"));
}

/// The receipts of refreshes, newest first: whose, and the counts that are not 0.
async fn refreshes(app: &TestApp) -> Vec<(String, String)> {
    let listed = app.alice.get("/receipts/list").await.data(200);
    let receipts = listed["receipts"].as_array().unwrap();
    let of_refresh = receipts.iter().filter(|it| it["kind"] == "refresh");
    let told = of_refresh.map(|it| {
        let counts = it["counts"].as_object().unwrap().iter();
        let some = counts.filter(|it| it.1.as_i64().is_some_and(|it| it > 0));
        let some: Vec<_> = some.map(|(kind, n)| format!("{kind} {n}")).collect();
        (it.text("subjectID"), some.join(", "))
    });
    told.collect()
}

#[tokio::test]
async fn what_a_refresh_takes_is_told_by_one_receipt_of_the_website() {
    let site = Website::serve().await;
    for (path, doctor) in [("/a", "Ada"), ("/b", "Ben"), ("/c", "Cleo"), ("/d", "Dora")] {
        site.page(path, doctor, &format!("<p>Dr. {doctor} is a surgeon.</p>"));
    }
    site.sitemap("/s.xml", &["/a", "/b", "/c", "/d"]);
    let app = app_for(&site).await;
    let file = web_file(&app, &site.url("/s.xml"), "sitemap").await;
    let memory = ingested(&app, &file).await;
    ingest_again(&app, &memory).await;
    assert_eq!(refreshes(&app).await, [], "nothing changed");

    // One page says something else, one is gone, one is not named any more.
    site.page("/a", "Ada", "<p>Dr. Ada is a dentist.</p>");
    site.set("/b", Answer::Status(410));
    site.sitemap("/s.xml", &["/a", "/b", "/d"]);
    ingest_again(&app, &memory).await;
    let told = refreshes(&app).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, file);
    let counts = &told[0].1;
    assert!(
        counts.starts_with("blobBytes ") && counts.contains(", blobs 3, files 2, "),
        "{counts}"
    );
    assert!(counts.ends_with("passages 3, samples 2, sentences 3"), "{counts}");

    site.page("/a", "Ada", "<p>Dr. Ada is a nurse.</p>");
    ingest_again(&app, &memory).await;
    let told = refreshes(&app).await;
    assert_eq!(told.len(), 2, "each ingestion has its own");
    assert!(told[0].1.ends_with(", blobs 1, passages 1, sentences 1"), "{told:?}");

    let page = web_file(&app, &site.url("/d"), "website").await;
    let alone = ingested(&app, &page).await;
    site.set("/d", Answer::Status(410));
    ingest_again(&app, &alone).await;
    let told = refreshes(&app).await;
    assert_eq!(told[0].0, page);
    assert!(told[0].1.ends_with(", blobs 1, passages 1, sentences 1"), "{told:?}");
}
