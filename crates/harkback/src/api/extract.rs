//! What did the caller send? Impossible input is refused here, before anything is looked up.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::error::{ApiError, Noun, bad_request, must_be, required, too_large};
use crate::app::AppState;

/// Most bytes of a JSON body.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

const MAX_ID_CHARS: usize = 255;
const ID_RULE: &str = "1 to 255 characters without control characters";

/// The JSON object in a request's body, whatever its content type says.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The value of a field; null counts as absent.
    pub fn value(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|it| !it.is_null())
    }

    /// Whether a field is there, be it null.
    pub fn names(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// A text without NUL characters, which no database keeps alike.
    pub fn text(&self, field: &str) -> Result<Option<String>, ApiError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.contains('\0') => {
                Err(must_be(field, "a text without NUL characters"))
            }
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(must_be(field, "a string")),
        }
    }

    /// A text that must be there and not blank.
    pub fn required_text(&self, field: &str) -> Result<String, ApiError> {
        self.text(field)?.filter(|it| !it.trim().is_empty()).ok_or_else(|| required(field))
    }

    /// A caller's id.
    pub fn id(&self, field: &str) -> Result<Option<String>, ApiError> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(id)) => checked_id(field, id).map(Some),
            Some(_) => Err(must_be(field, "a string")),
        }
    }

    /// A caller's id that must be there.
    pub fn required_id(&self, field: &str) -> Result<String, ApiError> {
        match self.value(field) {
            Some(Value::String(id)) if id.trim().is_empty() => Err(required(field)),
            _ => self.id(field)?.ok_or_else(|| required(field)),
        }
    }

    /// A boolean, as JSON or in one of its spellings; absent is false.
    pub fn flag(&self, field: &str) -> Result<bool, ApiError> {
        match self.value(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) => parse_flag(field, text),
            Some(_) => Err(must_be(field, "true or false")),
        }
    }

    /// A whole number in a range.
    pub fn integer(
        &self,
        field: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(field) else { return Ok(None) };
        // Some languages write whole numbers as 250.0.
        let whole = value.as_f64().filter(|it| it.fract() == 0.0 && it.abs() < 9e15);
        match value.as_i64().or(whole.map(|it| it as i64)) {
            Some(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(must_be(field, &range_text(&range))),
        }
    }

    /// One of a few names; `must` says which, after "must be".
    pub fn choice<T>(
        &self,
        field: &str,
        parse: impl Fn(&str) -> Option<T>,
        must: &str,
    ) -> Result<Option<T>, ApiError> {
        match self.text(field)? {
            None => Ok(None),
            Some(name) => parse(&name).map(Some).ok_or_else(|| must_be(field, must)),
        }
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, ApiError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(bad_request("Request body must be a JSON object")),
            Err(_) => Err(invalid_json()),
        }
    }
}

impl FromRequest<AppState> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let body = read_body(request, app).await?;
        Self::read(&body)
    }
}

/// The body of a request that needs none: ignored, unless it says that it is JSON and is not.
#[derive(Debug)]
pub struct IgnoredBody;

impl FromRequest<AppState> for IgnoredBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, ApiError> {
        let is_json = says_json(request.headers());
        let body = read_body(request, app).await?;
        let parses = || serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
        if is_json && !body.is_empty() && !parses() { Err(invalid_json()) } else { Ok(Self) }
    }
}

/// The id in the path, unchecked until the handler says of what: other checks come first.
#[derive(Debug)]
pub struct PathId(Option<String>);

impl PathId {
    /// The id, if it can be one.
    pub fn of(self, noun: Noun) -> Result<String, ApiError> {
        let label = format!("{} ID", noun.name());
        match self.0 {
            Some(id) if id.trim().is_empty() => Err(required(&label)),
            Some(id) => checked_id(&label, &id),
            None => Err(required(&label)),
        }
    }
}

impl FromRequestParts<AppState> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let broken = || bad_request("Path must be percent-encoded UTF-8");
        if !is_percent_encoded(parts.uri.path()) {
            return Err(broken());
        }
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| broken())?;
        Ok(Self(params.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned())))
    }
}

/// The query string: `+` and `%20` are spaces, an empty value is none.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// A value as it was sent; of several the last, which the readers below refuse.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str()).filter(|it| !it.is_empty())
    }

    /// A value that is not sent twice: which one would be meant?
    pub fn single(&self, name: &str) -> Result<Option<&str>, ApiError> {
        if self.0.iter().filter(|(it, _)| it == name).count() > 1 {
            return Err(must_be(name, "given once"));
        }
        Ok(self.text(name))
    }

    /// A value that must be there and not blank; `label` is what the error calls it.
    pub fn required_text(&self, name: &str, label: &str) -> Result<&str, ApiError> {
        let text = self.single(name)?.filter(|it| !it.trim().is_empty());
        let text = text.ok_or_else(|| required(label))?;
        if text.contains('\0') {
            Err(must_be(label, "a text without NUL characters"))
        } else {
            Ok(text)
        }
    }

    /// The id that a list is to be filtered by.
    ///
    /// # Errors
    /// 400 for what could be meant as the filter and is none, an empty value first of all: the list without it would
    /// show what was not asked for, such as the chats of other end users.
    pub fn filter_id(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.filter(name)?.map(|it| checked_id(name, it)).transpose()
    }

    /// One of a few names that a list is to be filtered by; `must` says which, after "must be".
    ///
    /// # Errors
    /// As [`filter_id`](Self::filter_id).
    pub fn filter_choice<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        must: &str,
    ) -> Result<Option<T>, ApiError> {
        self.filter(name)?.map(|it| parse(it).ok_or_else(|| must_be(name, must))).transpose()
    }

    /// A boolean on which hangs what is done, such as an erasure; absent is false.
    ///
    /// # Errors
    /// As [`filter_id`](Self::filter_id).
    pub fn strict_flag(&self, name: &str) -> Result<bool, ApiError> {
        self.filter(name)?.map_or(Ok(false), |it| parse_flag(name, it))
    }

    /// A caller's id that must be there; `label` is what the error calls it.
    pub fn required_id(&self, name: &str, label: &str) -> Result<String, ApiError> {
        checked_id(label, self.required_text(name, label)?)
    }

    /// A boolean in any spelling; absent is false.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        self.single(name)?.map_or(Ok(false), |it| parse_flag(name, it))
    }

    /// A whole number in a range.
    pub fn integer(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.single(name)? else { return Ok(None) };
        match text.trim().parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(must_be(name, &range_text(&range))),
        }
    }

    /// The value of a filter, be it empty.
    fn filter(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let is_meant = |it: &str| it != name && letters(it).eq(letters(name));
        if self.0.iter().any(|(it, _)| is_meant(it)) {
            return Err(must_be(name, &format!("given as {name}=VALUE")));
        }
        self.single(name)?;
        Ok(self.0.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str()))
    }

    pub(super) fn read(query: &str) -> Result<Self, ApiError> {
        let pairs = query.split('&').filter(|it| !it.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, ApiError>>()
            .map(Self)
    }
}

