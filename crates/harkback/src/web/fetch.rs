//! What is at an address of the web? One fetch: allowed by `robots.txt`, at a polite rate, each redirect checked anew.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use harkback_engine::model::Validators;
use reqwest::Url;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName,
    HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RETRY_AFTER,
};
use tokio::time::Instant;

use super::robots::{self, Rules};
use super::sitemap::unpack;
use crate::app::App;
use crate::egress::{Answer, EgressError, GetLimits};

const MAX_REDIRECTS: usize = 5;
/// A host that is busy for longer is not waited for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(20);
/// A host that is busy and does not say for how long.
const RETRY_AFTER_UNTOLD: Duration = Duration::from_secs(2);

/// What came of a fetch. Reasons are words fit for the caller.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A body.
    Content(Content),
    /// It is as it was; what to ask with the next time.
    Unchanged(Validators),
    /// It does not exist any more.
    Gone(String),
    /// The site does not want it to be fetched.
    Forbidden(String),
    /// It did not come.
    Failed(String),
}

/// What a server sent.
#[derive(Debug)]
pub(super) struct Content {
    /// Where it was in the end.
    pub(super) url: Url,
    /// Media type in lower case without parameters, or empty.
    pub(super) media_type: String,
    /// The encoding that the server names.
    pub(super) charset: Option<String>,
    /// The bytes.
    pub(super) bytes: Bytes,
    /// For the next time.
    pub(super) validators: Validators,
}

/// Fetches for one site after the rules of each host that it comes to.
pub(super) struct Fetcher<'a> {
    app: &'a App,
    rules: HashMap<String, Rules>,
    last_at: HashMap<String, Instant>,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, rules: HashMap::new(), last_at: HashMap::new() }
    }

    /// Fetches `url`; with validators of an earlier answer, only if it changed since.
    pub(super) async fn fetch(
        &mut self,
        url: &Url,
        known: &Validators,
        max_bytes: usize,
    ) -> Fetched {
        if let Err(error) = self.app.egress.check(url.as_str()) {
            return Fetched::Failed(told(&error));
        }
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            self.learn_rules(&url).await;
            let rules = &self.rules[&origin(&url)];
            if let Some(why) = rules.forbid(url.as_str()) {
                return match rules {
                    Rules::Unknown(_) => Fetched::Failed(why),
                    _ => Fetched::Forbidden(why),
                };
            }
            let answer = match self.ask_patiently(&url, conditions(known), max_bytes).await {
                Ok(answer) => answer,
                Err(error) => return Fetched::Failed(told(&error)),
            };
            match answer.status {
                200 => return content(url, &answer, max_bytes),
                304 => return Fetched::Unchanged(validators(&answer.headers, known)),
                404 | 410 => return Fetched::Gone(gone(answer.status)),
                300..=399 => match self.next_hop(&url, &answer.headers) {
                    Ok(next) => url = next,
                    Err(why) => return Fetched::Failed(why),
                },
                status => return Fetched::Failed(format!("the site answered HTTP {status}")),
            }
        }
        Fetched::Failed(format!("the site redirects more than {MAX_REDIRECTS} times"))
    }

    /// Where a redirect leads, if that may be called.
    fn next_hop(&self, url: &Url, headers: &HeaderMap) -> Result<Url, String> {
        let location = text(headers, LOCATION).ok_or("the site redirects to nowhere")?;
        let mut next =
            url.join(&location).map_err(|_| "the site redirects to what is no URL".to_owned())?;
        next.set_fragment(None);
        match self.app.egress.check(next.as_str()) {
            Ok(_) => Ok(next),
            Err(why) => {
                Err(format!("the site redirects to an address that may not be called: it {why}"))
            }
        }
    }

    /// Asks once more after a while if the host is busy.
    async fn ask_patiently(
        &mut self,
        url: &Url,
        headers: HeaderMap,
        max_bytes: usize,
    ) -> Result<Answer, EgressError> {
        let answer = self.ask(url, headers.clone(), max_bytes).await?;
        if !matches!(answer.status, 429 | 503) {
            return Ok(answer);
        }
        let told = text(&answer.headers, RETRY_AFTER).and_then(|it| it.trim().parse().ok());
        let wait = told.map_or(RETRY_AFTER_UNTOLD, Duration::from_secs);
        if wait > MAX_RETRY_AFTER {
            return Ok(answer);
        }
        tokio::time::sleep(wait).await;
        self.ask(url, headers, max_bytes).await
    }

    async fn ask(
        &mut self,
        url: &Url,
        headers: HeaderMap,
        max_bytes: usize,
    ) -> Result<Answer, EgressError> {
        let origin = origin(url);
        self.app.site_limit.until_key_ready(&origin).await;
        let delay = self.rules.get(&origin).map_or(Duration::ZERO, Rules::delay);
        if let Some(last_at) = self.last_at.get(&origin) {
            tokio::time::sleep_until(*last_at + delay).await;
        }
        self.last_at.insert(origin, Instant::now());
        let timeout = Duration::from_secs(self.app.config.page_timeout_seconds);
        self.app.egress.get(url.as_str(), headers, GetLimits { max_bytes, timeout }).await
    }

    /// Reads the `robots.txt` of a host that was not met before.
    async fn learn_rules(&mut self, url: &Url) {
        let origin = origin(url);
        if self.rules.contains_key(&origin) {
            return;
        }
        let rules = match url.join("/robots.txt") {
            Ok(url) => self.fetch_rules(url).await,
            Err(error) => Rules::Unknown(error.to_string()),
        };
        self.rules.insert(origin, rules);
    }

    async fn fetch_rules(&mut self, mut url: Url) -> Rules {
        for _ in 0..=MAX_REDIRECTS {
            let answer =
                match self.ask(&url, conditions(&Validators::default()), robots::MAX_BYTES).await {
                    Ok(answer) => answer,
                    // What is that large is no list of rules.
                    Err(EgressError::TooLarge(_)) => return Rules::None,
                    Err(error) => return Rules::Unknown(told(&error)),
                };
            match answer.status {
                200 => return Rules::read(&answer.body),
                300..=399 => match self.next_hop(&url, &answer.headers) {
                    Ok(next) => url = next,
                    Err(why) => return Rules::Unknown(why),
                },
                // No rules, says RFC 9309; 429 is about us, not about the file.
                400..=428 | 430..=499 => return Rules::None,
                status => return Rules::Unknown(format!("the site answered HTTP {status}")),
            }
        }
        Rules::None
    }
}

