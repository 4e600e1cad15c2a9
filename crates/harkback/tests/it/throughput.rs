//! Is ingestion bound by the embedder and by nothing else, and do questions stay fast meanwhile?
//!
//! `cargo test -p harkback --test it throughput -- --ignored --nocapture`

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::TestApp;
use crate::fixtures::{TextOf, ingest, memory, text_file};
use crate::real_models::real_models;

const N_PASSAGES: usize = 1500;
/// As many as ingestion embeds at once.
const BATCH: usize = 64;

fn text(nth: usize) -> String {
    format!(
        "Station {nth} on the coast road was opened in {} by Hana Novak, who had worked at the lighthouse of Port Ellery \
         for {} years. It has {} rooms, a kitchen and a garden that looks over the bay, and it sells tickets on Mondays.",
        1850 + nth % 120,
        nth % 40,
        nth % 17
    )
}

fn percentile_95(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() * 95 / 100].as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints numbers for a person"]
async fn prints_how_much_of_the_embedder_s_rate_ingestion_has() {
    let app = TestApp::with(real_models().clone(), |_| ()).await;
    let anna = &app.alice;
    let asked = memory(anna).await;
    let few: String = (0..300).map(|it| format!("{}\n\n", text(it * 7))).collect();
    let file = text_file(&app, anna, "few.txt", &few).await;
    ingest(&app, anna, &asked, &[file]).await;
    let path = format!("/memory?memoryID={asked}&query=Who+opened+station+21&top_k=5");
    let ask = async || {
        let began = Instant::now();
        anna.get(&path).await.expect(200);
        began.elapsed()
    };
    let mut idle = Vec::new();
    for _ in 0..60 {
        idle.push(ask().await);
    }

    let texts: Vec<String> = (0..N_PASSAGES).map(text).collect();
    let embedder = real_models().embedder.clone().unwrap();
    let alone = texts.clone();
    let began = Instant::now();
    tokio::task::spawn_blocking(move || {
        for batch in alone.chunks(BATCH) {
            // With the title, as ingestion embeds them.
            let batch: Vec<String> = batch.iter().map(|it| format!("S\n{it}")).collect();
            let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
            embedder.embed_passages(&batch).unwrap();
        }
    })
    .await
    .unwrap();
    let embedder_rate = N_PASSAGES as f64 / began.elapsed().as_secs_f64();

    let lines: String = texts
        .iter()
        .enumerate()
        .map(|(i, it)| json!({"_id": i.to_string(), "title": "S", "text": it}).to_string() + "\n")
        .collect();
    let memory = memory(anna).await;
    let file = text_file(&app, anna, "many.jsonl", &lines).await;
    let began = Instant::now();
    let is_done = AtomicBool::new(false);
    let ingesting = async {
        ingest(&app, anna, &memory, &[file]).await;
        is_done.store(true, Ordering::Relaxed);
        began.elapsed()
    };
    let mut busy = Vec::new();
    let asking = async {
        while !is_done.load(Ordering::Relaxed) {
            busy.push(ask().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (took, ()) = tokio::join!(ingesting, asking);
    let got = anna.get(&format!("/memories/get/{memory}")).await.data(200);
    assert_eq!(got["progress"]["passages"], N_PASSAGES);
    assert_eq!(got.text("status"), "success");
    let rate = N_PASSAGES as f64 / took.as_secs_f64();
    println!("embedder alone       {embedder_rate:8.1} passages/s");
    println!("whole ingestion      {rate:8.1} passages/s, {:.2} of it", rate / embedder_rate);
    println!(
        "GET /memory, idle    {:8.1} ms at the 95th percentile of {}",
        percentile_95(idle.clone()),
        idle.len()
    );
    println!(
        "GET /memory, busy    {:8.1} ms at the 95th percentile of {}",
        percentile_95(busy.clone()),
        busy.len()
    );
}
