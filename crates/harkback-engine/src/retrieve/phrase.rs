//! The words of a question that stand for the next thing in a chain: `Ann's brother`, `the director of the film Dune`.
//!
//! Put the name of that thing in their place, and the question asks about one passage only; a cross-encoder, which sees
//! one hop at a time, can then judge its sentences.

use crate::index::{Word, words};

const MAX_WORDS_BEFORE: usize = 8;
/// Words that a possessive's noun may have before it.
const ADJECTIVES: [&str; 10] = [
    "paternal", "maternal", "older", "younger", "elder", "eldest", "first", "second", "third",
    "former",
];
const PREPOSITIONS: [&str; 9] = ["of", "for", "by", "in", "to", "behind", "from", "who", "that"];
/// Kinds of works: they say nothing about the relation.
const WORKS: [&str; 8] = ["film", "movie", "song", "book", "novel", "album", "show", "series"];
/// A verb in front of a name: the phrase ends there.
const AUXILIARIES: [&str; 16] = [
    "is", "was", "are", "were", "do", "does", "did", "has", "have", "had", "can", "could", "will",
    "would", "should", "may",
];

/// A phrase around a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Phrase {
    start: usize,
    end: usize,
    /// The words that say how the thing is related to the name, as written.
    pub(super) relation: Vec<String>,
}

impl Phrase {
    /// The phrase around the name at `start..end` of `question`, if there is one.
    pub(super) fn around(question: &str, start: usize, end: usize) -> Option<Self> {
        let end = after_bracket(question, end);
        possessive(question, start, end).or_else(|| genitive(question, start, end))
    }

    /// The question with `name` in the place of the phrase.
    pub(super) fn replaced(&self, question: &str, name: &str) -> String {
        format!("{}{name}{}", &question[..self.start], &question[self.end..])
    }
}

fn possessive(question: &str, start: usize, end: usize) -> Option<Phrase> {
    let rest = &question[end..];
    let mark = ["'s ", "’s ", "' ", "’ "].iter().find(|it| rest.starts_with(**it))?;
    let mut relation = Vec::new();
    for word in words(&rest[mark.len()..]) {
        let lower = word.text.to_lowercase();
        if AUXILIARIES.contains(&lower.as_str()) {
            return None;
        }
        relation.push(word.text.to_owned());
        if !ADJECTIVES.contains(&lower.as_str()) {
            return Some(Phrase { start, end: end + mark.len() + word.end(), relation });
        }
    }
    None
}

fn genitive(question: &str, start: usize, end: usize) -> Option<Phrase> {
    let before: Vec<Word<'_>> = words(&question[..start]).collect();
    let is = |word: &Word<'_>, list: &[&str]| list.contains(&word.text.to_lowercase().as_str());
    let mut has_preposition = false;
    for (at, word) in before.iter().enumerate().rev().take(MAX_WORDS_BEFORE) {
        let next = before.get(at + 1).map_or(start, |it| it.start);
        if is(word, &AUXILIARIES) || question[word.end()..next].contains([',', ';', '?', ':']) {
            return None;
        }
        if is(word, &["the"]) && has_preposition {
            let relation: Vec<String> = before[at + 1..]
                .iter()
                .filter(|it| !is(it, &PREPOSITIONS) && !is(it, &WORKS) && !is(it, &["the"]))
                .map(|it| it.text.to_owned())
                .collect();
            return (!relation.is_empty()).then_some(Phrase { start: word.start, end, relation });
        }
        has_preposition |= is(word, &PREPOSITIONS);
    }
    None
}

fn after_bracket(question: &str, end: usize) -> usize {
    let rest = &question[end..];
    let inner = rest.trim_start();
    match inner.strip_prefix('(').and_then(|it| it.find(')')) {
        Some(close) => end + (rest.len() - inner.len()) + close + 2,
        None => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(question: &str, name: &str, expected: Option<&str>) {
        let start = question.find(name).unwrap();
        let phrase = Phrase::around(question, start, start + name.len());
        assert_eq!(phrase.map(|it| it.replaced(question, "X")).as_deref(), expected, "{question}");
    }

    #[test]
    fn possessives() {
        check("When did Ann Lee's mother die?", "Ann Lee", Some("When did X die?"));
        check("Who is Ann Lee's paternal grandfather?", "Ann Lee", Some("Who is X?"));
        check("What is Ann's?", "Ann", None);
    }

    #[test]
    fn genitives() {
        check(
            "Where was the director of the film Dune (1984) born?",
            "Dune",
            Some("Where was X born?"),
        );
        check(
            "Which award did the performer of song Low win?",
            "Low",
            Some("Which award did X win?"),
        );
        check(
            "On which days can I see the doctor who treats Migraine?",
            "Migraine",
            Some("On which days can I see X?"),
        );
    }

    #[test]
    fn a_name_alone_is_no_phrase() {
        check("When did Ann Lee die?", "Ann Lee", None);
        check("Was the shop in Bath, the one near Ann Lee, open?", "Ann Lee", None);
    }
}
