//! `harkback eval`: ingests the corpus of a question set, asks every question and says how good the rankings are.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use harkback_engine::model::{ItemMetadata, RecallMode, RecallRequest};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::{Outcome, Printer};
use crate::eval::{
    Against, AnswerFigures, Measures, Origin, Question, QuestionSet, Report, Run, Scratch, Titles,
    measure, read_run, write_run,
};
use crate::models::{ModelsDir, load_or_fetch};

type Failure = Box<dyn std::error::Error + Send + Sync>;

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
    /// Also ask for spoken answers and say how many contain the right one; the set must carry answers
    #[arg(long)]
    answers: bool,
    /// Write each spoken answer beside the right one, as JSON Lines; implies --answers
    #[arg(long, value_name = "FILE")]
    answers_to: Option<PathBuf>,
    /// Keep the memory in this directory, and ask it there the next time instead of ingesting the same corpus again
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Passages of each ranking, 10 to 100
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(10..=100))]
    depth: u8,
    /// Leave the models alone: BM25 and the graph only
    #[arg(long)]
    lexical: bool,
    #[command(flatten)]
    models: ModelsDir,
}

/// What asking a set gave.
#[derive(Default)]
struct Asked {
    run: Run,
    times: Vec<Duration>,
    stages: Vec<(&'static str, Vec<Duration>)>,
}

/// Runs the command.
///
/// # Errors
/// If the set cannot be read or its corpus not be ingested, or if the kept memory is not that of this corpus.
pub(super) async fn eval(args: &EvalArgs, printer: &Printer) -> Outcome {
    let set = QuestionSet::read(&args.dir)?;
    if set.n_lost > 0 {
        let n_lost = set.n_lost;
        printer.note(&format!("{n_lost} relevant records are not in the corpus: never found"));
    }
    let theirs = args.against.as_deref().map(|it| their_run(it, &set.questions)).transpose()?;
    check_outputs(args, &set.questions)?;
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
    let titles = if args.without_titles { Titles::Dropped } else { Titles::Kept };
    let origin = Origin::new(&set.corpus, titles, models.embedder.as_ref().map(|it| it.id()))?;
    let is_kept = origin.is_kept_in(data)?;
    let mut scratch = Scratch::open(data, models, super::parse_file::parsing()?).await?;
    if is_kept {
        printer.note(&format!("asking the memory that is kept in `{}`", data.display()));
    } else {
        ingest(&mut scratch, corpus(&set.corpus, titles)?, printer).await?;
        origin.note_in(data)?;
    }
    let report = report(args, &set.questions, theirs.as_ref(), &scratch).await?;
    scratch.close().await;
    printer.data(&if args.json { report.json().to_string() } else { report.text() });
    Ok(ExitCode::SUCCESS)
}

/// The run to compare with, which must have results for some of the questions.
fn their_run(path: &Path, questions: &[Question]) -> Result<Run, Failure> {
    let run = read_run(path)?;
    if questions.iter().any(|it| run.contains_key(&it.id)) {
        return Ok(run);
    }
    Err(format!("{} has no results for any question of this set", path.display()).into())
}

/// What could be known before hours of ingestion to go wrong after them.
fn check_outputs(args: &EvalArgs, questions: &[Question]) -> Result<(), Failure> {
    for path in [&args.run, &args.answers_to].into_iter().flatten() {
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|it| !it.is_dir()) {
            return Err(format!("there is no folder `{}` to write to", folder.display()).into());
        }
    }
    if args.wants_answers() && !questions.iter().any(|it| right_answer(it).is_some()) {
        return Err("the set carries no answers to compare with; leave --answers out".into());
    }
    Ok(())
}

impl EvalArgs {
    fn wants_answers(&self) -> bool {
        self.answers || self.answers_to.is_some()
    }
}

async fn report(
    args: &EvalArgs,
    questions: &[Question],
    theirs: Option<&Run>,
    scratch: &Scratch,
) -> Result<Report, Failure> {
    let asked = ask(scratch, questions, args.depth).await?;
    if let Some(path) = &args.run {
        write_run(path, questions.iter().map(|it| it.id.as_str()), &asked.run)?;
    }
    let ours = measures(questions, &asked.run);
    let against = theirs.map(|theirs| {
        let n_without_results = questions.iter().filter(|it| !theirs.contains_key(&it.id)).count();
        Against::new(&ours, &measures(questions, theirs), n_without_results)
    });
    let answers = match args.wants_answers() {
        false => None,
        true => {
            let spoken = answers(scratch, questions).await?;
            if let Some(path) = &args.answers_to {
                std::fs::write(path, lines(&spoken))
                    .map_err(|e| format!("{}: {e}", path.display()))?;
            }
            Some(figures(&spoken))
        }
    };
    let n_passages = scratch.n_passages().await?;
    let Asked { times, stages, .. } = asked;
    Ok(Report { measures: ours, n_passages, times, stages, against, answers })
}

/// Ingests a corpus and says how fast that was; returns the number of its passages, at least 1.
pub(super) async fn ingest(
    scratch: &mut Scratch,
    corpus: Vec<u8>,
    printer: &Printer,
) -> Result<i64, Failure> {
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

/// The corpus as it is, or line by line without titles.
fn corpus(path: &Path, titles: Titles) -> Result<Vec<u8>, Failure> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    if titles == Titles::Kept {
        return Ok(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split(|it| *it == b'\n').filter(|it| !it.trim_ascii().is_empty()) {
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
    let mut asked = Asked::default();
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
            match asked.stages.iter_mut().find(|it| it.0 == stage) {
                Some((_, times)) => times.push(time),
                None => asked.stages.push((stage, vec![time])),
            }
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

/// What must be said, if the set says so and it is not just yes or no.
fn right_answer(question: &Question) -> Option<&str> {
    question.answer.as_deref().filter(|it| !matches!(*it, "yes" | "no"))
}

/// Asks for spoken answers where the set says what is right.
async fn answers<'a>(
    scratch: &Scratch,
    questions: &'a [Question],
) -> harkback_engine::Result<Vec<Answered<'a>>> {
    let (memory, record) = scratch.memory();
    let mut answered = Vec::new();
    for question in questions {
        let Some(right) = right_answer(question) else { continue };
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

fn figures(answered: &[Answered<'_>]) -> AnswerFigures {
    AnswerFigures {
        n_asked: answered.len(),
        n_right: answered.iter().filter(|it| it.is_right()).count(),
        n_words: answered.iter().map(|it| it.spoken.split_whitespace().count()).sum(),
        times: answered.iter().map(|it| it.took).collect(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_compared_by_words() {
        assert!(plain("She died on 20 March, 851.").contains(&plain("20 March 851")));
        assert!(!plain("Port of Spainville").contains(&plain("Port of Spain")));
    }
}
