//! What was fetched: which format is it, what is it called, where does it say it is, and where does it lead?

use bytes::Bytes;
use encoding_rs::{Encoding, UTF_8};
use harkback_engine::{Error, Parsing};
use reqwest::Url;
use sha2::{Digest, Sha256};

use super::fetch::Content;

/// Media types that are ingested, by extension.
const FORMATS: &[(&str, &str)] = &[
    ("text/html", "html"),
    ("application/xhtml+xml", "html"),
    ("application/pdf", "pdf"),
    ("text/plain", "txt"),
    ("text/markdown", "md"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/epub+zip", "epub"),
];

/// Names of files that no page has, so that they need not be asked for.
const NO_PAGES: &[&str] = &[
    "7z", "apk", "avi", "bmp", "bz2", "css", "dmg", "exe", "gif", "gz", "ico", "ics", "iso",
    "jpeg", "jpg", "js", "json", "m4a", "mjs", "mov", "mp3", "mp4", "ogg", "png", "rar", "rss",
    "svg", "tar", "tgz", "tif", "tiff", "wav", "webm", "webp", "wmv", "woff", "woff2", "xml",
    "zip",
];

/// A page that can be stored.
pub(super) struct Page {
    /// The address that it has.
    pub(super) url: Url,
    /// Its title, or else its address.
    pub(super) title: String,
    /// Extension that tells its format.
    pub(super) extension: &'static str,
    /// Its bytes, in UTF-8 with a mark if the server named the encoding.
    pub(super) bytes: Bytes,
    /// Two pages of the same say the same.
    pub(super) sha256: [u8; 32],
    /// Where it leads, each once.
    pub(super) links: Vec<Url>,
}

/// The page in what was fetched. It waits for a parser: not for a thread that others wait for.
///
/// # Errors
/// [`BadInput`](Error::BadInput) if it is no page, or cannot be read; why. Otherwise if it cannot be tried.
pub(super) fn page_of(content: &Content, parsing: &Parsing) -> Result<Page, Error> {
    let extension = format_of(content).map_err(Error::BadInput)?;
    if extension != "html" {
        return Ok(document(content.url.clone(), extension, content.bytes.clone()));
    }
    html(content.url.clone(), in_utf8(content), parsing)
}

/// As [`page_of`], of bytes that were stored.
///
/// # Errors
/// As [`page_of`].
pub(super) fn page_again(
    url: &Url,
    extension: &str,
    bytes: Bytes,
    parsing: &Parsing,
) -> Result<Page, Error> {
    match FORMATS.iter().find(|it| it.1 == extension) {
        Some((_, extension)) if *extension != "html" => Ok(document(url.clone(), extension, bytes)),
        _ => html(url.clone(), bytes, parsing),
    }
}

/// Whether a link may lead to a page, as far as its path tells.
pub(super) fn may_be_page(url: &Url) -> bool {
    let name = url.path_segments().and_then(|mut it| it.next_back()).unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |it| it.1).to_ascii_lowercase();
    !NO_PAGES.contains(&&*extension)
}

fn format_of(content: &Content) -> Result<&'static str, String> {
    if content.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("the page is empty".into());
    }
    if let Some((_, extension)) = FORMATS.iter().find(|it| it.0 == content.media_type) {
        return Ok(extension);
    }
    match &*content.media_type {
        "" if content.bytes.trim_ascii_start().starts_with(b"<") => Ok("html"),
        "" => Err("the site does not say what it is".into()),
        told => Err(format!("it is not a page but {told}")),
    }
}

/// The server's word on the encoding comes before the page's own, and only a mark says so in the bytes.
fn in_utf8(content: &Content) -> Bytes {
    let named = content.charset.as_ref().and_then(|it| Encoding::for_label(it.as_bytes()));
    match named {
        Some(encoding) if encoding != UTF_8 && Encoding::for_bom(&content.bytes).is_none() => {
            let (text, ..) = encoding.decode(&content.bytes);
            Bytes::from(["\u{feff}", &text].concat())
        }
        _ => content.bytes.clone(),
    }
}

fn html(url: Url, bytes: Bytes, parsing: &Parsing) -> Result<Page, Error> {
    let Some(read) = parsing.read_web_page(bytes.clone())? else {
        return Ok(document(url, "html", bytes));
    };
    let base = read.base.and_then(|it| url.join(&it).ok()).unwrap_or_else(|| url.clone());
    let mut links: Vec<Url> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for link in read.links.iter().filter_map(|it| page_url(&base, it)) {
        if known.insert(link.clone()) {
            links.push(link);
        }
    }
    let canonical = read.canonical.and_then(|it| page_url(&base, &it));
    let canonical = canonical.filter(|it| is_same_site(it, &url));
    let title = if read.title.is_empty() { url.to_string() } else { read.title };
    let url = canonical.unwrap_or(url);
    Ok(Page { url, title, extension: "html", bytes, sha256: read.text_sha256, links })
}

