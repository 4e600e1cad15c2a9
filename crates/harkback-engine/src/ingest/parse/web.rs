//! A page of a website: which of its text is its own, and where does it lead?
//!
//! What every page of a site repeats (header, side bar, cookie banner, links to share) is left out, by its element and by
//! the words of its classes; if the page marks its main part, only that is read. Tokens are enough for it. Readability's
//! scoring was tried and takes the cookie banner for the content of pages with short lines: hours, prices, staff.

use html5ever::tokenizer::{Tag, TagKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::html::{self, Page, VOID, attribute, declared_charset};
use super::prose::Prose;
use super::{Emit, ParseError, ParseInput, collapse, encoding, title_of_name};
use crate::model::Document;

/// Links beyond these are not followed.
const MAX_LINKS: usize = 5000;
/// A marked main part with less text than this is not believed.
const MIN_MAIN_CHARS: usize = 80;

/// What a page of a website says of itself. Addresses are as written: relative to `base` or the page's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebPage {
    /// Its title without the site's name; empty if it has none.
    pub title: String,
    /// The address that `<link rel="canonical">` names.
    pub canonical: Option<String>,
    /// What `<base href>` names.
    pub base: Option<String>,
    /// Where its links lead, in order, without those marked `nofollow`.
    pub links: Vec<String>,
    /// SHA-256 of its title and text: two pages that say the same have the same.
    pub text_sha256: [u8; 32],
}

/// Reads a page that was fetched; `None` if it is no text.
pub(crate) fn read_web_page(bytes: &[u8]) -> Option<WebPage> {
    let source = encoding::decode(bytes, declared_charset(bytes).as_deref()).ok()?;
    let read = read(&source);
    let mut hasher = Sha256::new();
    hasher.update(&read.title);
    hasher.update([0]);
    hasher.update(&read.text);
    Some(WebPage {
        title: read.title,
        canonical: read.site.canonical,
        base: read.site.base,
        links: read.site.links,
        text_sha256: hasher.finalize().into(),
    })
}

pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let source = encoding::decode(input.bytes, declared_charset(input.bytes).as_deref())?;
    let Read { title, text, .. } = read(&source);
    let title = if title.is_empty() { title_of_name(input.name) } else { title };
    let _stop = emit(Document { record_id: None, title, text, place: None });
    Ok(())
}

struct Read {
    title: String,
    text: String,
    site: SiteParts,
}

fn read(source: &str) -> Read {
    let mut page = Page::default();
    page.site = Some(SiteParts::default());
    let mut page = html::read(page, source);
    let mut site = page.site.unwrap_or_default();
    if let Some(before) = site.before_main.take() {
        site.main = Some(std::mem::replace(&mut page.prose, before));
    }
    let (heading, rest) = page.prose.finish();
    let (main_heading, main) = site.main.take().unwrap_or_default().finish();
    let (heading, mut text) = if main.chars().nth(MIN_MAIN_CHARS).is_some() {
        (main_heading, main)
    } else {
        let joined = [rest, main].map(|it| it.trim().to_owned());
        (heading.or(main_heading), joined.join("\n\n").trim().to_owned())
    };
    if text.trim().is_empty() {
        // All of the page looks like the site's furniture: better that than nothing.
        text = html::read_into(Prose::default(), source).prose.finish().1;
    }
    let told = site.og_title.take().filter(|it| !it.is_empty()).unwrap_or(page.title);
    let title = title_of(&collapse(&told), heading.as_deref(), site.name.as_deref());
    Read { title, text, site }
}

/// The page's title without the site's name: its heading if the title contains it, else what is left when the name is
/// cut off, told by the page or else the short part after the last separator.
fn title_of(told: &str, heading: Option<&str>, site: Option<&str>) -> String {
    const SEPARATORS: [&str; 7] = [" | ", " – ", " — ", " - ", " · ", " :: ", " » "];
    const MAX_NAME_WORDS: usize = 4;
    match heading {
        Some(heading) if told.is_empty() || told.contains(heading) => return heading.to_owned(),
        _ => {}
    }
    let parts = SEPARATORS.iter().filter_map(|it| told.rsplit_once(it));
    let Some((page, name)) = parts.max_by_key(|it| it.0.len()) else { return told.to_owned() };
    let is_name = site.is_some_and(|it| it.eq_ignore_ascii_case(name.trim()))
        || name.split_whitespace().count() <= MAX_NAME_WORDS && name.len() <= page.len() * 2;
    if is_name && !page.trim().is_empty() { page.trim().to_owned() } else { told.to_owned() }
}

