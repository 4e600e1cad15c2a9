//! What does an RTF document say, in the order it is read?
//!
//! The file is read byte by byte with a stack of groups, never by recursion. Deleted and hidden text, headers, footers,
//! pictures and field codes are left out; notes follow the paragraph that refers to them.

use encoding_rs::{Encoding, WINDOWS_1252};

use super::flat_list::{FlatLists, Marker};
use super::metadata;
use super::package::damaged;
use super::prose::{CellKind, Prose};
use super::{Emit, ParseError, ParseInput, collapse};
use crate::model::Document;

/// One document.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    if !input.bytes.starts_with(b"{\\rtf") {
        return Err(ParseError::new(
            "the file is named .rtf but is none: give it its right name, or save it as .rtf again",
        ));
    }
    let mut reader = Reader::default();
    reader.read(input.bytes)?;
    let properties = collapse(&reader.title);
    let (heading, text) = reader.finish();
    let title = metadata::title(Some(&properties), heading, input.name);
    let _stop = emit(Document { record_id: None, title, text, place: None });
    Ok(())
}

/// Programs nest groups a few dozen deep.
const MAX_DEPTH: usize = 1000;

/// Where text goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Target {
    #[default]
    Body,
    Note,
    ListText,
    Title,
    Nowhere,
}

/// What a group changes for itself alone.
#[derive(Clone, Copy, Debug)]
struct Group {
    target: Target,
    /// Deleted or hidden by the formatting of characters.
    is_hidden: bool,
    /// Characters that stand in for one of `\u`.
    n_fallback: usize,
    encoding: &'static Encoding,
}

#[derive(Default)]
struct Reader {
    groups: Vec<Group>,
    prose: Prose,
    lists: FlatLists,
    title: String,
    list_text: String,
    note: String,
    waiting: Vec<String>,
    /// Bytes of `\'hh` that wait to be decoded together.
    raw: Vec<u8>,
    /// Characters still to be passed over after `\u`.
    n_skipped: usize,
    /// The first half of a character beyond the basic plane.
    surrogate: Option<u16>,
    outline_level: Option<u8>,
    list: Option<(u32, usize)>,
    is_in_table: bool,
    is_table_open: bool,
    is_cell_open: bool,
    is_header_row: bool,
    is_paragraph_open: bool,
    is_heading: bool,
}

/// Groups that are no text of the document.
const DESTINATIONS: &[&str] = &[
    "fonttbl",
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "object",
    "header",
    "headerl",
    "headerr",
    "headerf",
    "footer",
    "footerl",
    "footerr",
    "footerf",
    "ftnsep",
    "ftnsepc",
    "aftnsep",
    "fldinst",
    "listtable",
    "listoverridetable",
    "revtbl",
    "themedata",
    "datastore",
    "generator",
    "pntext",
    "nonshppict",
    "xe",
    "tc",
    "bkmkstart",
    "bkmkend",
    "annotation",
    "atnid",
    "atnauthor",
    "filetbl",
];

