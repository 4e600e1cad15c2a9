//! The answer to be spoken: one or two sentences of the passages, never invented ones.
//!
//! A question goes from a name over a relation to what it asks ([`focus`]). The passages that the relation may lead to are
//! weighed ([`link`]); the question is then asked of each of them by its name, because a cross-encoder, which judges the
//! sentences ([`readings`]), sees one hop at a time. Whether a sentence carries an answer of the wanted kind counts as
//! well ([`wanted`]). A comparison is answered by a sentence for each side ([`compare`]). [`choose`] puts the best together.

mod compare;
mod date;
mod focus;
mod kinship;
mod link;
mod mentioned;
mod phrase;
mod wanted;

use std::iter::repeat;

use rustc_hash::FxHashSet;

use self::compare::{Comparison, comparison};
use self::focus::{Focus, views};
use self::link::links;
use self::mentioned::Mentioned;
use self::wanted::Wanted;
use super::fact::{capitalised, self_contained, speakable};
use super::list::with_items;
use super::query::Query;
use super::record::in_record;
use super::relation::is_function_word;
use super::support::{Evidence, Ground, Support, named, plain, supports};
use crate::index::{Snapshot, without_brackets, words};

/// What a link to a passage counts, its standing in the ranking 2, a sentence's own merits 2 and the cross-encoder's logit 1.
/// Measured offline: other weights near these changed the share of right answers by less than a point.
const LINK_WEIGHT: f32 = 5.0;
const MERIT_WEIGHT: f32 = 2.0;
/// What it counts that a passage is about the name that the question starts from, where nothing leads on from it.
const OWN_BONUS: f32 = 2.0;
/// Passages read at the end of a link, and where there is none.
const ENDS_READ: usize = 3;
const PASSAGES_READ: usize = 5;
/// Sentences read: each costs the cross-encoder some milliseconds.
const MAX_READ: usize = 8;
/// Words of an answer: what is comfortably said in one breath.
const MAX_WORDS: usize = 45;
const MIN_WORDS_OF_A_SIDE: usize = 12;
/// A second sentence that names nothing new of the question must fit it this well to be said too.
const MIN_FIT_ALONE: f32 = 0.5;
/// The same of a sentence of the same passage.
const MIN_FIT_BESIDE: f32 = 0.1;
/// Where the first sentence fits worse than this, the one before or behind it may be what was meant.
const PLAIN_FIT: f32 = 0.9;
/// What a logit of the cross-encoder counts beside a cosine where it is decided whether anything is said, and the greatest one that counts.
const FIT_SHARE: f32 = 0.005;
const MAX_LOGIT: f32 = 8.0;
/// Best sentences after the first among which a second one is looked for.
const SECONDS: usize = 3;

/// Said when nothing in the memory supports an answer.
pub(crate) const UNKNOWN: &str = "I'm sorry, I don't know that.";

/// A sentence for the cross-encoder to read.
#[derive(Clone, Debug)]
pub(crate) struct Reading<'a> {
    /// What it is asked.
    pub(crate) question: String,
    /// What it reads: the title and the sentence.
    pub(crate) text: String,
    support: Support<'a>,
    /// What is known before it is read.
    prior: f32,
    /// Which of two things compared it is about.
    side: usize,
}

/// What is to be read for an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readings<'a> {
    /// The sentences, those first that are likely to be said.
    pub(crate) sentences: Vec<Reading<'a>>,
    comparison: Option<Comparison>,
    ground: Ground,
}

impl Readings<'_> {
    /// Whether it does not matter how well the sentences fit: there is one to be said of each thing compared.
    pub(crate) fn are_settled(&self) -> bool {
        let n_of = |side| self.sentences.iter().filter(|it| it.side == side).count();
        self.comparison.is_some() && n_of(0) == 1 && n_of(1) == 1
    }
}

