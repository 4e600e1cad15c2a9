//! JSON to documents: how does a tree of values read aloud?

use std::fmt;
use std::ops::ControlFlow;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::row::{self, Field};
use super::stream::Pieces;
use super::{Emit, ParseError, ParseInput, collapse, encoding, shorten, text, title_of_name};
use crate::model::Document;

/// Members (and CSV columns) that name what a record is about, best first.
pub(super) const TITLE_KEYS: &[&str] = &[
    "title",
    "name",
    "full name",
    "full_name",
    "subject",
    "question",
    "headline",
    "label",
    "heading",
];

/// An array of objects is a document each; anything else is one document, in which each object inside a list is a line that
/// begins with its name (`plan Basic: price 9.99, data 5 GB`). Other members read `path to key: value`, a line each, in the
/// order of the file.
///
/// Arrays are read element by element, so a large file needs memory for one record only. serde_json's own limit of 128
/// levels guards the stack.
pub(super) fn parse(input: &ParseInput<'_>, emit: &mut Emit<'_>) -> Result<(), ParseError> {
    let source = encoding::decode(input.bytes, None)?;
    records(input.name, serde_json::Deserializer::from_str(&source), emit)
}

/// As [`parse`], piece by piece.
pub(super) fn stream(
    name: &str,
    pieces: &mut dyn Pieces,
    emit: &mut Emit<'_>,
) -> Result<(), ParseError> {
    records(name, serde_json::Deserializer::from_reader(pieces), emit)
}

fn records<'de, R: serde_json::de::Read<'de>>(
    name: &str,
    mut deserializer: serde_json::Deserializer<R>,
    emit: &mut Emit<'_>,
) -> Result<(), ParseError> {
    let file_title = title_of_name(name);
    let mut stopped = None;
    let records = Records {
        emit: &mut |node| {
            let flow = match document(node, &file_title) {
                Ok(document) => emit(document),
                Err(error) => {
                    stopped = Some(Err(error));
                    return ControlFlow::Break(());
                }
            };
            if flow.is_break() {
                stopped = Some(Ok(()));
            }
            flow
        },
    };
    let result = deserializer.deserialize_any(records).and_then(|()| deserializer.end());
    stopped.unwrap_or_else(|| result.map_err(|it| refused(&it)))
}

/// Ids and paths are repeated, for each passage and each line.
const MAX_RECORD_ID_BYTES: usize = 512;
const MAX_PATH_CHARS: usize = 96;

/// A JSON value with its members in the order of the file.
#[derive(Debug)]
pub(super) enum Node {
    Null,
    Scalar(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// The document that a record of an array or a line makes.
///
/// BEIR's layout (`text`, with `_id` and `title` beside it) gives the text itself; its `metadata` is data about the record
/// and is left out. Any other object reads as lines, and its `_id` or `id` is the record's id.
///
/// # Errors
/// If the record's id is too long.
pub(super) fn document(node: Node, file_title: &str) -> Result<Document, ParseError> {
    let Node::Object(mut members) = node else {
        let mut text = String::new();
        push_node(&mut text, "", &node);
        text.truncate(text.trim_end().len());
        return Ok(Document { record_id: None, title: file_title.to_owned(), place: None, text });
    };
    let record_id =
        member(&members, "_id").or_else(|| member(&members, "id")).and_then(Node::as_str);
    let record_id = record_id.map(str::to_owned).filter(|it| !it.is_empty());
    if record_id.as_ref().is_some_and(|it| it.len() > MAX_RECORD_ID_BYTES) {
        return Err(ParseError(format!(
            "a record's id is longer than {MAX_RECORD_ID_BYTES} bytes: shorten it"
        )));
    }
    let is_beir = matches!(member(&members, "text"), Some(Node::Text(_)))
        && (member(&members, "_id").is_some() || member(&members, "title").is_some());
    let title = if is_beir {
        member(&members, "title").and_then(Node::as_str).map(collapse).filter(|it| !it.is_empty())
    } else {
        let named = TITLE_KEYS.iter().filter_map(|key| member(&members, key)?.as_str());
        named.map(collapse).find(|it| is_title(it))
    };
    members.retain(|(key, _)| key != "_id" && !(is_beir && (key == "title" || key == "metadata")));
    let mut text = String::new();
    if is_beir {
        let body = members.iter().position(|(key, _)| key == "text").map(|at| members.remove(at));
        if let Some((_, Node::Text(body))) = body {
            text = text::unwrap_lines(&body);
        }
    }
    push_node(&mut text, "", &Node::Object(members));
    text.truncate(text.trim_end().len());
    if text.is_empty() {
        // Corpora have records that are a title only.
        text = title.clone().unwrap_or_default();
    }
    Ok(Document {
        record_id,
        title: title.unwrap_or_else(|| file_title.to_owned()),
        place: None,
        text,
    })
}

/// Whether a value can name a record: short, with a letter in it, not a link.
pub(super) fn is_title(value: &str) -> bool {
    const MAX_CHARS: usize = 200;
    value.chars().any(char::is_alphabetic)
        && value.chars().take(MAX_CHARS + 1).count() <= MAX_CHARS
        && !value.contains("://")
}

/// Appends `name: value` as a line of its own; a blank value adds nothing, blank lines inside it go.
pub(super) fn push_line(text: &mut String, name: &str, value: &str) {
    let mut is_first = true;
    for line in value.lines().map(str::trim).filter(|it| !it.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        if is_first && !name.is_empty() {
            text.push_str(name);
            text.push_str(": ");
        }
        text.push_str(line);
        is_first = false;
    }
}

impl Node {
    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Scalar(value) | Self::Text(value) => Some(value),
            _ => None,
        }
    }

