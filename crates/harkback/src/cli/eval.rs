//! `harkback eval`: ingests the corpus of a question set, asks every question and says how good the rankings are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use harkback_engine::model::{ItemMetadata, RecallMode, RecallRequest};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::{Outcome, Printer};
use crate::eval::{
    MEASURES, Measures, Question, QuestionSet, Run, Scratch, measure, paired_bootstrap, read_run,
    write_run,
};
use crate::models::{ModelsDir, load_or_fetch};

/// Arguments of `harkback eval`.
#[derive(Args, Debug)]
pub(super) struct EvalArgs {
    /// Folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/test.tsv
    dir: PathBuf,
    /// Print the figures as one JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Drop the titles of the documents before they are ingested
    #[arg(long)]
    without_titles: bool,
    /// Write the rankings as a TREC run
    #[arg(long, value_name = "FILE")]
    run: Option<PathBuf>,
    /// Compare with a TREC run over the same questions: differences with their 95 % intervals
    #[arg(long, value_name = "RUN")]
    against: Option<PathBuf>,
    /// Also ask for spoken answers and say how many contain the right one, where the set carries answers
    #[arg(long)]
    answers: bool,
    /// Write each spoken answer beside the right one, as JSON Lines; implies --answers
    #[arg(long, value_name = "FILE")]
    answers_to: Option<PathBuf>,
    /// Keep the memory in this directory; an evaluation that finds one there asks it and ingests nothing
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Passages a ranking has
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(10..=100))]
    depth: u8,
    /// Leave the models alone: BM25 and the graph only
    #[arg(long)]
    lexical: bool,
    #[command(flatten)]
    models: ModelsDir,
}

/// What asking a set gave.
struct Asked {
    run: Run,
    times: Vec<Duration>,
    stages: HashMap<&'static str, Vec<Duration>>,
}

/// Runs the command.
///
/// # Errors
/// If the set cannot be read or its corpus not be ingested.
pub(super) async fn eval(args: &EvalArgs, printer: &Printer) -> Outcome {
    let set = QuestionSet::read(&args.dir)?;
    let against = args.against.as_deref().map(read_run).transpose()?;
    let models = match args.lexical {
        true => harkback_engine::Models::default(),
        false => {
            let (models, missing) = load_or_fetch(&args.models.path, &|line| printer.note(line))?;
            if let Some(error) = missing {
                return Err(format!("{error}; --lexical measures without the models").into());
            }
            models
        }
    };
    let temporary = tempfile::tempdir()?;
    let data = args.keep.as_deref().unwrap_or(temporary.path());
    let mut scratch = Scratch::open(data, models, super::parse_file::parsing()?).await?;
    let n_passages = match scratch.n_passages().await? {
        0 => ingest(&mut scratch, corpus(&set.corpus, args.without_titles)?, printer).await?,
        kept => kept,
    };
    let asked = ask(&scratch, &set.questions, args.depth).await?;
    if let Some(path) = &args.run {
        write_run(path, set.questions.iter().map(|it| it.id.as_str()), &asked.run)?;
    }
    let ours = measures(&set.questions, &asked.run);
    let mut report = report(&ours, &asked, n_passages);
    if let Some(theirs) = against {
        report.insert("against".into(), compare(&ours, &measures(&set.questions, &theirs)));
    }
    if args.answers || args.answers_to.is_some() {
        let spoken = answers(&scratch, &set.questions).await?;
        if let Some(path) = &args.answers_to {
            std::fs::write(path, lines(&spoken))?;
        }
        report.insert("answers".into(), summary(&spoken));
    }
    scratch.close().await;
    if args.json {
        printer.data(&Value::Object(report).to_string())
    } else {
        print(&report, printer)
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn ingest(
    scratch: &mut Scratch,
    corpus: Vec<u8>,
    printer: &Printer,
) -> Result<i64, Box<dyn std::error::Error + Send + Sync>> {
    let n_records = corpus.iter().filter(|it| **it == b'\n').count() as u64;
    let bar = ProgressBar::new(n_records).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} passages, {per_sec}, {eta} left")
            .expect("the template is a constant"),
    );
    let started = Instant::now();
    scratch.ingest(corpus, &|n| bar.set_position(n)).await?;
    bar.finish_and_clear();
    let n_passages = scratch.n_passages().await?;
    let seconds = started.elapsed().as_secs_f64();
    printer.note(&format!(
        "ingested {n_passages} passages in {seconds:.1} s, {:.0} a second",
        n_passages as f64 / seconds
    ));
    Ok(n_passages)
}

