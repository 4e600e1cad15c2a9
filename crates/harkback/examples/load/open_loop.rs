//! How fast are answers when requests come by the clock, whether earlier ones were answered or not? Arrival times are
//! fixed in advance and latency counts from them, so a stall is seen by everyone who came during it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{RequestBuilder, StatusCode, header};
use tokio::time::{Instant, sleep_until};

/// What a class of calls met.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// From the intended start to the end of the answer, of calls answered 2xx; sorted.
    pub(super) latencies: Vec<Duration>,
    /// Calls told to come back: 429 or 503 with `Retry-After`.
    pub(super) n_shed: usize,
    /// All other ends, by what they were.
    pub(super) errors: BTreeMap<String, usize>,
}

/// Sends `per_second` requests a second for as long as `lasting`, each made by `request` from its number.
pub(super) async fn run(
    per_second: u32,
    lasting: Duration,
    request: impl Fn(usize) -> RequestBuilder,
) -> Tally {
    let n = (lasting.as_secs_f64() * f64::from(per_second)) as usize;
    let start = Instant::now();
    let calls = futures_util::stream::iter(0..n).map(|i| {
        let due = start + Duration::from_secs_f64(i as f64 / f64::from(per_second));
        let request = &request;
        async move {
            sleep_until(due).await;
            let end = end(request(i)).await;
            (end, due.elapsed())
        }
    });
    let mut tally = Tally::default();
    let mut calls = calls.buffer_unordered(n.max(1));
    while let Some((end, latency)) = calls.next().await {
        tally.count(end, latency);
    }
    tally.latencies.sort_unstable();
    tally
}

/// Calls answered in a second by a server that always has `at_once` of them.
pub(super) async fn capacity(
    at_once: usize,
    lasting: Duration,
    request: impl Fn(usize) -> RequestBuilder,
) -> f64 {
    let start = Instant::now();
    let calls = futures_util::stream::iter(0..)
        .take_while(|_| std::future::ready(start.elapsed() < lasting))
        .map(|i| end(request(i)))
        .buffer_unordered(at_once);
    let answered = calls.filter(|it| std::future::ready(matches!(it, End::Answered)));
    answered.count().await as f64 / start.elapsed().as_secs_f64()
}

enum End {
    Answered,
    Shed,
    Error(String),
}

async fn end(request: RequestBuilder) -> End {
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return End::Error(format!("no answer: {}", root(&error))),
    };
    let status = response.status();
    let may_retry = response.headers().contains_key(header::RETRY_AFTER);
    match (status, response.bytes().await) {
        (_, Err(error)) => End::Error(format!("half an answer: {}", root(&error))),
        (it, Ok(_)) if it.is_success() => End::Answered,
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) if may_retry => {
            End::Shed
        }
        (it, Ok(body)) => End::Error(format!("{it}: {}", String::from_utf8_lossy(&body))),
    }
}

fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

impl Tally {
    fn count(&mut self, end: End, latency: Duration) {
        match end {
            End::Answered => self.latencies.push(latency),
            End::Shed => self.n_shed += 1,
            End::Error(what) => *self.errors.entry(what).or_default() += 1,
        }
    }

    fn quantile(&self, q: f64) -> f64 {
        let at = ((self.latencies.len() as f64 * q).ceil() as usize).saturating_sub(1);
        self.latencies.get(at).map_or(f64::NAN, |it| it.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1.0].map(|q| self.quantile(q));
        write!(
            f,
            "{:>7} answered  p50 {p50:7.2}  p95 {p95:7.2}  p99 {p99:7.2}  max {max:7.2} ms  {:>6} shed  {} errors",
            self.latencies.len(),
            self.n_shed,
            self.errors.values().sum::<usize>()
        )?;
        self.errors.iter().try_for_each(|(what, n)| write!(f, "\n    {n} × {what}"))
    }
}
