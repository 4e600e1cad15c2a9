//! A sentence as relation finding reads it: names, words, values and marks in order, what stands in brackets apart.

use std::sync::LazyLock;

use regex::Regex;

use super::Named;
use crate::ontology::ValueKind;
use crate::retrieve::value::{Value, values};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An entity; the index of its mention.
    Name(usize),
    /// A date, price, time or number.
    Value(ValueKind),
    /// A word, in lower case in `lower`.
    Word,
    /// `'s` after a name.
    Possessive,
    /// Comma, semicolon, colon or dash.
    Mark(char),
}

/// One token.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// First byte in the sentence.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// The word in lower case; empty for all but words.
    pub(super) lower: String,
}

/// A sentence's tokens outside of brackets, and the bracketed ones by the number of tokens before them.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    pub(super) main: Vec<Token>,
    pub(super) brackets: Vec<(usize, Vec<Token>)>,
}

static WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[\p{L}\p{M}\p{N}]+(?:['’][\p{L}]+)?")
        .expect("the pattern is a constant that a test compiles")
});

/// Reads a sentence. Of overlapping mentions the longest counts, unless it is a list of the shorter ones.
pub(super) fn tokens(text: &str, mentions: &[Named]) -> Tokens {
    let mut tokens = Tokens::default();
    let names = names(text, mentions);
    let mut values = values(text).into_iter().peekable();
    let mut names = names.into_iter().peekable();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(character) = text[at..].chars().next() {
        while values.next_if(|it| it.start < at).is_some() {}
        while names.next_if(|it| mentions[*it].start < at).is_some() {}
        let value = values.peek().copied().filter(|it| it.start == at);
        let name = names.peek().copied().filter(|it| mentions[*it].start == at);
        let is_name_longer =
            |value: Option<Value>, name: usize| value.is_none_or(|it| it.end < mentions[name].end);
        let (kind, end) = match (value, name) {
            (value, Some(name)) if is_name_longer(value, name) => {
                (Kind::Name(name), mentions[name].end)
            }
            (Some(value), _) => (Kind::Value(value.kind), value.end),
            _ => match step(text, at, character, tokens.main.last()) {
                Step::Token(kind, end) => (kind, end),
                Step::Skip => {
                    match character {
                        '(' | '[' => {
                            depth += 1;
                            if depth == 1 {
                                tokens.brackets.push((tokens.main.len(), Vec::new()));
                            }
                        }
                        ')' | ']' => depth = depth.saturating_sub(1),
                        _ => {}
                    }
                    at += character.len_utf8();
                    continue;
                }
            },
        };
        let lower = if kind == Kind::Word { text[at..end].to_lowercase() } else { String::new() };
        let token = Token { kind, start: at, end, lower };
        match tokens.brackets.last_mut() {
            Some((_, inside)) if depth > 0 => inside.push(token),
            _ => tokens.main.push(token),
        }
        at = end;
    }
    tokens
}

enum Step {
    Token(Kind, usize),
    Skip,
}

fn step(text: &str, at: usize, character: char, last: Option<&Token>) -> Step {
    let follows_name = last.is_some_and(|it| it.end == at && matches!(it.kind, Kind::Name(_)));
    if follows_name && matches!(character, '\'' | '’') {
        let rest = &text[at + character.len_utf8()..];
        let has_s = rest.starts_with('s') && !rest[1..].starts_with(char::is_alphanumeric);
        let is_plural = text[..at].ends_with('s') && rest.starts_with(' ');
        if has_s || is_plural {
            return Step::Token(Kind::Possessive, at + character.len_utf8() + usize::from(has_s));
        }
    }
    if matches!(character, ',' | ';' | ':' | '–' | '—') {
        return Step::Token(Kind::Mark(character), at + character.len_utf8());
    }
    let word = if character.is_alphanumeric() { WORD.find_at(text, at) } else { None };
    match word {
        Some(word) if word.start() == at => Step::Token(Kind::Word, word.end()),
        _ => Step::Skip,
    }
}

