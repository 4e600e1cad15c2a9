//! Which words of a sentence say how two people are related?
//!
//! `the mother of A` is looked for where A's text says `A, daughter of B`: the words of a text are read as the relation of the
//! name behind them to what the text is about, and compared with the relation that is asked for.

use std::sync::LazyLock;

use regex::Regex;

/// How somebody is related to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kin {
    Parent,
    Spouse,
    Child,
    Sibling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sex {
    Female,
    Male,
}

/// Bytes before a name in which a word still speaks of it.
const REACH: usize = 170;
const PARENT_REACH: usize = 40;
const SPOUSE_REACH: usize = 60;
const CHILD_REACH: usize = 90;
const SIBLING_REACH: usize = 50;

static CUES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:(?P<offspring>sons?|daughters?|child|children|offspring|issue|heir|born)|(?P<parent>father|mother|parents?)|(?P<spouse>marri(?:ed|age|es)|wed|wife|husband|widow(?:er)?|spouse|consort|engaged|divorced|remarried)|(?P<sibling>(?:half-)?(?:brothers?|sisters?)|siblings?))\b",
    )
});
static FROM_PARENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:of|to|from|between)\b"));
static BOTH_PARENTS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)\b(?:and|by|with)\b[^,;]{0,12}\b(?:his|her|the)\b[^,;]{0,25}$"));
static OWN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:his|her|their|had|one|an?|two|three|four|five|only)\s+(?:[\p{L}-]+\s+){0,2}$",
    )
});
static FEMALE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:she|her|hers)\b"));
static MALE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b(?:he|his|him)\b"));

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that a test compiles")
}

impl Kin {
    /// The relation and sex that a word asks for.
    pub(super) fn of_word(word: &str) -> Option<(Self, Option<Sex>)> {
        Some(match word.to_lowercase().as_str() {
            "mother" => (Self::Parent, Some(Sex::Female)),
            "father" => (Self::Parent, Some(Sex::Male)),
            "parent" | "parents" => (Self::Parent, None),
            "wife" | "widow" => (Self::Spouse, Some(Sex::Female)),
            "husband" | "widower" => (Self::Spouse, Some(Sex::Male)),
            "spouse" | "partner" => (Self::Spouse, None),
            "daughter" | "daughters" => (Self::Child, Some(Sex::Female)),
            "son" | "sons" => (Self::Child, Some(Sex::Male)),
            "child" | "children" => (Self::Child, None),
            "sister" | "sisters" => (Self::Sibling, Some(Sex::Female)),
            "brother" | "brothers" => (Self::Sibling, Some(Sex::Male)),
            "sibling" | "siblings" => (Self::Sibling, None),
            _ => return None,
        })
    }

    /// The same relation seen from the other side.
    pub(super) fn inverse(self) -> Self {
        match self {
            Self::Parent => Self::Child,
            Self::Child => Self::Parent,
            Self::Spouse | Self::Sibling => self,
        }
    }

    /// How a name is related to what its sentence is about, told by the text of the sentence before it; the nearest word
    /// decides.
    pub(super) fn before_name(text: &str) -> Option<Self> {
        let start = text.len().saturating_sub(REACH);
        let start = (start..=text.len()).find(|it| text.is_char_boundary(*it))?;
        let text = &text[start..];
        let cues: Vec<_> = CUES.captures_iter(text).collect();
        cues.iter().rev().find_map(|cue| {
            let whole = cue.get(0)?;
            let (before, after) = (&text[..whole.start()], &text[whole.end()..]);
            let is_near = |reach: usize| after.len() <= reach && !after.contains(';');
            let is_of_it = after.trim_start().starts_with("of");
            if cue.name("offspring").is_some() {
                let is_born = whole.as_str().eq_ignore_ascii_case("born");
                match FROM_PARENT.is_match(after) && !after.contains(';') {
                    true => Some(Self::Parent),
                    false => (!is_born && is_near(CHILD_REACH) && OWN.is_match(before))
                        .then_some(Self::Child),
                }
            } else if cue.name("parent").is_some() {
                match is_of_it {
                    true => is_near(CHILD_REACH).then_some(Self::Child),
                    false => is_near(PARENT_REACH).then_some(Self::Parent),
                }
            } else if cue.name("spouse").is_some() {
                let of_parents = || {
                    BOTH_PARENTS.is_match(before) && Self::before_name(before) == Some(Self::Parent)
                };
                is_near(SPOUSE_REACH)
                    .then(|| if of_parents() { Self::Parent } else { Self::Spouse })
            } else {
                is_near(SIBLING_REACH).then_some(Self::Sibling)
            }
        })
    }
}