impl Reader {
    fn read(&mut self, bytes: &[u8]) -> Result<(), ParseError> {
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            match byte {
                b'{' => {
                    self.decode_raw();
                    let outer = self.group();
                    self.groups.push(outer);
                    self.n_skipped = 0;
                    if self.groups.len() > MAX_DEPTH {
                        return Err(ParseError(format!(
                            "the file nests its groups more than {MAX_DEPTH} deep: save it again with simpler content"
                        )));
                    }
                }
                b'}' => self.end_group(),
                b'\\' => at = self.control(bytes, at),
                b'\r' | b'\n' => {}
                _ => self.byte(byte),
            }
        }
        self.decode_raw();
        if self.groups.is_empty() { Ok(()) } else { Err(damaged("its last groups are missing")) }
    }

    fn finish(mut self) -> (Option<String>, String) {
        self.end_paragraph();
        self.lists.close(&mut self.prose);
        self.end_table();
        self.write_notes();
        self.prose.finish()
    }

    fn group(&self) -> Group {
        self.groups.last().copied().unwrap_or(Group {
            target: Target::Body,
            is_hidden: false,
            n_fallback: 1,
            encoding: WINDOWS_1252,
        })
    }

    fn change(&mut self, change: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.last_mut() {
            change(group);
        }
    }

    fn end_group(&mut self) {
        self.decode_raw();
        self.n_skipped = 0;
        let ended = self.groups.pop();
        let outer = self.group().target;
        if ended.is_some_and(|it| it.target == Target::Note) && outer != Target::Note {
            let note = collapse(&std::mem::take(&mut self.note));
            self.waiting.extend(Some(note).filter(|it| !it.is_empty()));
        }
    }

    /// Reads what follows a backslash and tells where it ends.
    fn control(&mut self, bytes: &[u8], at: usize) -> usize {
        let Some(first) = bytes.get(at) else { return at };
        if *first == b'\'' {
            let digits = bytes.get(at + 1..at + 3).and_then(|it| std::str::from_utf8(it).ok());
            if let Some(byte) = digits.and_then(|it| u8::from_str_radix(it, 16).ok()) {
                self.byte(byte);
            }
            return (at + 3).min(bytes.len());
        }
        if !first.is_ascii_alphabetic() {
            self.symbol(*first);
            return at + 1;
        }
        let len = bytes[at..].iter().take_while(|it| it.is_ascii_alphabetic()).take(32).count();
        let word = std::str::from_utf8(&bytes[at..at + len]).unwrap_or("");
        let mut end = at + len;
        let is_number = |(i, it): &(usize, &u8)| it.is_ascii_digit() || *i == 0 && **it == b'-';
        let digits = bytes[end..].iter().enumerate().take_while(is_number).take(11).count();
        let number = std::str::from_utf8(&bytes[end..end + digits])
            .ok()
            .and_then(|it| it.parse::<i64>().ok());
        end += digits;
        if bytes.get(end) == Some(&b' ') {
            end += 1;
        }
        if word == "bin" {
            let n = usize::try_from(number.unwrap_or(0)).unwrap_or(0);
            return end.saturating_add(n).min(bytes.len());
        }
        self.word(word, number);
        end
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'*' => self.change(|it| it.target = Target::Nowhere),
            b'~' => self.push("\u{A0}"),
            b'_' => self.push("-"),
            b'\\' | b'{' | b'}' => self.byte(symbol),
            b'\r' | b'\n' => self.end_paragraph(),
            _ => {}
        }
    }

    fn word(&mut self, word: &str, number: Option<i64>) {
        self.decode_raw();
        if self.group().target == Target::Body && self.paragraph_property(word, number) {
            return;
        }
        let is_on = number != Some(0);
        match word {
            "u" => self.unicode(number.unwrap_or(0)),
            "uc" => {
                let n = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(16);
                self.change(|it| it.n_fallback = n);
            }
            "ansicpg" => {
                let encoding = number.and_then(encoding_of_page).unwrap_or(WINDOWS_1252);
                self.change(|it| it.encoding = encoding);
            }
            // `\*` before them only says that old readers may skip them.
            "footnote" => self.open(Target::Note),
            "listtext" => {
                self.list_text.clear();
                self.open(Target::ListText);
            }
            "title" if self.groups.len() == 3 => self.open(Target::Title),
            "par" | "sect" | "page" => self.end_paragraph(),
            "line" => self.break_line(),
            "tab" => self.push(" "),
            "plain" => self.change(|it| it.is_hidden = false),
            "deleted" | "v" => self.change(|it| it.is_hidden = is_on),
            "trhdr" => self.is_header_row = true,
            "cell" | "nestcell" => self.end_cell(),
            "row" | "nestrow" => {
                self.prose.end_row();
                self.is_header_row = false;
            }
            "emdash" => self.push("—"),
            "endash" => self.push("–"),
            "bullet" => self.push("•"),
            "lquote" => self.push("‘"),
            "rquote" => self.push("’"),
            "ldblquote" => self.push("“"),
            "rdblquote" => self.push("”"),
            "emspace" | "enspace" | "qmspace" => self.push(" "),
            _ if DESTINATIONS.contains(&word) => self.open(Target::Nowhere),
            _ => {}
        }
    }

    /// Whether the word says something of the document's open paragraph.
    fn paragraph_property(&mut self, word: &str, number: Option<i64>) -> bool {
        match word {
            "pard" => {
                (self.outline_level, self.list, self.is_in_table) = (None, None, false);
            }
            "outlinelevel" => {
                self.outline_level =
                    number.and_then(|it| u8::try_from(it).ok()).filter(|it| *it < 9);
            }
            "ls" => {
                let level = self.list.map_or(0, |it| it.1);
                self.list = number.and_then(|it| u32::try_from(it).ok()).map(|it| (it, level));
            }
            "ilvl" => {
                let id = self.list.map_or(0, |it| it.0);
                self.list = Some((id, number.and_then(|it| usize::try_from(it).ok()).unwrap_or(0)));
            }
            "intbl" => self.is_in_table = true,
            _ => return false,
        }
        true
    }

    /// Text of this group goes elsewhere, unless an outer one goes nowhere.
    fn open(&mut self, target: Target) {
        let outer = self.groups.len().checked_sub(2).map(|it| self.groups[it].target);
        let is_lost = outer == Some(Target::Nowhere) && target != Target::Title;
        self.change(|it| it.target = if is_lost { Target::Nowhere } else { target });
    }

    fn unicode(&mut self, number: i64) {
        self.n_skipped = self.group().n_fallback;
        // Numbers are 16 bits with a sign.
        let unit = (number & 0xFFFF) as u16;
        let units: Vec<u16> = self.surrogate.take().into_iter().chain([unit]).collect();
        match char::decode_utf16(units.iter().copied()).next() {
            Some(Ok(character)) => self.push(character.encode_utf8(&mut [0; 4])),
            _ => self.surrogate = Some(unit).filter(|it| (0xD800..0xDC00).contains(it)),
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.n_skipped > 0 {
            self.n_skipped -= 1;
        } else {
            self.raw.push(byte);
        }
    }

    /// Characters of two bytes may come in two escapes, so what lies together is decoded together.
    fn decode_raw(&mut self) {
        if self.raw.is_empty() {
            return;
        }
        let raw = std::mem::take(&mut self.raw);
        let text = self.group().encoding.decode_without_bom_handling(&raw).0.into_owned();
        self.push_text(&text);
    }

    fn push(&mut self, text: &str) {
        self.decode_raw();
        self.push_text(text);
    }

    fn push_text(&mut self, text: &str) {
        let group = self.group();
        if group.is_hidden {
            return;
        }
        match group.target {
            Target::Nowhere => {}
            Target::Title => self.title.push_str(text),
            Target::ListText => self.list_text.push_str(text),
            Target::Note => self.note.push_str(text),
            Target::Body => {
                if !self.is_paragraph_open && !text.trim().is_empty() {
                    self.start_paragraph();
                }
                self.prose.push(text);
            }
        }
    }

    fn start_paragraph(&mut self) {
        self.is_paragraph_open = true;
        let list_text = collapse(&std::mem::take(&mut self.list_text));
        if self.is_in_table {
            self.start_cell();
            return;
        }
        self.end_table();
        if let Some(level) = self.outline_level {
            self.lists.close(&mut self.prose);
            self.write_notes();
            self.prose.start_heading(level + 1);
            self.is_heading = true;
            return;
        }
        match self.list.filter(|it| it.0 > 0 && !list_text.is_empty()) {
            Some((id, level)) => {
                // The text tells the number itself; the list counts on from what it starts with.
                let is_number =
                    list_text.trim_start_matches('(').starts_with(|it: char| it.is_ascii_digit());
                let marker = if is_number { Marker::Number(1) } else { Marker::Bullet };
                self.lists.start_item(&mut self.prose, id, level, marker);
            }
            None => {
                self.lists.close(&mut self.prose);
                self.write_notes();
            }
        }
    }

    fn start_cell(&mut self) {
        if !self.is_table_open {
            self.lists.close(&mut self.prose);
            self.write_notes();
            self.prose.start_table();
            self.is_table_open = true;
        }
        if !self.is_cell_open {
            let kind = if self.is_header_row { CellKind::Header } else { CellKind::Untold };
            self.prose.start_cell(kind);
            self.is_cell_open = true;
        }
    }

    fn end_cell(&mut self) {
        self.start_cell();
        self.prose.end_cell();
        self.is_cell_open = false;
        self.is_paragraph_open = false;
        self.list_text.clear();
    }

    fn end_table(&mut self) {
        if std::mem::take(&mut self.is_table_open) {
            self.prose.end_table();
            self.is_cell_open = false;
            self.write_notes();
        }
    }

    fn break_line(&mut self) {
        self.decode_raw();
        match self.group().target {
            Target::Body => self.prose.break_line(),
            Target::Note => self.note.push(' '),
            _ => {}
        }
    }

    fn end_paragraph(&mut self) {
        self.decode_raw();
        match self.group().target {
            Target::Body => {}
            Target::Note => return self.note.push(' '),
            _ => return,
        }
        if std::mem::take(&mut self.is_heading) {
            self.prose.end_heading();
        } else {
            self.prose.end_block();
        }
        self.is_paragraph_open = false;
        self.list_text.clear();
        self.write_notes();
    }

    fn write_notes(&mut self) {
        if self.lists.is_open() || self.is_table_open {
            return;
        }
        for note in self.waiting.drain(..) {
            self.prose.end_block();
            self.prose.push(&format!("Note: {note}"));
            self.prose.end_block();
        }
    }
}

fn encoding_of_page(page: i64) -> Option<&'static Encoding> {
    let label = match page {
        932 => "shift_jis".to_owned(),
        936 => "gbk".to_owned(),
        949 => "euc-kr".to_owned(),
        950 => "big5".to_owned(),
        10_000 => "macintosh".to_owned(),
        65_001 => "utf-8".to_owned(),
        page => format!("windows-{page}"),
    };
    Encoding::for_label(label.as_bytes())
}
