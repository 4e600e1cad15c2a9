//! How does a line of an archive look in GraphML? Files, passages and entities are nodes; that a file holds a passage, that
//! a passage mentions an entity, and what a sentence states of two entities are edges.

use serde_json::Value;

/// Before the first element.
pub(super) const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="kind" for="node" attr.name="kind" attr.type="string"/>
<key id="label" for="node" attr.name="label" attr.type="string"/>
<key id="text" for="node" attr.name="text" attr.type="string"/>
<key id="relation" for="edge" attr.name="relation" attr.type="string"/>
<key id="sentence" for="edge" attr.name="sentence" attr.type="int"/>
<key id="passage" for="edge" attr.name="passage" attr.type="int"/>
<graph edgedefault="directed">"#;
/// Behind the last one.
pub(super) const FOOT: &str = "</graph>\n</graphml>";

/// The elements of a line, if it has a part in the graph.
pub(super) fn element(line: &Value) -> Option<String> {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    Some(match text("kind") {
        "file" => node(&format!("file {}", text("id")), "file", text("name"), ""),
        "passage" => {
            let id = format!("passage {}", line["passage"]);
            let holds = edge(&format!("file {}", text("fileID")), &id, "holds", &[]);
            let title = if text("title").is_empty() { &id } else { text("title") };
            format!("{}\n{holds}", node(&id, "passage", title, text("text")))
        }
        "entity" => node(&entity(&line["entity"]), "entity", text("name"), ""),
        "mention" => {
            let passage = format!("passage {}", line["passage"]);
            edge(&passage, &entity(&line["entity"]), "mentions", &[("sentence", &line["sentence"])])
        }
        "relation" if line["subjectEntity"].is_u64() && line["objectEntity"].is_u64() => {
            let from = [("passage", &line["passage"]), ("sentence", &line["sentence"])];
            let predicate = line["predicate"].as_str().unwrap_or("mentioned with");
            edge(&entity(&line["subjectEntity"]), &entity(&line["objectEntity"]), predicate, &from)
        }
        _ => return None,
    })
}

fn entity(number: &Value) -> String {
    format!("entity {number}")
}

fn node(id: &str, kind: &str, label: &str, text: &str) -> String {
    let text = if text.is_empty() {
        String::new()
    } else {
        format!("<data key=\"text\">{}</data>", escaped(text))
    };
    format!(
        "<node id=\"{}\"><data key=\"kind\">{kind}</data><data key=\"label\">{}</data>{text}</node>",
        escaped(id),
        escaped(label)
    )
}

fn edge(from: &str, to: &str, relation: &str, numbers: &[(&str, &Value)]) -> String {
    let numbers: String = numbers
        .iter()
        .map(|(key, number)| format!("<data key=\"{key}\">{number}</data>"))
        .collect();
    format!(
        "<edge source=\"{}\" target=\"{}\"><data key=\"relation\">{}</data>{numbers}</edge>",
        escaped(from),
        escaped(to),
        escaped(relation)
    )
}

/// Escaped, and without what XML cannot hold in any form.
fn escaped(text: &str) -> String {
    let allowed = |it: &char| matches!(it, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    let text: String = text.chars().filter(allowed).collect();
    quick_xml::escape::escape(text.as_str()).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let line =
            json!({"kind": "file", "id": "\"/><x a='", "name": "a\u{0}\u{b}\u{ffff}<b>&amp;"});
        let written = element(&line).unwrap();
        assert_eq!(
            written,
            "<node id=\"file &quot;/&gt;&lt;x a=&apos;\"><data key=\"kind\">file</data>\
             <data key=\"label\">a&lt;b&gt;&amp;amp;</data></node>"
        );
        assert_eq!(element(&json!({"kind": "bytes", "data": "x"})), None);
        assert_eq!(element(&json!({"kind": "relation", "subject": "a", "object": "b"})), None);
    }
}
