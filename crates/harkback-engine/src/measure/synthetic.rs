//! A synthetic memory: passages whose names follow a power law as in real text (a few entities are mentioned everywhere, most in a
//! few passages) and whose vectors are clustered. The same at every call.

use crate::embed::QuestionVectors;
use crate::model::{Passage, Span};

/// Numbers of a vector, as the shipped model has them.
const DIM: usize = 384;
const CLUSTERS: usize = 400;
const WORDS: usize = 50_000;
const SENTENCES: usize = 4;
const WORDS_A_SENTENCE: usize = 22;

/// Passages and questions, drawn one after another.
pub(super) struct Synthetic {
    n_passages: usize,
    centres: Vec<Vec<f32>>,
    draw: Draws,
}

impl Synthetic {
    /// What a memory of `n_passages` holds.
    pub(super) fn new(n_passages: usize) -> Self {
        let mut draw = Draws(1);
        let centres = (0..CLUSTERS).map(|_| draw.vector()).collect();
        Self { n_passages, centres, draw }
    }

    /// The passage of that number with its vector; to be drawn in order.
    pub(super) fn passage(&mut self, number: usize) -> (Passage, Vec<f32>) {
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
                    text.push_str(&name(self.draw.zipf(self.n_passages)));
                } else {
                    text.push_str(&word(self.draw.zipf(WORDS)));
                }
            }
            text.push_str(". ");
            sentences.push(Span { start, end: text.len() as u32 });
        }
        let vector = self.draw.near(&self.centres[number % CLUSTERS]);
        (Passage { record_id: None, title, text, sentences, place: None }, vector)
    }

    /// A question about the subject of some passage, with a vector near that passage's.
    pub(super) fn question(&mut self) -> Question {
        let subject = self.draw.below(self.n_passages);
        let name = name(subject);
        let text = format!(
            "What is the {} of the {} that {name} knows?",
            word(self.draw.zipf(WORDS)),
            word(self.draw.zipf(WORDS)),
        );
        let whole = self.draw.near(&self.centres[subject % CLUSTERS]);
        let names = vec![self.draw.near(&self.centres[(subject + 1) % CLUSTERS])];
        Question { text, names: vec![name], vectors: QuestionVectors { whole, names } }
    }
}

/// A question with the names in it.
pub(super) struct Question {
    pub(super) text: String,
    pub(super) names: Vec<String>,
    /// What is searched with.
    pub(super) vectors: QuestionVectors,
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
