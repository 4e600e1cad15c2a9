//! What do real files and bad ones read as?

use std::fmt::Write as _;
use std::io::{Seek, Write as _};
use std::ops::ControlFlow;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Done, PARSERS, ParseInput, parse, parse_file, title_of_name};
use crate::ingest::segment;
use crate::model::Document;

fn documents(name: &str, bytes: &[u8]) -> Result<Vec<Document>, String> {
    let extension = name.rsplit_once('.').map_or("", |it| it.1);
    let mut documents = Vec::new();
    let mut emit = |it| {
        documents.push(it);
        ControlFlow::Continue(())
    };
    let whole = parse(&ParseInput { name, extension, bytes, done: &Done::default() }, &mut emit)
        .map_err(|it| it.to_string());
    // The way of the server, piece by piece where that is possible, gives the same.
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    let mut pieces = Vec::new();
    let read = parse_file(name, extension, &file, &mut |it, done| {
        assert!(done.is_none_or(|it| (0.0..=1.0).contains(&it)));
        pieces.push(it);
        ControlFlow::Continue(())
    });
    // The libraries count lines and columns otherwise when they read from a file, or before mixed line ends.
    let reason = |it: String| it.replace(|it: char| it.is_ascii_digit(), "");
    assert_eq!(read.map_err(|it| reason(it.to_string())), whole.clone().map_err(reason));
    assert_eq!(pieces, documents);
    whole.map(|()| documents)
}

fn check(name: &str, bytes: &[u8], expected: Expect) {
    let mut out = String::new();
    match documents(name, bytes) {
        Err(reason) => out = reason,
        Ok(documents) => {
            for document in documents {
                let id = document.record_id.map(|it| format!(" [{it}]")).unwrap_or_default();
                writeln!(out, "=== {}{id}\n{}", document.title, document.text).unwrap();
            }
        }
    }
    expected.assert_eq(&out);
}

/// Passages with their titles, sentences divided by bars. A token is a word here.
fn check_passages(name: &str, bytes: &[u8], expected: Expect) {
    let mut out = String::new();
    for document in documents(name, bytes).unwrap() {
        for passage in segment::passages(&document, &|it| it.split_whitespace().count()) {
            let sentences: Vec<&str> = passage
                .sentences
                .iter()
                .map(|it| &passage.text[it.start as usize..it.end as usize])
                .collect();
            writeln!(out, "[{}] {}", passage.title, sentences.join(" | ")).unwrap();
        }
    }
    expected.assert_eq(&out);
}

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../../test-data/parse/", $name)).as_slice())
    };
}