/// The corpus as it is, or line by line with empty titles.
fn corpus(
    path: &Path,
    without_titles: bool,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let bytes = std::fs::read(path)?;
    if !without_titles {
        return Ok(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split(|it| *it == b'\n').filter(|it| !it.is_empty()) {
        let mut record: Map<String, Value> = serde_json::from_slice(line)?;
        record.remove("title");
        serde_json::to_writer(&mut out, &record)?;
        out.push(b'\n');
    }
    Ok(out)
}

async fn ask(
    scratch: &Scratch,
    questions: &[Question],
    depth: u8,
) -> harkback_engine::Result<Asked> {
    let mut asked = Asked { run: Run::new(), times: Vec::new(), stages: HashMap::new() };
    let (memory, record) = scratch.memory();
    memory.warm(record).await?;
    for question in questions {
        let request = RecallRequest {
            query: question.text.clone(),
            top_k: usize::from(depth),
            mode: RecallMode::Raw,
            facts: false,
            explain: false,
            budget: None,
        };
        let started = Instant::now();
        let recall = memory.recall(record, &request).await?;
        asked.times.push(started.elapsed());
        for (stage, time) in recall.timings {
            asked.stages.entry(stage).or_default().push(time);
        }
        let mut ranking = Vec::<(String, f32)>::new();
        for item in recall.payload {
            let ItemMetadata::Passages(passages) = item.metadata else { continue };
            for passage in passages {
                let record = passage.record_id.unwrap_or_default();
                // A long record has several passages; it stands where its best one does.
                if !ranking.iter().any(|it| it.0 == record) {
                    ranking.push((record, passage.score));
                }
            }
        }
        asked.run.insert(question.id.clone(), ranking);
    }
    Ok(asked)
}

fn measures(questions: &[Question], run: &Run) -> Vec<Measures> {
    let of = |question: &Question| {
        let ranking: Vec<String> =
            run.get(&question.id).into_iter().flatten().map(|it| it.0.clone()).collect();
        measure(&ranking, &question.gold)
    };
    questions.iter().map(of).collect()
}

fn report(ours: &[Measures], asked: &Asked, n_passages: i64) -> Map<String, Value> {
    let mut report = Map::new();
    for (at, name) in MEASURES.iter().enumerate() {
        let mean = ours.iter().map(|it| it[at]).sum::<f64>() / ours.len().max(1) as f64;
        report.insert((*name).into(), json!(rounded(100.0 * mean, 2)));
    }
    report.insert("p50_ms".into(), json!(milliseconds(&asked.times, 0.5)));
    report.insert("p95_ms".into(), json!(milliseconds(&asked.times, 0.95)));
    report.insert("queries".into(), json!(ours.len()));
    report.insert("passages".into(), json!(n_passages));
    let stages: Map<String, Value> = asked
        .stages
        .iter()
        .map(|(stage, times)| {
            let figures =
                json!({"p50_ms": milliseconds(times, 0.5), "p95_ms": milliseconds(times, 0.95)});
            ((*stage).to_owned(), figures)
        })
        .collect();
    report.insert("stages".into(), Value::Object(stages));
    report
}

fn compare(ours: &[Measures], theirs: &[Measures]) -> Value {
    let of = |(at, name): (usize, &&str)| {
        let column = |it: &[Measures]| it.iter().map(|it| it[at]).collect::<Vec<_>>();
        let interval = paired_bootstrap(&column(ours), &column(theirs));
        let figures = json!({
            "difference": rounded(100.0 * interval.mean, 2),
            "low": rounded(100.0 * interval.low, 2),
            "high": rounded(100.0 * interval.high, 2),
            "beyond_chance": interval.excludes_zero(),
        });
        ((*name).to_owned(), figures)
    };
    Value::Object(MEASURES.iter().enumerate().map(of).collect())
}

/// A spoken answer beside the right one.
struct Answered<'a> {
    question: &'a Question,
    right: &'a str,
    spoken: String,
    /// Time of choosing it, without the search.
    took: Duration,
}

impl Answered<'_> {
    fn is_right(&self) -> bool {
        plain(&self.spoken).contains(&plain(self.right))
    }
}

