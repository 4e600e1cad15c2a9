//! What does an XML part of a document hold, element by element?
//!
//! Entities that the file defines itself are never expanded, namespaces are told by their usual prefixes, and elements are
//! nested no deeper than any program writes them.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::ParseError;
use super::package::damaged;

/// Reads one XML text from its beginning to its end.
pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    depth: usize,
}

pub(super) enum Node<'a> {
    Start(Element<'a>),
    /// The local name of the element that ends.
    End(Cow<'a, str>),
    Text(Cow<'a, str>),
}

pub(super) struct Element<'a>(BytesStart<'a>);

/// Word nests tables and text boxes a few dozen deep at most.
const MAX_DEPTH: usize = 1000;

/// XML as text: UTF-8 or, by its byte order mark, UTF-16.
///
/// # Errors
/// If it is neither.
pub(super) fn decode<'a>(bytes: &'a [u8], name: &str) -> Result<Cow<'a, str>, ParseError> {
    let (text, _, is_malformed) = encoding_rs::UTF_8.decode(bytes);
    if is_malformed {
        return Err(damaged(&format!("{name} is not valid UTF-8")));
    }
    Ok(text)
}

impl<'a> Xml<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, depth: 0 }
    }

    /// Bytes of the text that have been read.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The next thing that means something, `None` at the end.
    ///
    /// # Errors
    /// If the text is not well formed or ends too early.
    pub(super) fn next(&mut self) -> Result<Option<Node<'a>>, ParseError> {
        loop {
            let event = self.reader.read_event();
            match event.map_err(|it| damaged(&format!("its XML is not well formed: {it}")))? {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(ParseError(format!(
                            "the file nests its elements more than {MAX_DEPTH} deep: save it again with simpler content"
                        )));
                    }
                    return Ok(Some(Node::Start(Element(start))));
                }
                Event::End(end) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Some(Node::End(Cow::Owned(end.local_name().as_ref().to_owned()))));
                }
                Event::Text(text) => return Ok(Some(Node::Text(text.into_inner()))),
                Event::CData(text) => return Ok(Some(Node::Text(text.into_inner()))),
                Event::GeneralRef(reference) => {
                    if let Some(text) = resolve(&reference) {
                        return Ok(Some(Node::Text(Cow::Owned(text.to_string()))));
                    }
                }
                Event::Eof if self.depth > 0 => return Err(damaged("its XML ends too early")),
                Event::Eof => return Ok(None),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
                Event::Empty(_) => {}
            }
        }
    }

    /// Passes over what is left of the element that started last.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(super) fn skip(&mut self) -> Result<(), ParseError> {
        let depth = self.depth;
        while self.depth >= depth {
            if self.next()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The text within the element that started last, up to its end.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(super) fn text(&mut self) -> Result<String, ParseError> {
        let depth = self.depth;
        let mut text = String::new();
        while self.depth >= depth {
            match self.next()? {
                Some(Node::Text(part)) => text.push_str(&part),
                Some(_) => {}
                None => break,
            }
        }
        Ok(text)
    }
}

impl Element<'_> {
    /// The name without its prefix.
    pub(super) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// The value of an attribute; without a prefix in `name`, whatever the attribute's is.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let has_prefix = name.contains(':');
        let mut attributes = self.0.attributes();
        let attributes = attributes.with_checks(false).filter_map(Result::ok);
        for attribute in attributes {
            let its =
                if has_prefix { attribute.key.0 } else { attribute.key.local_name().into_inner() };
            if its == name {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                return Some(value.map_or_else(|_| attribute.value.to_string(), Cow::into_owned));
            }
        }
        None
    }

    /// The `val` attribute of Office's switches: present and not turned off.
    pub(super) fn is_on(&self) -> bool {
        !matches!(self.attribute("val").as_deref(), Some("0" | "false" | "off" | "none"))
    }
}

fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character);
    }
    match &**reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => None,
    }
}
