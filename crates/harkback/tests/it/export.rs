//! Does a memory that went through an archive answer the same, to the byte, and does a bad archive leave nothing behind?

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::binary::{Caller, Run, Serving, create_key, run, run_well};
use crate::fixtures::{ingest, memory, text_file};

const QUESTIONS: [&str; 3] = [
    "On which days can I see the doctor who treats migraine?",
    "What is the telephone number of the Linden clinic?",
    "Who works on the third floor?",
];

/// Sends commands to a server in the name of one account.
struct Account {
    caller: Caller,
    key: String,
}

impl Account {
    fn new(serving: &Serving, data: &Path, name: &str) -> Self {
        let key = create_key(data, name);
        Self { caller: Caller::new(serving, &key), key }
    }

    fn run(&self, args: &[&str]) -> Run {
        run(&[args, &["--url", &self.caller.url, "--key", &self.key]].concat())
    }

    fn run_well(&self, args: &[&str]) -> Run {
        run_well(&[args, &["--url", &self.caller.url, "--key", &self.key]].concat())
    }

    async fn answers(&self, memory: &str) -> Vec<Value> {
        let mut answers = Vec::new();
        for question in QUESTIONS {
            for mode in ["top_k=5", "top_k=3&assisted=true&facts=true"] {
                let question = question.replace(' ', "+").replace('?', "%3F");
                let path = format!("/memory?memoryID={memory}&query={question}&{mode}");
                let (status, answer) = self.caller.get(&path).await;
                assert_eq!(status, 200, "{answer}");
                answers.push(json!([answer["payload"], answer["facts"], answer["sources"]]));
            }
        }
        answers
    }

    async fn count(&self) -> (usize, usize) {
        let memories = self.caller.get("/memories/list").await.1;
        let files = self.caller.get("/files/list").await.1;
        let n = |it: &Value| it.as_array().unwrap().len();
        (n(&memories["data"]["memories"]), n(&files["files"]))
    }
}

fn write_clinic(dir: &Path) {
    fs::create_dir(dir).unwrap();
    let texts = [
        (
            "clinic.md",
            "# Ida Brandt\n\nIda Brandt is a doctor at the Linden clinic. She treats migraine.\n\n\
             # Linden clinic\n\nThe Linden clinic was founded by Omar Reyes. It is open on Mondays and Thursdays. \
             The telephone number of the Linden clinic is 555-0144.\n",
        ),
        ("rooms.csv", "room,doctor,floor\n12,Ida Brandt,2\n14,Omar Reyes,3\n"),
    ];
    for (name, text) in texts {
        fs::write(dir.join(name), text).unwrap();
    }
    // More than a line of bytes.
    fs::write(dir.join("long.txt"), "The garden is green in May. ".repeat(5_000)).unwrap();
}

#[tokio::test]
async fn an_archive_makes_a_memory_that_answers_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, clinic, archive) = (
        scratch.path().join("data"),
        scratch.path().join("clinic"),
        scratch.path().join("a.jsonl"),
    );
    write_clinic(&clinic);
    let serving = Serving::start(&data);
    let (alice, bob) =
        (Account::new(&serving, &data, "alice"), Account::new(&serving, &data, "bob"));
    let memory = alice.caller.create_memory("Clinic").await;
    alice.run_well(&["ingest", clinic.to_str().unwrap(), "--memory", &memory]);
    let before = alice.answers(&memory).await;
    assert!(before[0].to_string().contains("Mondays and Thursdays"), "{}", before[0]);

    let exported = alice.run_well(&["export", "--memory", &memory]).stdout;
    fs::write(&archive, &exported).unwrap();
    let kinds: HashSet<String> = exported.lines().map(kind).collect();
    for wanted in
        ["archive", "memory", "file", "bytes", "passage", "entity", "mention", "relation", "end"]
    {
        assert!(kinds.contains(wanted), "no {wanted} among {kinds:?}");
    }
    let refused = bob.run(&["export", "--memory", &memory]);
    assert!(!refused.status.success() && refused.stdout.is_empty());
    assert!(refused.stderr.contains("Not authorized to access this memory"), "{}", refused.stderr);

    for (account, n_files) in [(&bob, 3), (&alice, 6)] {
        let imported = account.run_well(&["import", archive.to_str().unwrap()]);
        let id = imported.stdout.trim();
        let mut after = account.answers(id).await;
        if n_files == 6 {
            // The ids were taken in this account, so the files have new ones.
            let told = "3 files got new ids: the account has files of theirs already\n";
            assert!(imported.stderr.contains(told), "{}", imported.stderr);
            for (before, after) in before.iter().zip(&mut after) {
                after[2] = before[2].clone();
                assert_eq!(contents(after), contents(before));
            }
        } else {
            assert_eq!(after, before);
        }
        assert_eq!(account.count().await.1, n_files);
    }
    assert_eq!(alice.answers(&memory).await, before, "the exported memory is untouched");

    let graph = alice.run_well(&["export", "--graphml", "--memory", &memory]).stdout;
    let (n_nodes, n_edges) = graph_size(&graph);
    let n = |wanted: &[&str]| exported.lines().filter(|it| wanted.contains(&&*kind(it))).count();
    assert_eq!(n_nodes, n(&["file", "passage", "entity"]));
    assert!(n_edges >= n(&["passage", "mention"]) && n_edges > n_nodes, "{n_edges}");
    assert!(graph.contains("founded"), "a stated relation is an edge");

    for (name, bad) in bad_archives(&exported) {
        let (file, before) = (scratch.path().join(name), bob.count().await);
        fs::write(&file, bad).unwrap();
        let refused = bob.run(&["import", file.to_str().unwrap()]);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{name}");
        assert_eq!(bob.count().await, before, "{name} leaves nothing: {}", refused.stderr);
    }
}

