//! Markdown to one document: which text stays when the marks go?

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::prose::{CellKind, Prose};
use super::{Emit, ParseError, ParseInput, encoding, html, title_of_name};
use crate::model::Document;

/// The title is the front matter's `title`, else the first heading of the highest level, else the file's name.
/// Links and pictures keep their text, emphasis goes, front matter is dropped.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let source = encoding::decode(input.bytes, None)?;
    let mut reader = Reader::default();
    for event in Parser::new_ext(&source, options()) {
        reader.read(event);
    }
    let front_title = reader.front_title;
    let (heading, text) = reader.prose.finish();
    let title = front_title.or(heading).unwrap_or_else(|| title_of_name(input.name));
    let _stop = emit(Document { record_id: None, title, place: None, text });
    Ok(())
}

fn options() -> Options {
    Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
        | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS
}

#[derive(Default)]
struct Reader {
    prose: Prose,
    front_title: Option<String>,
    /// Text that belongs to no inline context: front matter, code, raw HTML.
    aside: Option<String>,
    is_head_row: bool,
}

impl Reader {
    fn read(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) => match &mut self.aside {
                Some(aside) => aside.push_str(&text),
                None => self.prose.push(&text),
            },
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.prose.push(&text);
            }
            Event::InlineHtml(tag) if is_line_break(&tag) => self.prose.break_line(),
            Event::InlineHtml(_) | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
            Event::SoftBreak => self.prose.push(" "),
            Event::HardBreak => self.prose.break_line(),
            Event::Rule => self.prose.end_block(),
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.prose.start_heading(level_of(*level)),
            Tag::List(first) => self.prose.start_list(*first),
            Tag::DefinitionList => self.prose.start_list(None),
            Tag::Item | Tag::DefinitionListTitle => self.prose.start_item(),
            Tag::DefinitionListDefinition => self.prose.start_definition(),
            Tag::Table(_) => self.prose.start_table(),
            Tag::TableHead => self.is_head_row = true,
            Tag::TableRow => self.is_head_row = false,
            Tag::TableCell if self.is_head_row => self.prose.start_cell(CellKind::Header),
            Tag::TableCell => self.prose.start_cell(CellKind::Data),
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented)
            | Tag::MetadataBlock(_)
            | Tag::HtmlBlock => {
                self.prose.end_block();
                self.aside = Some(String::new());
            }
            Tag::Paragraph | Tag::BlockQuote(_) | Tag::FootnoteDefinition(_) => {
                self.prose.end_block()
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => self.prose.end_heading(),
            TagEnd::List(_) | TagEnd::DefinitionList => self.prose.end_list(),
            TagEnd::Table => self.prose.end_table(),
            TagEnd::TableHead | TagEnd::TableRow => self.prose.end_row(),
            TagEnd::TableCell => self.prose.end_cell(),
            TagEnd::CodeBlock => {
                let code = self.aside.take().unwrap_or_default();
                self.prose.code(&code);
            }
            TagEnd::HtmlBlock => {
                let source = self.aside.take().unwrap_or_default();
                self.prose = html::read_into(std::mem::take(&mut self.prose), &source).prose;
                self.prose.end_block();
            }
            TagEnd::MetadataBlock(_) => {
                let front_matter = self.aside.take().unwrap_or_default();
                self.front_title = title_of(&front_matter);
            }
            TagEnd::Paragraph
            | TagEnd::Item
            | TagEnd::BlockQuote(_)
            | TagEnd::FootnoteDefinition
            | TagEnd::DefinitionListDefinition => self.prose.end_block(),
            _ => {}
        }
    }
}

fn level_of(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

fn is_line_break(tag: &str) -> bool {
    tag.get(..3).is_some_and(|it| it.eq_ignore_ascii_case("<br"))
}

/// The value of a top-level `title: value` (YAML) or `title = value` (TOML).
fn title_of(front_matter: &str) -> Option<String> {
    let value = front_matter.lines().find_map(|line| {
        let rest = line.strip_prefix("title")?.trim_start();
        rest.strip_prefix(':').or_else(|| rest.strip_prefix('='))
    })?;
    let value = value.trim().trim_matches(['"', '\'']).trim();
    (!value.is_empty()).then(|| value.to_owned())
}