/// What a page of a website holds beside its text.
#[derive(Default)]
pub(super) struct SiteParts {
    canonical: Option<String>,
    base: Option<String>,
    links: Vec<String>,
    og_title: Option<String>,
    /// The site's name, as `og:site_name` tells it.
    name: Option<String>,
    /// What stands in the part that is marked as the main one.
    main: Option<Prose>,
    /// What stood before the main part that is being read.
    before_main: Option<Prose>,
    /// Open `main` and `article` elements.
    n_open: usize,
}

impl SiteParts {
    /// Notes what a tag says, whether or not its text is left out, and divides the main part's text from the rest.
    pub(super) fn tag(&mut self, tag: &Tag, prose: &mut Prose) {
        let name: &str = &tag.name;
        match (tag.kind, name) {
            (TagKind::StartTag, "a" | "area") => self.link(tag),
            (TagKind::StartTag, "link") if has_word(tag, "rel", "canonical") => {
                self.canonical = self.canonical.take().or_else(|| attribute(tag, "href"));
            }
            (TagKind::StartTag, "base") => {
                self.base = self.base.take().or_else(|| attribute(tag, "href"));
            }
            (TagKind::StartTag, "meta") => self.meta(tag),
            (TagKind::StartTag, "article") => self.n_open += 1,
            (TagKind::EndTag, "article") => self.n_open = self.n_open.saturating_sub(1),
            (TagKind::StartTag, "main") if self.before_main.is_none() => {
                self.n_open += 1;
                prose.end_block();
                let main = self.main.take().unwrap_or_default();
                self.before_main = Some(std::mem::replace(prose, main));
            }
            (TagKind::EndTag, "main" | "body" | "html") => {
                if let Some(before) = self.before_main.take() {
                    self.n_open = self.n_open.saturating_sub(1);
                    prose.end_block();
                    self.main = Some(std::mem::replace(prose, before));
                }
            }
            _ => {}
        }
    }

    /// Whether an element is one that the pages of a site repeat.
    pub(super) fn is_furniture(&self, tag: &Tag) -> bool {
        let name: &str = &tag.name;
        match name {
            "aside" | "button" => return true,
            "header" => return self.n_open == 0,
            "html" | "body" | "main" | "article" => return false,
            _ if VOID.contains(&name) => return false,
            _ => {}
        }
        let role = attribute(tag, "role").unwrap_or_default();
        if matches!(&*role, "banner" | "contentinfo" | "complementary" | "dialog" | "search") {
            return true;
        }
        ["class", "id"].iter().filter_map(|it| attribute(tag, it)).any(|it| names_furniture(&it))
    }

    fn link(&mut self, tag: &Tag) {
        if self.links.len() < MAX_LINKS
            && !has_word(tag, "rel", "nofollow")
            && let Some(href) = attribute(tag, "href")
        {
            self.links.push(href);
        }
    }

    fn meta(&mut self, tag: &Tag) {
        let slot = match attribute(tag, "property").as_deref() {
            Some("og:title") => &mut self.og_title,
            Some("og:site_name") => &mut self.name,
            _ => return,
        };
        if slot.is_none() {
            *slot = attribute(tag, "content").map(|it| collapse(&it));
        }
    }
}

/// Whether the names in a `class` or `id` are those of furniture (`main-nav`, `footer-links`), and none is that of the
/// content; `with-sidebar` only stands beside furniture, `sidebar-layout` holds the content too.
fn names_furniture(names: &str) -> bool {
    let is_furniture = |name: &str| {
        let name = name.to_ascii_lowercase();
        let words: Vec<&str> = name.split(|it: char| !it.is_alphanumeric()).collect();
        let has = |list: &[&str]| words.iter().any(|it| list.contains(it));
        let ends_so = words.last().is_some_and(|it| FURNITURE.contains(it));
        !has(BESIDE) && (ends_so || has(FURNITURE) && !has(CONTENT))
    };
    let mut names = names.split_ascii_whitespace();
    names.clone().all(|it| !CONTENT.contains(&it)) && names.any(is_furniture)
}

const FURNITURE: &[&str] = &[
    "ad",
    "ads",
    "advert",
    "advertisement",
    "breadcrumb",
    "breadcrumbs",
    "consent",
    "cookie",
    "cookiebanner",
    "cookies",
    "footer",
    "gdpr",
    "masthead",
    "modal",
    "nav",
    "navbar",
    "navigation",
    "newsletter",
    "offcanvas",
    "pager",
    "pagination",
    "popup",
    "recommended",
    "related",
    "share",
    "sharing",
    "sidebar",
    "skiplink",
    "social",
    "subscribe",
    "topbar",
];

const CONTENT: &[&str] =
    &["article", "body", "content", "layout", "main", "page", "post", "text", "wrapper"];

const BESIDE: &[&str] = &["has", "is", "no", "with", "without"];

