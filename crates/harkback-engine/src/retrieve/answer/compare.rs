//! Does a question compare two things, and which of them does it ask for?
//!
//! The answer is a sentence about each, the one first that the dates say.

use std::sync::LazyLock;

use regex::Regex;

use super::date::{Event, date_of};
use super::focus::{Focus, Relation, View};
use super::link::links;
use super::mentioned::Mentioned;
use super::wanted::Wanted;
use super::{Evidence, Reading, Snapshot, Support, without_brackets};
use crate::retrieve::value::Date;

/// Bytes between the two names.
const MAX_BETWEEN: usize = 30;
/// Sentences of a side that are read where it is not plain which is best.
const READ_OF_A_SIDE: usize = 3;
const PLAIN_LEAD: f32 = 1.5;

struct Patterns {
    cue: Regex,
    joiner: Regex,
    or: Regex,
    life: Regex,
    birth: Regex,
    death: Regex,
    place: Regex,
    country: Regex,
    beginning: Regex,
    later: Regex,
    shorter: Regex,
    role: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |pattern: &str| {
        Regex::new(&format!("(?i){pattern}"))
            .expect("the pattern is a constant that a test compiles")
    };
    Patterns {
        cue: regex(
            r"\b(?:both|same|first|older|oldest|younger|youngest|later|earlier|longer|larger|bigger|cheaper|more|most|out of|share|between|common|which|who|than)\b",
        ),
        joiner: regex(r"\b(?:or|and|than|as|with|to)\b|,"),
        or: regex(r"\bor\b"),
        life: regex(r"\blived? (?:longer|shorter)\b"),
        birth: regex(r"\b(?:older|oldest|younger|youngest|born|birth|age)\b"),
        death: regex(r"\b(?:die|died|death)\b"),
        place: regex(r"\b(?:place|where|city|town)\b"),
        country: regex(r"\b(?:nationality|country|countries|nation)\b"),
        beginning: regex(
            r"\b(?:released?|c[ao]me out|established|founded|formed|opened|published|built|created|launched|started|premiered|began|first|earlier|later|recent(?:ly)?|older|newer)\b",
        ),
        later: regex(r"\b(?:later|younger|youngest|latest|recent|recently|newer|last)\b"),
        shorter: regex(r"\bshorter\b"),
        role: regex(
            r"\b(director|performer|singer|composer|author|writer|producer|founder|creator|architect|designer|inventor|owner|mother|father|husband|wife|spouse)s?\b",
        ),
    }
});

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attribute {
    Lifetime,
    Date(Event),
    Place(Event),
    Country,
    Other,
}

/// Two things compared.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    /// Their names as the question writes them.
    pub(super) names: [String; 2],
    /// Whether a side's passage is one that its name leads to, such as the director of a film.
    pub(super) is_linked: [bool; 2],
    attribute: Attribute,
    wants_later: bool,
}

/// The sentences to be read for each side, if the question compares two things that the memory knows.
pub(super) fn comparison<'a>(
    snapshot: &Snapshot,
    question: &str,
    views: &[View],
    evidence: &[Evidence],
    mentioned: &Mentioned<'_>,
    supports: &[Support<'a>],
) -> Option<(Comparison, Vec<Reading<'a>>)> {
    let patterns = &*PATTERNS;
    let (one, other) = compared(question, views)?;
    let bare = format!(
        "{} {} {}",
        &question[..one.start],
        &question[one.end..other.start],
        &question[other.end..]
    );
    let attribute = Attribute::of(&bare);
    let role = patterns.role.captures(&bare).map(|it| it[1].to_lowercase());
    let mut comparison = Comparison {
        names: [one, other]
            .map(|it| question[with_article(question, it)..it.end].trim().to_owned()),
        is_linked: [false; 2],
        attribute,
        wants_later: patterns.later.is_match(&bare)
            || (attribute == Attribute::Lifetime && !patterns.shorter.is_match(&bare)),
    };
    let mut readings = Vec::new();
    for (side, view) in [one, other].into_iter().enumerate() {
        let linked = role.as_deref().and_then(|it| linked(snapshot, evidence, mentioned, view, it));
        comparison.is_linked[side] = linked.is_some();
        let place = linked.or_else(|| view.own.first().copied())?;
        let title = without_brackets(&evidence[place].text.title);
        let asked = attribute.asked_of(title, question);
        readings.extend(of_side(side, place, &asked, attribute, supports));
    }
    Some((comparison, readings))
}

