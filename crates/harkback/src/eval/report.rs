//! What does an evaluation say? Its figures as one JSON object for programs, and as lines for people.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Interval, MEASURES, Measures, paired_bootstrap};

/// The figures of an evaluation.
#[derive(Debug)]
pub struct Report {
    /// Of each question.
    pub measures: Vec<Measures>,
    /// Passages of the memory.
    pub n_passages: i64,
    /// Wall time of each question.
    pub times: Vec<Duration>,
    /// Time of each question in each stage, in the order of the stages.
    pub stages: Vec<(&'static str, Vec<Duration>)>,
    /// The comparison with another run.
    pub against: Option<Against>,
    /// How the spoken answers were.
    pub answers: Option<AnswerFigures>,
}

/// Differences to another run, ours less theirs.
#[derive(Debug)]
pub struct Against {
    intervals: [Interval; MEASURES.len()],
    /// Questions for which the other run has no results: they count as not found there.
    pub n_without_results: usize,
}

/// How many spoken answers are right, and how fast they were.
#[derive(Debug)]
pub struct AnswerFigures {
    /// Questions whose right answer is known.
    pub n_asked: usize,
    /// Answers that contain it.
    pub n_right: usize,
    /// Words of all answers.
    pub n_words: usize,
    /// Time of choosing each, without the search.
    pub times: Vec<Duration>,
}

impl Against {
    /// Compares the measures of two runs, question by question; both have the same length, not 0.
    pub fn new(ours: &[Measures], theirs: &[Measures], n_without_results: usize) -> Self {
        let column = |of: &[Measures], at: usize| of.iter().map(|it| it[at]).collect::<Vec<_>>();
        let intervals =
            std::array::from_fn(|at| paired_bootstrap(&column(ours, at), &column(theirs, at)));
        Self { intervals, n_without_results }
    }
}

impl Report {
    /// Everything, in percent, milliseconds and words.
    pub fn json(&self) -> Value {
        let mut report = Map::new();
        for (name, mean) in self.means() {
            report.insert(name.into(), json!(mean));
        }
        report.insert("p50_ms".into(), json!(milliseconds(&self.times, 0.5)));
        report.insert("p95_ms".into(), json!(milliseconds(&self.times, 0.95)));
        report.insert("queries".into(), json!(self.measures.len()));
        report.insert("passages".into(), json!(self.n_passages));
        let stage = |(stage, times): &(&str, Vec<Duration>)| {
            let figures =
                json!({"p50_ms": milliseconds(times, 0.5), "p95_ms": milliseconds(times, 0.95)});
            ((*stage).to_owned(), figures)
        };
        report.insert("stages".into(), Value::Object(self.stages.iter().map(stage).collect()));
        if let Some(against) = &self.against {
            report.insert("against".into(), against.json());
        }
        if let Some(answers) = &self.answers {
            report.insert("answers".into(), answers.json());
        }
        Value::Object(report)
    }

    /// The same to be read, without an end of line at the end.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, mean) in self.means() {
            let _ = writeln!(text, "{name:<9} {mean:6.2} %");
        }
        let _ = writeln!(text, "{:<9} {:6}", "questions", self.measures.len());
        let _ = writeln!(text, "{:<9} {:6}", "passages", self.n_passages);
        let _ = writeln!(text, "{:<9} {}", "time", quantiles(&self.times));
        for (stage, times) in &self.stages {
            let _ = writeln!(text, "  {stage:<7} {}", quantiles(times));
        }
        if let Some(against) = &self.against {
            against.write(&mut text);
        }
        if let Some(answers) = &self.answers {
            let _ = writeln!(
                text,
                "answers   {:6.2} % of {} contain the right one, {} words on average\n{:<9} {}",
                answers.percent(),
                answers.n_asked,
                answers.mean_words(),
                "  time",
                quantiles(&answers.times),
            );
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// The mean of each measure over the questions, in percent.
    fn means(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let n = self.measures.len() as f64;
        let mean = move |at: usize| self.measures.iter().map(|it| it[at]).sum::<f64>() / n;
        MEASURES.iter().enumerate().map(move |(at, name)| (*name, rounded(100.0 * mean(at), 2)))
    }
}

impl Against {
    fn percent(&self) -> impl Iterator<Item = (&'static str, [f64; 3], bool)> {
        MEASURES.iter().zip(&self.intervals).map(|(name, it)| {
            let figures = [it.mean, it.low, it.high].map(|it| rounded(100.0 * it, 2));
            (*name, figures, it.excludes_zero())
        })
    }

    fn json(&self) -> Value {
        let measure = |(name, [difference, low, high], beyond_chance): (&str, [f64; 3], bool)| {
            let figures = json!({"difference": difference, "low": low, "high": high, "beyond_chance": beyond_chance});
            (name.to_owned(), figures)
        };
        let mut figures: Map<String, Value> = self.percent().map(measure).collect();
        figures.insert("without_results".into(), json!(self.n_without_results));
        Value::Object(figures)
    }

    fn write(&self, text: &mut String) {
        text.push_str("against the other run, with 95 % intervals\n");
        for (name, [difference, low, high], beyond_chance) in self.percent() {
            let verdict = if beyond_chance { "beyond chance" } else { "may be chance" };
            let _ =
                writeln!(text, "  {name:<7} {difference:+6.2} [{low:+.2}, {high:+.2}] {verdict}");
        }
        if self.n_without_results > 0 {
            let n = self.n_without_results;
            let _ = writeln!(text, "  it has no results for {n} of the questions: not found there");
        }
    }
}

impl AnswerFigures {
    fn percent(&self) -> f64 {
        rounded(100.0 * self.n_right as f64 / self.n_asked.max(1) as f64, 2)
    }

