//! May this URL of a caller be called? The one HTTP client for addresses that callers and websites name.
//!
//! Host names are judged by what they resolve to, inside the client's own resolver, so that a name cannot change its
//! address between check and use. Redirects are not followed. Private hosts can be allowed by name, or by name and port.

use std::collections::HashSet;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

mod address;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;

use address::is_public;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
const MAX_URL_BYTES: usize = 2048;

/// Why a call did not happen or did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The URL is none that may be called; trying again would not help.
    #[error("{0}")]
    Refused(String),
    /// The call failed on its way.
    #[error("{0}")]
    Failed(String),
    /// More came than was to be read.
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
}

/// What a GET may take.
#[derive(Clone, Copy, Debug)]
pub struct GetLimits {
    /// Most bytes of a body.
    pub max_bytes: usize,
    /// From the first packet to the last byte.
    pub timeout: Duration,
}

/// What a server answered to a GET.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body of a 200; of all else it is not read.
    pub body: Bytes,
}

/// The guarded client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Egress {
    public: Client,
    allowed: Client,
    allowed_hosts: Arc<HashSet<String>>,
}

impl Egress {
    /// A client that calls public addresses, and the private `allowed_hosts`, each a `host` or a `host:port`.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(allowed_hosts: &[String]) -> reqwest::Result<Self> {
        Self::resolving_with(allowed_hosts, look_up)
    }

    fn resolving_with(
        allowed_hosts: &[String],
        look_up: fn(String) -> Addresses,
    ) -> reqwest::Result<Self> {
        let client = || {
            Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TOTAL_TIMEOUT)
                .user_agent(concat!("harkback/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            public: client().dns_resolver(Arc::new(PublicOnly { look_up })).build()?,
            allowed: client().build()?,
            allowed_hosts: Arc::new(
                allowed_hosts.iter().map(|it| it.to_ascii_lowercase()).collect(),
            ),
        })
    }

    /// Parses a URL that may be called, as far as the URL alone can tell: a name is judged when it is resolved.
    ///
    /// # Errors
    /// [`Refused`](EgressError::Refused), with what is wrong in words that go on after the name of a field.
    pub fn check(&self, url: &str) -> Result<Url, EgressError> {
        let refuse = |why: &str| Err(EgressError::Refused(why.into()));
        if url.len() > MAX_URL_BYTES {
            return refuse("must be at most 2048 bytes long");
        }
        let Ok(url) = Url::parse(url) else { return refuse("must be a URL") };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("must be an http or https URL");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("must be a URL without credentials");
        }
        if self.is_allowed(&url) {
            return Ok(url);
        }
        // The URL parser has already turned decimal, octal and hexadecimal spellings into the one form.
        match literal_address(&url) {
            Some(ip) if !is_public(ip) => refuse("must be a URL of a public host"),
            _ => Ok(url),
        }
    }

    /// Posts `body` and returns the HTTP status. Whatever the receiver answers beside it is dropped unread.
    ///
    /// # Errors
    /// If the URL may not be called, or the call fails.
    pub async fn post(
        &self,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<u16, EgressError> {
        let url = self.check(url)?;
        let client = if self.is_allowed(&url) { &self.allowed } else { &self.public };
        match client.post(url).headers(headers).body(body).send().await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) => Err(failure(&error)),
        }
    }

    /// Gets `url`, without following a redirect.
    ///
    /// # Errors
    /// If the URL may not be called, the call fails, or the body is larger than allowed.
    pub async fn get(
        &self,
        url: &str,
        headers: HeaderMap,
        limits: GetLimits,
    ) -> Result<Answer, EgressError> {
        let url = self.check(url)?;
        let client = if self.is_allowed(&url) { &self.allowed } else { &self.public };
        let sent = client.get(url).headers(headers).timeout(limits.timeout).send().await;
        let mut answer = sent.map_err(|error| failure(&error))?;
        let (status, headers) = (answer.status().as_u16(), std::mem::take(answer.headers_mut()));
        if status != 200 {
            return Ok(Answer { status, headers, body: Bytes::new() });
        }
        let mut body = BytesMut::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| failure(&error))?;
            if body.len() + chunk.len() > limits.max_bytes {
                return Err(EgressError::TooLarge(limits.max_bytes));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }

    fn is_allowed(&self, url: &Url) -> bool {
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) => {
                self.allowed_hosts.contains(host)
                    || self.allowed_hosts.contains(&format!("{host}:{port}"))
            }
            _ => false,
        }
    }
}

fn literal_address(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

type Addresses = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Resolves names to their public addresses only. The connection is made to the very addresses that were judged.
struct PublicOnly {
    look_up: fn(String) -> Addresses,
}

fn look_up(name: String) -> Addresses {
    Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.look_up)(name.as_str().to_owned());
        Box::pin(async move {
            let mut public = found.await?;
            public.retain(|it| is_public(it.ip()));
            if public.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the host has no public address")]
struct NoPublicAddress;

/// Tells a refusal of the resolver from a failure of the network. The URL is left out: it may hold a secret.
fn failure(error: &reqwest::Error) -> EgressError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(it) = cause {
        if it.is::<NoPublicAddress>() {
            return EgressError::Refused(it.to_string());
        }
        last = it.to_string();
        cause = it.source();
    }
    if error.is_timeout() {
        last = "no answer came in time".into();
    }
    EgressError::Failed(last)
}

#[cfg(test)]
mod tests;
