//! Of which type is a name, as far as the sentences at hand say so?

use rustc_hash::FxHashMap;

use crate::index::without_brackets;
use crate::ontology::{OntologyFile, TypeNo};

/// Types of names, learnt from describing sentences; otherwise told from the name itself.
#[derive(Debug)]
pub(super) struct Types<'a> {
    pub(super) ontology: &'a OntologyFile,
    learnt: FxHashMap<String, TypeNo>,
}

impl<'a> Types<'a> {
    pub(super) fn new(ontology: &'a OntologyFile) -> Self {
        Self { ontology, learnt: FxHashMap::default() }
    }

    /// Learns what a title says in brackets: "The Long Winter (2004 film)".
    pub(super) fn learn_title(&mut self, title: &str) {
        if let Some(type_no) = bracketed_noun(title).and_then(|it| self.ontology.type_of_noun(it)) {
            self.learn(title, type_no);
        }
    }

    /// Keeps what is said first about a name.
    pub(super) fn learn(&mut self, name: &str, type_no: TypeNo) {
        self.learnt.entry(fold(name)).or_insert(type_no);
    }

    pub(super) fn of(&self, name: &str) -> Option<TypeNo> {
        self.learnt.get(&fold(name)).copied().or_else(|| self.ontology.type_of_name(name))
    }

    /// Whether a name may stand where these types are asked for: an unknown type fits everywhere.
    pub(super) fn fits(&self, name: &str, types: &[TypeNo]) -> bool {
        types.is_empty() || self.of(name).is_none_or(|it| types.contains(&it))
    }

    pub(super) fn is_person(&self, name: &str) -> bool {
        self.of(name).is_some_and(|it| self.ontology.type_name(it) == "person")
    }

    /// Whether a name is known to be of one of these types.
    pub(super) fn is(&self, name: &str, types: &[TypeNo]) -> bool {
        self.of(name).is_some_and(|it| types.contains(&it))
    }
}

/// A name as it is compared: lower case, without the brackets at its end and a leading article.
pub(super) fn fold(name: &str) -> String {
    let lower = without_brackets(name).to_lowercase();
    lower.strip_prefix("the ").map_or_else(|| lower.clone(), str::to_owned)
}

/// "film" in "The Long Winter (2004 film)".
fn bracketed_noun(name: &str) -> Option<&str> {
    let (_, inside) = name.strip_suffix(')')?.rsplit_once('(')?;
    inside.rsplit(' ').next()
}
