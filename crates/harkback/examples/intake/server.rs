//! The server as a child process, somebody who calls it, and how much memory it and its own children have.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{Result, listening};

/// A server of our own; it ends with this value.
pub(crate) struct Running {
    child: Child,
    pub(crate) url: String,
}

impl Running {
    /// With the models of a directory, or without any.
    pub(crate) fn start(server: &Path, data: &Path, models: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(server);
        command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--data"]).arg(data);
        command.args(["--max-file-bytes", "20000000000"]);
        match models {
            Some(dir) => _ = command.arg("--models").arg(dir),
            // It cannot fetch any, and says so.
            None => {
                command.env("PIP_NO_INDEX", "1").arg("--models").arg(data.join("no-models"));
            }
        }
        let (child, url) = listening::start(&mut command)?;
        Ok(Self { child, url })
    }

    pub(crate) fn memory(&self) -> Memory {
        let server = Memory::of(self.child.id());
        let children = children(self.child.id());
        let parsers = children.into_iter().map(Memory::of).fold(0, |sum, it| sum + it.server);
        Memory { parsers, ..server }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Megabytes that lie in RAM.
#[derive(Clone, Copy, Default)]
pub(crate) struct Memory {
    /// All of the server's own.
    pub(crate) server: u64,
    /// Of that, pages of files, which the system takes back when it needs them.
    pub(crate) of_files: u64,
    /// Of the processes that parse.
    pub(crate) parsers: u64,
}

impl Memory {
    fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let megabytes = |field: &str| {
            let line = status.lines().find_map(|it| it.strip_prefix(field));
            let number = line.and_then(|it| it.trim().trim_end_matches(" kB").parse::<u64>().ok());
            number.unwrap_or(0) / 1024
        };
        Self { server: megabytes("VmRSS:"), of_files: megabytes("RssFile:"), parsers: 0 }
    }

    /// The larger of each number.
    pub(crate) fn peak(self, other: Self) -> Self {
        Self {
            server: self.server.max(other.server),
            of_files: self.of_files.max(other.of_files),
            parsers: self.parsers.max(other.parsers),
        }
    }
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    lists
        .flat_map(|it| it.split_whitespace().filter_map(|it| it.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Somebody with a key.
pub(crate) struct Caller {
    http: Client,
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Caller {
    pub(crate) fn new(running: &Running, server: &Path, data: &Path) -> Result<Self> {
        let made = Command::new(server)
            .args(["keys", "create", "--account", "intake", "--data"])
            .arg(data)
            .output()?;
        let key = String::from_utf8(made.stdout)?.trim().to_owned();
        Ok(Self { http: Client::new(), url: running.url.clone(), key })
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).header("x-api-key", &self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.request(Method::GET, path).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    pub(crate) async fn create_memory(&self, name: &str) -> Result<String> {
        let body = json!({"name": name, "memoryType": "graph", "ontology": "culture"});
        let made = self.request(Method::POST, "/memories/create").json(&body).send().await?;
        let made: Value = made.error_for_status()?.json().await?;
        Ok(made["data"]["id"].as_str().ok_or("an id")?.to_owned())
    }

    /// Starts `harkback ingest`, which uploads the file and waits for its end.
    pub(crate) fn ingest(&self, server: &Path, memory: &str, file: &Path) -> Result<Child> {
        Ok(Command::new(server)
            .args(["ingest", "--memory", memory, "--url", &self.url])
            .env("HARKBACK_API_KEY", &self.key)
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?)
    }
}