fn contents(answer: &Value) -> Vec<&str> {
    let items = answer[0].as_array().into_iter().chain(answer[1].as_array()).flatten();
    items.map(|it| it["content"].as_str().unwrap()).collect()
}

fn kind(line: &str) -> String {
    let line: Value = serde_json::from_str(line).unwrap();
    line["kind"].as_str().unwrap().to_owned()
}

fn bad_archives(good: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<&str> = good.lines().collect();
    let without = |what: &str| {
        lines.iter().filter(|it| kind(it) != what).map(|it| format!("{it}\n")).collect()
    };
    vec![
        ("empty", String::new()),
        ("cut", lines[..lines.len() - 1].join("\n")),
        ("cut-in-a-line", good[..good.len() / 2].to_owned()),
        ("other-version", good.replacen("\"version\":1", "\"version\":2", 1)),
        ("no-memory", without("memory")),
        ("fewer-bytes", without("bytes")),
        ("more-bytes", good.replacen("\"bytes\":", "\"bytes\":1,\"was\":", 1)),
        ("no-file", without("file")),
        ("bad-kind-of-memory", good.replace("\"memoryType\":\"graph\"", "\"memoryType\":\"tree\"")),
        (
            "control-in-id",
            good.replace("\"name\":\"rooms.csv\"", "\"id\":\"a\\u0000b\",\"name\":\"\""),
        ),
        ("endless-line", format!("{}\n{}", lines[0], "x".repeat(17 << 20))),
    ]
}

/// Nodes and edges of a GraphML text that is well formed and whose edges join nodes that are there.
fn graph_size(text: &str) -> (usize, usize) {
    let mut reader = Reader::from_str(text);
    let (mut nodes, mut edges) = (HashSet::new(), Vec::new());
    loop {
        match reader.read_event().unwrap() {
            Event::Start(it) => {
                let attribute = |name: &str| {
                    let found = it.try_get_attribute(name).unwrap().unwrap();
                    found.value.to_string()
                };
                match it.name().as_ref() {
                    "node" => assert!(nodes.insert(attribute("id")), "a node twice"),
                    "edge" => edges.push([attribute("source"), attribute("target")]),
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(edges.iter().flatten().all(|it| nodes.contains(it)), "an edge leads nowhere");
    (nodes.len(), edges.len())
}

#[tokio::test]
async fn the_lines_of_an_archive_fit_together() {
    let app = TestApp::new().await;
    let made = memory(&app.alice).await;
    let file =
        text_file(&app, &app.alice, "a.txt", "Ida Brandt was born in Oslo. Oslo is green.").await;
    ingest(&app, &app.alice, &made, &[file]).await;
    let reply = app.alice.get(&format!("/memories/export/{made}")).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/x-ndjson");
    let text = String::from_utf8(reply.body).unwrap();
    let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|it| it["kind"] == kind).collect::<Vec<_>>();

    let end = lines.last().unwrap();
    for (kind, counted) in [("file", "files"), ("passage", "passages"), ("entity", "entities")] {
        assert_eq!(end[counted], of(kind).len(), "{kind}");
    }
    let passage = of("passage")[0]["text"].as_str().unwrap();
    assert!(of("mention").len() >= 3, "{text}");
    for mention in of("mention") {
        let at = |name: &str| mention[name].as_u64().unwrap() as usize;
        let entity = of("entity").into_iter().find(|it| it["entity"] == mention["entity"]).unwrap();
        assert_eq!(entity["name"], passage[at("start")..at("end")]);
    }
    app.bob
        .get(&format!("/memories/export/{made}"))
        .await
        .expect_error(403, "Not authorized to access this memory");
    app.alice.get("/memories/export/none").await.expect_error(400, "Memory not found");
}
