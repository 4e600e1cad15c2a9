//! How does a sentence read when it is spoken alone, away from its passage?

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::relation::{Named, is_determiner, is_function_word, is_verb_like};
use crate::calendar::MONTHS;
use crate::index::without_brackets;

/// Words a sentence may open with only because of the sentence before it.
const CONJUNCTIONS: [&str; 14] = [
    "however",
    "but",
    "and",
    "so",
    "also",
    "moreover",
    "furthermore",
    "therefore",
    "thus",
    "additionally",
    "meanwhile",
    "nevertheless",
    "then",
    "in addition",
];
/// Words that open a phrase before the subject: "In 1999, she".
const INTRODUCTIONS: [&str; 16] = [
    "in",
    "on",
    "at",
    "after",
    "before",
    "during",
    "since",
    "from",
    "until",
    "by",
    "under",
    "as",
    "when",
    "while",
    "following",
    "for",
];
const PRONOUNS: [&str; 4] = ["he", "she", "it", "they"];
const POSSESSIVES: [&str; 4] = ["his", "her", "its", "their"];
/// Nouns that stand for what a passage is about, behind "the" or "this".
const NOUNS: [&str; 56] = [
    "actor",
    "actress",
    "airline",
    "airport",
    "album",
    "app",
    "artist",
    "author",
    "band",
    "bank",
    "bakery",
    "book",
    "branch",
    "building",
    "city",
    "clinic",
    "club",
    "company",
    "composer",
    "device",
    "director",
    "documentary",
    "drug",
    "episode",
    "essay",
    "festival",
    "film",
    "firm",
    "game",
    "group",
    "hospital",
    "hotel",
    "island",
    "library",
    "magazine",
    "medicine",
    "movie",
    "museum",
    "newspaper",
    "novel",
    "organisation",
    "organization",
    "pharmacy",
    "practice",
    "product",
    "restaurant",
    "river",
    "school",
    "series",
    "shop",
    "show",
    "singer",
    "song",
    "store",
    "town",
    "village",
];
struct Patterns {
    opening: Regex,
    introduction: Regex,
    empty_it: Regex,
    brackets: Regex,
    citation: Regex,
    link: Regex,
    emphasis: Regex,
    code: Regex,
    bullet: Regex,
    space: Regex,
    space_before_mark: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: &str| {
        Regex::new(pattern).expect("the pattern is a constant that a test compiles")
    };
    Patterns {
        opening: regex(
            r"(?i)^(?:(this|that|the)\s+(\p{L}+)|(he|she|it|they|his|her|its|their|this))\b(['’]s\b)?",
        ),
        introduction: regex(r"^(\p{Lu}\p{L}*)\s[^,;:()]{1,60},\s+"),
        empty_it: regex(
            r"^\s+(?:is|was|has been|seems|appears|may be|took|takes)\s+(?:\S+\s+){0,3}?(?:that|to|if|whether)\b|^\s+rain",
        ),
        brackets: regex(r"\s*[(\[]([^()\[\]]*)[)\]]"),
        citation: regex(
            r"\s*\[(?:\d{1,3}(?:\s*[,–-]\s*\d{1,3})*|citation needed|note \d+|[a-z])\]",
        ),
        link: regex(r"!?\[([^\[\]]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+[^()]*)?\)"),
        emphasis: regex(
            r"(?P<before>^|[^\p{L}\p{N}*_~])(?:\*{1,3}|~~|_{1,2})(?P<inner>[^\s*_~](?:[^*_~]*[^\s*_~])?)(?:\*{1,3}|~~|_{1,2})",
        ),
        code: regex(r"`+([^`]+)`+"),
        bullet: regex(r"^\s*(?:[-*+•‣]\s+|#{1,6}\s+|>\s+|\d{1,3}[.)]\s+|\[[ xX]\]\s+)+"),
        space: regex(r"\s+"),
        space_before_mark: regex(r"\s+([,;:.!?])"),
    }
});

