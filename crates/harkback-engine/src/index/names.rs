//! Entity names in a text without a model: runs of capitalised words, and every name that a title or heading gives
//! (the gazetteer), longest first.

use rustc_hash::{FxHashMap, FxHashSet};

use super::adjacency::Rows;
use super::vocabulary::{KeyId, Vocabulary};
use crate::calendar::{MONTHS, WEEKDAYS};

/// Words of a name; a longer title is not looked for in texts.
const MAX_NAME_WORDS: usize = 8;
/// Words in lower case that may stand inside a name.
const CONNECTORS: [&str; 35] = [
    "of", "the", "de", "von", "van", "der", "den", "la", "le", "les", "du", "des", "di", "da",
    "del", "dos", "al", "el", "bin", "ibn", "y", "e", "and", "in", "for", "to", "on", "at", "a",
    "an", "with", "und", "et", "do", "dei",
];
/// Connectors at which a run may fall into two names.
const SPLITTERS: [&str; 10] = ["and", "in", "at", "on", "for", "to", "with", "from", "und", "et"];
/// A word of a sentence as name finding sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    /// Its key; unknown in a query's foreign words.
    pub(crate) key: KeyId,
    /// Whether a name may begin with it.
    pub(crate) is_capitalised: bool,
    /// Whether only a space, a hyphen or the like stands between it and the word before.
    pub(crate) joins: bool,
}

/// A name found: tokens `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// First token.
    pub(crate) start: usize,
    /// One past the last token.
    pub(crate) end: usize,
}

/// The names of a memory, numbered from 0, looked up by their keys. The first ones are the gazetteer.
#[derive(Debug, Default)]
pub(crate) struct NameSet {
    numbers: FxHashMap<Box<[KeyId]>, u32>,
    keys: Rows<KeyId>,
    longest: FxHashMap<KeyId, u8>,
    n_listed: u32,
}

impl NameSet {
    /// The number of a name, the next free one if it is new.
    pub(crate) fn intern(&mut self, keys: &[KeyId]) -> u32 {
        if let Some(number) = self.numbers.get(keys) {
            return *number;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert(keys.into(), number);
        self.keys.push(keys.iter().copied());
        let longest = self.longest.entry(keys[0]).or_default();
        *longest = (*longest).max(keys.len().min(MAX_NAME_WORDS) as u8);
        number
    }

    /// The number of a name, if it is in the set.
    pub(crate) fn find(&self, keys: &[KeyId]) -> Option<u32> {
        self.numbers.get(keys).copied()
    }

    /// The keys of a name.
    pub(crate) fn keys(&self, number: u32) -> &[KeyId] {
        self.keys.row(number)
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// How many names the gazetteer has.
    pub(crate) fn n_listed(&self) -> u32 {
        self.n_listed
    }

    /// Declares the names so far to be the gazetteer.
    pub(crate) fn end_gazetteer(&mut self) {
        self.n_listed = self.numbers.len() as u32;
    }

    /// Bytes held, estimated.
    pub(crate) fn n_bytes(&self) -> usize {
        self.numbers.len() * 48 + self.keys.n_bytes() + self.longest.len() * 8
    }

    /// Whether a name counts for a text of this origin wherever its words stand.
    fn is_listed(&self, keys: &[KeyId], origin: Origin) -> bool {
        let number = self.find(keys);
        number.is_some_and(|it| origin == Origin::Query || it < self.n_listed)
    }

    /// Words of the longest name that begins with this key; 0 if none does.
    fn longest(&self, first: KeyId) -> usize {
        self.longest.get(&first).map_or(0, |it| usize::from(*it))
    }
}

/// Which keys are connectors, splitters and calendar words in a vocabulary.
#[derive(Debug)]
pub(crate) struct Grammar {
    connectors: FxHashSet<KeyId>,
    splitters: FxHashSet<KeyId>,
    calendar: FxHashSet<KeyId>,
    articles: [KeyId; 3],
}

impl Grammar {
    /// Interns the words of the grammar.
    pub(crate) fn new(vocabulary: &mut Vocabulary) -> Self {
        let mut keys = |words: &[&str]| -> FxHashSet<KeyId> {
            words
                .iter()
                .map(|it| {
                    let id = vocabulary.intern(it);
                    vocabulary.surface(id).key
                })
                .collect()
        };
        let (connectors, splitters, calendar) =
            (keys(&CONNECTORS), keys(&SPLITTERS), keys(&[&MONTHS[..], &WEEKDAYS].concat()));
        let articles = ["the", "a", "an"].map(|it| vocabulary.find(it));
        Self { connectors, splitters, calendar, articles }
    }

    /// The keys under which a name is known: a leading article is dropped if a name is left.
    pub(crate) fn canonical<'a>(&self, keys: &'a [KeyId], vocabulary: &Vocabulary) -> &'a [KeyId] {
        match keys {
            [first, rest @ ..]
                if self.articles.contains(first) && self.is_name(rest, vocabulary) =>
            {
                rest
            }
            _ => keys,
        }
    }

