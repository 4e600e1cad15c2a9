//! How the commands talk to a running server: the public API over HTTP, and nothing else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::{Body, Client, RequestBuilder, Response, Url};
use serde_json::{Value, json};

/// Where the server is and who asks.
#[derive(Args, Clone, Debug)]
pub(super) struct RemoteArgs {
    /// Address of the running server
    #[arg(long, env = "HARKBACK_URL", default_value = "http://127.0.0.1:8787")]
    pub(super) url: String,
    /// API key, made by `harkback keys create`; other users of the machine can read it here, so rather set HARKBACK_API_KEY
    #[arg(long, env = "HARKBACK_API_KEY", hide_env_values = true)]
    pub(super) key: Option<String>,
    /// File that holds the API key and nothing else; comes before the other two
    #[arg(long, value_name = "FILE")]
    pub(super) key_file: Option<PathBuf>,
}

/// A server and a key to it.
#[derive(Clone)]
pub(super) struct Remote {
    http: Client,
    url: Url,
    key: String,
}

/// Why a call brought no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    /// The server refused it, in its own words.
    #[error("{0}")]
    Refused(String),
    /// Nothing came back that could be read.
    #[error("cannot reach the server at `{url}`: {reason}; is `harkback serve` running there?")]
    Unreachable {
        /// The server's address.
        url: String,
        /// What went wrong on the way, in the words of who saw it first: the layers above repeat the address.
        reason: String,
    },
    /// Nobody said which key.
    #[error(
        "there is no API key: set HARKBACK_API_KEY, or name a file that holds it with --key-file; `harkback keys create` \
         makes one"
    )]
    KeyMissing,
    /// The address is none.
    #[error("`{0}` is not an address of a server; write one like `http://127.0.0.1:8787`")]
    BadUrl(String),
    /// The file with the key could not be read.
    #[error("cannot read the key in `{path}`")]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file could not be read.
    #[error("cannot read the file")]
    Unreadable(#[source] std::io::Error),
}

impl Remote {
    /// The server that the arguments name.
    ///
    /// # Errors
    /// If the address cannot be parsed, there is no key, or the file with it cannot be read.
    pub(super) fn new(args: &RemoteArgs) -> Result<Self, RemoteError> {
        let url = Url::parse(&args.url).map_err(|_| RemoteError::BadUrl(args.url.clone()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RemoteError::BadUrl(args.url.clone()));
        }
        let key = match (&args.key_file, &args.key) {
            (Some(path), _) => std::fs::read_to_string(path)
                .map_err(|source| RemoteError::NoKey { path: path.clone(), source })?
                .trim()
                .to_owned(),
            (None, key) => key.clone().unwrap_or_default(),
        };
        if key.is_empty() {
            return Err(RemoteError::KeyMissing);
        }
        Ok(Self { http: Client::new(), url, key })
    }

    /// Asks for a page; `params` need no escaping.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub(super) async fn get(
        &self,
        path: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, RemoteError> {
        self.send(self.http.get(self.asking(path, params)).timeout(Duration::from_secs(60))).await
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, RemoteError> {
        self.send(self.http.post(self.at(path)).json(body).timeout(Duration::from_secs(60))).await
    }

    /// Deletes what `path` and `params` name.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub(super) async fn delete(
        &self,
        path: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, RemoteError> {
        self.send(self.http.delete(self.asking(path, params)).timeout(Duration::from_secs(60)))
            .await
    }

    /// Asks for a body that is read as it comes.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub(super) async fn stream(&self, path: &str) -> Result<Response, RemoteError> {
        self.response(self.http.get(self.at(path)).header("X-API-Key", &self.key)).await
    }

    /// Uploads bytes and makes a file of them. Returns the file's id.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub(super) async fn add_file(&self, name: &str, body: Body) -> Result<String, RemoteError> {
        let key = self.upload(name, body).await?;
        let file = self.post("/files/create", &json!({"name": name, "key": key})).await?;
        Ok(text_at(&file, "/data/id")?.to_owned())
    }

    /// Uploads a file from disk, in a stream, and makes a file of that id of it; if there is one already, it gets the bytes.
    ///
    /// # Errors
    /// If the file cannot be read, or the server refuses or does not answer.
    pub(super) async fn put_path(
        &self,
        id: &str,
        name: &str,
        path: &Path,
    ) -> Result<(), RemoteError> {
        let file = tokio::fs::File::open(path).await.map_err(RemoteError::Unreadable)?;
        let key = self.upload(name, Body::from(file)).await?;
        if !self.create_file(&json!({"id": id, "name": name, "key": key})).await? {
            let patch = self.http.patch(self.at(&format!("/files/update/{id}")));
            let body = json!({"name": name, "key": key});
            self.send(patch.json(&body).timeout(Duration::from_secs(60))).await?;
        }
        Ok(())
    }

    /// Makes a file. False if there is one of that id already.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub(super) async fn create_file(&self, body: &Value) -> Result<bool, RemoteError> {
        match self.post("/files/create", body).await {
            Ok(_) => Ok(true),
            Err(RemoteError::Refused(reason)) if reason == "File already exists" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Uploads bytes. Returns their key, of which a file can be made.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub(super) async fn upload(&self, name: &str, body: Body) -> Result<String, RemoteError> {
        let upload = self.post("/files/upload", &json!({"fileName": name})).await?;
        let (url, key) = (text_at(&upload, "/data/uploadUrl")?, text_at(&upload, "/data/key")?);
        let url = Url::parse(url).map_err(|_| RemoteError::BadUrl(url.to_owned()))?;
        self.answer(self.http.put(url).body(body)).await?;
        Ok(key.to_owned())
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value, RemoteError> {
        let text = self.answer(request.header("X-API-Key", &self.key)).await?;
        serde_json::from_str(&text).map_err(|_| not_ours(&text))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<String, RemoteError> {
        self.response(request).await?.text().await.map_err(|source| self.unreachable(source))
    }

    async fn response(&self, request: RequestBuilder) -> Result<Response, RemoteError> {
        let response = request.send().await.map_err(|source| self.unreachable(source))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.map_err(|source| self.unreachable(source))?;
        let error = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|it| Some(it.get("error")?.as_str()?.to_owned()));
        Err(RemoteError::Refused(error.unwrap_or_else(|| format!("the server answered {status}"))))
    }

    fn unreachable(&self, source: reqwest::Error) -> RemoteError {
        let mut cause: &dyn std::error::Error = &source;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        RemoteError::Unreachable { url: self.url.to_string(), reason: cause.to_string() }
    }

    fn asking(&self, path: &str, params: &[(&str, &str)]) -> Url {
        let mut url = self.at(path);
        if !params.is_empty() {
            url.query_pairs_mut().extend_pairs(params);
        }
        url
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }
}

/// The text at a JSON pointer of an answer.
///
/// # Errors
/// If the answer has none, so that what answered is not a server of ours.
pub(super) fn text_at<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, RemoteError> {
    answer.pointer(pointer).and_then(Value::as_str).ok_or_else(|| not_ours(&answer.to_string()))
}

fn not_ours(text: &str) -> RemoteError {
    let start: String = text.chars().take(200).collect();
    RemoteError::Refused(format!(
        "this does not look like a Harkback server; it answered `{start}`"
    ))
}