/// Asks for spoken answers where the set says what is right, and it is not just yes or no.
async fn answers<'a>(
    scratch: &Scratch,
    questions: &'a [Question],
) -> harkback_engine::Result<Vec<Answered<'a>>> {
    let (memory, record) = scratch.memory();
    let mut answered = Vec::new();
    for question in questions {
        let Some(right) = question.answer.as_deref().filter(|it| !matches!(*it, "yes" | "no"))
        else {
            continue;
        };
        let request = RecallRequest {
            query: question.text.clone(),
            top_k: 5,
            mode: RecallMode::Assisted,
            facts: false,
            explain: false,
            budget: None,
        };
        let recall = memory.recall(record, &request).await?;
        let spoken = recall.payload.into_iter().next().map_or_else(String::new, |it| it.content);
        let took = recall.timings.iter().filter(|it| it.0 == "answer").map(|it| it.1).sum();
        answered.push(Answered { question, right, spoken, took });
    }
    Ok(answered)
}

fn summary(answered: &[Answered<'_>]) -> Value {
    let n_right = answered.iter().filter(|it| it.is_right()).count();
    let times: Vec<Duration> = answered.iter().map(|it| it.took).collect();
    let n_words: usize = answered.iter().map(|it| it.spoken.split_whitespace().count()).sum();
    let n = answered.len().max(1) as f64;
    json!({
        "asked": answered.len(),
        "contained": rounded(100.0 * n_right as f64 / n, 2),
        "words": rounded(n_words as f64 / n, 1),
        "p50_ms": milliseconds(&times, 0.5),
        "p95_ms": milliseconds(&times, 0.95),
    })
}

fn lines(answered: &[Answered<'_>]) -> String {
    let line = |it: &Answered<'_>| {
        let line = json!({
            "_id": it.question.id,
            "question": it.question.text,
            "right": it.right,
            "spoken": it.spoken,
            "contained": it.is_right(),
        });
        format!("{line}\n")
    };
    answered.iter().map(line).collect()
}

/// Lower case with single spaces and without punctuation, so that only the words are compared.
fn plain(text: &str) -> String {
    let words = text.split(|it: char| !it.is_alphanumeric()).filter(|it| !it.is_empty());
    format!(" {} ", words.map(str::to_lowercase).collect::<Vec<_>>().join(" "))
}

fn print(report: &Map<String, Value>, printer: &Printer) {
    for (name, value) in report {
        match value {
            Value::Object(parts) => {
                printer.data(&format!("{name}:"));
                for (part, value) in parts {
                    printer.data(&format!("  {part:10} {value}"));
                }
            }
            _ => printer.data(&format!("{name:10} {value}")),
        }
    }
}

pub(super) fn milliseconds(times: &[Duration], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).map_or(0.0, |it| rounded(it.as_secs_f64() * 1000.0, 3))
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_by_words() {
        assert!(plain("She died on 20 March, 851.").contains(&plain("20 March 851")));
        assert!(!plain("Port of Spainville").contains(&plain("Port of Spain")));
    }
}
