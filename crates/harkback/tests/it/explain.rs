//! Does an explanation tell the way to each result, and do its numbers add up?

use expect_test::expect;
use serde_json::Value;

use crate::app::TestApp;
use crate::fixtures::{ingest, memory, text_file};

const CLINIC: &str = r#"{"_id": "a", "title": "Headaches", "text": "Migraine is treated by Dr. Anneke Lindqvist."}
{"_id": "b", "title": "Dr. Anneke Lindqvist", "text": "She sees patients in the Riverside building on Tuesdays."}
{"_id": "c", "title": "Riverside building", "text": "It opens at eight. It is led by Mia Holm."}
{"_id": "d", "title": "Parking", "text": "Parking is free for two hours."}
"#;

async fn explained(app: &TestApp, question: &str) -> Value {
    let anna = &app.alice;
    let memory = memory(anna).await;
    let file = text_file(app, anna, "clinic.jsonl", CLINIC).await;
    ingest(app, anna, &memory, &[file]).await;
    let path = format!("/memory?memoryID={memory}&query={question}&explain=true&top_k=3");
    let answer = anna.get(&path).await.expect(200);
    let plain = anna.get(&path.replace("&explain=true", "")).await.expect(200);
    assert!(plain.get("explanation").is_none());
    assert_eq!(plain["payload"], answer["payload"], "explaining changes nothing");
    answer["explanation"].clone()
}

/// The path of each result on a line.
fn paths(explanation: &Value) -> String {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let step = |it: &Value| match it["step"].as_str().unwrap() {
        "entity" => text(&it["name"]),
        "sentence" => format!("“{}”", text(&it["text"])),
        "passage" => format!("[{}]", text(&it["title"])),
        other => panic!("{other}"),
    };
    let line = |it: &Value| {
        let path: Vec<String> = it["path"].as_array().unwrap().iter().map(step).collect();
        format!("{}\n", path.join(" → "))
    };
    explanation["passages"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn the_path_goes_over_entities_and_sentences() {
    let app = TestApp::new().await;
    let why = explained(&app, "Who+leads+the+building+where+Dr.+Anneke+Lindqvist+works").await;
    expect![[r#"
        Dr. Anneke Lindqvist → [Dr. Anneke Lindqvist]
        Dr. Anneke Lindqvist → “Migraine is treated by Dr. Anneke Lindqvist.” → [Headaches]
        Dr. Anneke Lindqvist → “She sees patients in the Riverside building on Tuesdays.” → [Riverside building]
    "#]]
    .assert_eq(&paths(&why));
    let similar = explained(&app, "what+is+free+for+hours").await;
    assert_eq!(
        paths(&similar).lines().next(),
        Some("“Parking is free for two hours.” → [Parking]")
    );
}

#[tokio::test]
async fn ranks_and_arithmetic_are_shown() {
    let app = TestApp::new().await;
    let mut why = explained(&app, "Who+leads+the+building+where+Dr.+Anneke+Lindqvist+works").await;
    for passage in why["passages"].as_array().unwrap() {
        let of = |it: &Value, name| it[name].as_f64().unwrap();
        let signals = passage["signals"].as_array().unwrap();
        let sum: f64 = signals.iter().map(|it| of(it, "weight") * of(it, "value")).sum();
        let text = passage["arithmetic"].as_str().unwrap();
        let divisor: f64 =
            text.split(" / ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((sum / divisor - of(passage, "score")).abs() < 1e-3, "{text}");
        assert!(text.ends_with(&format!("= {:.3}", of(passage, "score"))), "{text}");
    }
    let bridge = why["passages"][1].as_object_mut().unwrap();
    bridge.remove("fileID");
    bridge.remove("signals");
    expect![[r#"
        [
          {
            "idf": 1.0986123,
            "name": "Dr. Anneke Lindqvist",
            "ownPassages": 1
          }
        ]
        {
          "arithmetic": "(1 × 0.833 + 1 × 0.833 + 1 × 0.000 + 1.4 × 0.000 + 2 × 0.492 + 1 × 0.000) / 6.218 = 0.426",
          "path": [
            {
              "name": "Dr. Anneke Lindqvist",
              "step": "entity"
            },
            {
              "step": "sentence",
              "text": "Migraine is treated by Dr. Anneke Lindqvist.",
              "title": "Headaches"
            },
            {
              "step": "passage",
              "title": "Headaches"
            }
          ],
          "rank": 2,
          "ranks": {
            "pagerank": 2,
            "words": 2
          },
          "recordID": "a",
          "score": 0.42625558,
          "title": "Headaches"
        }
    "#]].assert_eq(&format!("{:#}\n{:#}\n", why["entities"], why["passages"][1]));
}
