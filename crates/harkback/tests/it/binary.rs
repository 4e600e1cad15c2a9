//! The real `harkback` binary as a child process: one command and its output, or a server on a loopback port.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Covers the first start on a machine, which brings the models.
const START_TIMEOUT: Duration = Duration::from_secs(300);
const INGESTION_TIMEOUT: Duration = Duration::from_secs(300);
const LISTENING: &str = "listening on ";

/// What a command did.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary to its end.
pub(crate) fn run(args: &[&str]) -> Run {
    let output = command(args).output().expect("the binary starts");
    Run {
        status: output.status,
        stdout: String::from_utf8(output.stdout).expect("standard output is text"),
        stderr: String::from_utf8(output.stderr).expect("standard error is text"),
    }
}

/// Runs the binary and fails the test unless it succeeds.
pub(crate) fn run_well(args: &[&str]) -> Run {
    let run = run(args);
    assert!(
        run.status.success(),
        "harkback {args:?}: {}\n{}\n{}",
        run.status,
        run.stdout,
        run.stderr
    );
    run
}

/// Makes an account with a key, and returns the key.
pub(crate) fn create_key(data: &Path, account: &str) -> String {
    let data = data.to_str().expect("scratch paths are text");
    run_well(&["keys", "create", "--account", account, "--data", data]).stdout.trim().to_owned()
}

/// A running server, killed when dropped.
pub(crate) struct Serving {
    child: Child,
    /// `http://` and the address.
    pub(crate) url: String,
    /// Both outputs, line by line as they came.
    log: Arc<Mutex<String>>,
    /// Standard output alone.
    printed: Arc<Mutex<String>>,
}

impl Serving {
    /// Starts a server on a free port and waits until it listens.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_at(data, "127.0.0.1:0")
    }

    pub(crate) fn start_at(data: &Path, listen: &str) -> Self {
        let data = data.to_str().expect("scratch paths are text");
        Self::launch(&["serve", "--data", data, "--listen", listen])
    }

    /// Starts the quickstart and waits until it has answered and goes on serving. Returns what it printed too.
    pub(crate) fn quickstart(data: &Path) -> (Self, String) {
        let data = data.to_str().expect("scratch paths are text");
        let serving = Self::launch(&["quickstart", "--data", data, "--listen", "127.0.0.1:0"]);
        let began = Instant::now();
        loop {
            let printed = serving.printed.lock().unwrap().clone();
            if let Some((printed, _)) = printed.split_once("/docs") {
                return (serving, printed.to_owned());
            }
            let log = serving.log();
            assert!(
                began.elapsed() < INGESTION_TIMEOUT,
                "the quickstart does not come to its end:\n{log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn launch(args: &[&str]) -> Self {
        let mut child = command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let [log, printed] = [(); 2].map(|()| Arc::new(Mutex::new(String::new())));
        let (sender, receiver) = mpsc::channel();
        let stdout = child.stdout.take().expect("standard output is piped");
        drain(stdout, [&log, &printed].map(Arc::clone), sender.clone());
        drain(child.stderr.take().expect("standard error is piped"), [Arc::clone(&log)], sender);
        match receiver.recv_timeout(START_TIMEOUT) {
            Ok(url) => Self { child, url, log, printed },
            Err(_) => {
                _ = child.kill();
                panic!("the server does not listen:\n{}", log.lock().unwrap())
            }
        }
    }

    /// What the server has written so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `host:port`.
    pub(crate) fn address(&self) -> String {
        self.url.strip_prefix("http://").expect("the server speaks plain HTTP").to_owned()
    }

    /// Kills the process as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("the server is ours to kill");
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Asks the server to stop, as Ctrl-C and service managers do.
    pub(crate) fn signal(mut self, name: &str) -> ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status()
            .expect("`kill` is there");
        assert!(sent.success());
        self.child.wait().expect("a child can be waited for")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A caller of the API with one key.
pub(crate) struct Caller {
    pub(crate) url: String,
    pub(crate) key: String,
    http: reqwest::Client,
}

impl Caller {
    pub(crate) fn new(serving: &Serving, key: &str) -> Self {
        Self { url: serving.url.clone(), key: key.to_owned(), http: http() }
    }

    pub(crate) async fn get(&self, path_and_query: &str) -> (u16, Value) {
        self.answer(self.http.get(format!("{}{path_and_query}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.answer(self.http.post(format!("{}{path}", self.url)).json(&body)).await
    }

    /// Asks a memory; `query` needs no escaping.
    pub(crate) async fn recall(&self, memory_id: &str, query: &str) -> Value {
        let params = [("memoryID", memory_id), ("query", query), ("top_k", "5")];
        let url = reqwest::Url::parse_with_params(&format!("{}/memory", self.url), params)
            .expect("a valid URL");
        let (status, body) = self.answer(self.http.get(url)).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Makes a graph memory and returns its id.
    pub(crate) async fn create_memory(&self, name: &str) -> String {
        let body = serde_json::json!({"name": name, "memoryType": "graph", "ontology": "support_requests"});
        let (status, body) = self.post("/memories/create", body).await;
        assert_eq!(status, 201, "{body}");
        body["data"]["id"].as_str().expect("ids are text").to_owned()
    }

    /// Polls the memory until `is_reached` says so of its record.
    pub(crate) async fn wait_for(
        &self,
        memory_id: &str,
        is_reached: impl Fn(&Value) -> bool,
    ) -> Value {
        let began = Instant::now();
        loop {
            let (status, body) = self.get(&format!("/memories/get/{memory_id}")).await;
            assert_eq!(status, 200, "{body}");
            if is_reached(&body["data"]) {
                return body["data"].clone();
            }
            assert!(began.elapsed() < INGESTION_TIMEOUT, "not reached: {body}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let response =
            request.header("X-API-Key", &self.key).send().await.expect("the server answers");
        let status = response.status().as_u16();
        (status, response.json().await.expect("every answer is JSON"))
    }
}

/// Commands run for seconds between two requests, and the server closes what is idle; so nothing is kept open.
fn http() -> reqwest::Client {
    reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a plain client")
}

/// Reads a pipe to its end, lest a full one stop the server, and tells the address once it is there.
fn drain<const N: usize>(
    pipe: impl Read + Send + 'static,
    logs: [Arc<Mutex<String>>; N],
    sender: mpsc::Sender<String>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let Some((_, url)) = line.split_once(LISTENING) {
                let url = url.trim_matches(|it: char| it.is_whitespace() || "\"},".contains(it));
                _ = sender.send(url.to_owned());
            }
            for log in &logs {
                log.lock().unwrap().push_str(&format!("{line}\n"));
            }
        }
    });
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harkback"));
    command.args(args).stdin(Stdio::null());
    command
}