    /// Whether keys can be a name at all: not a bare number, one letter, a month or day, or only stop words.
    pub(crate) fn is_name(&self, keys: &[KeyId], vocabulary: &Vocabulary) -> bool {
        match keys {
            [] => false,
            [only] => {
                let text = vocabulary.key_text(*only);
                let is_letter = text.len() < 2;
                let is_number = text.bytes().all(|it| it.is_ascii_digit());
                !is_letter
                    && !is_number
                    && !self.calendar.contains(only)
                    && !vocabulary.is_stop_word(*only)
            }
            _ => !keys.iter().all(|it| vocabulary.is_stop_word(*it)),
        }
    }

    pub(crate) fn is_connector(&self, key: KeyId) -> bool {
        self.connectors.contains(&key)
    }
}

/// What names are found with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Language<'a> {
    /// The words.
    pub(crate) vocabulary: &'a Vocabulary,
    /// Connectors and the like.
    pub(crate) grammar: &'a Grammar,
    /// The names known so far.
    pub(crate) names: &'a NameSet,
}

/// Finds names in one sentence: n-grams of the gazetteer (for a query, of all names), longest first, then runs of
/// capitalised words that none of these covers, known or not. A run whose parts are all names of the table is a list of them.
pub(crate) fn find_names(tokens: &[Token], language: Language<'_>, origin: Origin) -> Vec<Found> {
    let Language { vocabulary, grammar, names } = language;
    let finder = Finder { tokens, vocabulary, grammar };
    let keys: Vec<KeyId> = tokens.iter().map(|it| it.key).collect();
    let mut found = finder.listed(&keys, names, origin);
    let n_listed = found.len();
    for run in finder.runs() {
        let name = grammar.canonical(&keys[run.start..run.end], vocabulary);
        let is_covered = |run: &Found| {
            found[..n_listed].iter().any(|it| it.start <= run.start && run.end <= it.end)
        };
        let parts = finder.parts(run);
        let is_list = !parts.is_empty() && parts.iter().all(is_covered);
        if !is_covered(&run) && !is_list && grammar.is_name(name, vocabulary) {
            found.push(run);
        }
    }
    found
}

/// Where a sentence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A passage: every capitalised run is a name.
    Corpus,
    /// A question: every known name of two content words counts, and if it is typed without capitals any uncommon one.
    Query,
}

struct Finder<'a> {
    tokens: &'a [Token],
    vocabulary: &'a Vocabulary,
    grammar: &'a Grammar,
}

impl Finder<'_> {
    /// N-grams of the table, longest first, without overlap; what only a run of a passage calls a name does not hide the parts
    /// into which it may fall.
    fn listed(&self, keys: &[KeyId], table: &NameSet, origin: Origin) -> Vec<Found> {
        let has_capitals = self.tokens.iter().skip(1).any(|it| it.is_capitalised);
        let longest: Vec<usize> = keys.iter().map(|it| table.longest(*it)).collect();
        let mut used = vec![false; keys.len()];
        let mut found = Vec::new();
        for n_words in (1..=longest.iter().copied().max().unwrap_or(0)).rev() {
            for start in 0..(keys.len() + 1).saturating_sub(n_words) {
                let range = start..start + n_words;
                if longest[start] < n_words || used[range.clone()].contains(&true) {
                    continue;
                }
                let name = &keys[range.clone()];
                if !table.is_listed(name, origin) || !self.grammar.is_name(name, self.vocabulary) {
                    continue;
                }
                let is_written_as_name = match origin {
                    Origin::Query if !has_capitals => {
                        n_words > 1 || !self.vocabulary.is_common(keys[start])
                    }
                    Origin::Query if self.n_content_words(name) >= 2 => true,
                    _ => self.is_written_as_name(start, n_words),
                };
                if is_written_as_name {
                    let name = Found { start, end: start + n_words };
                    let is_loose = !table.is_listed(&keys[range.clone()], Origin::Corpus)
                        && self.cuts(name).next().is_some();
                    if !is_loose {
                        used[range].fill(true);
                    }
                    found.push(name);
                }
            }
        }
        found
    }

    fn n_content_words(&self, name: &[KeyId]) -> usize {
        name.iter().filter(|it| !self.vocabulary.is_stop_word(**it)).count()
    }

    /// Short names must be capitalised throughout, long ones somewhere; a common word at the start says nothing.
    fn is_written_as_name(&self, start: usize, n_words: usize) -> bool {
        let name = &self.tokens[start..start + n_words];
        if n_words == 1 && start == 0 && self.vocabulary.is_common(name[0].key) {
            return false;
        }
        let mut content = name.iter().filter(|it| !self.vocabulary.is_stop_word(it.key)).peekable();
        if content.peek().is_none() {
            return name.iter().all(|it| it.is_capitalised);
        }
        if n_words <= 2 {
            content.all(|it| it.is_capitalised)
        } else {
            content.any(|it| it.is_capitalised)
        }
    }

    /// Runs of capitalised words with connectors inside, and the parts they may fall into.
    fn runs(&self) -> Vec<Found> {
        let (tokens, mut runs, mut at) = (self.tokens, Vec::new(), 0);
        while at < tokens.len() {
            if !tokens[at].is_capitalised {
                at += 1;
                continue;
            }
            let (start, mut next, mut end) = (at, at + 1, at + 1);
            while next < tokens.len() && tokens[next].joins {
                if tokens[next].is_capitalised {
                    end = next + 1;
                } else if !(self.grammar.is_connector(tokens[next].key) && next - end < 2) {
                    break;
                }
                next += 1;
            }
            self.push_run(start, end, &mut runs);
            at = end;
        }
        runs
    }

    fn push_run(&self, mut start: usize, end: usize, runs: &mut Vec<Found>) {
        let says_nothing = |at: usize| {
            let key = self.tokens[at].key;
            self.vocabulary.is_stop_word(key) || (at == 0 && self.vocabulary.is_common(key))
        };
        while start < end && says_nothing(start) {
            start += 1;
        }
        if start == end {
            return;
        }
        let run = Found { start, end };
        runs.push(run);
        runs.extend(self.parts(run));
    }

    /// What stands between the splitters of a run; nothing if there are none.
    fn parts(&self, run: Found) -> Vec<Found> {
        let mut cuts = self.cuts(run).peekable();
        if cuts.peek().is_none() {
            return Vec::new();
        }
        let mut start = run.start;
        let mut parts = Vec::new();
        for cut in cuts.chain([run.end]) {
            parts.extend(self.trimmed(start, cut));
            start = cut + 1;
        }
        parts
    }

    /// The splitters inside of a run.
    fn cuts(&self, run: Found) -> impl Iterator<Item = usize> {
        (run.start + 1..run.end.saturating_sub(1)).filter(|at| {
            let token = self.tokens[*at];
            !token.is_capitalised && self.grammar.splitters.contains(&token.key)
        })
    }

    fn trimmed(&self, mut start: usize, mut end: usize) -> Option<Found> {
        let is_loose = |at: usize| {
            !self.tokens[at].is_capitalised && self.grammar.is_connector(self.tokens[at].key)
        };
        while start < end && is_loose(start) {
            start += 1;
        }
        while start < end && is_loose(end - 1) {
            end -= 1;
        }
        (start < end).then_some(Found { start, end })
    }
}