    fn is_leaf(&self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_))
    }
}

/// The top level: the elements of an array go out one by one.
struct Records<'e> {
    emit: &'e mut dyn FnMut(Node) -> ControlFlow<()>,
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut leaves = Vec::new();
        while let Some(node) = items.next_element::<Node>()? {
            if node.is_leaf() {
                leaves.push(node);
            } else if (self.emit)(node).is_break() {
                return Err(de::Error::custom("stopped"));
            }
        }
        if !leaves.is_empty() && (self.emit)(Node::List(leaves)).is_break() {
            return Err(de::Error::custom("stopped"));
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        self.emit_one(NodeVisitor.visit_map(members)?)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.emit_one(NodeVisitor.visit_bool(value)?)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.emit_one(NodeVisitor.visit_i64(value)?)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.emit_one(NodeVisitor.visit_u64(value)?)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        self.emit_one(NodeVisitor.visit_f64(value)?)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        self.emit_one(NodeVisitor.visit_str(value)?)
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }
}

impl Records<'_> {
    fn emit_one<E: de::Error>(self, node: Node) -> Result<(), E> {
        match (self.emit)(node) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(de::Error::custom("stopped")),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            members.push(entry);
        }
        Ok(Node::Object(members))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(if value { "yes" } else { "no" }.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
}

fn member<'a>(members: &'a [(String, Node)], name: &str) -> Option<&'a Node> {
    members.iter().find(|(key, _)| key == name).map(|(_, node)| node)
}

/// Writes lines under `path`. The depth is that of the parsed value, at most 128.
fn push_node(text: &mut String, path: &str, node: &Node) {
    match node {
        Node::Null => {}
        Node::Scalar(value) | Node::Text(value) => push_line(text, path, value),
        Node::List(items) if items.iter().all(Node::is_leaf) => {
            let values: Vec<&str> = items.iter().filter_map(Node::as_str).collect();
            push_line(text, path, &values.join(", "));
        }
        Node::List(items) => {
            start_paragraph(text);
            for item in items {
                match item {
                    Node::Object(members) => push_record(text, path, members),
                    _ => push_node(text, path, item),
                }
            }
            start_paragraph(text);
        }
        Node::Object(members) => {
            for (key, value) in members {
                let key = collapse(&key.replace('_', " "));
                let path = if path.is_empty() { key } else { format!("{path} {key}") };
                push_node(text, &shorten(&path, MAX_PATH_CHARS), value);
            }
        }
    }
}

