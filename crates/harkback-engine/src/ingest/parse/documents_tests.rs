//! What do files of real programs read as, and what do broken ones get?

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::ops::ControlFlow;

use expect_test::expect_file;
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{Done, ParseInput, parse, parse_file};
use crate::ingest::segment;
use crate::model::Document;

fn documents(name: &str, bytes: &[u8]) -> Result<Vec<Document>, String> {
    let extension = name.rsplit_once('.').map_or("", |it| it.1);
    let mut documents = Vec::new();
    let mut emit = |it| {
        documents.push(it);
        ControlFlow::Continue(())
    };
    parse(&ParseInput { name, extension, bytes, done: &Done::default() }, &mut emit)
        .map_err(|it| it.to_string())?;
    Ok(documents)
}

fn reason(name: &str, bytes: &[u8]) -> String {
    documents(name, bytes).expect_err("the file is refused")
}

fn read_aloud(documents: &[Document]) -> String {
    let mut out = String::new();
    for document in documents {
        let place = document.place.as_ref().map(|it| format!(" [{it:?}]")).unwrap_or_default();
        writeln!(out, "=== {}{place}\n{}", document.title, document.text).unwrap();
    }
    out
}

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../test-data/documents/", $name)).as_slice())
    };
}

/// Each fixture, and the text it reads as in a file beside it.
macro_rules! golden {
    ($($test:ident: $name:literal;)*) => {$(
        #[test]
        fn $test() {
            let (name, bytes) = fixture!($name);
            let documents = documents(name, bytes).unwrap();
            expect_file![concat!("../../../test-data/documents/", $name, ".txt")]
                .assert_eq(&read_aloud(&documents));
        }
    )*};
}

golden! {
    reads_docx: "handbook.docx";
    reads_odt: "handbook.odt";
    reads_pptx: "season.pptx";
    reads_odp: "season.odp";
    reads_xlsx: "stock.xlsx";
    reads_ods: "stock.ods";
    reads_rtf: "handbook.rtf";
    reads_epub: "handbook.epub";
    reads_eml: "crossing.eml";
}

const FIXTURES: &[(&str, &[u8])] = &[
    fixture!("handbook.docx"),
    fixture!("handbook.odt"),
    fixture!("season.pptx"),
    fixture!("season.odp"),
    fixture!("stock.xlsx"),
    fixture!("stock.ods"),
    fixture!("handbook.rtf"),
    fixture!("handbook.epub"),
    fixture!("crossing.eml"),
    fixture!("handbook.pdf"),
    fixture!("newsletter.pdf"),
];