/// The sentences to be read.
pub(crate) fn readings<'a>(
    snapshot: &Snapshot,
    question: &str,
    query: &Query,
    evidence: &'a [Evidence],
) -> Readings<'a> {
    let supports = supports(snapshot, query, evidence);
    let ground = Ground::of(snapshot, query, evidence, &supports);
    let mentioned = Mentioned::read(snapshot, query, evidence);
    let views = views(question, query, &mentioned);
    if let Some((comparison, sentences)) =
        comparison(snapshot, question, &views, evidence, &mentioned, &supports)
    {
        return Readings { sentences: best_first(sentences), comparison: Some(comparison), ground };
    }
    let focus = Focus::of(question, &views);
    let mut sentences =
        over_links(snapshot, question, focus.as_ref(), evidence, &mentioned, &supports);
    if sentences.is_empty() {
        sentences = direct(snapshot, question, focus.as_ref(), evidence, &supports);
    }
    let mut sentences = best_first(sentences);
    sentences.truncate(MAX_READ);
    Readings { sentences, comparison: None, ground }
}

fn best_first(mut sentences: Vec<Reading<'_>>) -> Vec<Reading<'_>> {
    sentences.sort_by(|a, b| b.prior.total_cmp(&a.prior));
    sentences
}

/// Puts the answer together from the sentences and how well each fits its question, 0..=1. There may be fewer fits than sentences: the
/// rest was not read and counts for no better than the worst that was, and where none was read what is known beforehand decides.
pub(crate) fn choose(snapshot: &Snapshot, readings: &Readings<'_>, fits: &[f32]) -> String {
    let n_read = fits.len();
    let unread = fits.iter().copied().fold(0.5, f32::min);
    let fits = fits.iter().copied().chain(repeat(unread));
    let value = |(reading, fit)| Valued { reading, fit };
    let mut valued: Vec<Valued<'_, '_>> = readings.sentences.iter().zip(fits).map(value).collect();
    valued.sort_by(|a, b| b.value().total_cmp(&a.value()));
    let Some(first) = valued.first() else { return UNKNOWN.to_owned() };
    let read = if n_read == 0 { 0.0 } else { first.logit().clamp(-MAX_LOGIT, MAX_LOGIT) };
    // Of two things compared each has its own sentence, and both have passages.
    let words = if readings.comparison.is_some() { 1.0 } else { first.support().words };
    if !readings.ground.bears(words, FIT_SHARE * read) {
        return UNKNOWN.to_owned();
    }
    if let Some(both) = readings.comparison.as_ref().and_then(|it| sides(snapshot, it, &valued)) {
        return both;
    }
    let said = shortened(&spoken(snapshot, first.support()), MAX_WORDS);
    let room = MAX_WORDS.saturating_sub(said.split_whitespace().count());
    let is_worth_it = |it: &&Valued<'_, '_>| {
        if it.support().place != first.support().place {
            // Another passage at the end of a chain answers another question.
            return it.reading.question == first.reading.question && it.fit >= MIN_FIT_ALONE;
        }
        let goes_on = it.support().number.abs_diff(first.support().number) == 1;
        it.fit >= MIN_FIT_BESIDE || (goes_on && first.fit < PLAIN_FIT)
    };
    let second = valued[1..]
        .iter()
        .take(SECONDS)
        .filter(is_worth_it)
        .map(|it| spoken(snapshot, it.support()))
        .find(|it| plain(it) != plain(&said) && it.split_whitespace().count() <= room);
    match second {
        Some(second) => format!("{said} {second}"),
        None => said,
    }
}

/// A sentence for each of two things compared, the one first that is asked for.
fn sides(
    snapshot: &Snapshot,
    comparison: &Comparison,
    valued: &[Valued<'_, '_>],
) -> Option<String> {
    let best = |side: usize| valued.iter().find(|it| it.reading.side == side);
    let (one, other) = (best(0)?, best(1)?);
    let is_second = comparison.is_second([one.support().sentence, other.support().sentence]);
    let said = |side: usize, it: &Valued<'_, '_>| {
        let name = without_brackets(&comparison.names[side]);
        let sentence = spoken(snapshot, it.support());
        let is_named = !comparison.is_linked[side] && plain(&sentence).contains(&plain(name));
        let opening = if is_named { String::new() } else { format!("{name}: ") };
        let n_words = opening.split_whitespace().count();
        let room = (MAX_WORDS / 2).saturating_sub(n_words).max(MIN_WORDS_OF_A_SIDE);
        format!("{opening}{}", shortened(&sentence, room))
    };
    let (one, other) = (said(0, one), said(1, other));
    Some(if is_second { format!("{other} {one}") } else { format!("{one} {other}") })
}

/// A sentence and how well it fits its question.
struct Valued<'r, 'a> {
    reading: &'r Reading<'a>,
    fit: f32,
}

impl<'a> Valued<'_, 'a> {
    fn support(&self) -> &Support<'a> {
        &self.reading.support
    }

    fn value(&self) -> f32 {
        self.reading.prior + self.logit()
    }

    fn logit(&self) -> f32 {
        let fit = self.fit.clamp(1e-5, 1.0 - 1e-5);
        (fit / (1.0 - fit)).ln()
    }
}

