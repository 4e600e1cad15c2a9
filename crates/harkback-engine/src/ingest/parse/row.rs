//! How does a row of a table, or a record inside a list, read aloud?

use super::collapse;
use crate::calendar::{MONTHS, WEEKDAYS};

/// A sentence that is heard is not longer; what is left of a row begins with its label again.
const MAX_WORDS: usize = 40;
/// A value of so many words with a sentence's end in it is text.
const MIN_TEXT_WORDS: usize = 8;

/// A value and what it is a value of; no name where nobody says.
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: String,
}

/// `label: name value, name value`, in one line or in several that all begin with the label. A value that is text has a line
/// of its own. Without a label: `name: value; name: value`.
pub(super) fn lines(label: &str, fields: &[Field]) -> Vec<String> {
    if fields.is_empty() {
        return [label.to_owned()].into_iter().filter(|it| !it.is_empty()).collect();
    }
    if label.is_empty() {
        let parts: Vec<String> = fields.iter().map(Field::with_colon).collect();
        return vec![parts.join("; ")];
    }
    let mut lines = Vec::new();
    let n_label = n_words(label);
    let (mut open, mut n_open) = (Vec::new(), n_label);
    for field in fields {
        let said = field.said();
        let n = n_words(&said);
        if !open.is_empty() && (n_open + n > MAX_WORDS || field.is_text()) {
            lines.push(line(label, &open));
            (open, n_open) = (Vec::new(), n_label);
        }
        if field.is_text() {
            let name = if field.name.is_empty() {
                String::new()
            } else {
                format!(", {}", spoken_name(&field.name))
            };
            lines.push(format!("{label}{name}: {}", field.value));
            continue;
        }
        open.push(said);
        n_open += n;
    }
    if !open.is_empty() {
        lines.push(line(label, &open));
    }
    lines
}

/// The label of a row by its first cell: a bare number or time needs its column's name ("Time 10:00").
pub(super) fn label(column: &str, cell: &str) -> String {
    let says_it = cell.starts_with(char::is_alphabetic);
    if says_it || column.is_empty() { cell.to_owned() } else { format!("{column} {cell}") }
}

fn line(label: &str, said: &[String]) -> String {
    let is_plain = said.iter().all(|it| !it.contains([',', ';']));
    let joined = said.join(if is_plain { ", " } else { "; " });
    format!("{}: {joined}", label.trim_end_matches(':'))
}

fn n_words(text: &str) -> usize {
    text.split_whitespace().count()
}

impl Field {
    fn with_colon(&self) -> String {
        if self.name.is_empty() {
            self.value.clone()
        } else {
            format!("{}: {}", self.name, self.value)
        }
    }

    fn said(&self) -> String {
        let value =
            if n_words(&self.value) > 3 { self.value.trim_end_matches('.') } else { &self.value };
        if self.name.is_empty() {
            value.to_owned()
        } else {
            format!("{} {value}", spoken_name(&self.name))
        }
    }

    fn is_text(&self) -> bool {
        let bare = self.value.trim_end_matches('.');
        bare.contains(". ") && n_words(bare) >= MIN_TEXT_WORDS
    }
}

/// A column's name inside a sentence: "Price per day" is no name, "Monday", "PIN" and "E-Mail" stay.
fn spoken_name(name: &str) -> String {
    let name = collapse(name.trim_end_matches([':', '?']));
    let mut rest = name.chars();
    let Some(first) = rest.next() else { return name };
    let word = name.split(' ').next().unwrap_or_default();
    let is_plain = word.chars().skip(1).all(char::is_lowercase) && word.chars().count() > 1;
    let is_name = WEEKDAYS.contains(&word.trim_end_matches('s')) || MONTHS.contains(&word);
    if is_plain && !is_name { first.to_lowercase().chain(rest).collect() } else { name }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{Field, label, lines};

    fn check(label: &str, fields: &[(&str, &str)], expected: Expect) {
        let field = |it: &(&str, &str)| Field { name: it.0.to_owned(), value: it.1.to_owned() };
        let fields: Vec<Field> = fields.iter().map(field).collect();
        expected.assert_eq(&lines(label, &fields).join("\n"));
    }

    #[test]
    fn rows_begin_with_their_label() {
        check(
            "Underground garage",
            &[("Price per day", "22 euros"), ("Height limit", "1.90 m")],
            expect!["Underground garage: price per day 22 euros, height limit 1.90 m"],
        );
        check(
            "Dr. Brandt",
            &[("Days", "Tuesday, Thursday"), ("PIN", "7"), ("Vegan?", "yes"), ("", "late")],
            expect!["Dr. Brandt: days Tuesday, Thursday; PIN 7; vegan yes; late"],
        );
        check("", &[("Price", "9 euros"), ("", "none")], expect!["Price: 9 euros; none"]);
        check("Bare", &[], expect!["Bare"]);
        check("", &[], expect![""]);
    }

    #[test]
    fn long_rows_say_their_label_again() {
        let long = "word ".repeat(30);
        let text = "It flies in light wind. It is made of spruce and silk.";
        check(
            "Box Kite",
            &[("price", "49"), ("note", long.trim()), ("Details", text), ("maker", "Hale")],
            expect![[r#"
                Box Kite: price 49, note word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word
                Box Kite, details: It flies in light wind. It is made of spruce and silk.
                Box Kite: maker Hale"#]],
        );
        check(
            "Kite",
            &[("note", long.trim()), ("use", "all day"), ("a b", long.trim())],
            expect![[r#"
                Kite: note word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word, use all day
                Kite: a b word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word"#]],
        );
    }

    #[test]
    fn numbers_need_their_column() {
        assert_eq!(label("Time", "10:00"), "Time 10:00");
        assert_eq!(label("Place", "Yard"), "Yard");
        assert_eq!(label("", "10:00"), "10:00");
    }
}
