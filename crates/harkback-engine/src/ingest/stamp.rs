//! Which lines of a chat log are turns, and where in them does the speaker's name begin?

use std::sync::LazyLock;

use regex::Regex;
use rustc_hash::FxHashSet;

/// A stamp, then a name of up to 40 characters and a colon, then something said.
static TURN: LazyLock<Regex> = LazyLock::new(|| {
    let date = r"(?:\d{4}-\d\d?-\d\d?|\d{1,2}[./]\d{1,2}[./]\d{2,4})";
    let time = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?[AaPp]\.?[Mm]\.?)?";
    let stamp = format!(
        r"(?:(?P<dated>[\[(]{date}[\s,T]+{time}[\])]\s*|{date}[\s,T]+{time}\s+[-–—]\s+)|[\[(]{time}[\])]\s*(?:[-–—]\s+)?)"
    );
    Regex::new(&format!(r"^[\s\u{{200e}}\u{{feff}}]*{stamp}(?P<name>[^\s:][^:]{{0,39}}):\s+\S"))
        .expect("the pattern is a constant that a test compiles")
});

/// A line of a chat log: "[2026-11-02 09:25] Gus: and the dishwasher?"
struct Turn<'a> {
    name: &'a str,
    /// First byte of the name.
    start: usize,
    is_dated: bool,
}

/// The turns of one text.
pub(super) struct Chat<'a> {
    /// Whoever speaks more than once under a stamp: nobody else is told from an appointment ("[14:00] Talk: graphs").
    repeated: FxHashSet<&'a str>,
}

impl<'a> Chat<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let (mut seen, mut repeated) = (FxHashSet::default(), FxHashSet::default());
        for turn in text.lines().filter_map(turn) {
            if !seen.insert(turn.name) {
                repeated.insert(turn.name);
            }
        }
        Self { repeated }
    }

    /// Where the speaker's name begins in a line, if it is a turn.
    pub(super) fn name_in(&self, line: &str) -> Option<usize> {
        let turn = turn(line)?;
        (turn.is_dated || !self.repeated.is_empty()).then_some(turn.start)
    }
}

/// Whether a line begins with a stamp and a speaker's name, so that it is no continuation of the line above.
pub(super) fn is_turn(line: &str) -> bool {
    turn(line).is_some()
}

fn turn(line: &str) -> Option<Turn<'_>> {
    let first = line.trim_start_matches(['\u{200e}', '\u{feff}', ' ', '\t']).chars().next()?;
    if !(matches!(first, '[' | '(') || first.is_ascii_digit()) {
        return None;
    }
    let found = TURN.captures(line)?;
    let name = found.name("name")?;
    Some(Turn { name: name.as_str(), start: name.start(), is_dated: found.name("dated").is_some() })
}

#[cfg(test)]
mod tests {
    use super::Chat;

    #[test]
    fn turns_are_told_from_appointments() {
        let named = |text: &'static str| -> Vec<Option<&str>> {
            let chat = Chat::of(text);
            text.lines().map(|it| chat.name_in(it).map(|at| &it[at..])).collect()
        };
        for line in [
            "[2026-11-02 09:25] Gus: ok",
            "(2026-11-02 09:25) Gus: ok",
            "02.11.26, 09:25 - Gus: ok",
            "11/2/26, 9:25 AM - Gus: ok",
            "\u{200e}[02.11.26, 09:25:11] Gus: ok",
        ] {
            assert_eq!(named(line), [Some("Gus: ok")], "{line}");
        }
        assert_eq!(
            named("[09:25] Gus: a\n[09:26] Leyla: b: c\n[09:27] Gus: d"),
            [Some("Gus: a"), Some("Leyla: b: c"), Some("Gus: d")]
        );
        assert_eq!(named("[14:00] Graphs: Mia Holm\n[15:00] Trees: Tom Hill"), [None, None]);
        for line in ["09:00 Yoga: room 3", "2026-11-02 09:00 Yoga: room 3", "(a) Gus: b", "[1]: x"]
        {
            assert_eq!(named(line), [None], "{line}");
        }
    }
}