/// A sentence that can be understood without the ones before it: what it opens with is replaced by the subject's name
/// where that is safe. `previous` is the sentence before it in its passage. Adds no word but the name.
pub(crate) fn self_contained(
    sentence: &str,
    subject: &str,
    mentions: &[Named],
    previous: Option<&str>,
) -> String {
    let body = without_conjunction(sentence.trim());
    let name = without_brackets(subject);
    let has_subject = contains_name(body, name)
        || mentions.iter().any(|it| contains_name(name, &it.name) && it.name.len() > 3);
    if name.is_empty() || has_subject || asks(name) || is_file_name(name) {
        return capitalised(body);
    }
    let start = opening_at(body);
    if let Some(replaced) = replaced_opening(body, start, name, previous) {
        return capitalised(&replaced);
    }
    if !mentions.is_empty() || body.is_empty() {
        capitalised(body)
    } else {
        format!("{name}: {body}")
    }
}

/// A sentence as it is read out: no brackets with pronunciations, foreign scripts or citations, no Markdown, one space
/// between words, a full stop at the end.
pub(crate) fn speakable(sentence: &str) -> String {
    let patterns = &*PATTERNS;
    let text = patterns.bullet.replace(sentence, "");
    let text = patterns.citation.replace_all(&text, "");
    let text = patterns.link.replace_all(&text, "$1");
    let text = patterns.code.replace_all(&text, "$1");
    let text = patterns.emphasis.replace_all(&text, "$before$inner");
    let text = patterns.brackets.replace_all(&text, spoken_brackets);
    let text = patterns.brackets.replace_all(&text, spoken_brackets);
    let text = patterns.space.replace_all(text.trim(), " ");
    let text = patterns.space_before_mark.replace_all(&text, "$1");
    finished(text.trim())
}

/// Whether a title is a question and so names nothing: "How do I get there?", "Why the shop moved".
fn asks(title: &str) -> bool {
    let first = title.split(' ').next().unwrap_or_default().to_lowercase();
    title.ends_with('?')
        || (title.contains(' ')
            && ["how", "why", "what", "when", "where", "which"].contains(&first.as_str()))
}

/// Whether a title is the name of a file, which nobody says: "price-list_2.pdf".
fn is_file_name(title: &str) -> bool {
    title.rsplit_once('.').is_some_and(|(stem, extension)| {
        let is_extension = (2..=5).contains(&extension.len())
            && extension.chars().all(|it| it.is_ascii_alphanumeric())
            && extension.starts_with(|it: char| it.is_ascii_lowercase());
        is_extension && !stem.is_empty() && !stem.ends_with(char::is_whitespace)
    })
}

/// The sentence without "However, " and the like.
fn without_conjunction(sentence: &str) -> &str {
    for word in CONJUNCTIONS {
        let Some(head) = sentence.get(..word.len()).filter(|it| it.eq_ignore_ascii_case(word))
        else {
            continue;
        };
        let rest = &sentence[head.len()..];
        let is_plain = ["but", "and", "so"].contains(&word) && rest.starts_with(' ');
        if let Some(body) = rest.strip_prefix(',').or(is_plain.then_some(rest)) {
            return body.trim_start();
        }
    }
    sentence
}

/// Where the subject stands: at the start, or behind "In 1999, ".
fn opening_at(body: &str) -> usize {
    let introduction = PATTERNS.introduction.captures(body);
    let is_introduction =
        |it: &Captures<'_>| INTRODUCTIONS.contains(&it[1].to_lowercase().as_str());
    introduction.filter(is_introduction).map_or(0, |it| it.get_match().end())
}

