//! Which pages does a sitemap name? XML, an index of further ones, or a text of a URL a line; packed with gzip or not.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use quick_xml::Reader;
use quick_xml::events::Event;

/// Most bytes of a sitemap, unpacked, as its protocol has it.
pub(super) const MAX_BYTES: usize = 50 << 20;
/// Most addresses of one sitemap, as its protocol has it.
const MAX_LOCATIONS: usize = 50_000;

/// What a sitemap names, as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sitemap {
    /// Pages.
    pub(super) pages: Vec<String>,
    /// Further sitemaps.
    pub(super) sitemaps: Vec<String>,
}

/// Reads a sitemap.
///
/// # Errors
/// What is wrong with it, in words that go on after its name.
pub(super) fn read(bytes: &[u8]) -> Result<Sitemap, String> {
    let unpacked = unpack(bytes, MAX_BYTES)?;
    let text = std::str::from_utf8(&unpacked).map_err(|_| "is not encoded in UTF-8".to_owned())?;
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let sitemap = if text.starts_with('<') { read_xml(text)? } else { read_lines(text) };
    if sitemap == Sitemap::default() {
        return Err("names no page".into());
    }
    Ok(sitemap)
}

/// Unpacks bytes that are packed with gzip, and leaves others as they are.
///
/// # Errors
/// If they are damaged, or more than `max_bytes`.
pub(super) fn unpack(bytes: &[u8], max_bytes: usize) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut unpacked = Vec::new();
    let mut decoder = MultiGzDecoder::new(bytes).take(max_bytes as u64 + 1);
    decoder.read_to_end(&mut unpacked).map_err(|_| "is not packed as gzip has it".to_owned())?;
    if unpacked.len() > max_bytes {
        return Err(format!("is larger than {max_bytes} bytes when it is unpacked"));
    }
    Ok(unpacked)
}

/// The first word of each line that has one; `#` begins a comment.
fn read_lines(text: &str) -> Sitemap {
    let lines = text.lines().filter_map(|line| line.split_whitespace().next());
    let pages = lines.filter(|it| !it.starts_with('#')).take(MAX_LOCATIONS).map(str::to_owned);
    Sitemap { pages: pages.collect(), sitemaps: Vec::new() }
}

fn read_xml(text: &str) -> Result<Sitemap, String> {
    let mut reader = Reader::from_str(text);
    let mut sitemap = Sitemap::default();
    // The element around `<loc>`, and what `<loc>` says.
    let (mut around, mut location) = (Around::Nothing, None::<String>);
    loop {
        let event = reader.read_event().map_err(|error| malformed(&error))?;
        match event {
            Event::Start(tag) => match tag.local_name().as_ref() {
                "url" => around = Around::Page,
                "sitemap" => around = Around::Sitemap,
                // Images and videos of a page have an address of their own, in another namespace.
                "loc" if tag.name().prefix().is_none() => location = Some(String::new()),
                _ => {}
            },
            Event::Text(text) => append(&mut location, &text),
            Event::CData(text) => append(&mut location, &text),
            Event::GeneralRef(entity) => {
                append(&mut location, quick_xml::escape::resolve_xml_entity(&entity).unwrap_or(""));
            }
            Event::End(tag) if tag.local_name().as_ref() == "loc" => {
                let list = match around {
                    Around::Page => &mut sitemap.pages,
                    Around::Sitemap => &mut sitemap.sitemaps,
                    Around::Nothing => continue,
                };
                if let Some(location) = location.take()
                    && list.len() < MAX_LOCATIONS
                {
                    list.push(location.trim().to_owned());
                }
            }
            Event::Eof => return Ok(sitemap),
            _ => {}
        }
    }
}

/// The error quotes names, which may be as long as the sitemap.
fn malformed(error: &quick_xml::Error) -> String {
    const MAX_CHARS: usize = 200;
    format!("is not XML: {}", error.to_string().chars().take(MAX_CHARS).collect::<String>())
}

fn append(location: &mut Option<String>, text: &str) {
    if let Some(location) = location {
        location.push_str(text);
    }
}

#[derive(Clone, Copy)]
enum Around {
    Nothing,
    Page,
    Sitemap,
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn pages_and_further_sitemaps_are_read_packed_or_not() {
        let xml = b"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:image='i'>\
                    <url><loc> https://e.com/a?x=1&amp;y=2 </loc><image:image><image:loc>https://e.com/i.png</image:loc>\
                    </image:image></url><url><lastmod>2026-01-01</lastmod><loc><![CDATA[https://e.com/b]]></loc></url></urlset>";
        let pages = ["https://e.com/a?x=1&y=2", "https://e.com/b"];
        assert_eq!(read(xml).unwrap().pages, pages);
        assert_eq!(read(&pack(xml)).unwrap().pages, pages);
        let index =
            b"<sitemapindex><sitemap><loc>https://e.com/1.xml</loc></sitemap></sitemapindex>";
        assert_eq!(read(index).unwrap().sitemaps, ["https://e.com/1.xml"]);
        let lines = "\u{feff}https://e.com/a\r\n\n# no\n  https://e.com/b  \n";
        assert_eq!(read(lines.as_bytes()).unwrap().pages, ["https://e.com/a", "https://e.com/b"]);
    }

    #[test]
    fn a_bad_sitemap_says_what_is_wrong() {
        for (bytes, why) in [
            (b"".to_vec(), "names no page"),
            (b"<html><p>Hello</p></html>".to_vec(), "names no page"),
            (b"\xff\xfe".to_vec(), "is not encoded in UTF-8"),
            (pack(b"x")[..12].to_vec(), "is not packed as gzip has it"),
            (pack(&vec![b' '; MAX_BYTES + 1]), "is larger than 52428800 bytes when it is unpacked"),
        ] {
            assert_eq!(read(&bytes).unwrap_err(), why);
        }
        assert!(read(b"<urlset><url></loc>").unwrap_err().starts_with("is not XML: "));
    }
}
