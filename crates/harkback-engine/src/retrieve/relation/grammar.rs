//! Which words open a clause, end a phrase or make a statement uncertain?

/// Whether a word has a grammatical duty and so cannot describe a name that follows it.
pub(in crate::retrieve) fn is_function_word(word: &str) -> bool {
    is_preposition(word) || is_auxiliary(word) || is_pronoun(word) || CONNECTIVES.contains(&word)
}

/// Whether a noun phrase may begin with this word.
pub(in crate::retrieve) fn is_determiner(word: &str) -> bool {
    ["the", "a", "an", "this", "these", "his", "her", "its", "their", "another", "our"]
        .contains(&word)
}

pub(super) fn is_preposition(word: &str) -> bool {
    PREPOSITIONS.contains(&word)
}

pub(super) fn is_auxiliary(word: &str) -> bool {
    is_copula(word)
        || [
            "be", "been", "being", "has", "had", "have", "having", "do", "does", "did", "will",
            "can",
        ]
        .contains(&word)
}

pub(super) fn is_copula(word: &str) -> bool {
    ["is", "was", "are", "were"].contains(&word)
}

/// A pronoun that stands for the subject of the sentence before.
pub(in crate::retrieve) fn is_pronoun(word: &str) -> bool {
    ["he", "she", "it", "they"].contains(&word)
}

pub(in crate::retrieve) fn is_possessive_pronoun(word: &str) -> bool {
    ["his", "her", "its", "their"].contains(&word)
}

/// Words between two clauses with a subject each.
pub(super) fn divides_clauses(word: &str) -> bool {
    [
        "while", "when", "because", "although", "though", "whereas", "but", "if", "unless",
        "until", "where",
    ]
    .contains(&word)
}

/// A first word that puts a phrase before the subject.
pub(super) fn opens_introduction(word: &str) -> bool {
    is_preposition(word)
        || divides_clauses(word)
        || word == "as"
        || ((word.ends_with("ed")
            || word.ends_with("ing")
            || ["born", "written", "set", "built"].contains(&word))
            && word.len() > 3)
}

/// A word between subject and verb, or before a participle, that changes nothing.
pub(super) fn is_adverb(word: &str) -> bool {
    (word.ends_with("ly") && word.len() > 4)
        || ["also", "later", "then", "first", "once", "now", "again"].contains(&word)
}

/// Words that make what follows them no fact.
pub(super) fn is_doubt(word: &str) -> bool {
    word.ends_with("n't") || word.ends_with("n’t") || DOUBTS.contains(&word)
}

/// Whether a word right after a name makes that name the subject of a clause.
pub(in crate::retrieve) fn is_verb_like(word: &str) -> bool {
    is_auxiliary(word)
        || is_adverb(word)
        || IRREGULAR_VERBS.contains(&word)
        || (word.len() > 3
            && (word.ends_with("ed") || (word.ends_with('s') && !word.ends_with("ss"))))
}

const PREPOSITIONS: [&str; 46] = [
    "about",
    "above",
    "across",
    "after",
    "against",
    "along",
    "alongside",
    "among",
    "around",
    "as",
    "at",
    "before",
    "behind",
    "below",
    "between",
    "by",
    "despite",
    "during",
    "except",
    "following",
    "for",
    "from",
    "in",
    "including",
    "inside",
    "into",
    "like",
    "near",
    "of",
    "off",
    "on",
    "onto",
    "opposite",
    "out",
    "over",
    "per",
    "since",
    "through",
    "throughout",
    "to",
    "toward",
    "under",
    "until",
    "upon",
    "with",
    "without",
];
const CONNECTIVES: [&str; 22] = [
    "and", "or", "but", "nor", "than", "that", "which", "who", "whom", "whose", "when", "where",
    "while", "because", "although", "though", "if", "so", "not", "both", "either", "then",
];
const DOUBTS: [&str; 22] = [
    "not",
    "never",
    "no",
    "nor",
    "neither",
    "may",
    "might",
    "could",
    "would",
    "should",
    "refused",
    "declined",
    "planned",
    "intended",
    "wanted",
    "failed",
    "almost",
    "allegedly",
    "reportedly",
    "cannot",
    "unlike",
    "supposedly",
];
const IRREGULAR_VERBS: [&str; 30] = [
    "wrote", "made", "led", "won", "became", "began", "sang", "held", "ran", "grew", "left",
    "went", "met", "took", "gave", "got", "built", "sold", "taught", "fought", "drew", "shot",
    "wed", "spent", "lost", "kept", "sent", "rose", "came", "saw",
];