/// The sentence from `start` on, its pronoun, possessive or "the film" replaced by the name; `None` if there is none or
/// somebody else may be meant.
fn replaced_opening(
    body: &str,
    start: usize,
    name: &str,
    previous: Option<&str>,
) -> Option<String> {
    let found = PATTERNS.opening.captures(&body[start..])?;
    let rest = &body[start + found.get_match().end()..];
    let is_contraction = found.get(4).is_some();
    let is_possessive = match (found.get(2), found.get(3)) {
        (Some(noun), _) => {
            let is_noun = NOUNS.contains(&noun.as_str().to_lowercase().as_str());
            if !is_noun || !(is_contraction || is_end_of_phrase(rest)) {
                return None;
            }
            is_contraction
        }
        (_, Some(word)) => {
            let word = word.as_str().to_lowercase();
            if is_contraction || is_dangling(&word, rest) {
                return None;
            }
            POSSESSIVES.contains(&word.as_str())
        }
        _ => return None,
    };
    let reference = Reference::of(&body[start..]);
    if !is_own_introduction(&body[..start])
        || !continues(previous, name, reference)
        || rest.starts_with('-')
    {
        return None;
    }
    let name = if is_possessive { possessive_of(name) } else { name.to_owned() };
    Some(format!("{}{name}{rest}", &body[..start]))
}

/// What an opening refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reference {
    /// He, she.
    Person,
    /// It, the film.
    Thing,
    /// They, and openings that refer to nothing before them.
    Other,
}

impl Reference {
    fn of(sentence: &str) -> Self {
        let Some(found) = PATTERNS.opening.captures(sentence) else { return Self::Other };
        let word = |it: usize| found.get(it).map(|it| it.as_str().to_lowercase());
        match (word(2), word(3).as_deref()) {
            (Some(noun), _)
                if ["actor", "actress", "artist", "author", "composer", "director", "singer"]
                    .contains(&noun.as_str()) =>
            {
                Self::Person
            }
            (Some(noun), _) if NOUNS.contains(&noun.as_str()) => Self::Thing,
            (_, Some("he" | "she" | "his" | "her")) => Self::Person,
            (_, Some("it" | "its" | "this")) => Self::Thing,
            _ => Self::Other,
        }
    }
}

/// Whether the sentence before speaks of the subject too, so that the reference is still to it.
fn continues(previous: Option<&str>, name: &str, reference: Reference) -> bool {
    let is_thing_name = name.starts_with("The ")
        || name.rsplit(' ').next().is_some_and(|it| NOUNS.contains(&it.to_lowercase().as_str()))
        || name.contains(|it: char| it.is_ascii_digit());
    let Some(previous) = previous else { return reference != Reference::Person || !is_thing_name };
    let body = without_conjunction(previous.trim());
    let body = &body[opening_at(body)..];
    let first_word = name.split(' ').next().unwrap_or_default();
    let last_word = name.rsplit(' ').next().unwrap_or_default();
    let begins_with = |word: &str| {
        contains_name(body.get(..char_boundary(body, name.len() + 12)).unwrap_or(body), word)
    };
    if begins_with(first_word) || begins_with(last_word) {
        return !(reference == Reference::Person && (is_thing_name || describes_thing(body)));
    }
    let before = Reference::of(body);
    let opens_plainly = {
        let word = body.split(' ').next().unwrap_or_default().to_lowercase();
        is_function_word(&word) || is_determiner(&word)
    };
    let is_nobody = |it: &str| !it.starts_with(char::is_uppercase);
    let names_nobody = || {
        (reference != Reference::Person || opens_plainly) && body.split(' ').skip(1).all(is_nobody)
    };
    before != Reference::Other && before == reference
        || (before == Reference::Other
            && names_nobody()
            && !(reference == Reference::Person && is_thing_name))
}

