//! How good is retrieval? Question sets in BEIR layout, the measures of information retrieval, and runs compared fairly.

mod beir;
mod bootstrap;
mod measures;
mod origin;
mod report;
mod run;
mod scratch;

pub use beir::{Question, QuestionSet};
pub use bootstrap::{Interval, paired_bootstrap};
pub use measures::{MEASURES, Measures, measure};
pub use origin::{Origin, Titles};
pub use report::{Against, AnswerFigures, Report, milliseconds};
pub use run::{Run, read_run, write_run};
pub use scratch::Scratch;
