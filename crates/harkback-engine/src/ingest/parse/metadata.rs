//! Which title does an office document get: the one in its properties, its first heading, or the file's name?

use super::package::Package;
use super::xml::{Node, Xml, decode};
use super::{ParseError, collapse, title_of_name};

/// The title in the properties if it is worth reading, else the first heading, else the file's name.
pub(super) fn title(properties: Option<&str>, heading: Option<String>, name: &str) -> String {
    properties
        .map(collapse)
        .filter(|it| is_sensible(it))
        .or(heading)
        .unwrap_or_else(|| title_of_name(name))
}

/// The `dc:title` of a package's properties.
///
/// # Errors
/// If the package cannot be unpacked.
pub(super) fn title_in(
    package: &mut Package<'_>,
    part: &str,
) -> Result<Option<String>, ParseError> {
    let Some(bytes) = package.part(part)? else { return Ok(None) };
    let text = decode(&bytes, part)?;
    let mut xml = Xml::new(&text);
    while let Some(node) = xml.next()? {
        if let Node::Start(element) = node
            && element.name() == "title"
        {
            return Ok(Some(xml.text()?).filter(|it| !it.trim().is_empty()));
        }
    }
    Ok(None)
}

/// Programs write titles nobody chose.
fn is_sensible(title: &str) -> bool {
    let lower = title.to_lowercase();
    let is_default = ["untitled", "document", "presentation", "powerpoint presentation", "slide 1"]
        .iter()
        .any(|it| lower.trim_end_matches(|it: char| it.is_ascii_digit()).trim() == *it)
        || lower == "slide 1";
    let is_file_name = lower.starts_with("microsoft word - ")
        || lower.rsplit_once('.').is_some_and(|(_, it)| FILE_ENDINGS.contains(&it))
        || lower.contains(['/', '\\']) && !lower.contains(' ');
    title.contains(char::is_alphabetic) && !is_default && !is_file_name
}

const FILE_ENDINGS: &[&str] = &[
    "doc", "docx", "odt", "rtf", "pdf", "ppt", "pptx", "xls", "xlsx", "indd", "qxd", "tex", "dvi",
    "html", "htm", "txt", "md",
];