/// Where a name begins with its article, as in `The Hague`.
fn with_article(question: &str, view: &View) -> usize {
    let before = &question[..view.start];
    let article = ["The ", "A ", "An "].into_iter().find(|it| before.ends_with(it));
    view.start - article.map_or(0, str::len)
}

/// The two names that are joined by "or" and the like and have different passages of their own.
fn compared<'a>(question: &str, views: &'a [View]) -> Option<(&'a View, &'a View)> {
    let patterns = &*PATTERNS;
    let known: Vec<&View> = views.iter().filter(|it| !it.own.is_empty()).collect();
    known.windows(2).find_map(|pair| {
        let [one, other] = pair else { return None };
        let between = question.get(one.end..other.start)?;
        let is_joined = between.len() <= MAX_BETWEEN && patterns.joiner.is_match(between);
        let is_comparison = patterns.or.is_match(between) || patterns.cue.is_match(question);
        let differ = one.own.first() != other.own.first();
        (is_joined && is_comparison && differ).then_some((*one, *other))
    })
}

/// The place of the passage that a role leads to from the passages of a name.
fn linked(
    snapshot: &Snapshot,
    evidence: &[Evidence],
    mentioned: &Mentioned<'_>,
    view: &View,
    role: &str,
) -> Option<usize> {
    let focus = Focus { view: view.clone(), hop: None };
    let relation = match super::kinship::Kin::of_word(role) {
        Some((kin, sex)) => Relation::Kin(kin, sex),
        None => Relation::Words(vec![role.to_owned()]),
    };
    let strength = |place: usize, strength: f32| {
        super::LINK_WEIGHT * strength + super::standing(evidence, place)
    };
    links(snapshot, evidence, mentioned, &focus, &relation)
        .into_iter()
        .filter(|it| leads_from(mentioned, view, it.place))
        .max_by(|a, b| strength(a.place, a.strength).total_cmp(&strength(b.place, b.strength)))
        .map(|it| it.place)
}

/// Whether a sentence in a passage of the name mentions what the passage at `place` is about.
fn leads_from(mentioned: &Mentioned<'_>, view: &View, place: usize) -> bool {
    let sentences = view.own.iter().flat_map(|own| &mentioned.sentences[*own]);
    let mut mentions = sentences.flat_map(|it| &it.mentions);
    mentions.any(|it| mentioned.weight(it.entity, place).is_some())
}

fn of_side<'a>(
    side: usize,
    place: usize,
    asked: &str,
    attribute: Attribute,
    supports: &[Support<'a>],
) -> Vec<Reading<'a>> {
    let prior = |it: &Support<'_>| {
        let first = if attribute == Attribute::Date(Event::Beginning) { 1.0 } else { 0.5 };
        let by_words = match attribute {
            Attribute::Other | Attribute::Country => it.coverage,
            _ => 0.0,
        };
        2.0 * (by_words + attribute.in_sentence(it.sentence) + first / (1 + it.number) as f32)
    };
    let mut of_passage: Vec<(f32, Support<'a>)> =
        supports.iter().filter(|it| it.place == place).map(|it| (prior(it), *it)).collect();
    of_passage.sort_by(|a, b| b.0.total_cmp(&a.0));
    let is_plain = matches!(&of_passage[..], [a, b, ..] if a.0 - b.0 >= PLAIN_LEAD);
    of_passage.truncate(if is_plain { 1 } else { READ_OF_A_SIDE });
    let reading = |(prior, support)| Reading::of_side(side, asked.to_owned(), support, prior);
    of_passage.into_iter().map(reading).collect()
}

