//! How is one sequence of tokens run through one ONNX model?

use std::sync::Arc;

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, Value};
use rten_tensor::NdTensor;
use tokenizers::Tokenizer;

use crate::error::{Error, Result};

/// Longer texts are cut before tokenising: no input of 512 tokens is worth reading beyond this, whatever it is made of.
const MAX_BYTES: usize = 64 * 1024;

/// A BERT-like model with its tokenizer. Inputs are never batched: int8 quantisation is per tensor, so in a batch a
/// text's result would depend on its neighbours.
pub(super) struct Transformer {
    model: Model,
    inputs: [NodeId; 3],
    output: NodeId,
    tokenizer: Tokenizer,
    cls: i32,
    sep: i32,
    max_tokens: usize,
}

impl Transformer {
    /// The model in `onnx`, whose result is its output called `output`.
    pub(super) fn new(
        onnx: Vec<u8>,
        tokenizer: &[u8],
        output: &str,
        max_tokens: usize,
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
            output: node(&model, output)?,
            cls: special(&tokenizer, "[CLS]")?,
            sep: special(&tokenizer, "[SEP]")?,
            model,
            tokenizer,
            max_tokens,
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
    pub(super) fn run_single<const N: usize>(
        &self,
        tokens: &[i32],
        threads: &Arc<ThreadPool>,
    ) -> Result<NdTensor<f32, N>> {
        let ids = self.framed(tokens);
        let types = vec![0; ids.len()];
        self.run(ids, types, threads)
    }

    /// Runs `[CLS] first [SEP] second [SEP]`.
    pub(super) fn run_pair<const N: usize>(
        &self,
        first: &[i32],
        second: &[i32],
        threads: &Arc<ThreadPool>,
    ) -> Result<NdTensor<f32, N>> {
        let mut ids = self.framed(first);
        let mut types = vec![0; ids.len()];
        ids.extend(second);
        ids.push(self.sep);
        types.resize(ids.len(), 1);
        self.run(ids, types, threads)
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
    ) -> Result<NdTensor<f32, N>> {
        let shape = [1, ids.len()];
        let mask = vec![1; ids.len()];
        let [ids_id, mask_id, types_id] = self.inputs;
        let inputs = vec![
            (ids_id, NdTensor::from_data(shape, ids).into()),
            (mask_id, NdTensor::from_data(shape, mask).into()),
            (types_id, NdTensor::from_data(shape, types).into()),
        ];
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(threads)));
        let [output]: [Value; 1] = self
            .model
            .run_n(inputs, [self.output], Some(options))
            .map_err(|e| Error::Model(format!("cannot run: {e}")))?;
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