/// "is a 2004 film": the sentence says of its subject that it is a thing.
fn describes_thing(sentence: &str) -> bool {
    let described = [" is a ", " is an ", " was a ", " was an ", " are a ", " is the "]
        .iter()
        .find_map(|it| sentence.split_once(it));
    let Some((_, description)) = described else { return false };
    let mut words = description
        .split(' ')
        .take(9)
        .map(|it| it.trim_matches(|it: char| !it.is_alphanumeric()).to_lowercase());
    let is_thing = |it: &String| NOUNS.contains(&it.as_str());
    let is_person = |it: &String| {
        it.ends_with("or") || it.ends_with("er") || it.ends_with("ist") || it.ends_with("ess")
    };
    let Some(noun) = words.find(is_thing) else { return false };
    // "film director", "band leader": the noun that follows decides.
    !is_person(&noun) && !words.next().as_ref().is_some_and(is_person)
}

/// Whether an introduction holds nothing that a pronoun behind it could mean instead.
fn is_own_introduction(introduction: &str) -> bool {
    introduction.split_whitespace().skip(1).all(|it| {
        let word = it.trim_end_matches(',');
        let is_name = word.starts_with(char::is_uppercase) && !MONTHS.contains(&word);
        !is_name && !PRONOUNS.contains(&word) && !POSSESSIVES.contains(&word)
    })
}

/// "It is said that" and "This happens" refer to no thing; "Her" before a verb is no possessive.
fn is_dangling(word: &str, rest: &str) -> bool {
    match word {
        "it" => PATTERNS.empty_it.is_match(rest),
        "this" => !["is a ", "is an ", "is the ", "was a ", "was an ", "was the "]
            .iter()
            .any(|it| rest.trim_start().starts_with(it)),
        _ => false,
    }
}

/// Whether "the film" ends there, with a verb behind it; "the film director" goes on.
fn is_end_of_phrase(rest: &str) -> bool {
    let next = rest.trim_start().split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
    is_verb_like(next)
}

fn possessive_of(name: &str) -> String {
    if name.ends_with('s') { format!("{name}'") } else { format!("{name}'s") }
}

/// Whether a name stands in a text as whole words, in any case.
fn contains_name(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    !name.is_empty()
        && text.match_indices(&name).any(|(at, _)| {
            !text[..at].ends_with(char::is_alphanumeric)
                && !text[at + name.len()..].starts_with(char::is_alphanumeric)
        })
}

fn char_boundary(text: &str, at: usize) -> usize {
    (at.min(text.len())..=text.len()).find(|it| text.is_char_boundary(*it)).unwrap_or(text.len())
}

/// The text with a capital at its beginning.
pub(super) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// Brackets as they are read out: without a foreign script, a pronunciation or the name in another language.
fn spoken_brackets(brackets: &Captures<'_>) -> String {
    let is_foreign = |it: char| {
        it.is_alphabetic()
            && !matches!(it, 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{17f}' | '\u{1e00}'..='\u{1eff}')
    };
    let inside =
        brackets[1].trim_matches(|it: char| it.is_whitespace() || matches!(it, ';' | ',' | ':'));
    let lower = inside.to_lowercase();
    let is_pronunciation =
        ["pronounced", "pronunciation", "listen", "ipa"].iter().any(|it| contains_name(&lower, it));
    let has_slashes = inside.starts_with('/') || inside.starts_with('[');
    let is_other_language = inside.split_once(": ").is_some_and(|(language, _)| {
        !language.contains(' ') && language.starts_with(char::is_uppercase)
    });
    let has_words = inside.contains(char::is_alphanumeric);
    if !has_words
        || inside.contains(is_foreign)
        || is_pronunciation
        || has_slashes
        || is_other_language
    {
        String::new()
    } else {
        format!(" ({inside})")
    }
}

/// The sentence with a mark at its end.
fn finished(text: &str) -> String {
    let bare = text.trim_end_matches(|it: char| {
        it.is_whitespace() || matches!(it, ',' | ';' | ':' | '–' | '—' | '-')
    });
    let inner = bare.trim_end_matches(['"', '”', '\'', '’', ')', '»']);
    if bare.is_empty() || inner.ends_with(['.', '!', '?', '…', '。', '！', '？', '।']) {
        bare.to_owned()
    } else {
        format!("{bare}.")
    }
}

#[cfg(test)]
mod tests;
