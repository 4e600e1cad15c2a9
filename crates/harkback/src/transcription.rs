//! Who hears recordings? An endpoint that speaks OpenAI's `/audio/transcriptions`, if the settings name one.

use std::time::Duration;

use harkback_engine::{Recording, Transcriber, Transcript, Utterance};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Client, redirect};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::config::Config;

/// An hour of speech takes minutes on a slow machine.
const TIMEOUT: Duration = Duration::from_secs(3600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A transcript of a day is some megabytes.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// The transcriber that the settings name, if they name one.
///
/// # Errors
/// If no client can be made.
pub fn transcriber(config: &Config) -> reqwest::Result<Option<Transcriber>> {
    let Some(base) = &config.transcription_url else { return Ok(None) };
    let endpoint = Endpoint {
        url: format!("{base}/audio/transcriptions"),
        model: config.transcription_model.clone(),
        key: config.transcription_key.as_ref().map(|it| it.reveal().to_owned()),
        client: Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::none())
            .build()?,
    };
    Ok(Some(Transcriber::new(move |recording| {
        let endpoint = endpoint.clone();
        async move { endpoint.transcribe(recording).await }
    })))
}

#[derive(Clone)]
struct Endpoint {
    url: String,
    model: String,
    key: Option<String>,
    client: Client,
}

/// `verbose_json`; endpoints that do not know it answer the text alone.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    text: String,
    #[serde(default)]
    segments: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    start: f64,
    text: String,
}

impl Endpoint {
    async fn transcribe(&self, recording: Recording) -> Transcript {
        let form = self
            .form(&recording)
            .await
            .map_err(|e| format!("the recording cannot be read ({e})"))?;
        let mut request = self.client.post(&self.url).multipart(form);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        let unreachable = |_| {
            "the transcription endpoint does not answer: start the ingestion again later".to_owned()
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MAX_ANSWER_BYTES {
                return Err(
                    "the transcription endpoint answers too much: split the recording".into()
                );
            }
        }
        if !status.is_success() {
            return Err(refused(status.as_u16()));
        }
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| {
            "the transcription endpoint answers something else than JSON".to_owned()
        })?;
        Ok(utterances(answer))
    }

    async fn form(&self, recording: &Recording) -> std::io::Result<Form> {
        let file = tokio::fs::File::open(&recording.path).await?;
        let n_bytes = file.metadata().await?.len();
        let body = Body::wrap_stream(ReaderStream::new(file));
        let part = Part::stream_with_length(body, n_bytes).file_name(recording.name.clone());
        Ok(Form::new()
            .text("model", self.model.clone())
            .text("response_format", "verbose_json")
            .part("file", part))
    }
}

fn refused(status: u16) -> String {
    let what = match status {
        401 | 403 => "refuses the key: set `transcription_key`",
        404 => "is not at that address: correct `transcription_url`",
        413 => "finds the recording too large: split it",
        400 | 415 | 422 => "cannot read the recording: convert it, to MP3 for example",
        _ => "failed: start the ingestion again later",
    };
    format!("the transcription endpoint answered {status} and {what}")
}

fn utterances(answer: Answer) -> Vec<Utterance> {
    if answer.segments.is_empty() {
        return vec![Utterance { start_seconds: None, text: answer.text }];
    }
    let utterance = |it: Segment| Utterance { start_seconds: Some(it.start), text: it.text };
    answer.segments.into_iter().map(utterance).collect()
}
