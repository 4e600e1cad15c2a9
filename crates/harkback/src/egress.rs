//! May this URL of a caller be called? The one HTTP client for addresses that callers name.
//!
//! Host names are judged by what they resolve to, inside the client's own resolver, so that a name cannot change its
//! address between check and use. Redirects are not followed. Private hosts can be allowed by name, or by name and port.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

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
        let client = || {
            Client::builder()
                .redirect(Policy::none())
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(TOTAL_TIMEOUT)
                .user_agent(concat!("harkback/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            public: client().dns_resolver(Arc::new(PublicOnly)).build()?,
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

/// Resolves names to their public addresses only.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|it| is_public(it.ip())).collect();
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
        last = "the receiver did not answer in time".into();
    }
    EgressError::Failed(last)
}

/// Whether an address is one of the public internet: not private, local, shared, reserved or a cloud's metadata service.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => (b, c) == (0, 0) || (b, c) == (0, 2) || (b, c) == (88, 99) || b == 168,
        198 => b == 18 || b == 19 || (b, c) == (51, 100),
        203 => (b, c) == (0, 113),
        224.. => true,
        _ => false,
    };
    // Azure's platform address lies in public space.
    !special && ip != Ipv4Addr::new(168, 63, 129, 16)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0x2002, high, low, ..] => embedded(high, low),
        // Teredo, ORCHID and the other protocol assignments; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Only 2000::/3 is global unicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(allowed: &[&str]) -> Egress {
        Egress::new(&allowed.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn urls_that_may_not_be_called() {
        let egress = egress(&[]);
        for (url, why) in [
            ("", "must be a URL"),
            ("example.com/hook", "must be a URL"),
            ("http://", "must be a URL"),
            ("http://[::1", "must be a URL"),
            ("http://999.1.1.1/", "must be a URL"),
            ("ftp://example.com/", "must be an http or https URL"),
            ("file:///etc/passwd", "must be an http or https URL"),
            ("gopher://example.com/", "must be an http or https URL"),
            ("javascript:alert(1)", "must be an http or https URL"),
            ("http://user@example.com/", "must be a URL without credentials"),
            ("http://user:pw@example.com/", "must be a URL without credentials"),
            ("http://example.com@127.0.0.1/", "must be a URL without credentials"),
            ("http://127.0.0.1/", "must be a URL of a public host"),
            ("http://127.1/", "must be a URL of a public host"),
            ("http://2130706433/", "must be a URL of a public host"),
            ("http://0x7f000001/", "must be a URL of a public host"),
            ("http://0x7f.0.0.1/", "must be a URL of a public host"),
            ("http://0177.0.0.1/", "must be a URL of a public host"),
            ("http://017700000001/", "must be a URL of a public host"),
            ("http://127.0.0.1./", "must be a URL of a public host"),
            ("http://%31%32%37.0.0.1/", "must be a URL of a public host"),
            ("http://①②⑦.0.0.1/", "must be a URL of a public host"),
            ("http://0/", "must be a URL of a public host"),
            ("http://10.1.2.3/", "must be a URL of a public host"),
            ("http://169.254.169.254/latest/meta-data/", "must be a URL of a public host"),
            ("http://0xa9fea9fe/", "must be a URL of a public host"),
            ("http://[::1]/", "must be a URL of a public host"),
            ("http://[::ffff:127.0.0.1]/", "must be a URL of a public host"),
            ("http://[::ffff:a9fe:a9fe]/", "must be a URL of a public host"),
            ("http://[fd00:ec2::254]/", "must be a URL of a public host"),
            ("http://[fe80::1]/", "must be a URL of a public host"),
        ] {
            assert_eq!(egress.check(url).unwrap_err().to_string(), why, "{url}");
        }
        let long = format!("https://example.com/{}", "a".repeat(2048));
        assert_eq!(egress.check(&long).unwrap_err().to_string(), "must be at most 2048 bytes long");
        for url in
            ["https://example.com/hook?a=b", "http://1.1.1.1:8080/", "http://[2606:4700::1111]/"]
        {
            egress.check(url).unwrap();
        }
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for ip in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.1.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_its_addresses_and_an_allowed_host_by_its_port() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let post = |egress: Egress, url: String| async move {
            egress.post(&url, HeaderMap::new(), Bytes::new()).await
        };
        let app = axum::Router::new()
            .route(
                "/to",
                axum::routing::post(|| async { axum::response::Redirect::temporary("/there") }),
            )
            .route("/there", axum::routing::post(|| async { "never reached" }));
        let server = async { axum::serve(listener, app).await.unwrap() };
        let calls = async {
            let refused =
                post(egress(&[]), format!("http://localhost:{port}/there")).await.unwrap_err();
            assert_eq!(refused.to_string(), "the host has no public address");
            assert!(matches!(refused, EgressError::Refused(_)));
            let other_port = format!("localhost:{}", port ^ 1);
            assert!(
                post(egress(&[&other_port]), format!("http://localhost:{port}/there"))
                    .await
                    .is_err()
            );
            let allowed = egress(&[&format!("localhost:{port}"), &format!("127.0.0.1:{port}")]);
            assert_eq!(
                post(allowed.clone(), format!("http://localhost:{port}/there")).await.unwrap(),
                200
            );
            assert_eq!(
                post(allowed, format!("http://2130706433:{port}/to")).await.unwrap(),
                307,
                "not followed"
            );
        };
        tokio::select! { () = server => {}, () = calls => {} }
    }
}
