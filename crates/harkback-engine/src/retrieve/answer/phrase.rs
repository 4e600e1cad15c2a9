//! The words of a question that stand for the next thing in a chain: `Ann's brother`, `the director of the film Dune`.
//!
//! Put the name of that thing in their place, and the question asks about one passage only; a cross-encoder, which sees
//! one hop at a time, can then judge its sentences.

use crate::index::{Word, words};
use crate::retrieve::relation::{is_determiner, is_function_word};

const MAX_WORDS_BEFORE: usize = 8;
/// Words that a possessive's noun may have before it.
const ADJECTIVES: [&str; 10] = [
    "paternal", "maternal", "older", "younger", "elder", "eldest", "first", "second", "third",
    "former",
];
const PREPOSITIONS: [&str; 9] = ["of", "for", "by", "in", "to", "behind", "from", "who", "that"];
/// Words that begin a clause about the noun before them, and how many words of it are read behind its verb.
const RELATIVES: [&str; 4] = ["who", "that", "which", "where"];
const MAX_OBJECTS: usize = 4;
/// Verbs with which a question goes on behind such a clause: `does the doctor who treats eczema see patients`.
const MAIN_VERBS: [&str; 20] = [
    "see", "work", "live", "open", "close", "speak", "have", "die", "come", "sit", "take",
    "charge", "cost", "study", "go", "start", "begin", "offer", "sell", "stay",
];
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
    /// First byte in the question.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// The words that say how the thing is related to the name, as written.
    pub(super) relation: Vec<String>,
}

impl Phrase {
    /// The phrase around the name at `start..end` of `question`, if there is one.
    pub(super) fn around(question: &str, start: usize, end: usize) -> Option<Self> {
        let end = after_bracket(question, end);
        possessive(question, start, end)
            .or_else(|| genitive(question, start, end))
            .or_else(|| bare_genitive(question, start, end))
    }

    /// The phrase that describes a thing without naming any: `the doctor who treats migraine`.
    pub(super) fn description(question: &str) -> Option<Self> {
        let all: Vec<Word<'_>> = words(question).collect();
        let lower = |at: usize| all.get(at).map(|it| it.text.to_lowercase());
        let is = |at: usize, list: &[&str]| lower(at).is_some_and(|it| list.contains(&it.as_str()));
        let who = (2..all.len()).find(|at| is(*at, &RELATIVES) && is(at - 2, &["the"]))?;
        let mut end = who + 1;
        let mut relation = vec![all[who - 1].text.to_owned()];
        let mut n_objects = 0;
        while let Some(word) = lower(end) {
            let gap = &question[all[end - 1].end()..all[end].start];
            let is_empty = is_function_word(&word) || is_determiner(&word);
            let is_over = gap.contains([',', ';', '?', ':'])
                || n_objects == MAX_OBJECTS
                || (n_objects > 0 && (is_empty || MAIN_VERBS.contains(&word.as_str())));
            if is_over {
                break;
            }
            if !is_empty {
                n_objects += usize::from(end > who + 1);
                relation.push(all[end].text.to_owned());
            }
            end += 1;
        }
        (n_objects > 0).then(|| Self {
            start: all[who - 2].start,
            end: all[end - 1].end(),
            relation,
        })
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
    let behind = &rest[mark.len()..];
    for word in words(behind) {
        let word_end = hyphenated_end(behind, word);
        let text = &behind[word.start..word_end];
        let lower = text.to_lowercase();
        if AUXILIARIES.contains(&lower.as_str()) {
            return None;
        }
        relation.push(text.to_owned());
        if !ADJECTIVES.contains(&lower.as_str()) {
            return Some(Phrase { start, end: end + mark.len() + word_end, relation });
        }
    }
    None
}

/// The end of `father-in-law` where its first word is given.
fn hyphenated_end(text: &str, word: Word<'_>) -> usize {
    let goes_on = |it: &Word<'_>, end: usize| it.start == end + 1 && text[end..].starts_with('-');
    let mut end = word.end();
    for next in words(&text[word.start..]).skip(1) {
        let next = Word { start: word.start + next.start, ..next };
        if !goes_on(&next, end) {
            break;
        }
        end = next.end();
    }
    end
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
                .filter(|it| !question[..it.start].ends_with('-'))
                .map(|it| question[it.start..hyphenated_end(question, *it)].to_owned())
                .collect();
            return (!relation.is_empty()).then_some(Phrase { start: word.start, end, relation });
        }
        has_preposition |= is(word, &PREPOSITIONS);
    }
    None
}

/// `husband of Ann Lee`, without an article.
fn bare_genitive(question: &str, start: usize, end: usize) -> Option<Phrase> {
    let before: Vec<Word<'_>> = words(&question[..start]).collect();
    let is_lower = |it: &Word<'_>| it.text.starts_with(char::is_lowercase);
    let of = before.iter().rposition(|it| it.text == "of").filter(|at| before.len() - at <= 3)?;
    let noun = before[..of].last().filter(|it| is_lower(it))?;
    let noun_start = match before[..of - 1].last() {
        // `father-in-law of`: the noun is the last word of a compound.
        Some(_) => compound_start(question, &before[..of]),
        None => noun.start,
    };
    let text = &question[noun_start..noun.end()];
    let is_plain = !AUXILIARIES.contains(&text) && before[of + 1..].iter().all(is_lower);
    is_plain.then(|| Phrase { start: noun_start, end, relation: vec![text.to_owned()] })
}

/// Where the hyphenated compound begins that the last of `words` ends.
fn compound_start(text: &str, words: &[Word<'_>]) -> usize {
    let mut start = words.last().map_or(0, |it| it.start);
    for word in words.iter().rev().skip(1) {
        if word.end() + 1 != start || !text[word.end()..].starts_with('-') {
            break;
        }
        start = word.start;
    }
    start
}

pub(super) fn after_bracket(question: &str, end: usize) -> usize {
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
    fn descriptions_name_nothing() {
        let masked = |question: &str| {
            Phrase::description(question)
                .map(|it| (it.replaced(question, "X"), it.relation.join(" ")))
        };
        for (question, replaced, relation) in [
            (
                "On which days can I see the doctor who treats migraine?",
                "On which days can I see X?",
                "doctor treats migraine",
            ),
            (
                "where does the doctor who treats type 2 diabetes see patients",
                "where does X see patients",
                "doctor treats type 2 diabetes",
            ),
            (
                "How big is the room where the yoga class meets?",
                "How big is X?",
                "room yoga class meets",
            ),
        ] {
            assert_eq!(masked(question), Some((replaced.to_owned(), relation.to_owned())));
        }
        assert_eq!(masked("Who is the doctor?"), None);
        assert_eq!(masked("Is it the one that?"), None);
    }

    #[test]
    fn compounds_are_one_word() {
        check("Who is Ann Lee's father-in-law?", "Ann Lee", Some("Who is X?"));
        check("Who is sister-in-law of Ann Lee?", "Ann Lee", Some("Who is X?"));
        check("Where did husband of Ann Lee die?", "Ann Lee", Some("Where did X die?"));
    }

    #[test]
    fn a_name_alone_is_no_phrase() {
        check("When did Ann Lee die?", "Ann Lee", None);
        check("Was the shop in Bath, the one near Ann Lee, open?", "Ann Lee", None);
    }
}