/// Writes a record inside a list: its own values in a line under its name, the lists in it after that.
fn push_record(text: &mut String, path: &str, members: &[(String, Node)]) {
    let of = |key: &&str| members.iter().position(|it| it.0 == **key && names_record(&it.1));
    let first = || members.first().filter(|it| names_record(&it.1)).map(|_| 0);
    let named = TITLE_KEYS.iter().find_map(of).or_else(first);
    let kind = singular(path);
    let name = named.and_then(|it| members[it].1.as_str()).map(collapse).unwrap_or_default();
    let last_of_kind = kind.rsplit(' ').next().unwrap_or_default();
    let has_kind = name.split(' ').any(|it| it.eq_ignore_ascii_case(last_of_kind));
    let label = match (name.as_str(), kind.as_str()) {
        ("", kind) => kind.to_owned(),
        (name, kind) if kind.is_empty() || has_kind => name.to_owned(),
        (name, kind) => format!("{kind} {name}"),
    };
    let (mut fields, mut lists) = (Vec::new(), Vec::new());
    for (_, member) in members.iter().enumerate().filter(|it| Some(it.0) != named) {
        take_fields(&mut fields, &mut lists, "", member);
    }
    if !fields.is_empty() || !name.is_empty() {
        for line in row::lines(&label, &fields) {
            push_line(text, "", &line);
        }
    }
    for (key, list) in lists {
        let path = if label.is_empty() { key } else { format!("{label} {key}") };
        push_node(text, &shorten(&path, MAX_PATH_CHARS), list);
    }
}

/// The values of a record's member and of the objects in it; its lists of objects apart.
fn take_fields<'n>(
    fields: &mut Vec<Field>,
    lists: &mut Vec<(String, &'n Node)>,
    path: &str,
    (key, node): &'n (String, Node),
) {
    let key = collapse(&key.replace('_', " "));
    let name = match path {
        "" => key,
        // "maker Hale & Sons" says what "maker name Hale & Sons" does.
        path if TITLE_KEYS.contains(&key.as_str()) => path.to_owned(),
        path => shorten(&format!("{path} {key}"), MAX_PATH_CHARS),
    };
    let value = match node {
        Node::Null => return,
        Node::Scalar(value) | Node::Text(value) => collapse(value),
        Node::List(items) if items.iter().all(Node::is_leaf) => {
            let values: Vec<&str> = items.iter().filter_map(Node::as_str).collect();
            collapse(&values.join(", "))
        }
        Node::List(_) => return lists.push((name, node)),
        Node::Object(members) => {
            for member in members {
                take_fields(fields, lists, &name, member);
            }
            return;
        }
    };
    if !value.is_empty() {
        fields.push(Field { name, value });
    }
}

/// Whether a value is short enough to begin each line of its record.
fn names_record(node: &Node) -> bool {
    const MAX_CHARS: usize = 80;
    matches!(node, Node::Text(it) if is_title(it) && it.chars().take(MAX_CHARS + 1).count() <= MAX_CHARS)
}

/// One of the things that the key of a list names, in English.
fn singular(path: &str) -> String {
    let stem = match path {
        it if it.ends_with("ss") || it.ends_with("us") || it.ends_with("news") => None,
        it if it.ends_with("ies") && it.len() > 4 => {
            return format!("{}y", &it[..it.len() - 3]);
        }
        it if ["sses", "xes", "ches", "shes"].iter().any(|end| it.ends_with(end)) => {
            it.strip_suffix("es")
        }
        it => it.strip_suffix('s'),
    };
    stem.unwrap_or(path).to_owned()
}

/// Ends the lines above, so that what follows is a paragraph of its own.
fn start_paragraph(text: &mut String) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
}

fn refused(error: &serde_json::Error) -> ParseError {
    let hint = if error.to_string().starts_with("trailing characters") {
        "if each line is a JSON value of its own, name the file .jsonl"
    } else if error.to_string().starts_with("recursion limit") {
        "values may be nested 127 deep at most"
    } else {
        "correct it and upload it again"
    };
    ParseError(format!("the file is not valid JSON ({error}): {hint}"))
}
