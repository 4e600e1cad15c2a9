//! What kinds of entities and relations does a memory know, and which words give them away?
//!
//! An ontology is a TOML file: entity types with the nouns that describe them, predicates with a readable label, domain,
//! range and cue words. `culture.toml` explains the keys.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;

use crate::model::Ontology;

/// The ontology of that name, parsed once.
pub(crate) fn shipped(ontology: Ontology) -> &'static OntologyFile {
    match ontology {
        Ontology::Culture => &CULTURE,
        Ontology::Essays => &ESSAYS,
        Ontology::SupportRequests => &SUPPORT_REQUESTS,
    }
}

static CULTURE: LazyLock<OntologyFile> =
    LazyLock::new(|| parse_shipped(include_str!("culture.toml")));
static ESSAYS: LazyLock<OntologyFile> =
    LazyLock::new(|| parse_shipped(include_str!("essays.toml")));
static SUPPORT_REQUESTS: LazyLock<OntologyFile> =
    LazyLock::new(|| parse_shipped(include_str!("support_requests.toml")));

fn parse_shipped(text: &str) -> OntologyFile {
    OntologyFile::parse(text).expect("a test parses every shipped ontology")
}

/// Number of an entity type within its ontology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeNo(u16);

/// A kind of value that can stand where a name could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ValueKind {
    /// A day, month or year.
    Date,
    /// An amount of money.
    Price,
    /// A time of day or a span of such times.
    Time,
    /// Any other number, with its unit.
    Number,
}

/// A form that says something without a cue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pattern {
    /// The year that opens a description: "is a 1971 film".
    DescriptionYear,
    /// The first date in the brackets after a name: "(1901 – 1980)".
    LifespanStart,
    /// The second date in the brackets after a name.
    LifespanEnd,
}

/// What a cue between two entities says.
#[derive(Debug)]
pub(crate) struct Predicate {
    /// Reads between subject and object.
    pub(crate) label: String,
    /// Types the subject may have; empty: any.
    pub(crate) domain: Vec<TypeNo>,
    /// Types the object may have; empty: any name, or none if `values` says which values are meant.
    pub(crate) range: Vec<TypeNo>,
    /// Kinds of value the object may be; empty: the object is a name.
    pub(crate) values: Vec<ValueKind>,
    /// The form that says the same without a cue.
    pub(crate) pattern: Option<Pattern>,
}

impl Predicate {
    /// Whether the object is a name, not a value.
    pub(crate) fn takes_names(&self) -> bool {
        self.values.is_empty()
    }
}

/// Which side of a cue the relation's subject stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CueOrder {
    /// Subject, cue, object: "the film was directed by Ada".
    SubjectFirst,
    /// Object, cue, subject: "Ada directed the film".
    ObjectFirst,
}

/// How a cue hangs on what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CueKind {
    /// A verb or participle: "married", "directed by".
    Verb,
    /// A noun with its preposition: "daughter of"; may follow its subject after a comma.
    Noun,
}

/// Words that stand for a predicate.
#[derive(Debug)]
pub(crate) struct Cue {
    /// The words in lower case, at least one.
    pub(crate) words: Vec<String>,
    /// Index into [`OntologyFile::predicates`].
    pub(crate) predicate: usize,
    /// Side of the subject.
    pub(crate) order: CueOrder,
    /// Verb or noun.
    pub(crate) kind: CueKind,
}

/// A parsed ontology.
#[derive(Debug)]
pub(crate) struct OntologyFile {
    types: Vec<String>,
    predicates: Vec<Predicate>,
    nouns: FxHashMap<String, TypeNo>,
    name_endings: FxHashMap<String, TypeNo>,
    /// Cues by their first word, the longest first.
    cues: FxHashMap<String, Vec<Cue>>,
}