fn document(url: Url, extension: &'static str, bytes: Bytes) -> Page {
    let name = url.path_segments().and_then(|mut it| it.next_back()).unwrap_or_default();
    let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
    let title = if name.trim().is_empty() { url.to_string() } else { name };
    Page { title, extension, sha256: Sha256::digest(&bytes).into(), links: Vec::new(), url, bytes }
}

fn page_url(base: &Url, link: &str) -> Option<Url> {
    let mut url = base.join(link.trim()).ok()?;
    url.set_fragment(None);
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// A page may say that it is elsewhere on its site, with or without `www.`; not that it is another site's.
fn is_same_site(one: &Url, other: &Url) -> bool {
    let host = |url: &Url| {
        let host = url.host_str().unwrap_or_default().to_owned();
        host.strip_prefix("www.").map_or(host.clone(), str::to_owned)
    };
    host(one) == host(other) && one.port() == other.port()
}

#[cfg(test)]
mod tests {
    use harkback_engine::model::Validators;

    use super::*;

    fn content(media_type: &str, charset: Option<&str>, bytes: &'static [u8]) -> Content {
        Content {
            url: Url::parse("https://www.e.com/a/b.html").unwrap(),
            media_type: media_type.into(),
            charset: charset.map(str::to_owned),
            bytes: Bytes::from_static(bytes),
            validators: Validators::default(),
        }
    }

    #[test]
    fn a_page_is_what_its_media_type_says() {
        for (media_type, bytes, expected) in [
            ("text/html", &b"<p>x"[..], Ok("html")),
            ("application/pdf", b"%PDF-1.7", Ok("pdf")),
            ("", b" <!doctype html>", Ok("html")),
            ("", b"hello", Err("the site does not say what it is")),
            ("text/html", b" \n", Err("the page is empty")),
            ("image/png", b"\x89PNG", Err("it is not a page but image/png")),
        ] {
            let page = page_of(&content(media_type, None, bytes), &Parsing::InProcess);
            assert_eq!(
                page.map(|it| it.extension).map_err(|it| it.to_string()),
                expected.map_err(str::to_owned),
                "{media_type}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_page_that_kills_its_parser_is_no_page_and_harms_nothing_else() {
        let parsing = Parsing::Process(harkback_engine::ParserProcess {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), "kill -SEGV $$".into()],
            limits: harkback_engine::ParserLimits::default(),
        });
        let error = page_of(&content("text/html", None, b"<p>x"), &parsing).err().unwrap();
        assert!(matches!(&error, Error::BadInput(why) if why.contains("crashed")), "{error:?}");
    }

    #[test]
    fn the_servers_encoding_comes_before_the_pages_own() {
        let bytes = b"<meta charset=utf-8><title>Z\xfcrich</title><p>Z\xfcrich";
        let page =
            page_of(&content("text/html", Some("iso-8859-1"), bytes), &Parsing::InProcess).unwrap();
        assert_eq!(page.title, "Zürich");
        let again =
            page_again(&page.url, page.extension, page.bytes.clone(), &Parsing::InProcess).unwrap();
        assert_eq!((again.title, again.sha256), (page.title, page.sha256));
    }

    #[test]
    fn the_canonical_address_is_believed_on_the_same_site() {
        let url = |html: &'static [u8]| {
            page_of(&content("text/html", None, html), &Parsing::InProcess).unwrap().url
        };
        assert_eq!(url(b"<link rel=canonical href=/c#x>").as_str(), "https://www.e.com/c");
        assert_eq!(url(b"<link rel=canonical href=https://e.com/c>").as_str(), "https://e.com/c");
        assert_eq!(
            url(b"<link rel=canonical href=https://bank.com/>").as_str(),
            "https://www.e.com/a/b.html"
        );
    }

    #[test]
    fn links_are_addresses_of_pages() {
        let html = b"<a href='c'>1</a><a href='c#x'>2</a><a href='mailto:a@e.com'>3</a><a href='javascript:x'>4</a>\
                     <a href='//o.com/'>5</a><a href='http://['>6</a>";
        let links = page_of(&content("text/html", None, html), &Parsing::InProcess).unwrap().links;
        assert_eq!(
            links.iter().map(Url::as_str).collect::<Vec<_>>(),
            ["https://www.e.com/a/c", "https://o.com/"]
        );
        let may = |it: &str| may_be_page(&Url::parse(it).unwrap());
        assert!(
            may("https://e.com/")
                && may("https://e.com/a.html?x=a.png")
                && may("https://e.com/v1.2")
        );
        assert!(!may("https://e.com/a.PNG?x") && !may("https://e.com/feed.rss"));
    }
}