/// Sentences of the passages that the question's relation may lead to, each with the question it answers.
fn over_links<'a>(
    snapshot: &Snapshot,
    question: &str,
    focus: Option<&Focus>,
    evidence: &[Evidence],
    mentioned: &Mentioned<'_>,
    supports: &[Support<'a>],
) -> Vec<Reading<'a>> {
    let Some((focus, hop)) = focus.and_then(|it| Some((it, it.hop.as_ref()?))) else {
        return Vec::new();
    };
    let mut ends: Vec<(usize, f32)> = links(snapshot, evidence, mentioned, focus, &hop.relation)
        .into_iter()
        .map(|it| (it.place, LINK_WEIGHT * it.strength + standing(evidence, it.place)))
        .collect();
    ends.sort_by(|a, b| b.1.total_cmp(&a.1));
    let merit = Merit::of(snapshot, &focus.rest(question));
    let mut readings = Vec::new();
    for (place, base) in ends.into_iter().take(ENDS_READ) {
        let asked = hop.asked_of(question, without_brackets(&evidence[place].text.title));
        let of_end = supports.iter().filter(|it| it.place == place);
        readings.extend(of_end.map(|it| {
            Reading::new(asked.clone(), *it, base + MERIT_WEIGHT * merit.in_sentence(snapshot, it))
        }));
    }
    readings
}

/// Sentences of the best passages, asked the question as it is.
fn direct<'a>(
    snapshot: &Snapshot,
    question: &str,
    focus: Option<&Focus>,
    evidence: &[Evidence],
    supports: &[Support<'a>],
) -> Vec<Reading<'a>> {
    let rest = focus.map_or_else(
        || question.to_owned(),
        |it| format!("{} {}", &question[..it.view.start], &question[it.view.end..]),
    );
    let merit = Merit::of(snapshot, &rest);
    let reading = |it: &Support<'a>| {
        let is_own = focus.is_some_and(|focus| focus.view.own.contains(&it.place));
        let base = standing(evidence, it.place) + if is_own { OWN_BONUS } else { 0.0 };
        let prior = base + MERIT_WEIGHT * merit.in_sentence(snapshot, it);
        Reading::new(question.to_owned(), *it, prior)
    };
    supports.iter().filter(|it| it.place < PASSAGES_READ).map(reading).collect()
}

/// A passage's score against the best one's, 0..=2.
fn standing(evidence: &[Evidence], place: usize) -> f32 {
    let best = evidence.iter().map(|it| it.ranked.score).fold(f32::MIN_POSITIVE, f32::max);
    2.0 * evidence[place].ranked.score / best
}

/// What a sentence is worth for a question before it is read.
struct Merit {
    wanted: Wanted,
    /// Terms of each word that is asked for, itself and words for the same, with its idf.
    asked: Vec<(Vec<u32>, f32)>,
}

/// Words for the same thing, where stemming does not see it.
const SAME: [&[&str]; 9] = [
    &["born", "birth", "birthplace"],
    &["die", "died", "death", "dead", "killed"],
    &[
        "study",
        "studied",
        "educated",
        "education",
        "graduated",
        "university",
        "college",
        "school",
        "attended",
    ],
    &["work", "works", "worked", "job", "professor", "taught", "employed"],
    &["buried", "burial", "interred"],
    &["marry", "married", "wife", "husband", "spouse"],
    &["founded", "established", "started"],
    &["award", "prize", "won", "received"],
    &["cost", "costs", "price", "pay", "fee"],
];

