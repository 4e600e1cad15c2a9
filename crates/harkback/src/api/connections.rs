//! How are connections taken, and when are they closed? A peer that is slow to send its request or to take its answer
//! loses its connection; beyond the most that may be open, of all peers or of one, a connection is told to come back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::intake::MAX_HEAD_BYTES;
use super::peers::Peers;
use super::router;
use crate::app::AppState;
use crate::telemetry;

/// How long open connections may go on after the server was told to end.
const DRAIN_WAIT: Duration = Duration::from_secs(30);

/// Connections that may wait to be taken. With the usual 128, a burst of peers believes to be connected and is not.
const BACKLOG: u32 = 1024;

/// Refused connections that are answered at once; more are closed without an answer.
const MAX_REFUSALS: usize = 256;

/// How long a refused connection may take to read why.
const REFUSAL_WAIT: Duration = Duration::from_secs(1);

const TOO_MANY: &str = "Too many connections";
const TOO_MANY_OF_PEER: &str = "Too many connections from this address";

/// Listens on an address.
///
/// # Errors
/// If the address is taken or is none of this machine's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does: a server that is started again need not wait for old connections.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the API until `app.ending` is cancelled, then lets open requests end.
///
/// # Errors
/// None today: a connection that cannot be taken is logged, and the next one is waited for.
pub async fn serve(app: &AppState, mut listener: TcpListener) -> io::Result<()> {
    app.spawn(telemetry::fold_durations(app.ending.clone()));
    let api = router(app).map_request(|it: Request<Incoming>| it.map(Body::new));
    let api = TowerToHyperService::new(api);
    let http = http(app.config.patience.head);
    let open = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(app.config.max_connections));
    let peers = Peers::new(app.config.connections_per_address());
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    let cut = CancellationToken::new();
    loop {
        let (tcp, address) = tokio::select! {
            taken = Listener::accept(&mut listener) => taken,
            () = app.ending.cancelled() => break,
        };
        let place = match (peers.take(address.ip()), Arc::clone(&room).try_acquire_owned()) {
            (Some(of_peer), Ok(of_all)) => (of_peer, of_all),
            (of_peer, _) => {
                let why = if of_peer.is_none() { TOO_MANY_OF_PEER } else { TOO_MANY };
                if let Ok(place) = Arc::clone(&refusals).try_acquire_owned() {
                    app.spawn(async move {
                        _ = timeout(REFUSAL_WAIT, refuse(tcp, why)).await;
                        drop(place);
                    });
                }
                continue;
            }
        };
        let stream = Box::pin(patient(tcp, app.config.patience.write));
        let connection = open.watch(http.serve_connection(TokioIo::new(stream), api.clone()));
        let cut = cut.clone();
        app.spawn(async move {
            tokio::select! {
                ended = connection => {
                    if let Err(error) = ended {
                        tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke off");
                    }
                }
                () = cut.cancelled() => {}
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = open.shutdown() => {}
        () = sleep(DRAIN_WAIT) => {
            tracing::warn!("connections were closed before their requests had ended");
            cut.cancel();
        }
    }
    Ok(())
}

/// Lets the process open as many files as the system allows it: a connection is one, and the usual limit is 1024.
/// Returns how many that are.
pub fn raise_open_files() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let now = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { limit };
        now.current
    }
    #[cfg(not(unix))]
    None
}

fn http(head: Duration) -> http1::Builder {
    let mut http = http1::Builder::new();
    // Counts while a connection is idle as well.
    // What is read in one piece may be longer than the buffer: `intake` counts once more.
    http.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(MAX_HEAD_BYTES);
    http
}

fn patient(tcp: TcpStream, write: Duration) -> TimeoutStream<TcpStream> {
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(error.message = %error, "answers may wait for the network to fill a packet");
    }
    let mut stream = TimeoutStream::new(tcp);
    stream.set_write_timeout(Some(write));
    stream
}

/// Answers before the request is read, then reads what is on its way, so that the answer is not lost by a reset.
async fn refuse(mut tcp: TcpStream, why: &str) -> io::Result<()> {
    let body = format!("{{\"error\":\"{why}\",\"status\":\"unavailable\",\"message\":\"{why}\"}}");
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    tcp.write_all(answer.as_bytes()).await?;
    tcp.shutdown().await?;
    let mut rest = [0; 1024];
    while tcp.read(&mut rest).await? > 0 {}
    Ok(())
}
