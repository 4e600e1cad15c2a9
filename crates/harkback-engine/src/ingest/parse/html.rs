//! HTML to one document: which of a page's text is its content?
//!
//! Only html5ever's tokenizer runs, no tree is built: nesting costs nothing, a page of 200 MB in one line takes the memory
//! of its text, and no input can overflow the stack or make the tree builder quadratic.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::LazyLock;

use html5ever::LocalName;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use regex::Regex;

use super::prose::{CellKind, Prose};
use super::web::SiteParts;
use super::{Emit, ParseError, ParseInput, collapse, encoding, title_of_name};
use crate::model::Document;

/// The title is the page's heading if `<title>` contains it (the rest names the site), else `<title>`, else the heading,
/// else the file's name. Scripts, styles, navigation and footers are left out.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let source = encoding::decode(input.bytes, declared_charset(input.bytes).as_deref())?;
    let is_xhtml = source.trim_start().starts_with("<?xml");
    let source = if is_xhtml { with_ends(&source) } else { source.into() };
    let page = read_into(Prose::default(), &source);
    let page_title = collapse(&page.title);
    let (heading, text) = page.prose.finish();
    let title = match heading {
        Some(heading) if page_title.is_empty() || page_title.contains(&heading) => heading,
        _ if !page_title.is_empty() => page_title,
        _ => title_of_name(input.name),
    };
    let _stop = emit(Document { record_id: None, title, place: None, text });
    Ok(())
}

/// XHTML in a form that HTML understands: there, `<title/>` does not end itself and would swallow the page.
pub(super) fn with_ends(xhtml: &str) -> Cow<'_, str> {
    static EMPTY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"<(title|script|style|iframe|textarea|nav|footer|svg|math|object|audio|video",
            r"|td|th|li|p|div|span|a|i|b|em)(\s[^<>]*)?/>"
        ))
        .expect("the pattern is constant")
    });
    EMPTY.replace_all(xhtml, "<$1$2></$1>")
}

/// What a page says.
#[derive(Default)]
pub(super) struct Page {
    pub(super) prose: Prose,
    pub(super) title: String,
    /// For a page of a website: what else is in it than what it says.
    pub(super) site: Option<SiteParts>,
    /// The element whose content is skipped and how many of its kind are open.
    skipped: Option<(LocalName, usize)>,
    is_in_title: bool,
    preformatted: Option<String>,
}

/// Elements that are not content.
const SKIPPED: &[&str] = &[
    "nav", "footer", "script", "style", "noscript", "template", "svg", "math", "select", "iframe",
    "object", "canvas", "audio", "video", "dialog", "textarea", "xmp", "noembed", "noframes",
];

pub(super) const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Reads HTML and appends what it says to `prose`.
pub(super) fn read_into(prose: Prose, source: &str) -> Page {
    read(Page { prose, ..Page::default() }, source)
}

/// Reads HTML into `page`, which may be one of a website.
pub(super) fn read(page: Page, source: &str) -> Page {
    const FED_BYTES: usize = 64 << 10;
    let sink = Sink { page: RefCell::new(page) };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    let mut rest = source;
    while !rest.is_empty() {
        let (fed, after) = rest.split_at(rest.floor_char_boundary(FED_BYTES).max(1));
        queue.push_back(StrTendril::from_slice(fed));
        // The tokenizer pauses after scripts for a browser to run them.
        while !queue.is_empty() {
            let _script = tokenizer.feed(&queue);
        }
        rest = after;
    }
    tokenizer.end();
    tokenizer.sink.page.into_inner()
}

