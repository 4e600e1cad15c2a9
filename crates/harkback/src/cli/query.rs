//! `harkback query`: asks a memory of a running server one question.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde_json::Value;

use super::remote::{Remote, RemoteArgs, RemoteError};
use super::{Outcome, Printer};

/// Arguments of `harkback query`.
#[derive(Args, Debug)]
pub(super) struct QueryArgs {
    /// The question
    question: String,
    /// Memory to ask
    #[arg(long)]
    memory: String,
    /// An answer fit to be spoken, instead of raw matches
    #[arg(long)]
    assisted: bool,
    /// Also up to three supporting facts
    #[arg(long)]
    facts: bool,
    /// Also how each match was found
    #[arg(long)]
    explain: bool,
    /// Milliseconds the answer may take; what was found by then is the answer
    #[arg(long, value_name = "MS")]
    budget_ms: Option<u32>,
    /// How many matches, 1 to 100
    #[arg(long, default_value_t = 5)]
    top_k: u32,
    /// Print the server's answer as it came
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: RemoteArgs,
}

/// What to ask of a memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) text: &'a str,
    pub(super) assisted: bool,
    pub(super) facts: bool,
    pub(super) explain: bool,
    pub(super) budget_ms: Option<u32>,
    pub(super) top_k: u32,
}

/// Runs the command.
///
/// # Errors
/// If the server refuses or does not answer.
pub(super) async fn query(args: &QueryArgs, printer: &Printer) -> Outcome {
    let remote = Remote::new(&args.remote)?;
    let question = Question {
        text: &args.question,
        assisted: args.assisted,
        facts: args.facts,
        explain: args.explain,
        budget_ms: args.budget_ms,
        top_k: args.top_k,
    };
    let began = Instant::now();
    let answer = ask(&remote, &args.memory, question).await?;
    let elapsed_ms = began.elapsed().as_secs_f64() * 1e3;

    if args.json {
        printer.data(&answer.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    let contents = contents_of(&answer["payload"]);
    if contents.is_empty() {
        printer.note("this memory holds nothing yet");
    } else {
        printer.data(contents.join("\n\n").trim_end());
    }
    for fact in contents_of(&answer["facts"]) {
        printer.data(&format!("fact: {fact}"));
    }
    for why in answer["explanation"]["passages"].as_array().into_iter().flatten() {
        printer.data(&explained(why));
    }
    if answer["partial"] == true {
        printer.note("partial: the time ran out before all work was done");
    }
    printer.note(&format!("sources: {}; {elapsed_ms:.0} ms", names_of(&answer["sources"])));
    Ok(ExitCode::SUCCESS)
}

/// A result with the way to it, its places and its score, on three lines.
fn explained(why: &Value) -> String {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let step = |it: &Value| match it["step"].as_str() {
        Some("entity") => text(&it["name"]),
        Some("sentence") if it["title"] == "" => format!("“{}”", text(&it["text"])),
        Some("sentence") => format!("“{}” ({})", text(&it["text"]), text(&it["title"])),
        _ if it["title"] == "" => "passage without a title".to_owned(),
        _ => text(&it["title"]),
    };
    let path: Vec<String> = why["path"].as_array().into_iter().flatten().map(step).collect();
    let place = |(list, rank): (&String, &Value)| match rank {
        Value::Null => format!("{list} –"),
        rank => format!("{list} {rank}"),
    };
    let ranks: Vec<String> = why["ranks"].as_object().into_iter().flatten().map(place).collect();
    let signals = why["signals"].as_array().into_iter().flatten();
    let names: Vec<String> = signals.map(|it| text(&it["name"])).collect();
    format!(
        "{}. question → {}\n   ranks: {}\n   score: {}\n          of {}",
        why["rank"],
        path.join(" → "),
        ranks.join(", "),
        text(&why["arithmetic"]),
        names.join(" + "),
    )
}

/// Asks and returns the whole answer, in the list shape.
///
/// # Errors
/// If the server refuses or does not answer.
pub(super) async fn ask(
    remote: &Remote,
    memory_id: &str,
    question: Question<'_>,
) -> Result<Value, RemoteError> {
    let (top_k, budget) = (question.top_k.to_string(), question.budget_ms.map(|it| it.to_string()));
    let mut params = vec![
        ("memoryID", memory_id),
        ("query", question.text),
        ("assisted", if question.assisted { "true" } else { "false" }),
        ("facts", if question.facts { "true" } else { "false" }),
        ("explain", if question.explain { "true" } else { "false" }),
        ("top_k", &top_k),
    ];
    params.extend(budget.as_deref().map(|it| ("budget_ms", it)));
    remote.get("/memory", &params).await
}

/// The texts of a payload or of facts.
pub(super) fn contents_of(items: &Value) -> Vec<&str> {
    items.as_array().into_iter().flatten().filter_map(|it| it["content"].as_str()).collect()
}

/// The sources' names, best first, in one line; files of one name are counted.
pub(super) fn names_of(sources: &Value) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for name in sources.as_array().into_iter().flatten().filter_map(|it| it["name"].as_str()) {
        match names.iter_mut().find(|(it, _)| *it == name) {
            Some((_, n_files)) => *n_files += 1,
            None => names.push((name, 1)),
        }
    }
    let shown = |(name, n_files): &(&str, usize)| match n_files {
        1 => (*name).to_owned(),
        n => format!("{name} ({n} files)"),
    };
    let shown: Vec<String> = names.iter().map(shown).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_of_one_name_are_counted() {
        let named =
            |names: &[&str]| names_of(&names.iter().map(|it| json!({"name": it})).collect());
        assert_eq!(named(&["n.txt", "a.md", "n.txt"]), "n.txt (2 files), a.md");
        assert_eq!(named(&[]), "none");
    }
}
