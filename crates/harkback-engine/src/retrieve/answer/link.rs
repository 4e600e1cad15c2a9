//! Which passage is about what a phrase of the question stands for?
//!
//! A sentence leads from the passages of the name in the phrase to another passage by mentioning its subject, or back from it by
//! mentioning the name. How near the words of the relation stand to the mention says how likely it is the one that is meant.

use rustc_hash::FxHashSet;

use super::focus::{Focus, Relation};
use super::kinship::{Kin, Sex, sex_in};
use super::mentioned::Mentioned;
use super::{Evidence, Snapshot};
use crate::index::{Mention, words};

/// What a mention counts whose words say another kinship, or none.
const OTHER_KIN: f32 = 0.15;
const NO_KIN: f32 = 0.35;
/// What a mention counts however far the words of the relation are.
const FAR: f32 = 0.25;
/// What a link from a passage of another name counts, one that only leads back, and one to somebody of the other sex.
const OTHER_NAME: f32 = 0.6;
const ONLY_BACK: f32 = 0.6;
const OTHER_SEX: f32 = 0.4;

/// Beginnings of words that stand near the name of somebody with a role, beside the role's own word.
const ROLE_CUES: [(&str, &[&str]); 16] = [
    ("performer", &["perform", "record", "sung", "sing", "song", "singl", "by", "artist", "band"]),
    ("singer", &["sung", "sing", "record", "perform", "by", "artist"]),
    ("artist", &["record", "by", "perform"]),
    ("composer", &["compos", "music", "scor"]),
    ("lyricist", &["lyric", "words", "written"]),
    ("author", &["writ", "wrote", "novel", "book", "by"]),
    ("writer", &["writ", "wrote", "by", "author"]),
    ("screenwriter", &["writ", "wrote", "screenplay"]),
    ("producer", &["produc"]),
    ("creator", &["creat"]),
    ("founder", &["found", "start"]),
    ("publisher", &["publish"]),
    ("manufacturer", &["made", "produc", "built"]),
    ("doctor", &["treat", "dr", "physician"]),
    ("owner", &["own", "belong"]),
    ("head", &["led", "leads", "runs", "run", "head", "manag"]),
];

/// A passage that a phrase may stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Link {
    /// Its place in the ranking.
    pub(super) place: usize,
    /// 0..=1.
    pub(super) strength: f32,
}

/// Links from a name over a relation, in the order of the ranking.
pub(super) fn links(
    snapshot: &Snapshot,
    evidence: &[Evidence],
    mentioned: &Mentioned<'_>,
    focus: &Focus,
    relation: &Relation,
) -> Vec<Link> {
    let own = &focus.view.own;
    let mut links = Vec::new();
    for (place, end) in evidence.iter().enumerate().filter(|it| !own.contains(&it.0)) {
        let mut there = None::<f32>;
        for (anchor, sentences) in mentioned.sentences.iter().enumerate() {
            if anchor == place || (!own.is_empty() && !evidence[anchor].ranked.is_own()) {
                continue;
            }
            let share = if own.is_empty() || own.contains(&anchor) { 1.0 } else { OTHER_NAME };
            for sentence in sentences {
                for mention in &sentence.mentions {
                    if let Some(weight) = mentioned.weight(mention.entity, place) {
                        let fit = fit(snapshot, relation, sentence.text, mention, Direction::There);
                        let strength = share * weight * fit;
                        there = Some(there.map_or(strength, |it| it.max(strength)));
                    }
                }
            }
        }
        let is_named = |it: &&Mention| focus.view.entities.contains(&it.entity);
        let back = mentioned.sentences[place]
            .iter()
            .flat_map(|it| it.mentions.iter().filter(is_named).map(|mention| (it.text, mention)))
            .map(|(text, it)| fit(snapshot, relation, text, it, Direction::Back))
            .reduce(f32::max);
        let strength = match (there, back, relation) {
            (Some(there), Some(back), Relation::Kin(..)) => (there + back) / 2.0,
            (Some(there), Some(back), _) => there.max(back),
            (Some(there), None, _) => there,
            (None, Some(back), _) => ONLY_BACK * back,
            (None, None, _) => continue,
        };
        let is_other_sex = match relation {
            Relation::Kin(_, Some(sex)) => is_other_sex(*sex, &end.text.text),
            _ => false,
        };
        links.push(Link {
            place,
            strength: if is_other_sex { OTHER_SEX * strength } else { strength },
        });
    }
    links
}

