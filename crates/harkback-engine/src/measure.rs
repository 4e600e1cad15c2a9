//! How fast is retrieval at a size nobody has at hand? A synthetic memory in RAM and questions against it.
//!
//! Names follow a power law as in real text: a few entities are mentioned everywhere, most in a few passages. Vectors are
//! clustered. What is measured is `rank` with reading the question, without embedding it and
//! without fetching texts.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::index::{IndexPassage, Snapshot, SnapshotBuilder};
use crate::model::{FileId, Span};
use crate::retrieve::{Query, rank};

const DIM: usize = 384;
const CLUSTERS: usize = 400;
const WORDS: usize = 50_000;
const SENTENCES: usize = 4;
const WORDS_A_SENTENCE: usize = 22;

/// What was measured.
#[derive(Clone, Debug)]
pub struct RetrievalFigures {
    /// Passages of the memory.
    pub n_passages: usize,
    /// Sentences of the memory.
    pub n_sentences: usize,
    /// Entities found in it.
    pub n_entities: usize,
    /// Time to build the index from texts and vectors.
    pub build: Duration,
    /// Bytes of the index, estimated from its parts.
    pub n_bytes: usize,
    /// Time of each question, in ascending order.
    pub questions: Vec<Duration>,
}

/// Builds a synthetic memory of `n_passages` and asks `n_questions` of it. The same memory and questions at every call.
pub fn retrieval(n_passages: usize, n_questions: usize) -> RetrievalFigures {
    let mut draw = Draws(1);
    let centres: Vec<Vec<f32>> = (0..CLUSTERS).map(|_| draw.vector()).collect();
    let started = Instant::now();
    let snapshot = build(n_passages, &centres, &mut draw);
    let build = started.elapsed();
    let mut questions: Vec<Duration> = (0..n_questions)
        .map(|_| {
            let subject = draw.below(n_passages);
            let text = format!(
                "What is the {} of the {} that {} knows?",
                word(draw.zipf(WORDS)),
                word(draw.zipf(WORDS)),
                name(subject)
            );
            let vector = draw.near(&centres[subject % CLUSTERS]);
            let started = Instant::now();
            let query = Query::new(&snapshot, &text, Some(&vector));
            let ranked = rank(&snapshot, &query, 10);
            let elapsed = started.elapsed();
            assert!(!ranked.is_empty(), "a question about a known name finds something");
            elapsed
        })
        .collect();
    questions.sort();
    RetrievalFigures {
        n_passages,
        n_sentences: snapshot.n_sentences(),
        n_entities: snapshot.n_entities(),
        build,
        n_bytes: snapshot.n_bytes(),
        questions,
    }
}

fn build(n_passages: usize, centres: &[Vec<f32>], draw: &mut Draws) -> Snapshot {
    let mut builder = SnapshotBuilder::new();
    let place = (FileId(Uuid::nil()), Uuid::nil());
    for number in 0..n_passages {
        let title = name(number);
        let (mut text, mut sentences) = (String::new(), Vec::new());
        for sentence in 0..SENTENCES {
            let start = text.len() as u32;
            if sentence == 0 {
                text.push_str(&title);
            }
            for at in 0..WORDS_A_SENTENCE {
                text.push(' ');
                if at == 7 {
                    text.push_str(&name(draw.zipf(n_passages)));
                } else {
                    text.push_str(&word(draw.zipf(WORDS)));
                }
            }
            text.push_str(". ");
            sentences.push(Span { start, end: text.len() as u32 });
        }
        let vector = draw.near(&centres[number % CLUSTERS]);
        builder.push(IndexPassage {
            place: (place.0, place.1, number as u32),
            title: &title,
            text: &text,
            sentences: &sentences,
            vector: Some(&vector),
        });
    }
    builder.finish(0)
}

/// A pronounceable word in lower case, another one for each number.
fn word(mut number: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "ri", "so", "tu",
        "va",
    ];
    let mut word = String::from("z");
    loop {
        word.push_str(SYLLABLES[number % SYLLABLES.len()]);
        number /= SYLLABLES.len();
        if number == 0 {
            return word;
        }
    }
}

/// A name of two words.
fn name(number: usize) -> String {
    let capitalised = |number: usize| {
        let word = word(number);
        format!("{}{}", word[..1].to_uppercase(), &word[1..])
    };
    format!("{} {}", capitalised(number % 1_009 + 70_000), capitalised(number / 1_009 + 90_000))
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Near a power law of exponent 1: the first numbers come most often.
    fn zipf(&mut self, n: usize) -> usize {
        ((n as f64).powf(self.unit()) - 1.0) as usize
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIM).map(|_| self.unit() as f32 - 0.5).collect()
    }

    fn near(&mut self, centre: &[f32]) -> Vec<f32> {
        let vector: Vec<f32> =
            centre.iter().map(|it| it + 0.9 * (self.unit() as f32 - 0.5)).collect();
        let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
        vector.iter().map(|it| it / length).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synthetic_memory_answers() {
        let figures = retrieval(300, 5);
        assert_eq!(
            (figures.n_passages, figures.n_sentences, figures.questions.len()),
            (300, 1_200, 5)
        );
        assert!(figures.n_entities >= 300);
    }
}
