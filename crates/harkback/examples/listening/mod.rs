//! A server as a child process, up to where it says on which address it listens: what the programs that measure a server share.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The models are loaded before a server listens.
const START: Duration = Duration::from_secs(120);

/// Starts `command`, which serves, and returns it with its URL. What else it says is printed.
pub(crate) fn start(
    command: &mut Command,
) -> Result<(Child, String), Box<dyn Error + Send + Sync>> {
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(|error| {
        let program = command.get_program().display();
        format!("{program}: {error}; build it or name it with --server")
    })?;
    let stderr = child.stderr.take().expect("it is piped");
    let (sender, found) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            match line.strip_prefix("listening on ") {
                Some(url) => _ = sender.send(url.to_owned()),
                None => println!("server: {line}"),
            }
        }
    });
    let Ok(url) = found.recv_timeout(START) else {
        _ = child.kill();
        return Err("the server does not listen; what it said stands above".into());
    };
    Ok((child, url))
}