/// A relation over two persons, as the words that ask for the first and for the second: `father-in-law` is the spouse's
/// father.
pub(super) fn compound(relation: &[String]) -> Option<(&'static str, &'static str)> {
    let (last, before) = relation.split_last()?;
    let (first, second) = match last.to_lowercase().as_str() {
        "grandfather" => ("parent", "father"),
        "grandmother" => ("parent", "mother"),
        "grandparent" | "grandparents" => ("parent", "parent"),
        "grandson" => ("child", "son"),
        "granddaughter" => ("child", "daughter"),
        "grandchild" | "grandchildren" => ("child", "child"),
        "father-in-law" => ("spouse", "father"),
        "mother-in-law" => ("spouse", "mother"),
        "brother-in-law" => ("spouse", "brother"),
        "sister-in-law" => ("spouse", "sister"),
        "sibling-in-law" => ("spouse", "sibling"),
        "son-in-law" => ("daughter", "husband"),
        "daughter-in-law" => ("son", "wife"),
        "child-in-law" => ("child", "spouse"),
        "stepmother" => ("father", "wife"),
        "stepfather" => ("mother", "husband"),
        "half-brother" => ("parent", "son"),
        "half-sister" => ("parent", "daughter"),
        "uncle" => ("parent", "brother"),
        "aunt" => ("parent", "sister"),
        "nephew" => ("sibling", "son"),
        "niece" => ("sibling", "daughter"),
        _ => return None,
    };
    let side = before.last().map(|it| it.to_lowercase());
    let first = match (first, side.as_deref()) {
        ("parent", Some("paternal")) => "father",
        ("parent", Some("maternal")) => "mother",
        _ => first,
    };
    Some((first, second))
}

/// Whether a text speaks of a woman or a man, by its pronouns.
pub(super) fn sex_in(text: &str) -> Option<Sex> {
    let (n_female, n_male) = (FEMALE.find_iter(text).count(), MALE.find_iter(text).count());
    match n_female.cmp(&n_male) {
        std::cmp::Ordering::Greater => Some(Sex::Female),
        std::cmp::Ordering::Less => Some(Sex::Male),
        std::cmp::Ordering::Equal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_before_a_name_tells_its_relation() {
        for (text, kin) in [
            ("Ada Lovelace was the only daughter of ", Some(Kin::Parent)),
            ("He was born in Lund to the painter ", Some(Kin::Parent)),
            ("She was a daughter of Jan Holm and his wife ", Some(Kin::Parent)),
            ("Her father, ", Some(Kin::Parent)),
            ("In 1912 he married the singer ", Some(Kin::Spouse)),
            ("She was the mother of ", Some(Kin::Child)),
            ("They had two sons, ", Some(Kin::Child)),
            ("His elder brother ", Some(Kin::Sibling)),
            ("The garden is tended by ", None),
            ("He married late; the house went to ", None),
        ] {
            assert_eq!(Kin::before_name(text), kin, "{text}");
        }
    }

    #[test]
    fn a_relation_over_two_persons_is_taken_apart() {
        let of = |words: &str| compound(&words.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("maternal grandfather"), Some(("mother", "father")));
        assert_eq!(of("grandmother"), Some(("parent", "mother")));
        assert_eq!(of("sister-in-law"), Some(("spouse", "sister")));
        assert_eq!(of("older brother"), None);
    }

    #[test]
    fn pronouns_tell_the_sex() {
        assert_eq!(sex_in("She sold her house."), Some(Sex::Female));
        assert_eq!(sex_in("He met her; his dog ran."), Some(Sex::Male));
        assert_eq!(sex_in("The house is old."), None);
    }
}
