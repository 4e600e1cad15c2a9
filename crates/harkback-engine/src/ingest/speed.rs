//! How many megabytes a second does each step before the embedder take?
//!
//! `CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo test -p harkback-engine --lib ingest::speed -- --ignored --nocapture`

use std::ops::ControlFlow;
use std::time::Instant;

use super::{chunk, parse, segment};
use crate::model::Document;

const INPUT_BYTES: usize = 16 << 20;

#[test]
#[ignore = "prints numbers for a person"]
fn prints_megabytes_a_second() {
    for (extension, unit) in [
        ("txt", TEXT.to_owned()),
        (
            "md",
            format!(
                "## Heading\n\n{TEXT}- An *item* with a [link](https://example.org)\n- Another\n\n"
            ),
        ),
        (
            "html",
            format!("<h2>Heading</h2><p class=\"x\">{TEXT}</p><ul><li>An <b>item</b></li></ul>\n"),
        ),
        ("csv", "Ana Prieto,founder,\"Riverside, first floor\",555-0110\n".to_owned()),
        (
            "json",
            format!(
                ",{{\"name\": \"Ana\", \"bio\": {:?}, \"site\": {{\"floor\": 1}}}}",
                TEXT.trim()
            ),
        ),
        (
            "jsonl",
            format!(
                "{{\"_id\": \"d1\", \"title\": \"Ana\", \"text\": {:?}, \"metadata\": {{}}}}\n",
                TEXT.trim()
            ),
        ),
    ] {
        let mut source = unit.repeat(INPUT_BYTES / unit.len());
        if extension == "json" {
            source.replace_range(..1, "[");
            source.push(']');
        }
        let mut documents = Vec::new();
        report(&format!("parse {extension}"), source.len(), || {
            let done = parse::Done::default();
            let bytes = source.as_bytes();
            let input = parse::ParseInput { name: "name", extension, bytes, done: &done };
            let mut emit = |it: Document| {
                documents.push(it);
                ControlFlow::Continue(())
            };
            parse::parse(&input, &mut emit).unwrap();
        });
        let n_bytes = documents.iter().map(|it| it.text.len()).sum();
        report(&format!("  passages of {extension}"), n_bytes, || {
            documents
                .iter()
                .map(|it| segment::passages(it, &|it| it.len() / 4).len())
                .sum::<usize>();
        });
        report(&format!("  chunks of {extension}, 250 characters, 10 %"), n_bytes, || {
            documents.iter().map(|it| chunk::chunks(it, 250, 10).len()).sum::<usize>();
        });
    }
    let text = TEXT.repeat(INPUT_BYTES / TEXT.len());
    report("sentences", text.len(), || assert!(!segment::sentences(&text).is_empty()));
}

fn report(step: &str, n_bytes: usize, run: impl FnOnce()) {
    let start = Instant::now();
    run();
    let elapsed = start.elapsed();
    println!("{step:45} {:8.1} MB/s", n_bytes as f64 / 1e6 / elapsed.as_secs_f64());
}

const TEXT: &str = "Dr. Hana Novak joined the clinic in 1998, after her years at St. Mary's. She leads radiology, sees \
                    patients on Mondays and writes the reports herself. \"Nobody waits,\" she says. The lamp of the old \
                    lighthouse (built by J. R. Hale in 1887) can be seen from her window; it costs 3.50 euros to go up.\n\n";