impl Merit {
    /// `rest` is the question without the name and the words that lead on from it.
    fn of(snapshot: &Snapshot, rest: &str) -> Self {
        let wanted = Wanted::of(rest);
        let mut asked = Vec::new();
        for word in words(rest) {
            let word = word.text.to_lowercase();
            let same = SAME.iter().find(|it| it.contains(&word.as_str())).copied().unwrap_or(&[]);
            let own = snapshot.terms(&word);
            let idf = own.iter().map(|it| snapshot.bm25.idf(*it)).fold(0.0, f32::max);
            let mut terms: Vec<u32> = own;
            terms.extend(same.iter().flat_map(|it| snapshot.terms(it)));
            if !terms.is_empty() {
                let idf_of_same = terms.iter().map(|it| snapshot.bm25.idf(*it)).fold(0.0, f32::max);
                asked.push((terms, if idf > 0.0 { idf } else { idf_of_same }));
            }
        }
        if let Wanted::Person(Some(_)) = wanted {
            asked.clear();
        }
        Self { wanted, asked }
    }

    /// 0..=3.5: the wanted kind, the words asked for, and that it stands near the beginning.
    fn in_sentence(&self, snapshot: &Snapshot, support: &Support<'_>) -> f32 {
        let text = format!("{} {}", support.passage.title, support.sentence);
        let there: FxHashSet<u32> = snapshot.terms(&text).into_iter().collect();
        let total: f32 = self.asked.iter().map(|it| it.1).sum();
        let is_there = |it: &&(Vec<u32>, f32)| it.0.iter().any(|term| there.contains(term));
        let found: f32 = self.asked.iter().filter(is_there).map(|it| it.1).sum();
        let words = if total > 0.0 { found / total } else { 0.0 };
        words + self.wanted.in_sentence(support.sentence) + 0.5 / (1 + support.number) as f32
    }
}

impl<'a> Reading<'a> {
    fn new(question: String, support: Support<'a>, prior: f32) -> Self {
        Self::of_side(0, question, support, prior)
    }

    fn of_side(side: usize, question: String, support: Support<'a>, prior: f32) -> Self {
        let text = match without_brackets(&support.passage.title) {
            "" => support.sentence.to_owned(),
            title => format!("{title}: {}", support.sentence),
        };
        Self { question, text, support, prior, side }
    }
}

/// The sentence as it stands alone when it is heard. A title in front of it is for reading, not for hearing.
pub(super) fn spoken(snapshot: &Snapshot, support: &Support<'_>) -> String {
    let whole = in_record(support, MAX_WORDS).or_else(|| with_items(support, MAX_WORDS));
    if let Some(whole) = whole {
        return speakable(&whole);
    }
    let title = &support.passage.title;
    let mentions = named(snapshot, support.sentence);
    let alone = self_contained(support.sentence, title, &mentions, support.previous());
    let said =
        alone.strip_prefix(title.as_str()).and_then(|it| it.strip_prefix(": ")).unwrap_or(&alone);
    speakable(&capitalised(said))
}

/// At most `n` words of a sentence: without its brackets that hold no digit, then up to the last comma of its second half that
/// stands outside of brackets, or before the last word that only joins.
fn shortened(sentence: &str, n: usize) -> String {
    let n_words = |it: &str| it.split_whitespace().count();
    if n_words(sentence) <= n {
        return sentence.to_owned();
    }
    let sentence = without_asides(sentence);
    if n_words(&sentence) <= n {
        return sentence;
    }
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let (mut depth, mut clause) = (0_i32, None);
    for (at, word) in words.iter().enumerate().take(n) {
        let count = |it: char| word.matches(it).count() as i32;
        depth += count('(') - count(')');
        if depth <= 0 && at + 1 >= n / 2 && word.ends_with([',', ';', ':', '–', '—']) {
            clause = Some(at + 1);
        }
    }
    // Where no clause ends a phrase does, before a word that only joins.
    let joins = |at: &usize| is_function_word(words[*at]);
    let cut = clause.or_else(|| (n / 2..n).rev().find(joins)).unwrap_or(n);
    let kept = words[..cut].join(" ");
    format!("{}.", kept.trim_end_matches([',', ';', ':', '–', '—', ' ']))
}

fn without_asides(sentence: &str) -> String {
    let mut kept = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, behind)) = rest.split_once('(') {
        let Some((inside, after)) = behind.split_once(')') else { break };
        kept.push_str(before);
        if inside.contains('(') || inside.contains(|it: char| it.is_ascii_digit()) {
            kept.push_str(&format!("({inside})"));
        } else {
            kept.truncate(kept.trim_end().len());
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests;
