//! What do PDF files of real programs read as, with poppler and without?

use std::fmt::Write as _;
use std::ops::ControlFlow;

use expect_test::expect_file;

use super::page::Pages;
use super::poppler::Outcome;
use super::{ParseInput, glyphs, poppler, read};
use crate::ingest::parse::Done;

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../../test-data/documents/", $name)).as_slice())
    };
}

fn with_poppler(bytes: &[u8]) -> Pages {
    match poppler::pages(bytes, "pdftotext").unwrap() {
        Outcome::Read(pages) => pages,
        Outcome::Absent => panic!("this test needs pdftotext: install poppler-utils"),
    }
}

fn read_aloud(pages: Pages, name: &str) -> String {
    let mut out = String::new();
    let mut emit = |it: crate::model::Document| {
        writeln!(out, "=== {} [{:?}]\n{}", it.title, it.place.unwrap(), it.text).unwrap();
        ControlFlow::Continue(())
    };
    read(pages, &named(name, &Done::default()), &mut emit).unwrap();
    out
}

fn named<'a>(name: &'a str, done: &'a Done) -> ParseInput<'a> {
    ParseInput { name, extension: "pdf", bytes: &[], done }
}

macro_rules! golden {
    ($($test:ident: $name:literal;)*) => {$(
        #[test]
        fn $test() {
            let (name, bytes) = fixture!($name);
            let expected = expect_file![concat!("../../../../test-data/documents/", $name, ".txt")];
            expected.assert_eq(&read_aloud(with_poppler(bytes), name));
            let expected = expect_file![concat!("../../../../test-data/documents/", $name, ".glyphs.txt")];
            expected.assert_eq(&read_aloud(glyphs::pages(bytes).unwrap(), name));
        }
    )*};
}

golden! {
    reads_pages: "handbook.pdf";
    reads_columns: "newsletter.pdf";
}

#[test]
fn a_protected_pdf_asks_for_an_unprotected_one() {
    let (_, bytes) = fixture!("encrypted.pdf");
    let password = "the file is protected by a password: save it without one";
    assert_eq!(poppler::pages(bytes, "pdftotext").err().unwrap().to_string(), password);
    assert_eq!(glyphs::pages(bytes).err().unwrap().to_string(), password);
}

#[test]
fn a_program_that_is_not_there_is_no_error() {
    let (_, bytes) = fixture!("handbook.pdf");
    assert!(matches!(poppler::pages(bytes, "no-such-pdftotext"), Ok(Outcome::Absent)));
}

#[test]
fn pdfs_cut_off_anywhere_are_read_or_refused_without_poppler() {
    let (_, bytes) = fixture!("handbook.pdf");
    for at in (0..bytes.len()).step_by(bytes.len() / 23) {
        // The crate panics on some; whoever calls a parser turns that into a reason.
        let read =
            std::panic::catch_unwind(|| glyphs::pages(&bytes[..at]).map(|it| it.sheets.len()));
        assert!(!matches!(read, Ok(Ok(n)) if n > 3));
    }
}

/// A PDF of pages that show these lines each.
fn pdf(n_pages: usize, lines: impl Fn(usize) -> Vec<String>) -> Vec<u8> {
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        String::new(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    let mut kids = String::new();
    for page in 0..n_pages {
        let mut content = "BT /F 12 Tf 72 760 Td 14 TL".to_owned();
        for line in lines(page) {
            write!(content, " ({line}) Tj T*").unwrap();
        }
        content += " ET";
        let id = objects.len() + 1;
        write!(kids, "{id} 0 R ").unwrap();
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>/Contents {} 0 R>>",
            id + 1
        ));
        objects.push(format!("<</Length {}>>stream\n{content}\nendstream", content.len()));
    }
    objects[1] = format!("<</Type/Pages/Count {n_pages}/Kids[{kids}]>>");
    let mut file = "%PDF-1.4\n".to_owned();
    let mut places = String::new();
    for (i, object) in objects.iter().enumerate() {
        writeln!(places, "{:010} 00000 n ", file.len()).unwrap();
        writeln!(file, "{} 0 obj{object}endobj", i + 1).unwrap();
    }
    let n = objects.len() + 1;
    let at = file.len();
    write!(file, "xref\n0 {n}\n0000000000 65535 f \n{places}").unwrap();
    write!(file, "trailer<</Size {n}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF").unwrap();
    file.into_bytes()
}

#[test]
fn thousands_of_pages_are_read() {
    let lines = |page: usize| {
        let mut lines = vec!["Log of the Merle".to_owned()];
        lines.extend((0..4).map(|it| format!("Crossing {it} of day {} was calm.", page * 3)));
        lines.push(format!("Page {page}"));
        lines
    };
    let bytes = pdf(2000, lines);
    for pages in [with_poppler(&bytes), glyphs::pages(&bytes).unwrap()] {
        let text = read_aloud(pages, "log.pdf");
        assert_eq!(text.matches("was calm.").count(), 8000);
        assert!(text.contains("[Page(2000)]") && !text.contains("Log of the Merle\n"));
    }
}

#[test]
fn pages_of_a_few_lines_keep_them() {
    let bytes = pdf(9, |page| vec!["Boarding card".to_owned(), format!("Seat {page}")]);
    let text = read_aloud(with_poppler(&bytes), "cards.pdf");
    assert_eq!(text.matches("Boarding card").count(), 9);
}

#[test]
fn a_pdf_of_pictures_asks_for_its_text() {
    let mut emit = |_| ControlFlow::Continue(());
    let pages = with_poppler(&pdf(2, |_| Vec::new()));
    let reason = read(pages, &named("scan.pdf", &Done::default()), &mut emit).unwrap_err();
    assert!(reason.to_string().contains("recognise its text (OCR) first"));
}
