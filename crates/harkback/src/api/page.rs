//! Where does a list go on? Opaque tokens hold a row's place and are signed for one account, one list and its filters.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harkback_engine::model::{AccountId, Cursor, Direction, Page, PageRequest};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, must_be};
use super::extract::Params;
use crate::app::App;

const DEFAULT_LIMIT: i64 = 10;
const MAX_LIMIT: i64 = 100;
const MAC_LEN: usize = 16;
const HEAD_LEN: usize = 9;

type SigningKey = [u8; 32];

/// A list as a token knows it: a token of another one is refused.
#[derive(Clone, Debug)]
pub struct List<'a> {
    /// Its name, such as `sessions`.
    pub name: &'static str,
    /// Whose it is.
    pub account_id: AccountId,
    /// The values of its filters, always in the same order.
    pub filters: Vec<Option<&'a str>>,
}

/// How the query of every list begins.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the parameters to the API document; `List::request` reads them"
)]
pub struct PageParams {
    /// Most items wanted.
    #[param(minimum = 1, maximum = 100, default = 10)]
    limit: Option<i64>,
    /// `nextToken` of an earlier answer: goes on with older items. Wins over `previousToken`.
    #[param(rename = "nextToken")]
    next_token: Option<String>,
    /// `previousToken` of an earlier answer: goes back to newer items.
    #[param(rename = "previousToken")]
    previous_token: Option<String>,
}

/// How the answer of every list ends.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageTokens {
    /// For the next, older page; null on the last one.
    #[schema(required = true)]
    pub next_token: Option<String>,
    /// For the previous, newer page; null on the first one.
    #[schema(required = true)]
    pub previous_token: Option<String>,
    /// Items on this page.
    pub count: usize,
}

impl List<'_> {
    /// The page that the query asks for.
    ///
    /// # Errors
    /// 400 for a limit out of range, or a token that is not of this list.
    pub fn request(&self, app: &App, params: &Params) -> Result<PageRequest, ApiError> {
        let key = signing_key(app);
        let limit = params.integer("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        let from = match (params.single("nextToken")?, params.single("previousToken")?) {
            (Some(token), _) => Some(self.open(&key, "nextToken", Direction::Next, token)?),
            (None, Some(token)) => {
                Some(self.open(&key, "previousToken", Direction::Previous, token)?)
            }
            (None, None) => None,
        };
        Ok(PageRequest { limit: limit.unsigned_abs() as usize, from })
    }

    /// What the answer says about a page.
    pub fn tokens<T>(&self, app: &App, page: &Page<T>) -> PageTokens {
        let key = signing_key(app);
        let seal = |direction, cursor: &Cursor| self.seal(&key, direction, cursor);
        PageTokens {
            next_token: page.next.as_ref().map(|it| seal(Direction::Next, it)),
            previous_token: page.previous.as_ref().map(|it| seal(Direction::Previous, it)),
            count: page.items.len(),
        }
    }

    pub(super) fn seal(&self, key: &SigningKey, direction: Direction, cursor: &Cursor) -> String {
        let mut bytes = vec![tag(direction)];
        bytes.extend(cursor.created_at.to_be_bytes());
        bytes.extend(cursor.id.as_bytes());
        let mac = self.mac(key, &bytes).finalize().into_bytes();
        bytes.extend(&mac[..MAC_LEN]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(
        &self,
        key: &SigningKey,
        name: &str,
        direction: Direction,
        token: &str,
    ) -> Result<(Direction, Cursor), ApiError> {
        self.cursor(key, direction, token)
            .map(|cursor| (direction, cursor))
            .ok_or_else(|| must_be(name, "a token from an earlier answer to the same request"))
    }

    pub(super) fn cursor(
        &self,
        key: &SigningKey,
        direction: Direction,
        token: &str,
    ) -> Option<Cursor> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LEN)?)?;
        self.mac(key, body).verify_truncated_left(mac).ok()?;
        let (head, id) = body.split_at_checked(HEAD_LEN)?;
        let (tagged, time) = head.split_first()?;
        (*tagged == tag(direction)).then_some(Cursor {
            created_at: i64::from_be_bytes(time.try_into().ok()?),
            id: String::from_utf8(id.to_vec()).ok()?,
        })
    }

    /// Every part goes in with its length, so that no two lists share a signature.
    fn mac(&self, key: &SigningKey, body: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
        let mut part = |bytes: &[u8]| {
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part(self.name.as_bytes());
        part(self.account_id.0.as_bytes());
        for filter in &self.filters {
            part(&[u8::from(filter.is_some())]);
            part(filter.unwrap_or_default().as_bytes());
        }
        part(body);
        mac
    }
}

fn signing_key(app: &App) -> SigningKey {
    app.derived_key("pagination")
}

fn tag(direction: Direction) -> u8 {
    match direction {
        Direction::Next => b'n',
        Direction::Previous => b'p',
    }
}
