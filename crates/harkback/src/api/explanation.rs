//! How was each result of `GET /memory` found? The wire form of an explanation.

use std::collections::BTreeMap;

use harkback_engine::model::{
    ExplainedEntity, ExplainedPassage, ExplainedSignal, Explanation, PathStep,
};
use serde::Serialize;
use utoipa::ToSchema;

/// How the results were found.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExplanationBody {
    /// What the question names of the memory.
    entities: Vec<EntityBody>,
    /// Why each passage stands where it stands, best first.
    passages: Vec<WhyBody>,
}

/// An entity that the question names.
#[derive(Debug, Serialize, ToSchema)]
pub struct EntityBody {
    /// As the question writes it.
    name: String,
    /// The rarer in the memory, the greater.
    idf: f32,
    /// Passages that are about it.
    #[serde(rename = "ownPassages")]
    own_passages: usize,
}

/// Why a passage stands where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhyBody {
    rank: usize,
    #[serde(rename = "fileID")]
    file_id: String,
    /// `_id` of a JSON Lines record.
    #[serde(rename = "recordID")]
    #[schema(required = true)]
    record_id: Option<String>,
    title: String,
    /// From the question over entities and sentences to the passage.
    path: Vec<StepBody>,
    /// Its place in each list of candidates, 1 is best, null where it is not in the list.
    ranks: BTreeMap<String, Option<usize>>,
    signals: Vec<SignalBody>,
    /// The score as a sum: weight × value for each signal, over the greatest sum there can be.
    arithmetic: String,
    /// 0 to 1, 1 is best.
    score: f32,
}

/// A step of a path; a sentence comes with the title of its passage.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum StepBody {
    Entity { name: String },
    Sentence { title: String, text: String },
    Passage { title: String },
}

/// A signal of a passage.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignalBody {
    name: &'static str,
    weight: f32,
    /// 0 to 1.
    value: f32,
}

impl From<Explanation> for ExplanationBody {
    fn from(it: Explanation) -> Self {
        Self {
            entities: it.entities.into_iter().map(EntityBody::from).collect(),
            passages: it.passages.into_iter().map(WhyBody::from).collect(),
        }
    }
}

impl From<ExplainedEntity> for EntityBody {
    fn from(it: ExplainedEntity) -> Self {
        Self { name: it.name, idf: it.idf, own_passages: it.n_own_passages }
    }
}

impl From<ExplainedPassage> for WhyBody {
    fn from(it: ExplainedPassage) -> Self {
        Self {
            arithmetic: arithmetic(&it),
            rank: it.rank,
            file_id: it.file_id,
            record_id: it.record_id,
            title: it.title,
            path: it.path.into_iter().map(StepBody::from).collect(),
            ranks: it.lists.into_iter().map(|(name, rank)| (name.to_owned(), rank)).collect(),
            signals: it.signals.into_iter().map(SignalBody::from).collect(),
            score: it.score,
        }
    }
}

impl From<PathStep> for StepBody {
    fn from(it: PathStep) -> Self {
        match it {
            PathStep::Entity(name) => Self::Entity { name },
            PathStep::Sentence { title, text } => Self::Sentence { title, text },
            PathStep::Passage(title) => Self::Passage { title },
        }
    }
}

impl From<ExplainedSignal> for SignalBody {
    fn from(it: ExplainedSignal) -> Self {
        Self { name: it.name, weight: it.weight, value: it.value }
    }
}

fn arithmetic(it: &ExplainedPassage) -> String {
    let term = |it: &ExplainedSignal| format!("{} × {:.3}", it.weight, it.value);
    let sum: Vec<String> = it.signals.iter().map(term).collect();
    format!("({}) / {:.3} = {:.3}", sum.join(" + "), it.divisor, it.score)
}