impl Attribute {
    fn of(bare: &str) -> Self {
        let patterns = &*PATTERNS;
        let is = |it: &Regex| it.is_match(bare);
        match () {
            () if is(&patterns.life) => Self::Lifetime,
            () if is(&patterns.birth) && is(&patterns.place) => Self::Place(Event::Birth),
            () if is(&patterns.birth) => Self::Date(Event::Birth),
            () if is(&patterns.death) && is(&patterns.place) => Self::Place(Event::Death),
            () if is(&patterns.death) => Self::Date(Event::Death),
            () if is(&patterns.country) => Self::Country,
            () if is(&patterns.beginning) => Self::Date(Event::Beginning),
            () => Self::Other,
        }
    }

    fn asked_of(self, name: &str, question: &str) -> String {
        match self {
            Self::Lifetime => format!("When was {name} born and when did {name} die?"),
            Self::Date(Event::Birth) => format!("When was {name} born?"),
            Self::Date(Event::Death) => format!("When did {name} die?"),
            Self::Date(Event::Beginning) => format!("When was {name} released or established?"),
            Self::Place(Event::Death) => format!("Where did {name} die?"),
            Self::Place(_) => format!("Where was {name} born?"),
            Self::Country => format!("Which country is {name} from?"),
            Self::Other => question.to_owned(),
        }
    }

    fn in_sentence(self, sentence: &str) -> f32 {
        match self {
            Self::Lifetime => Wanted::Date(Some(Event::Death)).in_sentence(sentence),
            Self::Date(Event::Beginning) => Wanted::Date(None).in_sentence(sentence),
            Self::Date(event) => Wanted::Date(Some(event)).in_sentence(sentence),
            Self::Place(event) => Wanted::Place(Some(event)).in_sentence(sentence),
            Self::Country => Wanted::Country.in_sentence(sentence),
            Self::Other => 0.5,
        }
    }

    /// A number that orders the sides; for a lifetime its days.
    fn value(self, sentence: &str) -> Option<(i32, i32, i32)> {
        let parts = |(year, month, day): Date| (year, i32::from(month), i32::from(day));
        match self {
            Self::Date(event) => date_of(event, sentence).map(parts),
            Self::Lifetime => {
                let born = parts(date_of(Event::Birth, sentence)?);
                let died = parts(date_of(Event::Death, sentence)?);
                Some(((died.0 - born.0) * 372 + (died.1 - born.1) * 31 + died.2 - born.2, 0, 0))
            }
            Self::Place(_) | Self::Country | Self::Other => None,
        }
    }
}

impl Comparison {
    /// Whether the second side is the one that is asked for; the first one where the sentences do not tell.
    pub(super) fn is_second(&self, sentences: [&str; 2]) -> bool {
        let [one, other] = sentences.map(|it| self.attribute.value(it));
        match (one, other) {
            (Some(one), Some(other)) if one != other => (one > other) != self.wants_later,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_is_told_by_the_words() {
        for (bare, attribute) in [
            ("Who lived longer,  or ?", Attribute::Lifetime),
            ("Who is older,  or ?", Attribute::Date(Event::Birth)),
            ("Who died first,  or ?", Attribute::Date(Event::Death)),
            ("Which film came out earlier,  or ?", Attribute::Date(Event::Beginning)),
            ("Were  and  born in the same place?", Attribute::Place(Event::Birth)),
            ("Are  and  from the same country?", Attribute::Country),
            ("Which has more rooms,  or ?", Attribute::Other),
        ] {
            assert_eq!(Attribute::of(bare), attribute, "{bare}");
        }
    }

    #[test]
    fn the_dates_tell_which_side_is_meant() {
        let comparison = |attribute, wants_later| Comparison {
            names: ["A".into(), "B".into()],
            is_linked: [false; 2],
            attribute,
            wants_later,
        };
        let (old, young) = ("Ann (1901 – 1990) sang.", "Ben (1920 – 1970) sang.");
        let birth = Attribute::Date(Event::Birth);
        assert!(!comparison(birth, false).is_second([old, young]));
        assert!(comparison(birth, false).is_second([young, old]));
        assert!(comparison(birth, true).is_second([old, young]));
        assert!(!comparison(Attribute::Lifetime, true).is_second([old, young]));
        assert!(!comparison(birth, true).is_second([old, "Ben sang."]), "nothing to compare with");
    }
}