#[test]
fn reads_markdown() {
    let (name, bytes) = fixture!("clinic-handbook.md");
    check(
        name,
        bytes,
        expect![[r#"
            === Bellbrook Clinic handbook
            # Bellbrook Clinic handbook

            Bellbrook Clinic has two sites. See the map for both.

            ## Dr. Yusuf Karimi

            Dr. Karimi leads the diabetes service. He sees patients at the Mill Lane site on Mondays.

            ### Opening hours

            Monday: from 8 am, to 12 pm
            Friday: from 1 pm, to 5 pm

            ## Contact

            - Reception: 555-0140
            - Out of hours:
              1. call the night line
              2. or write to us

            ## How do I cancel a visit?

            Call us a day before.
            There is no charge.

                # not a heading
                book --cancel 17
                book --list

            Raw HTML stays readable.

            ## 2.1 Mill Lane site

            The entrance

            Mind the step.
        "#]],
    );
    check_passages(
        name,
        bytes,
        expect![[r#"
            [Bellbrook Clinic handbook] Bellbrook Clinic has two sites. | See the map for both.
            [Dr. Yusuf Karimi] Dr. Karimi leads the diabetes service. | He sees patients at the Mill Lane site on Mondays.
            [Dr. Yusuf Karimi – Opening hours] Monday: from 8 am, to 12 pm | Friday: from 1 pm, to 5 pm
            [Bellbrook Clinic handbook – Contact] Reception: 555-0140 | Out of hours: | 1. call the night line | 2. or write to us
            [Bellbrook Clinic handbook – How do I cancel a visit?] Call us a day before. | There is no charge. | # not a heading | book --cancel 17 | book --list | Raw HTML stays readable.
            [Mill Lane site] The entrance | Mind the step.
        "#]],
    );
}

#[test]
fn reads_html() {
    let (name, bytes) = fixture!("shop-faq.html");
    check(
        name,
        bytes,
        expect![[r#"
            === Questions & answers
            # Questions & answers

            Kite & Kettle sells kites and kettles.
            It was founded in 2011 by Ana Prieto.

            ## Returns

            - Send it back within 30 days.
            - Keep the receipt.
              3. Third step

            ## The Copper Kettle

            Small: price €39
            Large: price €59

            - Material: Copper
            - Weight: 1.2 kg

                boil --until 100
                # done

            Last word.
        "#]],
    );
    check_passages(
        name,
        bytes,
        expect![[r#"
            [Questions & answers] Kite & Kettle sells kites and kettles. | It was founded in 2011 by Ana Prieto.
            [Questions & answers – Returns] Send it back within 30 days. | Keep the receipt. | 3. Third step
            [The Copper Kettle] Small: price €39 | Large: price €59 | Material: Copper | Weight: 1.2 kg | boil --until 100 | # done | Last word.
        "#]],
    );
}

#[test]
fn reads_xhtml() {
    let page = b"<?xml version='1.0'?><html><head><title/><script src='x'/></head><body><p>Open <a id='x'/>at \
        eight<a role='doc-noteref' href='#1'>1</a>.</p></body></html>";
    assert_eq!(documents("hours.xhtml", page).unwrap()[0].text, "Open at eight.");
}

#[test]
fn reads_csv() {
    let (name, bytes) = fixture!("price-list.csv");
    check(
        name,
        bytes,
        expect![[r#"
        === Box Kite
        item: Box Kite
        price eur: 49,00
        maker: Hale & Sons
        note: flies in
        light wind
        === Delta Kite
        item: Delta Kite
        price eur: 35.00
        maker: Wren Workshop
        === Copper Kettle
        item: Copper Kettle
        price eur: 59.00
        note: called "the old one"
    "#]],
    );
    check(
        "a_b.csv",
        b"2024;x;y\n1,5;2;\n\n;;7\n",
        expect![[r#"
        === a b
        2024: 1,5
        x: 2
        === a b
        y: 7
    "#]],
    );
    check(
        "t.tsv",
        b"name\tphone_number\nAna, P.\t555\n",
        expect![[r#"
        === Ana, P.
        name: Ana, P.
        phone number: 555
    "#]],
    );
}

#[test]
fn reads_json() {
    let (name, bytes) = fixture!("catalogue.json");
    check(
        name,
        bytes,
        expect![[r#"
            === catalogue
            shop: Kite & Kettle
            open: yes
            address street: 3 Quay Row
            address town: Port Ellery
            tags: kites, kettles

            product Box Kite: price 49.5, maker Hale & Sons, maker since 1921
            product Copper Kettle: price 59
        "#]],
    );
    let (name, bytes) = fixture!("staff.json");
    check(
        name,
        bytes,
        expect![[r#"
        === Ana Prieto [7]
        id: 7
        name: Ana Prieto
        role: founder
        speaks: Spanish, English
        === Tomas Wren [8]
        id: 8
        name: Tomas Wren
        reports to: Ana Prieto
        bio: Tomas makes kites.
        He lives in Port Ellery.
    "#]],
    );
    check(
        "mixed.json",
        br#"["a", 1.50, {"title": "T", "x": [[1, 2], {"y": false}]}, null]"#,
        expect![[r#"
            === T
            title: T

            x: 1, 2
            x: y no
            === mixed
            a, 1.5
        "#]],
    );
    check(
        "word.json",
        br#""just a text""#,
        expect![[r#"
        === word
        just a text
    "#]],
    );
}

#[test]
fn reads_json_lines() {
    let (name, bytes) = fixture!("lighthouses.jsonl");
    check(
        name,
        bytes,
        expect![[r#"
        === Port Ellery Light [d0]
        Port Ellery Light was built in 1887 by J. R. Hale. It has a red lamp.
        === 1917 [d1]
        1917
        === Hale [3]
        J. R. Hale (born 1850) was an engineer.
        country: Norway
        === A ticket
        subject: A ticket
        state: open
        body: The lamp is broken.
    "#]],
    );
    check_passages(
        name,
        bytes,
        expect![[r#"
        [Port Ellery Light] Port Ellery Light was built in 1887 by J. R. Hale. | It has a red lamp.
        [1917] 1917
        [Hale] J. R. Hale (born 1850) was an engineer. | country: Norway
        [A ticket] subject: A ticket | state: open | body: The lamp is broken.
    "#]],
    );
}

#[test]
fn reads_text_in_any_encoding() {
    let (name, bytes) = fixture!("hours-utf16.txt");
    check(
        name,
        bytes,
        expect![[r#"
            === Opening hours of the Bellbrook Clinic
            Opening hours of the Bellbrook Clinic

            The clinic is open from eight in the morning until six in the evening on weekdays. On Saturdays it closes at noon, and on Sundays it stays closed — always.

            - Müller pharmacy: next door
            - Café: ground floor
        "#]],
    );
    let (name, bytes) = fixture!("hours-utf16be-no-mark.txt");
    let without_mark = documents(name, bytes).unwrap();
    let (name, bytes) = fixture!("hours-latin1.txt");
    assert_eq!(documents(name, bytes).unwrap(), without_mark);
    for wide in [
        "医院は\u{3000}八時に開く。\n昼は\u{3000}閉まる。\n",
        "Ābele opens at eight.\nAsk for Āris.\n",
    ] {
        let little: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = wide.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big] {
            assert_eq!(documents("w.txt", &bytes).unwrap()[0].text, wide.trim_end());
        }
    }
    check(
        "b.txt",
        "\u{feff}日本語のテキスト。二つ目の文。".as_bytes(),
        expect![[r#"
        === b
        日本語のテキスト。二つ目の文。
    "#]],
    );
    let shift_jis =
        encoding_rs::SHIFT_JIS.encode("これは日本語のテキストです。二つ目の文もあります。").0;
    check(
        "sjis.txt",
        &shift_jis,
        expect![[r#"
        === sjis
        これは日本語のテキストです。二つ目の文もあります。
    "#]],
    );
    let cyrillic =
        encoding_rs::WINDOWS_1251.encode("Клиника открыта с восьми утра до шести вечера.").0;
    check(
        "cyrillic.txt",
        &cyrillic,
        expect![[r#"
        === cyrillic
        Клиника открыта с восьми утра до шести вечера.
    "#]],
    );
    let page = b"<meta charset='iso-8859-2'><p>\xA3\xF3d\xBC, Polska</p>";
    check(
        "page.html",
        page,
        expect![[r#"
        === page
        Łódź, Polska
    "#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of files and reasons")]
fn says_why_a_file_cannot_be_read() {
    for (name, bytes, reason) in [
        ("empty.txt", b"".as_slice(), expect!["the file is empty: upload a file with text in it"]),
        ("blank.md", b" \n\t\r\n ", expect!["the file is empty: upload a file with text in it"]),
        (
            "mark.txt",
            b"\xEF\xBB\xBF  ",
            expect!["no text was found in this text file: upload a file with text in it"],
        ),
        (
            "named.txt",
            b"%PDF-1.7 ...",
            expect![
                "the file is named .txt but looks like a PDF: give it its right name, or save it as text"
            ],
        ),
        (
            "named.csv",
            b"PK\x03\x04....",
            expect![
                "the file is named .csv but looks like a ZIP archive (as .docx, .xlsx, .pptx, .odt and .epub files are): give it its right name, or save it as text"
            ],
        ),
        (
            "named.md",
            b"\x89PNG\r\n\x1a\n....",
            expect![
                "the file is named .md but looks like a PNG image: give it its right name, or save it as text"
            ],
        ),
        (
            "nul.txt",
            b"some text\0and\0\0more",
            expect![
                "the file contains NUL bytes (the first at byte 9), so it is not text: upload a text file, or remove them"
            ],
        ),
        (
            "nul.csv",
            b"a,b\n1,\0\n",
            expect![
                "the file contains NUL bytes (the first at byte 6), so it is not text: upload a text file, or remove them"
            ],
        ),
        (
            "noise.txt",
            &[1, 2, 3, 4, 5, 6, 7, 8, 14, 15, 16, 200, 201, 222],
            expect![
                "the file looks binary (more than one in a hundred characters is a control character): upload a text file"
            ],
        ),
        (
            "utf32.txt",
            b"\xFF\xFE\0\0a\0\0\0",
            expect!["the text is encoded in UTF-32: save it as UTF-8"],
        ),
        (
            "cut.txt",
            b"\xEF\xBB\xBFcut \xE2\x82",
            expect![
                "the file is marked as UTF-8 but is not valid UTF-8 at byte 4: save it as UTF-8"
            ],
        ),
        (
            "ragged.csv",
            b"a,b\n1,2\n1,2,3\n",
            expect![
                "line 3 has 3 values but the first row names 2 columns: put values that contain the separator in double quotes"
            ],
        ),
        (
            "open.csv",
            b"a,b\n1,2\n3,\"four\n5,6\n",
            expect![
                "the row at line 3 opens a double quote that is never closed: close it, or write it twice if it is meant itself"
            ],
        ),
        (
            "header.csv",
            b"a,b\n",
            expect!["the file has a row of column names and no row below it: add rows"],
        ),
        (
            "lines.json",
            b"{\"a\": 1}\n{\"a\": 2}\n",
            expect![
                "the file is not valid JSON (trailing characters at line 2 column 1): if each line is a JSON value of its own, name the file .jsonl"
            ],
        ),
        (
            "cut.json",
            b"{\"a\": [1, 2",
            expect![
                "the file is not valid JSON (EOF while parsing a list at line 1 column 11): correct it and upload it again"
            ],
        ),
        (
            "nulls.json",
            b"[null, {\"a\": null}, []]",
            expect!["no text was found in this JSON file: upload a file with text in it"],
        ),
        (
            "bad.jsonl",
            b"{\"a\": 1}\n\n{\"a\": }\n",
            expect![
                "line 3 is not valid JSON (expected value at column 7): correct that line, or leave it out"
            ],
        ),
        (
            "list.jsonl",
            b"{\"a\": 1}\n[1]\n",
            expect![[
                r#"line 2 is not a JSON object: write one object a line, such as {"_id": "1", "title": "…", "text": "…"}"#
            ]],
        ),
        (
            "script.html",
            b"<html><script>x</script><nav>y</nav></html>",
            expect!["no text was found in this HTML file: upload a file with text in it"],
        ),
        (
            "front.md",
            b"---\ntitle: x\n---\n",
            expect!["no text was found in this Markdown file: upload a file with text in it"],
        ),
        (
            "a.DOC",
            b"x",
            expect!["old Office files (.doc) are not supported: save the document as .docx"],
        ),
        (
            "a.numbers",
            b"PK",
            expect![
                ".numbers files are not supported: export the document as Word, Excel or PowerPoint"
            ],
        ),
        (
            "a.mp3",
            b"ID3",
            expect![
                "audio and video files (.mp3) are not supported yet: upload a transcript as PDF, Word, OpenDocument, text, Markdown, HTML, CSV or JSON"
            ],
        ),
        (
            "a.png",
            b"x",
            expect![
                "image files (.png) are not supported yet: upload their text as PDF, Word, OpenDocument, text, Markdown, HTML, CSV or JSON"
            ],
        ),
        (
            "a.zip",
            b"PK",
            expect!["archives (.zip) are not supported yet: upload the files in it one by one"],
        ),
        (
            "a.xyz",
            b"x",
            expect![
                ".xyz files are not supported yet: save the content as PDF, Word, OpenDocument, text, Markdown, HTML, CSV or JSON"
            ],
        ),
        (
            "README",
            b"x",
            expect![
                "the file name has no extension, so its format is unknown: name it .pdf, .docx, .odt, .txt, .md, .html, .csv, .json or .jsonl"
            ],
        ),
    ] {
        check(name, bytes, reason);
    }
}

#[test]
fn stops_when_told() {
    for (name, bytes) in [
        ("a.jsonl", b"{\"a\": \"x\"}\n{\"a\": \"y\"}\nbroken".as_slice()),
        ("a.json", b"[{\"a\": \"x\"}, {\"a\": \"y\"}, broken"),
        ("a.csv", b"a,b\n1,2\n1,2,3,4\n"),
    ] {
        let mut n = 0;
        let extension = name.split_once('.').unwrap().1;
        let result =
            parse(&ParseInput { name, extension, bytes, done: &Done::default() }, &mut |_| {
                n += 1;
                ControlFlow::Break(())
            });
        assert_eq!((result, n), (Ok(()), 1), "{name}");
    }
}

#[test]
fn nesting_costs_no_stack_and_no_time() {
    const N: usize = 100_000;
    let html = ["div", "b", "p", "ul", "table", "blockquote", "nav", "svg", "dl"];
    for tag in html {
        let page = format!(
            "<h1>x</h1>{}deep{}",
            format!("<{tag}>").repeat(N),
            format!("</{tag}>").repeat(N)
        );
        documents("deep.html", page.as_bytes()).unwrap();
        documents("open.html", format!("<h1>x</h1>{}", format!("<{tag}>").repeat(N)).as_bytes())
            .unwrap();
    }
    for mark in ["> ", "- ", "  - ", "[", "*", "**a ", "`", "<div>", "| a ", "![", "~~", "1. "] {
        let page = format!("# x\n\n{}", mark.repeat(N));
        documents("deep.md", page.as_bytes()).unwrap();
    }
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let json = format!("{}1{}", open.repeat(N), close.repeat(N));
        let reason = documents("deep.json", json.as_bytes()).unwrap_err();
        assert!(reason.contains("nested 127 deep at most"), "{reason}");
        let line = documents("deep.jsonl", json.as_bytes()).unwrap_err();
        assert!(line.starts_with("line 1 is not valid JSON (recursion limit exceeded"), "{line}");
    }
}

#[test]
fn repeated_names_stay_short() {
    let long = "n".repeat(1 << 20);
    let json = format!("{{\"{long}\": {{\"{long}\": [{{\"b\": 1}}, {{\"b\": 2}}]}}}}");
    assert!(documents("a.json", json.as_bytes()).unwrap()[0].text.len() < 1000);
    let csv = format!("{long},b\n{}", "x,y\n".repeat(100));
    assert!(documents("a.csv", csv.as_bytes()).unwrap().iter().all(|it| it.text.len() < 1000));
    let html = format!(
        "<title>{long}</title><table><th>{long}<th>b{}</table>",
        "<tr><td>x<td>y".repeat(100)
    );
    let page = documents("a.html", html.as_bytes()).unwrap();
    assert!(page[0].title.len() < 1000 && page[0].text.len() < 20_000);
    let id = format!("{{\"_id\": \"{long}\", \"text\": \"x\"}}");
    expect!["line 1: a record's id is longer than 512 bytes: shorten it"]
        .assert_eq(&documents("a.jsonl", id.as_bytes()).unwrap_err());
}

#[test]
fn names_become_titles() {
    for (name, title) in [
        ("opening_hours-2024.txt", "opening hours 2024"),
        ("folder/Dr. Marchetti.md", "Dr. Marchetti"),
        ("Dr. Marchetti", "Dr. Marchetti"),
        (".hidden", ".hidden"),
        ("archive.2024.csv", "archive.2024"),
    ] {
        assert_eq!(title_of_name(name), title);
    }
}

/// Marks that mean something to some parser, divided by `\u{1}` here.
const MARKS: &str = "<p>\u{1}</p>\u{1}<table>\u{1}<tr>\u{1}<td>\u{1}<th>\u{1}</table>\u{1}<ul>\u{1}<li>\u{1}</ul>\u{1}<pre>\u{1}\
    <h2>\u{1}</h2>\u{1}<nav>\u{1}<title>\u{1}<script>\u{1}</script>\u{1}<!--\u{1}-->\u{1}<dl>\u{1}<dt>\u{1}<dd>\u{1}# \u{1}\n\u{1}\
    \n\n\u{1}- \u{1}| a | b |\n|-|-|\n\u{1}```\n\u{1}---\n\u{1}> \u{1}[x](y)\u{1}\"\u{1},\u{1};\u{1}\t\u{1}{\u{1}}\u{1}[\u{1}]\
    \u{1}:\u{1}null\u{1}1e999\u{1}\"a\"\u{1}é\u{1}日\u{1}\u{feff}\u{1}word \u{1}A. \u{1}Dr. \u{1}(\u{1})\u{1}&amp;\u{1}&#0;\
    \u{1}\r\u{1}\r\n\u{1}\\\u{1}  \u{1}1. \u{1}: ";

fn fragments() -> impl Strategy<Value = String> {
    let marks: Vec<&str> = MARKS.split('\u{1}').collect();
    prop::collection::vec(prop::sample::select(marks), 0..60).prop_map(|it| it.concat())
}

fn assert_sound(bytes: &[u8]) {
    for extension in PARSERS.iter().flat_map(|it| it.extensions) {
        let Ok(documents) = documents(&format!("name.{extension}"), bytes) else { continue };
        for document in documents {
            assert!(!document.text.trim().is_empty());
            for passage in segment::passages(&document, &|it| it.len() / 4) {
                assert!(document.text.contains(&passage.text));
                assert!(!passage.sentences.is_empty());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_get_documents_or_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        assert_sound(&bytes);
    }

    #[test]
    fn any_text_gets_documents_or_a_reason(text in ".{0,200}") {
        assert_sound(text.as_bytes());
    }

    #[test]
    fn any_mix_of_marks_gets_documents_or_a_reason(text in fragments()) {
        assert_sound(text.as_bytes());
    }
}