    fn mean_words(&self) -> f64 {
        rounded(self.n_words as f64 / self.n_asked.max(1) as f64, 1)
    }

    fn json(&self) -> Value {
        json!({
            "asked": self.n_asked,
            "contained": self.percent(),
            "words": self.mean_words(),
            "p50_ms": milliseconds(&self.times, 0.5),
            "p95_ms": milliseconds(&self.times, 0.95),
        })
    }
}

fn quantiles(times: &[Duration]) -> String {
    let [p50, p95] = [0.5, 0.95].map(|it| milliseconds(times, it));
    format!("p50 {p50:.2} ms, p95 {p95:.2} ms")
}

/// The time below which `share` of them lie, in milliseconds; 0 of none.
pub fn milliseconds(times: &[Duration], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).map_or(0.0, |it| rounded(it.as_secs_f64() * 1000.0, 3))
}

/// Adding nothing makes a negative zero, which a sum of nothing is, a plain one.
fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn report() -> Report {
        let ours = vec![[1.0, 1.0, 1.0, 1.0, 1.0, 1.0], [0.5, 0.5, 1.0, 0.0, 0.5, 0.75]];
        let theirs = vec![[0.5; 6], [0.0, 0.5, 1.0, 1.0, 0.5, 0.5]];
        let times = |ms: [u64; 2]| ms.map(Duration::from_millis).to_vec();
        Report {
            against: Some(Against::new(&ours, &theirs, 1)),
            measures: ours,
            n_passages: 7,
            times: times([4, 6]),
            stages: vec![("rank", times([1, 2])), ("hydrate", times([3, 4]))],
            answers: Some(AnswerFigures {
                n_asked: 2,
                n_right: 1,
                n_words: 9,
                times: times([1, 1]),
            }),
        }
    }

    #[test]
    fn nothing_found_is_zero_and_not_less() {
        let nothing = [1.0, 0.0, 0.0, 0.0, 0.0, std::iter::empty::<f64>().sum()];
        let text = Report { measures: vec![nothing], ..report() }.text();
        assert!(!text.contains("-0.00 %"), "{text}");
    }

    #[test]
    fn people_read_lines() {
        expect![[r#"
            R@2        75.00 %
            R@5        75.00 %
            R@10      100.00 %
            all@8      50.00 %
            MRR        75.00 %
            nDCG@10    87.50 %
            questions      2
            passages       7
            time      p50 6.00 ms, p95 6.00 ms
              rank    p50 2.00 ms, p95 2.00 ms
              hydrate p50 4.00 ms, p95 4.00 ms
            against the other run, with 95 % intervals
              R@2     +50.00 [+50.00, +50.00] beyond chance
              R@5     +25.00 [+0.00, +50.00] may be chance
              R@10    +25.00 [+0.00, +50.00] may be chance
              all@8   -25.00 [-100.00, +50.00] may be chance
              MRR     +25.00 [+0.00, +50.00] may be chance
              nDCG@10 +37.50 [+25.00, +50.00] beyond chance
              it has no results for 1 of the questions: not found there
            answers    50.00 % of 2 contain the right one, 4.5 words on average
              time    p50 1.00 ms, p95 1.00 ms"#]]
        .assert_eq(&report().text());
    }

    #[test]
    fn programs_read_one_object() {
        let json = serde_json::to_string_pretty(&report().json()).unwrap();
        expect![[r#"
            {
              "MRR": 75.0,
              "R@10": 100.0,
              "R@2": 75.0,
              "R@5": 75.0,
              "against": {
                "MRR": {
                  "beyond_chance": false,
                  "difference": 25.0,
                  "high": 50.0,
                  "low": 0.0
                },
                "R@10": {
                  "beyond_chance": false,
                  "difference": 25.0,
                  "high": 50.0,
                  "low": 0.0
                },
                "R@2": {
                  "beyond_chance": true,
                  "difference": 50.0,
                  "high": 50.0,
                  "low": 50.0
                },
                "R@5": {
                  "beyond_chance": false,
                  "difference": 25.0,
                  "high": 50.0,
                  "low": 0.0
                },
                "all@8": {
                  "beyond_chance": false,
                  "difference": -25.0,
                  "high": 50.0,
                  "low": -100.0
                },
                "nDCG@10": {
                  "beyond_chance": true,
                  "difference": 37.5,
                  "high": 50.0,
                  "low": 25.0
                },
                "without_results": 1
              },
              "all@8": 50.0,
              "answers": {
                "asked": 2,
                "contained": 50.0,
                "p50_ms": 1.0,
                "p95_ms": 1.0,
                "words": 4.5
              },
              "nDCG@10": 87.5,
              "p50_ms": 6.0,
              "p95_ms": 6.0,
              "passages": 7,
              "queries": 2,
              "stages": {
                "hydrate": {
                  "p50_ms": 4.0,
                  "p95_ms": 4.0
                },
                "rank": {
                  "p50_ms": 2.0,
                  "p95_ms": 2.0
                }
              }
            }"#]]
        .assert_eq(&json);
    }
}
