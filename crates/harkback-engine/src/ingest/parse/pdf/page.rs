//! Which words of a page stand in one row, and which of them belong together in it?

/// A word and its box, in points from the page's upper left corner.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) y0: f32,
    pub(super) y1: f32,
    pub(super) text: String,
}

/// A page as it was read.
#[derive(Debug)]
pub(super) struct Page {
    /// From 1.
    pub(super) number: u32,
    pub(super) height: f32,
    pub(super) words: Vec<Word>,
}

/// A page as rows, from top to bottom: a tenth of what its words take.
#[derive(Debug)]
pub(super) struct Sheet {
    /// From 1.
    pub(super) number: u32,
    pub(super) height: f32,
    pub(super) rows: Vec<Row>,
}

/// The pages of a file, and the title in its properties.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) title: Option<String>,
    pub(super) sheets: Vec<Sheet>,
}

/// Words without a wide gap between them: a line of a column, a cell of a table.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) x0: f32,
    pub(super) x1: f32,
    pub(super) y0: f32,
    pub(super) y1: f32,
    pub(super) text: String,
}

/// Lines at one height, from left to right; at least one.
#[derive(Clone, Debug)]
pub(super) struct Row(pub(super) Vec<Line>);

/// Stands around the number of a note in a line's text. No PDF that means something holds these.
pub(super) const NOTE_MARK: char = '\u{F8F0}';

impl Word {
    /// The word, if its box is one and it shows something.
    pub(super) fn sound(mut self) -> Option<Self> {
        self.text.retain(|it| !it.is_control() && it != NOTE_MARK);
        let is_box = [self.x0, self.x1, self.y0, self.y1].iter().all(|it| it.is_finite());
        (is_box && self.y1 > self.y0 && !self.text.trim().is_empty()).then_some(self)
    }

    pub(super) fn height(&self) -> f32 {
        self.y1 - self.y0
    }

    fn middle(&self) -> f32 {
        f32::midpoint(self.y0, self.y1)
    }

    fn width(&self) -> f32 {
        self.x1 - self.x0
    }
}

impl Line {
    pub(super) fn size(&self) -> f32 {
        self.y1 - self.y0
    }

    fn push(&mut self, word: &Word) {
        let gap = word.x0 - self.x1;
        // Kerning before a full stop is wide in some fonts.
        let is_stop = gap < 0.4 * word.height() && word.text.starts_with(['.', ',', ';', ')']);
        if !self.text.is_empty() && gap > 0.05 * word.height() && !is_stop {
            self.text.push(' ');
        }
        self.text.push_str(&word.text);
        self.x1 = self.x1.max(word.x1);
    }
}

impl Row {
    pub(super) fn first(&self) -> &Line {
        &self.0[0]
    }

    pub(super) fn middle(&self) -> f32 {
        f32::midpoint(self.first().y0, self.first().y1)
    }

    /// All of it, from left to right.
    pub(super) fn text(&self) -> String {
        let texts: Vec<&str> = self.0.iter().map(|it| it.text.as_str()).collect();
        texts.join(" ")
    }
}

impl Page {
    pub(super) fn new(number: u32, height: f32) -> Self {
        Self { number, height, words: Vec::new() }
    }

    /// The page as rows.
    pub(super) fn sheet(self) -> Sheet {
        Sheet { number: self.number, height: self.height, rows: rows(self.words) }
    }
}

/// Text that runs upwards or downwards stands in high and narrow words and is dropped.
fn rows(mut words: Vec<Word>) -> Vec<Row> {
    words.retain(|it| it.height() < 4.0 * it.width().max(1.0) || it.text.chars().count() < 3);
    words.sort_by(|a, b| a.middle().total_cmp(&b.middle()));
    let mut rows = Vec::new();
    let mut open: Vec<Word> = Vec::new();
    // Middle and height of the row's tallest word: marks of notes stand above its middle.
    let (mut middle, mut height) = (0.0, 0.0);
    for word in words {
        let is_same = (word.middle() - middle).abs() < 0.45 * word.height().max(height);
        if !is_same && !open.is_empty() {
            rows.push(row(std::mem::take(&mut open)));
        }
        if open.is_empty() || word.height() > height {
            (middle, height) = (word.middle(), word.height());
        }
        open.push(word);
    }
    if !open.is_empty() {
        rows.push(row(open));
    }
    rows
}

/// Of a word's height: a gap this wide divides columns and cells.
const CELL_GAP: f32 = 1.0;

fn row(mut words: Vec<Word>) -> Row {
    words.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let height = words.iter().map(Word::height).fold(0.0, f32::max);
    let mut lines: Vec<Line> = Vec::new();
    for word in words {
        if let Some(line) = lines.last_mut() {
            let gap = word.x0 - line.x1;
            let is_mark =
                word.height() < 0.75 * height && gap < 0.3 * height && is_note(&word.text);
            if is_mark {
                line.text.extend([NOTE_MARK.to_string(), word.text, NOTE_MARK.to_string()]);
                line.x1 = line.x1.max(word.x1);
                continue;
            }
            if gap < CELL_GAP * height || is_marker(&line.text) {
                line.push(&word);
                line.y0 = line.y0.min(word.y0);
                line.y1 = line.y1.max(word.y1);
                continue;
            }
        }
        lines.push(Line { x0: word.x0, x1: word.x1, y0: word.y0, y1: word.y1, text: word.text });
    }
    Row(lines)
}

fn is_note(text: &str) -> bool {
    text.chars().count() <= 3 && text.chars().all(|it| it.is_ascii_digit() || "*†‡§,".contains(it))
}

/// What stands before an item of a list, alone.
pub(super) fn is_marker(text: &str) -> bool {
    BULLETS.contains(&text) || number_marker(text).is_some_and(|it| it.len() == text.len())
}

/// `12.`, `3)`, `a)` or `(iv)` at the beginning of a text.
pub(super) fn number_marker(text: &str) -> Option<&str> {
    let body = text.strip_prefix('(').unwrap_or(text);
    let open = text.len() - body.len();
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    let letters = body.bytes().take_while(u8::is_ascii_lowercase).count();
    let n = if digits > 0 { digits } else { letters };
    let is_short = (1..=3).contains(&digits)
        || (digits == 0 && (letters == 1 || open == 1 && letters <= 4 && letters > 0));
    let close = body[n..]
        .chars()
        .next()
        .filter(|it| *it == ')' || *it == '.' && open == 0 && digits > 0)?;
    let end = open + n + close.len_utf8();
    let is_word_end = text[end..].chars().next().is_none_or(char::is_whitespace);
    (is_short && is_word_end).then(|| &text[..end])
}

pub(super) const BULLETS: &[&str] = &[
    "•", "◦", "▪", "▫", "●", "○", "■", "□", "‣", "⁃", "➢", "➤", "✓", "✔", "·", "*", "-", "–", "—",
    "\u{f0b7}", "\u{f0a7}",
];
