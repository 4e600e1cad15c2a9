//! Texts of any amount: as many different words and names as real ones have, the same in every run.

use std::io::{self, Write};

const SYLLABLES: [&str; 32] = [
    "ba", "ren", "to", "mi", "sal", "ko", "dur", "ve", "lin", "ha", "gor", "pe", "nas", "tu",
    "wil", "ra", "cho", "fen", "di", "mar", "sto", "ul", "ja", "ker", "bri", "no", "el", "gra",
    "si", "tam", "or", "lu",
];
const SMALL: [&str; 16] = [
    "the", "of", "and", "in", "to", "a", "was", "that", "with", "for", "on", "as", "by", "at",
    "from", "its",
];
const N_WORDS: f64 = 40_000.0;
const N_NAMES: f64 = 200_000.0;
const SENTENCES: usize = 6;
const WORDS: usize = 13;

/// Deterministic numbers (xorshift64*).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below `n`, the small ones often, as words are used.
    fn often_small(&mut self, n: f64) -> u64 {
        (self.next().powi(4) * n) as u64
    }
}

fn word(mut number: u64) -> String {
    let mut word = String::new();
    loop {
        word += SYLLABLES[(number % 32) as usize];
        number /= 32;
        if number == 0 {
            return word;
        }
    }
}

fn name(numbers: &mut Numbers) -> String {
    let number = numbers.often_small(N_NAMES);
    let capital = |number| {
        let word = word(number);
        word[..1].to_uppercase() + &word[1..]
    };
    format!("{} {}", capital(32 + number % 700), capital(1024 + number))
}

/// A text of some hundred words about one of the names, who is the title.
pub(crate) fn text(numbers: &mut Numbers) -> (String, String) {
    let title = name(numbers);
    let mut text = String::new();
    for sentence in 0..SENTENCES {
        text += &if sentence == 0 { title.clone() } else { name(numbers) };
        for nth in 0..WORDS {
            text.push(' ');
            match nth % 3 {
                0 => text += SMALL[numbers.often_small(16.0) as usize],
                _ => text += &word(1024 + numbers.often_small(N_WORDS)),
            }
        }
        text += ". ";
    }
    (title, text.trim_end().to_owned())
}

/// Writes texts as JSON Lines until they have so many bytes; how many there are.
pub(crate) fn write_lines(out: &mut impl Write, n_bytes: u64) -> io::Result<usize> {
    let mut numbers = Numbers::new(1);
    let (mut n, mut written) = (0, 0);
    while written < n_bytes {
        let (title, text) = text(&mut numbers);
        let line = format!("{{\"_id\":\"{n}\",\"title\":\"{title}\",\"text\":\"{text}\"}}\n");
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        n += 1;
    }
    Ok(n)
}
