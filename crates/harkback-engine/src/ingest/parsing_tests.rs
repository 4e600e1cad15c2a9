//! What becomes of a file whose parser misbehaves? Real processes play the bad parsers.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Instant;

use expect_test::{Expect, expect};

use super::*;

const DOCUMENT: &str = r#"{"document":{"document":{"record_id":null,"title":"T","place":null,"text":"x"},"done":0.5}}"#;

fn shell(script: &str) -> ParserProcess {
    ParserProcess {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.replace("DOCUMENT", DOCUMENT).into()],
        limits: ParserLimits { silence_seconds: 1, ..ParserLimits::default() },
    }
}

fn read(script: &str, is_wanted: impl Fn() -> bool + Send + Sync) -> (usize, Result<()>) {
    let unread = Unread { path: Path::new("/dev/null"), name: "a\0b", extension: "txt" };
    let mut n_documents = 0;
    let read = Parsing::Process(shell(script)).read(&unread, is_wanted, &mut |_, done| {
        assert_eq!(done, Some(0.5));
        n_documents += 1;
        ControlFlow::Continue(())
    });
    (n_documents, read)
}

fn check(script: &str, expected: Expect) {
    let (n, read) = read(script, || true);
    let text = match read {
        Ok(()) => "read".to_owned(),
        Err(Error::BadInput(reason)) => reason,
        Err(error) => panic!("{error:?}"),
    };
    expected.assert_eq(&format!("{n}: {text}"));
}

#[test]
fn documents_are_taken_until_the_end() {
    check(
        r#"echo '{"ready":{"missing":[]}}'; echo 'DOCUMENT'; echo 'DOCUMENT'; echo '"end"'"#,
        expect!["2: read"],
    );
    check(r#"echo '{"failed":"no text: add some"}'"#, expect!["0: no text: add some"]);
}

#[test]
fn a_crash_fails_the_file_with_a_reason() {
    check(
        "echo 'DOCUMENT'; kill -SEGV $$",
        expect![
            "1: the file could not be read: its parser crashed with signal 11; save it in another format"
        ],
    );
    check(
        "echo 'DOCUMENT'; kill -XCPU $$",
        expect![
            "1: the file takes more than 600 seconds of computing, or more memory than there is, to be read: split it"
        ],
    );
    check(
        "echo 'memory allocation of 8 bytes failed' >&2; kill -ABRT $$",
        expect!["0: the file needs more than 1024 MB of memory to be read: split it"],
    );
    check(
        "echo 'panicked at src/a.rs:1:2' >&2; exit 101",
        expect![
            "0: the file could not be read: its parser stopped (panicked at src/a.rs:1:2); save it in another format"
        ],
    );
    check(
        "printf '{\"docu'",
        expect![
            "0: the file could not be read: its parser stopped (exit status: 0); save it in another format"
        ],
    );
}

#[test]
fn nonsense_and_silence_fail_the_file_with_a_reason() {
    check(
        "echo hello",
        expect!["0: the file could not be read: its parser says expected value at line 1 column 1"],
    );
    check(
        "sleep 60",
        expect![
            "0: no text came out of the file for 1 seconds: split it, or save it in another format"
        ],
    );
    check(
        "yes | tr -d '\\n'",
        expect!["0: the file could not be read: its parser says a line is too long"],
    );
    check(
        r#"yes complaint | head -c 1000000 >&2; echo 'DOCUMENT'; echo '"end"'"#,
        expect!["1: read"],
    );
}

#[test]
fn the_environment_holds_nothing_of_the_server_s() {
    check(
        r#"env | grep -v -e ^MIMALLOC_ARENA_RESERVE= -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= >&2 && exit 3; echo '"end"'"#,
        expect!["0: read"],
    );
}

#[test]
fn what_is_not_wanted_any_more_is_killed_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alive");
    let asked = Cell::new(0);
    let asked = std::sync::Mutex::new(asked);
    let began = Instant::now();
    let script = format!("(sleep 3; touch {}) & wait", path.display());
    let (_, read) = read(&script, || {
        let asked = asked.lock().unwrap();
        asked.set(asked.get() + 1);
        asked.get() < 2
    });
    assert!(matches!(read, Err(Error::LeaseLost)), "{read:?}");
    std::thread::sleep(Duration::from_millis(3500).saturating_sub(began.elapsed()));
    assert!(!path.exists(), "what the parser had started lived on");
}

#[test]
fn a_program_that_is_not_there_is_no_fault_of_the_file() {
    let process = ParserProcess { program: "/nowhere".into(), ..shell("") };
    let unread = Unread { path: Path::new("/dev/null"), name: "a", extension: "txt" };
    let read =
        Parsing::Process(process).read(&unread, || true, &mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(read, Err(Error::Io(_))), "{read:?}");
}

fn page(script: &str) -> String {
    // More than a pipe holds, so that a process that does not read would keep a careless writer waiting.
    let page = vec![b'x'; 1 << 20];
    match Parsing::Process(shell(script)).read_web_page(page) {
        Ok(page) => format!("{page:?}"),
        Err(Error::BadInput(reason)) => reason,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_page_of_a_website_is_read_apart_too() {
    let found = format!(
        r#"cat > /dev/null; echo '{{"ready":{{"missing":[]}}}}'; echo '{{"page":{}}}'"#,
        r#"{"title":"T","canonical":null,"base":null,"links":["/a"],"text_sha256":[SHA]}"#
            .replace("SHA", &["0"; 32].join(","))
    );
    assert!(page(&found).contains(r#"title: "T", canonical: None, base: None, links: ["/a"]"#));
    assert_eq!(page(r#"echo '{"page":null}'"#), "None");
    let crashed =
        "the file could not be read: its parser crashed with signal 11; save it in another format";
    assert_eq!(page("kill -SEGV $$"), crashed);
    let silent =
        "no text came out of the file for 1 seconds: split it, or save it in another format";
    assert_eq!(page("sleep 30"), silent);
}