/// Whether the mention is of the thing that is looked for, or in its text of the name that the question starts from.
#[derive(Clone, Copy)]
enum Direction {
    There,
    Back,
}

/// How well a mention fits a relation: 0..=1.
fn fit(
    snapshot: &Snapshot,
    relation: &Relation,
    sentence: &str,
    mention: &Mention,
    direction: Direction,
) -> f32 {
    match relation {
        Relation::Kin(kin, _) => {
            let wanted = match direction {
                Direction::There => *kin,
                Direction::Back => kin.inverse(),
            };
            match Kin::before_name(&sentence[..mention.start]) {
                Some(it) if it == wanted => 1.0,
                Some(_) => OTHER_KIN,
                None => NO_KIN,
            }
        }
        Relation::Description(words) => {
            coverage(snapshot, words, sentence)
                * (FAR + (1.0 - FAR) * nearness(words, sentence, mention))
        }
        Relation::Words(relation) => FAR + (1.0 - FAR) * nearness(relation, sentence, mention),
    }
}

/// Share of a description's terms, by idf, that stand in a sentence: 0..=1.
fn coverage(snapshot: &Snapshot, description: &[String], sentence: &str) -> f32 {
    let there: FxHashSet<u32> = snapshot.terms(sentence).into_iter().collect();
    let terms: Vec<u32> = description.iter().flat_map(|it| snapshot.terms(it)).collect();
    let idf = |it: &u32| snapshot.bm25.idf(*it);
    let total: f32 = terms.iter().map(idf).sum();
    let found: f32 = terms.iter().filter(|it| there.contains(it)).map(idf).sum();
    if total > 0.0 { found / total } else { 0.0 }
}

/// 1 where a word of the relation stands next to the mention, less the further away it is; a word behind counts two further.
fn nearness(relation: &[String], sentence: &str, mention: &Mention) -> f32 {
    let cues = cues(relation);
    let words: Vec<_> = words(sentence).collect();
    let is_in = |at: usize| (mention.start..mention.end).contains(&words[at].start);
    let Some(first) = (0..words.len()).find(|it| is_in(*it)) else { return 0.0 };
    let last = (first..words.len()).take_while(|it| is_in(*it)).last().unwrap_or(first);
    let is_cue = |at: &usize| {
        let word = words[*at].text.to_lowercase();
        !is_in(*at) && cues.iter().any(|it| word.starts_with(it.as_str()))
    };
    let distance = |at: usize| if at < first { first - at } else { at - last + 2 };
    let nearest = (0..words.len()).filter(is_cue).map(distance).min();
    nearest.map_or(0.0, |it| 1.0 / (1.0 + (it as f32 - 1.0) / 4.0))
}

fn cues(relation: &[String]) -> Vec<String> {
    let mut cues = Vec::new();
    for word in relation {
        let word = word.to_lowercase();
        let of_role = ROLE_CUES.iter().find(|it| it.0 == word).map_or(&[][..], |it| it.1);
        cues.extend(of_role.iter().map(|it| (*it).to_owned()));
        // The beginning stands for the word's other forms: directed, director.
        let stem: String = word.chars().take(5).collect();
        cues.push(stem.strip_suffix('s').filter(|it| it.len() > 2).unwrap_or(&stem).to_owned());
    }
    cues
}

fn is_other_sex(sex: Sex, text: &str) -> bool {
    sex_in(text).is_some_and(|it| it != sex)
}