/// Scheme, host and port.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn conditions(known: &Validators) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.5"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
        if let Some(value) = value.as_ref().and_then(|it| HeaderValue::from_str(it).ok()) {
            headers.insert(name, value);
        }
    }
    headers
}

pub(super) fn content(url: Url, answer: &Answer, max_bytes: usize) -> Fetched {
    let told = text(&answer.headers, CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
    let (media_type, parameters) = told.split_once(';').unwrap_or((&told, ""));
    let charset = parameters.split(';').find_map(|it| it.trim().strip_prefix("charset="));
    // Some servers pack what they were asked not to.
    let is_packed = text(&answer.headers, CONTENT_ENCODING).is_some_and(|it| it.contains("gzip"));
    let bytes = if is_packed {
        match unpack(&answer.body, max_bytes) {
            Ok(bytes) => Bytes::from(bytes),
            Err(why) => return Fetched::Failed(format!("what the site sent {why}")),
        }
    } else {
        answer.body.clone()
    };
    Fetched::Content(Content {
        url,
        media_type: media_type.trim().to_owned(),
        charset: charset.map(|it| it.trim_matches(['"', '\'', ' ']).to_owned()),
        bytes,
        validators: validators(&answer.headers, &Validators::default()),
    })
}

/// Those of an answer, or else those known before.
fn validators(headers: &HeaderMap, known: &Validators) -> Validators {
    Validators {
        etag: text(headers, ETAG).or_else(|| known.etag.clone()),
        last_modified: text(headers, LAST_MODIFIED).or_else(|| known.last_modified.clone()),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

fn gone(status: u16) -> String {
    let what = if status == 404 { "the site does not have it" } else { "the site has removed it" };
    format!("{what} (HTTP {status})")
}

fn told(error: &EgressError) -> String {
    match error {
        EgressError::Refused(why) if why.starts_with("must ") => {
            format!("the address may not be called: it {why}")
        }
        EgressError::TooLarge(max_bytes) => {
            format!("it is too large: more than {} MB", max_bytes >> 20)
        }
        other => other.to_string(),
    }
}
