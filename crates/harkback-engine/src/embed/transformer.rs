//! How is one sequence of tokens run through one ONNX model?

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value, ValueOrView};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use tokenizers::Tokenizer;
use tokio_util::sync::CancellationToken;

use super::manifest::ModelManifest;
use crate::error::{Error, Result};

/// Longer texts are cut before tokenising: no input of 512 tokens is worth reading beyond this, whatever it is made of.
const MAX_BYTES: usize = 64 * 1024;

/// When a run is left because nobody waits for its result any more.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leave<'a> {
    /// Never.
    Never,
    /// Before it begins: it takes some milliseconds.
    Before(&'a CancellationToken),
    /// Also between its pieces, whose result is the same, bit for bit; they take some 4 % more, because rten plans each anew.
    Between(&'a CancellationToken),
}

impl Leave<'_> {
    /// The same for a run that is short.
    pub(super) fn of_short(self) -> Self {
        match self {
            Self::Between(cancelled) => Self::Before(cancelled),
            other => other,
        }
    }

    fn check(self) -> Result<()> {
        match self {
            Self::Before(it) | Self::Between(it) if it.is_cancelled() => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }
}

/// A BERT-like model with its tokenizer. Inputs are never batched: int8 quantisation is per tensor, so in a batch a
/// text's result would depend on its neighbours.
pub(super) struct Transformer {
    model: Model,
    inputs: [NodeId; 3],
    /// Values in the order of the run behind which it can be left and taken up again.
    cuts: Vec<NodeId>,
    output: NodeId,
    tokenizer: Tokenizer,
    cls: i32,
    sep: i32,
    max_tokens: usize,
}

impl Transformer {
    /// The model of `manifest` in `onnx`, whose result is its output called `output`.
    pub(super) fn new(
        manifest: &ModelManifest,
        onnx: Vec<u8>,
        tokenizer: &[u8],
        output: &str,
    ) -> Result<Self> {
        let model = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load(onnx)
            .map_err(|e| Error::Model(format!("cannot load: {e}")))?;
        let mut tokenizer = Tokenizer::from_bytes(tokenizer)
            .map_err(|e| Error::Model(format!("cannot load the tokenizer: {e}")))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| Error::Model(e.to_string()))?;
        Ok(Self {
            inputs: [
                node(&model, "input_ids")?,
                node(&model, "attention_mask")?,
                node(&model, "token_type_ids")?,
            ],
            cuts: manifest.cuts.iter().map(|it| node(&model, it)).collect::<Result<_>>()?,
            output: node(&model, output)?,
            cls: special(&tokenizer, "[CLS]")?,
            sep: special(&tokenizer, "[SEP]")?,
            model,
            tokenizer,
            max_tokens: manifest.max_tokens,
        })
    }

    /// How many tokens of text fit beside `n_special` special ones.
    pub(super) fn room(&self, n_special: usize) -> usize {
        self.max_tokens - n_special
    }

    /// How many tokens a text has, without special ones.
    pub(super) fn count_tokens(&self, text: &str) -> Result<usize> {
        Ok(self.tokens(text)?.len())
    }

    /// The first tokens of a text, at most `n_max`, as numbers in the vocabulary.
    pub(super) fn first_tokens(&self, text: &str, n_max: usize) -> Result<Vec<i32>> {
        let mut tokens = self.tokens(&text[..text.floor_char_boundary(MAX_BYTES)])?;
        tokens.truncate(n_max);
        Ok(tokens)
    }

    /// Runs `[CLS] tokens [SEP]`: the output is a state a token, the special ones included.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was left; otherwise if the model cannot be run.
    pub(super) fn run_single<const N: usize>(
        &self,
        tokens: &[i32],
        threads: &Arc<ThreadPool>,
        leave: Leave<'_>,
    ) -> Result<NdTensor<f32, N>> {
        let ids = self.framed(tokens);
        let types = vec![0; ids.len()];
        self.run(ids, types, threads, leave)
    }

    /// Runs `[CLS] first [SEP] second [SEP]`.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if it was left; otherwise if the model cannot be run.
    pub(super) fn run_pair<const N: usize>(
        &self,
        first: &[i32],
        second: &[i32],
        threads: &Arc<ThreadPool>,
        leave: Leave<'_>,
    ) -> Result<NdTensor<f32, N>> {
        let mut ids = self.framed(first);
        let mut types = vec![0; ids.len()];
        ids.extend(second);
        ids.push(self.sep);
        types.resize(ids.len(), 1);
        self.run(ids, types, threads, leave)
    }

    fn tokens(&self, text: &str) -> Result<Vec<i32>> {
        let encoding = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|e| Error::Model(format!("tokenizer: {e}")))?;
        Ok(encoding.get_ids().iter().map(|id| *id as i32).collect())
    }

    fn framed(&self, tokens: &[i32]) -> Vec<i32> {
        let mut ids = Vec::with_capacity(tokens.len() + 2);
        ids.push(self.cls);
        ids.extend(tokens);
        ids.push(self.sep);
        ids
    }

    fn run<const N: usize>(
        &self,
        ids: Vec<i32>,
        types: Vec<i32>,
        threads: &Arc<ThreadPool>,
        leave: Leave<'_>,
    ) -> Result<NdTensor<f32, N>> {
        let shape = [1, ids.len()];
        let mask = vec![1; ids.len()];
        let inputs = [ids, mask, types].map(|it| NdTensor::from_data(shape, it));
        let cuts = if let Leave::Between(_) = leave { &self.cuts[..] } else { &[] };
        let mut reached: Option<(NodeId, Value)> = None;
        for end in cuts.iter().chain([&self.output]) {
            leave.check()?;
            let given = self.inputs.iter().zip(&inputs).map(|(id, it)| (*id, it.view().into()));
            let mut given: Vec<(NodeId, ValueOrView<'_>)> = given.collect();
            given.extend(reached.take().map(|(id, it)| (id, it.into())));
            let options = RunOptions::default().with_thread_pool(Some(Arc::clone(threads)));
            let [value]: [Value; 1] = self
                .model
                .run_n(given, [*end], Some(options))
                .map_err(|e| Error::Model(format!("cannot run: {e}")))?;
            reached = Some((*end, value));
        }
        let (_, output) = reached.expect("the output is the last end");
        output.try_into().map_err(|e| Error::Model(format!("unexpected output: {e}")))
    }
}

fn node(model: &Model, name: &str) -> Result<NodeId> {
    model.node_id(name).map_err(|_| Error::Model(format!("the graph has no `{name}`")))
}

fn special(tokenizer: &Tokenizer, token: &str) -> Result<i32> {
    let id = tokenizer
        .token_to_id(token)
        .ok_or_else(|| Error::Model(format!("the tokenizer has no `{token}`")))?;
    Ok(id as i32)
}
