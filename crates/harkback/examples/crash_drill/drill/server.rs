//! The server as a child process, its callers, and `harkback verify`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

const START: Duration = Duration::from_secs(120);
/// What a killed server left behind is removed at the next start, beside the first requests.
const SWEEP: Duration = Duration::from_secs(20);

/// Status and body; `None` if the server is gone.
pub(super) type Reply = Option<(u16, Value)>;

/// A running server, killed when dropped.
pub(super) struct Server {
    child: Child,
    /// The server's own process, where the child is one that watches it.
    watched: Option<String>,
    pub(super) url: String,
}

impl Server {
    /// Starts a server on a free port and waits until it listens.
    pub(super) fn start(binary: &Path, data: &Path) -> Result<Self, String> {
        Self::run(Command::new(binary), data)
    }

    /// The same, with its system calls written down in `trace`.
    pub(super) fn traced(binary: &Path, data: &Path, trace: &Path) -> Result<Self, String> {
        let mut strace = Command::new("strace");
        // Whole texts in hexadecimal digits, and what each descriptor is.
        strace.args(["--follow-forks", "--seccomp-bpf", "-y", "-xx", "-s", "16777216"]);
        strace.args(["-e", &format!("trace={}", super::trace::CALLS), "-o"]).arg(trace).arg(binary);
        let mut server = Self::run(strace, data)
            .map_err(|why| format!("{why}; this needs `strace` (Debian: apt install strace)"))?;
        let pid = server.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.map_err(|it| it.to_string())?;
        server.watched = children.split_whitespace().next().map(str::to_owned);
        Ok(server)
    }

    fn run(mut command: Command, data: &Path) -> Result<Self, String> {
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("HARKBACK_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let errors = child.stderr.take().ok_or("standard error is piped")?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix("listening on ") {
                    _ = sender.send(url.to_owned());
                }
            }
        });
        match receiver.recv_timeout(START) {
            Ok(url) => Ok(Self { child, watched: None, url }),
            Err(_) => {
                _ = child.kill();
                Err("the server does not listen".to_owned())
            }
        }
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) -> Result<(), String> {
        if let Some(pid) = self.watched.take() {
            // Who watches ends when there is nothing left to watch.
            let killed = Command::new("kill").args(["-9", &pid]).status();
            killed.and_then(|_| self.child.wait()).map_err(|it| it.to_string())?;
            return Ok(());
        }
        self.child.kill().and_then(|()| self.child.wait()).map_err(|it| it.to_string())?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.kill();
    }
}

/// A caller with connections of its own.
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    pub(super) fn new(url: &str, key: &str) -> Self {
        Self { http: reqwest::Client::new(), url: url.to_owned(), key: key.to_owned() }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply, String> {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Reply, String> {
        self.send(self.http.post(format!("{}{path}", self.url)).json(body)).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Reply, String> {
        self.send(self.http.delete(format!("{}{path}", self.url))).await
    }

    /// Deletes something, and returns the id of the receipt.
    pub(super) async fn delete_with_receipt(&self, path: &str) -> Result<String, String> {
        let request =
            self.http.delete(format!("{}{path}", self.url)).header("x-api-key", &self.key);
        let response = request.send().await.map_err(|it| it.to_string())?;
        let receipt = response.headers().get("x-receipt-id").and_then(|it| it.to_str().ok());
        receipt.map(str::to_owned).ok_or_else(|| format!("{path}: no receipt"))
    }

    pub(super) async fn put(&self, url: &str, body: &str) -> Result<Reply, String> {
        self.send(self.http.put(url).body(body.to_owned())).await
    }

    /// The body of an answer that must have this status.
    pub(super) fn expect(&self, status: u16, reply: Reply) -> Result<Value, String> {
        match reply {
            Some((got, body)) if got == status => Ok(body),
            Some((got, body)) => Err(format!("answered {got}, not {status}: {body}")),
            None => Err("the server is gone".to_owned()),
        }
    }

    /// An answer counts when it came whole.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, String> {
        let Ok(response) = request.header("X-API-Key", &self.key).send().await else {
            return Ok(None);
        };
        let status = response.status().as_u16();
        match response.bytes().await {
            Err(_) => Ok(None),
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(body) => Ok(Some((status, body))),
                Err(error) => Err(format!("{status} with a body that is no JSON: {error}")),
            },
        }
    }
}

/// Makes an account with a key.
pub(super) fn create_key(binary: &Path, data: &Path) -> Result<String, String> {
    let output = run(binary, &["keys", "create", "--account", "drill", "--data"], data)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// `harkback verify` on a running server's directory: no defect, and nothing left over once the sweep was there.
pub(super) async fn verify_until_clean(binary: &Path, data: &Path) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let leftovers = verify(binary, data, |_| false)?;
        if leftovers.is_empty() {
            return Ok(());
        }
        if began.elapsed() > SWEEP {
            return Err(format!("still left over: {leftovers:?}"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// `harkback verify` where no server runs: no defect; what a killed process leaves may be there.
pub(super) fn verify_dead(binary: &Path, data: &Path) -> Result<(), String> {
    verify(binary, data, |_| false).map(|_| ())
}

/// Leftovers that `harkback verify` finds, if it finds no defect but those that `may_be`.
pub(super) fn verify(
    binary: &Path,
    data: &Path,
    may_be: impl Fn(&str) -> bool,
) -> Result<Vec<String>, String> {
    let output = Command::new(binary)
        .args(["verify", "--json", "--data"])
        .arg(data)
        .output()
        .map_err(|error| error.to_string())?;
    let found: Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("verify: {}", String::from_utf8_lossy(&output.stderr)))?;
    let texts = |key: &str| -> Vec<String> {
        let texts = found[key].as_array().map_or(&[][..], Vec::as_slice);
        texts.iter().map(super::text).collect()
    };
    let defects: Vec<String> = texts("defects").into_iter().filter(|it| !may_be(it)).collect();
    if defects.is_empty() { Ok(texts("leftovers")) } else { Err(format!("verify: {defects:#?}")) }
}

fn run(binary: &Path, args: &[&str], data: &Path) -> Result<Output, String> {
    let output = Command::new(binary).args(args).arg(data).output();
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(format!("{args:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}