impl OntologyFile {
    /// Reads an ontology. The error names the first type that does not exist, cue that occurs twice, or the like.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let file: Toml = toml::from_str(text).map_err(|it| it.to_string())?;
        let mut ontology = Self {
            types: Vec::new(),
            predicates: Vec::new(),
            nouns: FxHashMap::default(),
            name_endings: FxHashMap::default(),
            cues: FxHashMap::default(),
        };
        for entity_type in file.types {
            ontology.add_type(entity_type)?;
        }
        let mut seen = FxHashSet::default();
        for predicate in file.predicates {
            ontology.add_predicate(predicate, &mut seen)?;
        }
        for cues in ontology.cues.values_mut() {
            cues.sort_by_key(|it| std::cmp::Reverse(it.words.len()));
        }
        Ok(ontology)
    }

    /// The predicate a cue stands for.
    pub(crate) fn predicate(&self, cue: &Cue) -> &Predicate {
        &self.predicates[cue.predicate]
    }

    /// The predicate that this form stands for, in an ontology that has one.
    pub(crate) fn predicate_of(&self, pattern: Pattern) -> Option<&Predicate> {
        self.predicates.iter().find(|it| it.pattern == Some(pattern))
    }

    /// Cues that begin with this word, the longest first.
    pub(crate) fn cues_from(&self, first_word: &str) -> &[Cue] {
        self.cues.get(first_word).map_or(&[], Vec::as_slice)
    }

    /// The cue of exactly these words.
    pub(crate) fn cue(&self, words: &[&str]) -> Option<&Cue> {
        self.cues_from(words.first()?).iter().find(|it| it.words == words)
    }

    /// The type an entity has that is described by this noun, in lower case: "director" in "is a film director".
    pub(crate) fn type_of_noun(&self, noun: &str) -> Option<TypeNo> {
        self.nouns.get(noun).copied()
    }

    /// The type that a name's last word gives away.
    pub(crate) fn type_of_name(&self, name: &str) -> Option<TypeNo> {
        let (_, last) = name.rsplit_once(' ')?;
        self.name_endings.get(last.trim_end_matches('.')).copied()
    }

    /// Name of a type.
    pub(crate) fn type_name(&self, number: TypeNo) -> &str {
        &self.types[usize::from(number.0)]
    }

    fn add_type(&mut self, entity_type: TomlType) -> Result<(), String> {
        let number = TypeNo(
            u16::try_from(self.types.len()).map_err(|_| "more than 65,536 types".to_owned())?,
        );
        if self.types.contains(&entity_type.name) {
            return Err(format!("type `{}` occurs twice; merge the two", entity_type.name));
        }
        for noun in entity_type.nouns {
            if noun != noun.to_lowercase() || noun.contains(char::is_whitespace) {
                return Err(format!(
                    "noun `{noun}` of type `{}` must be one word in lower case",
                    entity_type.name
                ));
            }
            if self.nouns.insert(noun.clone(), number).is_some() {
                return Err(format!("noun `{noun}` occurs twice; keep it under one type"));
            }
        }
        for ending in entity_type.name_endings {
            if self.name_endings.insert(ending.clone(), number).is_some() {
                return Err(format!("name ending `{ending}` occurs twice; keep it under one type"));
            }
        }
        self.types.push(entity_type.name);
        Ok(())
    }

    fn add_predicate(
        &mut self,
        predicate: TomlPredicate,
        seen: &mut FxHashSet<String>,
    ) -> Result<(), String> {
        use {CueKind::*, CueOrder::*};
        let label = predicate.label;
        if self.predicates.iter().any(|it| it.label == label) {
            return Err(format!("predicate `{label}` occurs twice; merge the two"));
        }
        if !predicate.values.is_empty() && !predicate.range.is_empty() {
            return Err(format!(
                "predicate `{label}` has both `range` and `values`; make it two predicates"
            ));
        }
        let index = self.predicates.len();
        let cues = [
            (predicate.verbs, SubjectFirst, Verb),
            (predicate.nouns, SubjectFirst, Noun),
            (predicate.inverse_verbs, ObjectFirst, Verb),
            (predicate.inverse_nouns, ObjectFirst, Noun),
        ];
        for (texts, order, kind) in cues {
            for text in texts {
                self.add_cue(&text, (index, order, kind), seen)?;
            }
        }
        let domain = self.type_numbers(&predicate.domain, &label)?;
        let range = self.type_numbers(&predicate.range, &label)?;
        let (values, pattern) = (predicate.values, predicate.pattern);
        self.predicates.push(Predicate { label, domain, range, values, pattern });
        Ok(())
    }

    fn add_cue(
        &mut self,
        text: &str,
        (predicate, order, kind): (usize, CueOrder, CueKind),
        seen: &mut FxHashSet<String>,
    ) -> Result<(), String> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        if words.iter().any(|it| {
            it.is_empty() || !it.chars().all(|c| c.is_alphanumeric() && !c.is_uppercase())
        }) {
            return Err(format!(
                "cue `{text}` must be words in lower case with one space between them"
            ));
        }
        if !seen.insert(text.to_owned()) {
            return Err(format!("cue `{text}` occurs twice; keep it under one predicate"));
        }
        self.cues.entry(words[0].clone()).or_default().push(Cue { words, predicate, order, kind });
        Ok(())
    }

    fn type_numbers(&self, names: &[String], label: &str) -> Result<Vec<TypeNo>, String> {
        let number = |name: &String| {
            let index = self.types.iter().position(|it| it == name);
            index.and_then(|it| u16::try_from(it).ok()).map(TypeNo).ok_or_else(|| {
                format!("predicate `{label}` names the type `{name}`, which is not among the types")
            })
        };
        names.iter().map(number).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    types: Vec<TomlType>,
    predicates: Vec<TomlPredicate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlType {
    name: String,
    nouns: Vec<String>,
    #[serde(default)]
    name_endings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlPredicate {
    label: String,
    #[serde(default)]
    domain: Vec<String>,
    #[serde(default)]
    range: Vec<String>,
    #[serde(default)]
    values: Vec<ValueKind>,
    pattern: Option<Pattern>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    nouns: Vec<String>,
    #[serde(default)]
    inverse_verbs: Vec<String>,
    #[serde(default)]
    inverse_nouns: Vec<String>,
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[test]
    fn every_shipped_ontology_is_valid() {
        for text in [
            include_str!("culture.toml"),
            include_str!("essays.toml"),
            include_str!("support_requests.toml"),
        ] {
            let ontology = OntologyFile::parse(text).unwrap();
            let cued: FxHashSet<usize> =
                ontology.cues.values().flatten().map(|it| it.predicate).collect();
            assert_eq!(
                cued.len(),
                ontology.predicates.len(),
                "a predicate without a cue can never be found"
            );
        }
    }

    #[test]
    fn nouns_and_name_endings_give_types() {
        let culture = shipped(Ontology::Culture);
        let name = |it: Option<TypeNo>| it.map_or("unknown", |it| culture.type_name(it));
        assert_eq!(name(culture.type_of_noun("screenwriter")), "person");
        assert_eq!(name(culture.type_of_noun("weather")), "unknown");
        assert_eq!(name(culture.type_of_name("Northlight Pictures")), "organisation");
        assert_eq!(name(culture.type_of_name("Pictures")), "unknown");
    }

    #[test]
    fn the_longest_cue_comes_first() {
        let culture = shipped(Ontology::Culture);
        let lengths: Vec<usize> =
            culture.cues_from("born").iter().map(|it| it.words.len()).collect();
        assert!(lengths.is_sorted_by(|a, b| a >= b), "{lengths:?}");
        assert_eq!(culture.predicate(culture.cue(&["born", "in"]).unwrap()).label, "born in");
    }

    fn check_refusal(text: &str, expected: Expect) {
        expected.assert_eq(&OntologyFile::parse(text).unwrap_err());
    }

    #[test]
    fn faulty_files_are_refused() {
        let types = "[[types]]\nname = \"person\"\nnouns = [\"poet\"]\n";
        check_refusal(
            &format!(
                "{types}[[predicates]]\nlabel = \"knows\"\ndomain = [\"persn\"]\nverbs = [\"knows\"]"
            ),
            expect!["predicate `knows` names the type `persn`, which is not among the types"],
        );
        check_refusal(
            &format!(
                "{types}[[predicates]]\nlabel = \"knows\"\nverbs = [\"knows\"]\nnouns = [\"knows\"]"
            ),
            expect!["cue `knows` occurs twice; keep it under one predicate"],
        );
        check_refusal(
            &format!("{types}[[predicates]]\nlabel = \"knows\"\nverbs = [\"Knows  of\"]"),
            expect!["cue `Knows  of` must be words in lower case with one space between them"],
        );
        check_refusal(
            &format!("{types}{types}predicates = []")
                .replace("predicates = []", "[[predicates]]\nlabel = \"knows\""),
            expect!["type `person` occurs twice; merge the two"],
        );
        check_refusal(
            &format!(
                "{types}[[predicates]]\nlabel = \"born\"\nrange = [\"person\"]\nvalues = [\"date\"]\nverbs = [\"born\"]"
            ),
            expect!["predicate `born` has both `range` and `values`; make it two predicates"],
        );
    }
}
