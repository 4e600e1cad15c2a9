//! What is said of a list when the words that lead into it are chosen?

use super::support::Support;
use crate::model::Span;

/// A lead-in ("Please bring:") with the items under it, as many as fit into `max_words`; `None` if the sentence leads into nothing.
pub(super) fn with_items(support: &Support<'_>, max_words: usize) -> Option<String> {
    let lead = support.sentence.strip_suffix(':')?;
    let text = &support.passage.text;
    let below = support.passage.sentences.get(support.number + 1..)?;
    let is_item = |it: &&Span| {
        let before = &text[..it.start as usize];
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let sentence = &text[it.start as usize..it.end as usize];
        !before[line..].trim().is_empty() && !before[line..].contains(char::is_alphanumeric)
            || item_of_number(sentence).is_some()
    };
    let items = below.iter().take_while(is_item).map(|it| {
        let item = &text[it.start as usize..it.end as usize];
        item_of_number(item).unwrap_or(item).trim_end_matches(['.', ';', ','])
    });
    let (mut said, mut n_words) = (Vec::new(), lead.split_whitespace().count());
    for item in items {
        n_words += item.split_whitespace().count();
        if n_words > max_words {
            break;
        }
        said.push(item);
    }
    let is_plain = said.iter().all(|it| !it.contains([',', ';']));
    (!said.is_empty())
        .then(|| format!("{lead}: {}.", said.join(if is_plain { ", " } else { "; " })))
}

/// What stands behind the number of an item.
fn item_of_number(sentence: &str) -> Option<&str> {
    let rest = sentence.trim_start_matches(|it: char| it.is_ascii_digit());
    let is_number = (1..=3).contains(&(sentence.len() - rest.len()));
    rest.strip_prefix(['.', ')']).filter(|it| is_number && it.starts_with(' ')).map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::with_items;
    use crate::retrieve::record::tests::each_line;

    #[test]
    fn lead_ins_say_their_items() {
        let said = |text: &str| each_line("T", text, |it| with_items(it, 9));
        let some = |it: &str| Some(it.to_owned());
        assert_eq!(
            said("Please bring:\n- a passport.\n- a photo\n\nWe thank you."),
            [some("Please bring: a passport, a photo."), None, None, None]
        );
        assert_eq!(
            said("Rules:\n1) No drones, please.\n2) No dogs\n3) one two three four five six"),
            [some("Rules: No drones, please; No dogs."), None, None, None]
        );
        assert_eq!(said("Open:\nWe are open."), [None, None]);
        assert_eq!(said("Open:"), [None]);
    }
}