/// How much of each fixture is read with each document, in percent; `-` where nobody can tell.
#[test]
fn parsers_tell_how_far_they_are() {
    let mut out = String::new();
    for (name, bytes) in FIXTURES {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        write!(out, "{name}").unwrap();
        let extension = name.rsplit_once('.').unwrap().1;
        parse_file(name, extension, &file, &mut |_, done| {
            let percent = done.map_or("-".to_owned(), |it| format!("{:.0}", it * 100.0));
            write!(out, " {percent}").unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
        out.push('\n');
    }
    expect_test::expect![[r#"
        handbook.docx 100
        handbook.odt 100
        season.pptx 33 100
        season.odp 89 100
        stock.xlsx 25 25 31 44 44 100
        stock.ods 63 63 69 75 80 100
        handbook.rtf 100
        handbook.epub 67 100
        crossing.eml 100
        handbook.pdf 33 67 100
        newsletter.pdf 100
    "#]]
    .assert_eq(&out);
}

/// A ZIP file of these members.
fn package(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn docx(document: &str) -> Vec<u8> {
    package(&[("word/document.xml", document.as_bytes())])
}

#[test]
fn a_file_under_another_formats_name_is_refused() {
    for (name, (_, bytes), expected) in [
        ("a.pptx", fixture!("handbook.docx"), "is a .docx file"),
        ("a.docx", fixture!("handbook.odt"), "is a .odt file"),
        ("a.odt", fixture!("season.odp"), "is a .odp file"),
        ("a.ods", fixture!("stock.xlsx"), "is a .xlsx file"),
        ("a.txt", fixture!("stock.xlsx"), "looks like a ZIP archive"),
    ] {
        let reason = reason(name, bytes);
        assert!(reason.contains(expected), "{name}: {reason}");
    }
    for name in ["a.pdf", "a.rtf"] {
        assert!(reason(name, b"Just a text.").contains("is none: give it its right name"));
    }
    assert!(reason("a.eml", b"Just a text.").contains("no headers of an e-mail"));
    for extension in ["docx", "pptx", "odt", "odp", "xlsx", "ods", "epub"] {
        let name = format!("a.{extension}");
        assert!(reason(&name, b"Just a text.").contains("is none: give it its right name"));
        assert!(reason(&name, b"%PDF-1.7 ...").contains("looks like a PDF"));
        let archive = package(&[("readme.txt", b"x")]);
        assert!(reason(&name, &archive).contains("another kind of ZIP archive"));
        assert!(reason(&name, b"PK\x03\x04").contains("damaged or cut off"));
    }
    // Macros and templates: the same format under other names.
    let (_, bytes) = fixture!("handbook.docx");
    assert_eq!(documents("a.docm", bytes).unwrap().len(), 1);
}

#[test]
fn protected_files_ask_for_an_unprotected_copy() {
    let password = "the file is protected by a password: save it without one";
    let (_, bytes) = fixture!("encrypted.docx");
    for name in ["a.docx", "a.pptx", "a.xlsx"] {
        assert_eq!(reason(name, bytes), password);
    }
    let (name, bytes) = fixture!("encrypted.pdf");
    assert_eq!(reason(name, bytes), password);
    let manifest = br#"<m><e><manifest:encryption-data checksum="x"/></e></m>"#.as_slice();
    let kind = b"application/vnd.oasis.opendocument.text".as_slice();
    let odt = package(&[("mimetype", kind), ("META-INF/manifest.xml", manifest)]);
    assert_eq!(reason("a.odt", &odt), password);
    let old = [super::package::OLE, &[0; 600]].concat();
    assert!(reason("a.docx", &old).contains("is an old Microsoft Office file"));
}

#[test]
fn bombs_go_off_nowhere() {
    let spaces = vec![b' '; 64 << 20];
    let bomb = package(&[("word/document.xml", &spaces)]);
    assert!(bomb.len() < 100_000 && reason("a.docx", &bomb).contains("ZIP bomb"));
    let sheet = package(&[("xl/workbook.xml", b"<workbook/>"), ("xl/sharedStrings.xml", &spaces)]);
    assert!(reason("a.xlsx", &sheet).contains("ZIP bomb"));
    let many: Vec<String> = (0..20_001).map(|it| format!("m{it}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|it| (it.as_str(), b"".as_slice())).collect();
    assert!(reason("a.docx", &package(&many)).contains("20001 parts"));
    let laughs = r#"<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>
        <w:document><w:p><w:r><w:t>Quiet &amp; short&c;.</w:t></w:r></w:p></w:document>"#;
    assert_eq!(documents("a.docx", &docx(laughs)).unwrap()[0].text, "Quiet & short.");
    let groups = [b"{\\rtf1 x".as_slice(), &b"{".repeat(1 << 20)].concat();
    assert!(reason("a.rtf", &groups).contains("more than 1000 deep"));
    let deep = format!("<w:p>{}x", "<w:tbl><w:tr><w:tc>".repeat(100_000));
    assert!(reason("a.docx", &docx(&deep)).contains("more than 1000 deep"));
}

#[test]
fn sheets_of_a_million_empty_rows_cost_nothing() {
    let workbook = br#"<workbook xmlns:r="r"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>"#;
    let relations = br#"<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;
    let mut sheet = String::from(r#"<worksheet><dimension ref="A1:XFD1048576"/><sheetData>"#);
    sheet += r#"<row r="1"><c r="A1" t="inlineStr"><is><t>Open at eight</t></is></c></row>"#;
    for row in 2..100_000 {
        write!(sheet, r#"<row r="{row}"/>"#).unwrap();
    }
    sheet += r#"<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>Closed at six</t></is></c></row>"#;
    sheet += "</sheetData></worksheet>";
    let root = br#"<Relationships><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
    let book = package(&[
        ("_rels/.rels", root),
        ("xl/workbook.xml", workbook),
        ("xl/_rels/workbook.xml.rels", relations),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ]);
    assert_eq!(documents("hours.xlsx", &book).unwrap()[0].text, "Open at eight\nClosed at six");
    let table = r#"<office:document-content><table:table table:name="S">
        <table:table-row table:number-rows-repeated="1048576"><table:table-cell table:number-columns-repeated="16384"/>
        </table:table-row><table:table-row><table:table-cell><text:p>Open at eight</text:p></table:table-cell>
        </table:table-row></table:table></office:document-content>"#;
    let kind = b"application/vnd.oasis.opendocument.spreadsheet".as_slice();
    let book = package(&[("mimetype", kind), ("content.xml", table.as_bytes())]);
    assert_eq!(documents("hours.ods", &book).unwrap()[0].text, "Open at eight");
}

fn assert_sound(name: &str, bytes: &[u8]) {
    match documents(name, bytes) {
        Ok(documents) => {
            for document in documents {
                assert!(!document.text.trim().is_empty());
                segment::passages(&document, &|it| it.len() / 4);
            }
        }
        Err(reason) => assert!(reason.len() > 20, "{reason}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn cut_off_files_get_documents_or_a_reason(which in 0..FIXTURES.len(), at in 0.0..1.0_f64) {
        let (name, bytes) = FIXTURES[which];
        assert_sound(name, &bytes[..(bytes.len() as f64 * at) as usize]);
    }

    #[test]
    fn damaged_files_get_documents_or_a_reason(
        which in 0..FIXTURES.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let (name, bytes) = FIXTURES[which];
        let mut bytes = bytes.to_vec();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        assert_sound(name, &bytes);
    }
}
