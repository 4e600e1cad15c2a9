//! What a passage is about, told from its first sentence: the names before the verb, and the other names it gives.
//!
//! Documents without a title have no other subject; with a title these names are weaker aliases of it.

use std::sync::LazyLock;

use regex::Regex;

const VERBS: &str = "is|was|are|were|refers?|has|had|became|(?:may|can) (?:also )?(?:refer|mean)|born|also known|\
                     comprises|consists|or simply|played|served|won|directed|took|stars?";
/// A first word that opens a phrase, not a name.
const OPENERS: [&str; 44] = [
    "in", "on", "at", "by", "for", "from", "after", "before", "during", "while", "when", "since",
    "although", "though", "as", "if", "it", "he", "she", "they", "this", "that", "these", "those",
    "there", "here", "his", "her", "its", "their", "we", "you", "i", "with", "under", "between",
    "among", "however", "to", "born", "based", "located", "founded", "set",
];
const INNER_WORDS: [&str; 18] = [
    "of", "the", "de", "von", "van", "der", "la", "le", "du", "di", "da", "al", "el", "and", "in",
    "for", "to", "a",
];

struct Patterns {
    end_of_subject: Regex,
    verb: Regex,
    brackets: Regex,
    run: Regex,
    second_name: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: &str| {
        Regex::new(pattern).expect("the pattern is a constant that a test compiles")
    };
    let name = r"[\p{Lu}\p{N}][\p{L}\p{N}'’.\-]*";
    let inner = r"(?:of|the|de|von|van|der|la|le|du|di|da|al|el|and|in|for|to|a)";
    Patterns {
        end_of_subject: regex(&format!(r"\s*[(\[]|\s*,|\s+(?:{VERBS})\b|\s*;|:\s| [–—-] ")),
        verb: regex(&format!(r"\s*,?\s+(?:{VERBS})\b")),
        brackets: regex(r"\s*\([^()]*\)|\s*\[[^\]]*\]"),
        run: regex(&format!(r#"^["“'`«]*({name}(?:\s+(?:{inner}\s+){{0,2}}{name})*)"#)),
        second_name: regex(&format!(
            r#"(?:(?:known|released|billed|credited|published|marketed|referred to)(?: \w+){{0,2}} as|or simply|also (?:called|spelled|spelt|titled)|nicknamed|(?:stage|pen|ring|birth) name|[Ee]nglish(?: title)?:?)\s*[,:]?\s+["“']?({name}(?:\s+{name})*)"#
        )),
    }
});

/// Names of what a passage with this first sentence is about, the best first, without repetition.
pub(crate) fn subject_names(sentence: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(end) = PATTERNS.end_of_subject.find(sentence)
        && is_subject(&sentence[..end.start()], end.as_str().trim_start().starts_with(','))
    {
        push(&sentence[..end.start()], &mut names);
        let body = PATTERNS.brackets.replace_all(sentence, "");
        if let Some(verb) = PATTERNS.verb.find(&body)
            && body[..verb.start()].split_whitespace().count() <= 8
        {
            push(&body[..verb.start()], &mut names);
        }
    }
    if let Some(run) = PATTERNS.run.captures(sentence).and_then(|it| it.get(1))
        && !run.as_str().split_whitespace().next().is_some_and(is_opener)
    {
        push(run.as_str(), &mut names);
    }
    for second in PATTERNS.second_name.captures_iter(sentence).filter_map(|it| it.get(1)) {
        push(second.as_str(), &mut names);
    }
    names
}

fn is_subject(phrase: &str, ends_at_comma: bool) -> bool {
    let words: Vec<&str> = phrase.split_whitespace().collect();
    let Some(first) = words.first() else { return false };
    let is_title_like = words.len() > 1
        && !ends_at_comma
        && words.iter().all(|it| {
            let bare = it.trim_matches(['"', '“', '\'', '`']);
            INNER_WORDS.contains(it) || bare.chars().next().is_some_and(char::is_uppercase)
        });
    let starts_as_name = phrase
        .trim_start_matches(['"', '“', '\'', '`', '«', '.', '('])
        .chars()
        .next()
        .is_some_and(|it| it.is_numeric() || (it.is_alphabetic() && !it.is_lowercase()));
    words.len() <= 10 && starts_as_name && (!is_opener(first) || is_title_like)
}

fn is_opener(word: &str) -> bool {
    let bare = word.trim_matches(['"', '“', '\'', '`']).to_lowercase();
    OPENERS.contains(&bare.as_str()) || bare == "following"
}

fn push(name: &str, names: &mut Vec<String>) {
    let is_edge = |it: char| {
        it.is_whitespace()
            || matches!(it, '"' | '“' | '”' | '\'' | '`' | ',' | ';' | ':' | '«' | '»')
    };
    let name = name.trim_matches(is_edge);
    if !name.is_empty() && !names.iter().any(|it| it == name) {
        names.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(sentence: &str, expected: Expect) {
        expected.assert_eq(&subject_names(sentence).join(" | "));
    }

    #[test]
    fn the_name_before_the_verb() {
        check("Teutberga (died 11 November 875) was a queen of Lotharingia.", expect!["Teutberga"]);
        check("The Riverside Clinic is open on weekdays.", expect!["The Riverside Clinic"]);
        check(
            "Lambert, Margrave of Tuscany, was the second son.",
            expect!["Lambert | Lambert, Margrave of Tuscany"],
        );
        check(
            "Anna \"Nan\" Lee, known professionally as Starling, sang.",
            expect![[r#"Anna "Nan" Lee | Anna | Starling"#]],
        );
    }

    #[test]
    fn a_sentence_without_a_subject_name() {
        check("In 1990 the shop closed, and nobody knew why.", expect![""]);
        check("it was late", expect![""]);
        check("", expect![""]);
    }
}