struct Sink {
    page: RefCell<Page>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let mut page = self.page.borrow_mut();
        match token {
            Token::TagToken(tag) => return page.tag(&tag),
            Token::CharacterTokens(text) => page.characters(&text),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Page {
    fn characters(&mut self, text: &str) {
        if self.is_in_title {
            self.title.push_str(text);
        } else if self.skipped.is_some() {
        } else if let Some(code) = &mut self.preformatted {
            code.push_str(text);
        } else {
            self.prose.push(text);
        }
    }

    fn tag(&mut self, tag: &Tag) -> TokenSinkResult<()> {
        let name: &str = &tag.name;
        if let Some(site) = &mut self.site {
            site.tag(tag, &mut self.prose);
        }
        match tag.kind {
            TagKind::StartTag => {
                if !self.skips_start(name, tag) {
                    self.start(name, tag);
                }
                raw_text_of(name)
            }
            TagKind::EndTag => {
                if !self.skips_end(name) {
                    self.end(name);
                }
                TokenSinkResult::Continue
            }
        }
    }

    fn skips_start(&mut self, name: &str, tag: &Tag) -> bool {
        // Browsers ignore the slash of `<nav/>`; foreign elements and void ones have no content then.
        let is_empty = VOID.contains(&name) || tag.self_closing && matches!(name, "svg" | "math");
        if let Some((skipped, depth)) = &mut self.skipped {
            *depth += usize::from(*skipped == tag.name && !is_empty);
            return true;
        }
        let is_of_site = self.site.as_ref().is_some_and(|it| it.is_furniture(tag));
        if !SKIPPED.contains(&name) && !is_hidden(tag) && !is_of_site {
            return false;
        }
        if !is_empty {
            self.skipped = Some((tag.name.clone(), 1));
        }
        if is_block(name) || matches!(name, "nav" | "footer") {
            self.prose.end_block();
        }
        true
    }

    fn skips_end(&mut self, name: &str) -> bool {
        let Some((skipped, depth)) = &mut self.skipped else { return false };
        *depth -= usize::from(**skipped == *name);
        // An element left open ends with the page's content at the latest.
        if *depth == 0 || matches!(name, "body" | "html" | "main" | "article") {
            self.skipped = None;
        }
        true
    }

    fn start(&mut self, name: &str, tag: &Tag) {
        match name {
            "title" => self.is_in_title = self.title.is_empty(),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.prose.start_heading(level_of(name)),
            "ul" | "menu" | "dir" | "dl" => self.prose.start_list(None),
            "ol" => self.prose.start_list(Some(first_number(tag))),
            "li" | "dt" => self.prose.start_item(),
            "dd" => self.prose.start_definition(),
            "table" => self.prose.start_table(),
            "tr" => self.prose.end_row(),
            "th" => self.prose.start_cell(CellKind::Header),
            "td" => self.prose.start_cell(CellKind::Data),
            "br" => self.break_line(),
            "pre" => {
                self.prose.end_block();
                self.preformatted = Some(String::new());
            }
            "img" => {
                let alt = attribute(tag, "alt").unwrap_or_default();
                self.prose.push(&alt);
            }
            _ if is_block(name) => self.prose.end_block(),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "title" => self.is_in_title = false,
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.prose.end_heading(),
            "ul" | "menu" | "dir" | "ol" | "dl" => self.prose.end_list(),
            "table" => self.prose.end_table(),
            "tr" => self.prose.end_row(),
            "th" | "td" => self.prose.end_cell(),
            "pre" => {
                let code = self.preformatted.take().unwrap_or_default();
                self.prose.code(&code);
            }
            "li" => self.prose.end_block(),
            _ if is_block(name) => self.prose.end_block(),
            _ => {}
        }
    }

    fn break_line(&mut self) {
        match &mut self.preformatted {
            Some(code) => code.push('\n'),
            None => self.prose.break_line(),
        }
    }
}

/// The tokenizer must be told which elements hold no tags; a tree builder would.
fn raw_text_of(name: &str) -> TokenSinkResult<()> {
    match name {
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
            TokenSinkResult::RawData(RawKind::Rawtext)
        }
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "plaintext" => TokenSinkResult::Plaintext,
        _ => TokenSinkResult::Continue,
    }
}

fn is_block(name: &str) -> bool {
    BLOCKS.contains(&name)
}

const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "aside",
    "address",
    "blockquote",
    "body",
    "caption",
    "center",
    "details",
    "fieldset",
    "figcaption",
    "figure",
    "form",
    "hgroup",
    "hr",
    "html",
    "legend",
    "option",
    "summary",
    "tbody",
    "tfoot",
    "thead",
];

fn is_hidden(tag: &Tag) -> bool {
    tag.attrs.iter().any(|it| match &*it.name.local {
        "hidden" => true,
        "aria-hidden" => &*it.value == "true",
        "role" => matches!(&*it.value, "navigation" | "doc-noteref" | "doc-backlink"),
        "epub:type" => &*it.value == "noteref",
        _ => false,
    })
}

fn level_of(name: &str) -> u8 {
    name.as_bytes().get(1).map_or(1, |it| it.saturating_sub(b'0'))
}

fn first_number(tag: &Tag) -> u64 {
    attribute(tag, "start").and_then(|it| it.trim().parse().ok()).unwrap_or(1)
}

pub(super) fn attribute(tag: &Tag, name: &str) -> Option<String> {
    tag.attrs.iter().find(|it| &*it.name.local == name).map(|it| it.value.to_string())
}

/// The `charset` that a `<meta>` in the first 4 KB names.
pub(super) fn declared_charset(bytes: &[u8]) -> Option<String> {
    const PRESCAN_BYTES: usize = 4096;
    let head =
        String::from_utf8_lossy(&bytes[..bytes.len().min(PRESCAN_BYTES)]).to_ascii_lowercase();
    let (_, after) = head.split_once("charset")?;
    let value = after.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
    let label: String =
        value.chars().take_while(|it| it.is_ascii_alphanumeric() || "-_:.".contains(*it)).collect();
    (!label.is_empty()).then_some(label)
}