/// Mentions without overlap, in order: the longest, unless shorter ones cover all of it but words like "and".
fn names(text: &str, mentions: &[Named]) -> Vec<usize> {
    let is_valid = |it: &Named| it.start < it.end && text.get(it.start..it.end).is_some();
    let valid: Vec<usize> =
        (0..mentions.len().min(MOST_MENTIONS)).filter(|it| is_valid(&mentions[*it])).collect();
    let is_list = |outer: usize| {
        let outer = &mentions[outer];
        let mut reached = vec![outer.start];
        for part in valid.iter().map(|it| &mentions[*it]) {
            let is_part = part.start >= outer.start && part.end <= outer.end;
            let is_whole = (part.start, part.end) == (outer.start, outer.end);
            let joins =
                |it: &usize| *it == part.start || text.get(*it..part.start).is_some_and(is_joint);
            if is_part && !is_whole && reached.iter().any(joins) {
                reached.push(part.end);
            }
        }
        reached.contains(&outer.end)
    };
    let mut kept: Vec<usize> = valid.iter().copied().filter(|it| !is_list(*it)).collect();
    kept.sort_by_key(|it| (std::cmp::Reverse(mentions[*it].end - mentions[*it].start), *it));
    let mut names: Vec<usize> = Vec::new();
    for candidate in kept {
        let overlaps = |it: &usize| {
            mentions[*it].start < mentions[candidate].end
                && mentions[candidate].start < mentions[*it].end
        };
        if !names.iter().any(overlaps) {
            names.push(candidate);
        }
    }
    names.sort_by_key(|it| mentions[*it].start);
    names
}

/// Mentions of a sentence that are looked at: more stand in tables and lists only.
const MOST_MENTIONS: usize = 64;
/// Whether this may stand between the parts of a list of names.
fn is_joint(gap: &str) -> bool {
    let gap = gap.trim();
    let bare = gap.strip_suffix(" the").or_else(|| gap.strip_suffix(" of")).unwrap_or(gap);
    ["and", "in", "at", "on", "for", "to", "with", "from"].contains(&bare)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::retrieve::relation::tests::marked;

    /// `[Name]` marks a mention; nested ones are given by hand.
    fn check(sentence: &str, expected: Expect) {
        let (text, mentions) = marked(sentence);
        let tokens = tokens(&text, &mentions);
        let show = |it: &Token| match it.kind {
            Kind::Name(_) => format!("<{}>", &text[it.start..it.end]),
            Kind::Value(kind) => format!("{kind:?}:{}", &text[it.start..it.end]),
            Kind::Word => it.lower.clone(),
            Kind::Possessive => "'s".to_owned(),
            Kind::Mark(mark) => mark.to_string(),
        };
        let mut shown: Vec<String> = tokens.main.iter().map(show).collect();
        for (at, inside) in &tokens.brackets {
            shown
                .push(format!("| {at}: {}", inside.iter().map(show).collect::<Vec<_>>().join(" ")));
        }
        expected.assert_eq(&shown.join(" "));
    }

    #[test]
    fn values_are_told_apart() {
        check(
            "On 12 May 1950 and June 3, 1971 it cost $40 or 2,500 euros for 30 minutes from 8 am to 5:30 p.m. in 1999 and the 1990s.",
            expect![
                "on Date:12 May 1950 and Date:June 3, 1971 it cost Price:$40 or Price:2,500 euros for Number:30 minutes from Time:8 am to 5:30 p.m. in Date:1999 and the 1990s"
            ],
        );
    }

    #[test]
    fn brackets_stand_apart() {
        check(
            "{Mira Holt} (born 1950 in {Lund} [now] ) is {Ada}'s half-sister.",
            expect!["<Mira Holt> is <Ada> 's half sister | 1: born Date:1950 in <Lund> now"],
        );
        check("A closing ) alone and {Ada}", expect!["a closing alone and <Ada>"]);
    }

    #[test]
    fn overlapping_mentions() {
        let text = "Mira Holt and Ada Lind met the Duke of Lund";
        let named = |it: &str| {
            let start = text.find(it).unwrap();
            Named { start, end: start + it.len(), name: it.to_owned() }
        };
        let all =
            ["Mira Holt and Ada Lind", "Mira Holt", "Ada Lind", "Duke of Lund", "Lund"].map(named);
        let kept: Vec<&str> =
            names(text, &all).into_iter().map(|it| all[it].name.as_str()).collect();
        assert_eq!(kept, ["Mira Holt", "Ada Lind", "Duke of Lund"]);
    }

    #[test]
    fn invalid_ranges_are_left_out() {
        let wrong = [(1, 1), (5, 2), (0, 99), (1, 2)].map(|(start, end)| Named {
            start,
            end,
            name: String::new(),
        });
        assert_eq!(names("éa", &wrong), Vec::<usize>::new());
    }
}
