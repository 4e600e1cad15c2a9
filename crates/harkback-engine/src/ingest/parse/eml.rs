//! What does an e-mail say, from whom to whom, and what is attached to it?

use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

use super::prose::Prose;
use super::text::unwrap_lines;
use super::{Emit, ParseError, ParseInput, collapse, html, title_of_name};
use crate::model::Document;

/// One document, titled by the subject. Attachments are named, not read.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let message = MessageParser::default().parse(input.bytes).filter(is_mail).ok_or_else(|| {
        ParseError::new(
            "the file is named .eml but has no headers of an e-mail: save the message again",
        )
    })?;
    let mut text = envelope(&message);
    let body = body(&message);
    if body.trim().is_empty() && is_encrypted(&message) {
        return Err(ParseError::new("the e-mail is encrypted: save it decrypted, or its text"));
    }
    push_block(&mut text, body.trim());
    let attachments: Vec<String> = message
        .attachments()
        .filter_map(|it| it.attachment_name().map(collapse))
        .filter(|it| !it.is_empty())
        .take(MAX_NAMED)
        .collect();
    if !attachments.is_empty() {
        push_block(&mut text, &format!("Attached: {}", attachments.join(", ")));
    }
    let subject = message.subject().map(collapse).filter(|it| !it.is_empty());
    let title = subject.unwrap_or_else(|| title_of_name(input.name));
    let _stop = emit(Document { record_id: None, title, text, place: None });
    Ok(())
}

/// Attachments and recipients that are named.
const MAX_NAMED: usize = 50;

fn is_mail(message: &Message<'_>) -> bool {
    message.from().is_some() || message.subject().is_some() && message.date().is_some()
}

fn is_encrypted(message: &Message<'_>) -> bool {
    message.parts.iter().filter_map(|it| it.content_type()).any(|it| {
        let subtype = it.subtype().unwrap_or("").to_ascii_lowercase();
        subtype.contains("pkcs7-mime")
            || subtype.contains("pgp-encrypted")
            || subtype == "encrypted"
    })
}

fn envelope(message: &Message<'_>) -> String {
    let mut lines = Vec::new();
    for (name, people) in [("From", message.from()), ("To", message.to()), ("Cc", message.cc())] {
        let people = people.map(names).unwrap_or_default();
        if !people.is_empty() {
            lines.push(format!("{name}: {people}"));
        }
    }
    if let Some(date) = message.date().filter(|it| it.is_valid()) {
        lines.push(format!(
            "Date: {}-{:02}-{:02} {:02}:{:02}",
            date.year, date.month, date.day, date.hour, date.minute
        ));
    }
    lines.join("\n")
}

fn names(people: &Address<'_>) -> String {
    let shown = |it: &mail_parser::Addr<'_>| match (it.name.as_deref(), it.address.as_deref()) {
        (Some(name), Some(address)) => Some(format!("{} <{address}>", collapse(name))),
        (Some(one), None) | (None, Some(one)) => Some(collapse(one)),
        (None, None) => None,
    };
    let names: Vec<String> = people.iter().filter_map(shown).take(MAX_NAMED).collect();
    names.join(", ")
}

/// The plain text if the sender wrote one, else what the HTML says.
fn body(message: &Message<'_>) -> String {
    let mut text = String::new();
    for part in message.text_bodies() {
        match &part.body {
            PartType::Text(plain) => {
                push_block(&mut text, unwrap_lines(&plain.replace("\r\n", "\n")).trim())
            }
            PartType::Html(source) => {
                let page = html::read_into(Prose::default(), source);
                push_block(&mut text, &page.prose.finish().1);
            }
            _ => {}
        }
    }
    text
}

fn push_block(text: &mut String, block: &str) {
    if !text.is_empty() && !block.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(block);
}