fn has_word(tag: &Tag, name: &str, word: &str) -> bool {
    attribute(tag, name)
        .is_some_and(|it| it.split_ascii_whitespace().any(|it| it.eq_ignore_ascii_case(word)))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "as `expect!` gives it")]
    fn check(html: &str, expected: Expect) {
        let read = read(html);
        expected.assert_eq(&format!("{}\n---\n{}", read.title, read.text.trim()));
    }

    /// A page as site builders without `<main>` and `<nav>` make them.
    fn in_site(content: &str) -> String {
        format!(
            "<html><head><title>Opening hours | Riverside Clinic</title></head><body class=has-sidebar>\
             <div class=topbar><a href=/>Home</a> <a href=/team>Team</a></div>\
             <div id=cookie-consent><p>We use cookies to improve your experience.</p><button>Accept</button></div>\
             <div class='page-wrapper with-sidebar'><div class=content>{content}</div>\
             <div class=left-sidebar><h3>Related</h3><ul><li><a href=/a>Ten tips</a></ul></div></div>\
             <div class=main-footer>© 2026 Riverside Clinic</div></body></html>"
        )
    }

    #[test]
    fn what_the_pages_of_a_site_repeat_is_left_out() {
        check(
            &in_site("<h1>Team</h1><div class=card><h2>Dr. Okafor</h2><p>Cardiologist.</p></div>"),
            expect![[r#"
                Opening hours
                ---
                # Team

                ## Dr. Okafor

                Cardiologist."#]],
        );
        check(
            &in_site("<dl><dt>Where can I park?</dt><dd>Behind the house.</dd></dl>"),
            expect![[r#"
                Opening hours
                ---
                - Where can I park?: Behind the house."#]],
        );
    }

    #[test]
    fn a_marked_main_part_is_all_that_is_read() {
        check(
            "<title>Prices - Acme</title><header><h1>Acme</h1></header><p>Call us now!</p><main><header>\
             <h1>Prices</h1></header><ul><li>Cleaning: 80 euros, with polishing and a check of the gums</li>\
             <li>Whitening: 300 euros</li></ul></main><p>Made by Web Ltd</p>",
            expect![[r#"
                Prices
                ---
                # Prices

                - Cleaning: 80 euros, with polishing and a check of the gums
                - Whitening: 300 euros"#]],
        );
        check(
            "<title>Prices</title><p>Cleaning: 80 euros</p><main><p>Ask us.</p>",
            expect![[r#"
            Prices
            ---
            Cleaning: 80 euros

            Ask us."#]],
        );
        check(
            "<div class=modal>Closed on Monday.</div>",
            expect![[r#"

            ---
            Closed on Monday."#]],
        );
    }

    #[test]
    fn the_title_is_the_pages_and_not_the_sites() {
        for (told, heading, site, title) in [
            ("Prices | Acme", None, None, "Prices"),
            ("Prices – Acme Dental – Ulm", None, None, "Prices – Acme Dental"),
            ("Prices - Acme", Some("Prices"), None, "Prices"),
            ("", Some("Prices"), None, "Prices"),
            ("Acme", Some("Welcome"), None, "Acme"),
            (
                "FAQ | The old and very long name of a clinic",
                None,
                None,
                "FAQ | The old and very long name of a clinic",
            ),
            (
                "FAQ | The old and very long name of a clinic",
                None,
                Some("The old and very long name of a clinic"),
                "FAQ",
            ),
        ] {
            assert_eq!(title_of(told, heading, site), title, "{told}");
        }
        let page = "<title>A | S</title><meta property=og:title content='B'><p>Text.</p>";
        assert_eq!(read(page).title, "B");
    }

    #[test]
    fn links_and_addresses_are_read_also_from_what_is_left_out() {
        let page = read_web_page(
            b"<base href=/x/><link rel='Canonical' href=/c><nav><a href=/a>A</a></nav><p>Text <a rel=nofollow href=/n>n</a>\
              <a href='b?x=1&amp;y=2'>B</a><script>'<a href=/s>'</script>",
        )
        .unwrap();
        assert_eq!(page.links, ["/a", "b?x=1&y=2"]);
        assert_eq!((page.canonical.as_deref(), page.base.as_deref()), (Some("/c"), Some("/x/")));
        assert!(read_web_page(b"\0\x01\x02").is_none());
        let same = |a: &[u8], b: &[u8]| {
            read_web_page(a).unwrap().text_sha256 == read_web_page(b).unwrap().text_sha256
        };
        assert!(same(b"<nav>1</nav><p>Gone", b"<nav>2</nav><script>3</script><p>Gone"));
        assert!(!same(b"<p>Gone", b"<p>Here"));
    }
}
