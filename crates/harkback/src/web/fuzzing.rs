//! What must hold of whatever a website sends?

use bytes::Bytes;
use harkback_engine::Parsing;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::fetch::{Fetched, content};
use super::page::{Page, may_be_page, page_again, page_of};
use super::robots::Rules;
use super::sitemap::{self, Sitemap};
use super::walk::absolute;
use crate::egress::Answer;

const MAX_LOCATIONS: usize = 50_000;
const MAX_DELAY_SECONDS: u64 = 10;
const MAX_PAGE_BYTES: usize = 16 << 20;

fn address() -> Url {
    Url::parse("https://www.example.com/a/b.html").expect("it is a URL")
}

/// A sitemap, and the same bytes as a `robots.txt`.
pub fn sitemap(bytes: &[u8]) {
    let rules = Rules::read(bytes);
    assert!(rules.delay().as_secs() <= MAX_DELAY_SECONDS);
    _ = rules.forbid(address().as_str());
    match sitemap::read(bytes) {
        Ok(Sitemap { pages, sitemaps }) => {
            assert!(!pages.is_empty() || !sitemaps.is_empty(), "no page is a reason");
            assert!(pages.len() <= MAX_LOCATIONS && sitemaps.len() <= MAX_LOCATIONS);
            let urls =
                pages.iter().chain(&sitemaps).filter_map(|it| absolute(Some(&address()), it));
            urls.for_each(|it| check_link(&it));
        }
        Err(why) => assert!((10..1_000).contains(&why.len()), "a reason of {} bytes", why.len()),
    }
}

/// A page as it was sent: the content type in the first line, then the body.
pub fn web_page(bytes: &[u8]) {
    let at = bytes.iter().position(|it| *it == b'\n').unwrap_or(bytes.len());
    let (told, body) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
    let Ok(told) = HeaderValue::from_bytes(told) else { return };
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, told)]);
    let answer = Answer { status: 200, headers, body: Bytes::copy_from_slice(body) };
    let Fetched::Content(content) = content(address(), &answer, MAX_PAGE_BYTES) else { return };
    let Ok(page) = page_of(&content, &Parsing::InProcess) else { return };
    let Page { url, title, extension, bytes, sha256, links } = page;
    check_link(&url);
    assert_eq!(url.domain().map(|it| it.trim_start_matches("www.")), Some("example.com"));
    assert!(!title.trim().is_empty(), "a page has a title, or else its address");
    for (at, link) in links.iter().enumerate() {
        check_link(link);
        assert!(!links[..at].contains(link) || at > 100, "each link once");
    }
    let again = page_again(&address(), extension, bytes, &Parsing::InProcess);
    let again = again.expect("what was stored can be read again");
    assert_eq!((again.url, again.title, again.sha256), (url, title, sha256), "as it was stored");
}

fn check_link(url: &Url) {
    assert!(matches!(url.scheme(), "http" | "https") && url.fragment().is_none(), "{url}");
    _ = may_be_page(url);
}