impl FromRequestParts<AppState> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ApiError> {
        Self::read(parts.uri.query().unwrap_or_default())
    }
}

/// A caller's id, kept as given.
pub fn checked_id(label: &str, id: &str) -> Result<String, ApiError> {
    let fits = !id.trim().is_empty()
        && id.chars().count() <= MAX_ID_CHARS
        && !id.chars().any(char::is_control);
    if fits { Ok(id.to_owned()) } else { Err(must_be(label, ID_RULE)) }
}

async fn read_body(request: Request, app: &AppState) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, app).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            too_large(MAX_BODY_BYTES as u64)
        } else {
            bad_request("Request body could not be read")
        }
    })
}

fn invalid_json() -> ApiError {
    bad_request("Invalid JSON in request body")
}

fn says_json(headers: &HeaderMap) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("");
    let essence = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

fn parse_flag(name: &str, text: &str) -> Result<bool, ApiError> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(must_be(name, "true or false")),
    }
}

/// What two spellings of a name have in common: `sessionId`, `session_id` and `sessionID[]` are `sessionid`.
fn letters(name: &str) -> impl Iterator<Item = char> {
    let stem = name.split('[').next().unwrap_or_default();
    stem.chars().filter(|it| it.is_alphanumeric()).map(|it| it.to_ascii_lowercase())
}

fn range_text(range: &RangeInclusive<i64>) -> String {
    format!("an integer from {} to {}", range.start(), range.end())
}

fn decode(text: &str) -> Result<String, ApiError> {
    let spaced = text.replace('+', " ");
    match percent_decode_str(&spaced).decode_utf8() {
        Ok(decoded) if is_percent_encoded(text) => Ok(Cow::into_owned(decoded)),
        _ => Err(bad_request("Query string must be percent-encoded UTF-8")),
    }
}

/// Whether two hexadecimal digits follow each `%`.
fn is_percent_encoded(text: &str) -> bool {
    let bytes = text.as_bytes();
    text.match_indices('%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_strings_are_read_leniently_but_never_guessed() {
        let params = Params::read("q=a+b%20c&x=1&x=2&empty=&flag&&n=%C3%A9%2B").unwrap();
        assert_eq!(params.text("q"), Some("a b c"));
        assert_eq!(params.text("x"), Some("2"));
        assert_eq!(params.text("empty"), None);
        assert_eq!(params.text("flag"), None);
        assert_eq!(params.text("n"), Some("é+"));
        for broken in ["q=%", "q=%4", "q=%zz", "q=%ff", "%ff=1"] {
            assert!(Params::read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn what_is_sent_twice_is_refused_by_who_reads_it() {
        let params = Params::read("limit=1&limit=1&q=a&q=&_=1&_=2").unwrap();
        assert!(params.integer("limit", 1..=9).is_err());
        assert!(params.required_text("q", "Query").is_err());
        assert!(!params.flag("assisted").unwrap());
    }

    #[test]
    fn a_filter_is_never_taken_for_none() {
        let filter = |query: &str| Params::read(query).unwrap().filter_id("sessionID");
        assert_eq!(filter("sessionID=a&session=b&ID=c").unwrap().as_deref(), Some("a"));
        assert_eq!(filter("limit=1").unwrap(), None);
        for broken in ["sessionID", "sessionID=", "sessionID=+", "sessionID=a&sessionID=a"] {
            assert!(filter(broken).is_err(), "{broken}");
        }
        for other in ["sessionID[]", "sessionID%5B0%5D", "sessionId", "session_id", "sessionid[]"] {
            assert!(filter(&format!("{other}=a")).is_err(), "{other}");
            assert!(filter(&format!("sessionID=a&{other}=a")).is_err(), "{other}");
        }
    }

    #[test]
    fn booleans_have_many_spellings() {
        for (text, flag) in [("true", true), ("True", true), ("1", true), ("YES", true)] {
            assert_eq!(parse_flag("x", text).unwrap(), flag);
        }
        for text in ["false", "False", "0", "no", "off"] {
            assert!(!parse_flag("x", text).unwrap());
        }
        assert!(parse_flag("x", "maybe").is_err());
    }
}
