//! Words of a text and the keys they fold to: the common ground of BM25 terms and entity names.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A word as it stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// First byte in the text.
    pub(crate) start: usize,
    /// The letters; a possessive `'s` is left out.
    pub(crate) text: &'a str,
}

impl Word<'_> {
    /// One past its last byte.
    pub(crate) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// The words of `text` in order: runs of letters and digits, with a single apostrophe, full stop or ampersand inside;
/// scripts written without spaces give a word a character.
pub(crate) fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text[rest..].find(is_word_char)?;
        let end = word_end(text, start);
        rest = end;
        let word = &text[start..end];
        let bare = ["'s", "’s", "'S", "’S"].iter().find_map(|it| word.strip_suffix(it));
        Some(Word { start, text: bare.unwrap_or(word) })
    })
}

/// The key of a word: lower case, without accents or punctuation. Not empty for a word of [`words`].
pub(crate) fn fold(word: &str) -> String {
    if word.is_ascii() {
        let kept = word.bytes().filter(|it| it.is_ascii_alphanumeric() || *it == b'&');
        return kept.map(|it| char::from(it.to_ascii_lowercase())).collect();
    }
    let mut key = String::with_capacity(word.len());
    for it in
        word.nfkd().filter(|it| it.is_alphanumeric() || *it == '&').flat_map(char::to_lowercase)
    {
        match it {
            'ø' => key.push('o'),
            'ł' => key.push('l'),
            'đ' => key.push('d'),
            'ı' => key.push('i'),
            'æ' => key.push_str("ae"),
            'œ' => key.push_str("oe"),
            'ß' => key.push_str("ss"),
            _ if is_combining_mark(it) => {}
            _ => key.push(it),
        }
    }
    if key.is_empty() { word.to_lowercase() } else { key }
}

/// Whether a name may begin with this word: a capital, a digit, or a letter of a script without cases.
pub(crate) fn is_capitalised(word: &str) -> bool {
    word.chars().next().is_some_and(|it| !it.is_lowercase())
}

fn is_word_char(it: char) -> bool {
    it.is_alphanumeric() || is_combining_mark(it)
}

fn is_unspaced(it: char) -> bool {
    matches!(u32::from(it), 0x0E00..=0x0EFF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

fn is_inner(it: char) -> bool {
    matches!(it, '\'' | '’' | 'ʻ' | 'ʼ' | '´' | '.' | '&')
}

fn word_end(text: &str, start: usize) -> usize {
    for (offset, it) in text[start..].char_indices() {
        if is_unspaced(it) {
            return start + if offset == 0 { it.len_utf8() } else { offset };
        }
        let next_goes_on =
            || text[start + offset + it.len_utf8()..].chars().next().is_some_and(is_word_char);
        let goes_on = is_word_char(it) || (is_inner(it) && next_goes_on());
        if !goes_on {
            return start + offset;
        }
    }
    text.len()
}

/// A title without what it has in brackets at its end, unless that is all of it: `Low Tide (film)`. Without a space before them
/// they belong to the name: `print(x)`.
pub(crate) fn without_brackets(title: &str) -> &str {
    let title = title.trim();
    let bare = title
        .rsplit_once(" (")
        .filter(|_| title.ends_with(')'))
        .map_or(title, |it| it.0.trim_end());
    if bare.is_empty() { title } else { bare }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        words(text).map(|it| it.text).collect()
    }

    #[test]
    fn words_of_prose() {
        let got = texts("Dr. O'Neill's 20th-century café, AT&T in the U.S. (naïve)!");
        assert_eq!(
            got,
            ["Dr", "O'Neill", "20th", "century", "café", "AT&T", "in", "the", "U.S", "naïve"]
        );
        assert_eq!(texts("' '' x'"), ["x"]);
        assert_eq!(texts("東京は"), ["東", "京", "は"]);
        assert_eq!(texts("ab東c"), ["ab", "東", "c"]);
        assert_eq!(texts(" …—!"), [""; 0]);
    }

    #[test]
    fn folding_removes_case_accents_and_punctuation() {
        for (word, key) in [
            ("Émile", "emile"),
            ("O’Neill", "oneill"),
            ("U.S", "us"),
            ("AT&T", "at&t"),
            ("Łódź", "lodz"),
            ("Ærø", "aero"),
        ] {
            assert_eq!(fold(word), key);
        }
    }

    #[test]
    fn brackets_at_the_end_are_no_part_of_a_title() {
        for (title, bare) in [
            ("Low Tide (1999 film)", "Low Tide"),
            ("Low Tide", "Low Tide"),
            ("print(x)", "print(x)"),
            (" (What) ", "(What)"),
            ("(A) Tide (B)", "(A) Tide"),
        ] {
            assert_eq!(without_brackets(title), bare);
        }
    }

    proptest! {
        #[test]
        fn words_are_slices_in_order_and_never_fold_to_nothing(text in "\\PC{0,80}") {
            let mut end = 0;
            for word in words(&text) {
                prop_assert!(end <= word.start);
                prop_assert_eq!(&text[word.start..word.end()], word.text);
                prop_assert!(!fold(word.text).is_empty());
                end = word.end();
            }
        }
    }
}