/// Whether two words with `gap` between them may belong to one name; `before_is_short`: the first has at most three
/// letters, as an initial or a title has.
pub(crate) fn gap_joins(gap: &str, before_is_short: bool) -> bool {
    if gap.len() > 8 || gap.chars().count() > 4 {
        return false;
    }
    let inner = match gap.strip_prefix('.') {
        Some(rest) if before_is_short => return rest.chars().all(char::is_whitespace),
        _ => gap,
    };
    inner.chars().all(|it| {
        it.is_whitespace() || matches!(it, '\'' | '’' | '`' | 'ʻ' | '-' | '–' | '/' | '&')
    })
}

#[cfg(test)]
mod tests {
    use crate::index::tests::memory;

    /// The names found in a question, in order, each with whether a passage is about it.
    fn check(passages: &[(&str, &str)], question: &str, expected: &[(&str, bool)]) {
        let snapshot = memory(passages.iter().copied());
        let mut found = snapshot.query_entities(question);
        found.sort_by_key(|it| (it.start, it.end));
        let found: Vec<(&str, bool)> = found
            .iter()
            .map(|it| {
                let is_own = !snapshot.subject_passages.row(it.entity).is_empty();
                (&question[it.start..it.end], is_own)
            })
            .collect();
        assert_eq!(found, expected, "{question}");
    }

    const PEOPLE: [(&str, &str); 3] = [
        ("Mia Holm", "Mia Holm was born in Lund."),
        ("Jon Berg", "Jon Berg was born in Oslo."),
        ("Fair", "The fair was opened by Mia Holm and Jon Berg, and by Eva Quist and Per Lund."),
    ];

    #[test]
    fn a_list_of_things_that_passages_are_about_is_no_name() {
        let both = [("Mia Holm", true), ("Jon Berg", true)];
        check(&PEOPLE, "Were Mia Holm and Jon Berg born in the same place?", &both);
        let both = [("mia holm", true), ("jon berg", true)];
        check(&PEOPLE, "were mia holm and jon berg born in the same place", &both);
    }

    #[test]
    fn a_list_of_names_does_not_hide_them_from_a_question() {
        let all = [("Eva Quist", false), ("Eva Quist and Per Lund", false), ("Per Lund", false)];
        check(&PEOPLE, "Did Eva Quist and Per Lund meet?", &all);
        let titled = [("Eva Quist", "She sang."), ("Eva Quist and Per Lund", "It is a song.")];
        let song = [("Eva Quist and Per Lund", true)];
        check(&titled, "Who wrote Eva Quist and Per Lund?", &song);
    }
}
