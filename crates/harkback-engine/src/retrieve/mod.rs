//! Ranks the passages of one immutable snapshot for a question, over several hops, and turns the best into an answer.
//!
//! [`rank`] is a sum of a few signals, each between 0 and 1 and each a file of its own: where personalised PageRank from
//! the question's entities arrives, the passages these entities are the subject of, the passages whose subject is
//! mentioned there (the next hop), similarity, and similarity with what the question asks beside its names. Nothing here writes, waits or calls a model.

mod answer;
mod chain;
mod context;
mod explain;
mod fact;
mod facts;
mod knowledge;
mod list;
mod pagerank;
mod query;
mod rank;
mod record;
mod relation;
mod similarity;
mod support;
#[cfg(test)]
mod tests;
mod value;
mod without_names;

pub(crate) use answer::{UNKNOWN, choose, readings};
pub(crate) use context::{Context, context};
pub(crate) use explain::explain;
pub(crate) use facts::facts;
pub(crate) use knowledge::knowledge;
pub(crate) use query::Query;
pub(crate) use rank::{RankedNo, rank, rank_by_similarity};
pub(crate) use support::Evidence;
