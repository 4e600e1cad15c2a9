//! Does the real binary do what its commands promise, a `kill -9` in the middle of its work included?

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{Caller, Serving, create_key, run, run_well};

const N_FILES: usize = 12;
const RECORDS_PER_FILE: usize = 30;

#[test]
fn keys_create_prints_the_key_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().to_str().unwrap();
    let created = run_well(&["keys", "create", "--account", "clinic", "--data", data]);
    let key = created.stdout.strip_suffix('\n').expect("the key ends its line");
    assert!(key.starts_with("hb_") && !key.contains(char::is_whitespace), "{key:?}");
    assert!(!created.stderr.contains(key), "{}", created.stderr);

    let secret = key.rsplit('_').next().unwrap();
    let listed = run_well(&["keys", "list", "--data", data]);
    assert!(
        !format!("{}{}", listed.stdout, listed.stderr).contains(secret),
        "a key is shown once only"
    );
    for entry in fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            assert!(
                !bytes.windows(secret.len()).any(|it| it == secret.as_bytes()),
                "{path:?} holds the secret"
            );
        }
    }
}

#[tokio::test]
async fn a_key_works_until_it_is_revoked_while_the_server_runs() {
    let scratch = tempfile::tempdir().unwrap();
    let serving = Serving::start(scratch.path());
    let key = create_key(scratch.path(), "clinic");
    let caller = Caller::new(&serving, &key);
    assert_eq!(caller.get("/users/list").await.0, 200);

    let key_id = key.split('_').nth(1).unwrap();
    run_well(&["keys", "revoke", key_id, "--data", scratch.path().to_str().unwrap()]);
    let (status, body) = caller.get("/users/list").await;
    assert_eq!((status, &body["error"]), (403, &json!("Invalid API key")));
}

#[tokio::test]
async fn a_data_directory_has_one_server() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().to_str().unwrap();
    let serving = Serving::start(scratch.path());
    let second = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    let told = format!("another server runs on the data directory `{data}`; stop it");
    assert!(second.stderr.contains(&told), "{}", second.stderr);

    // What may run beside a server does.
    let key = create_key(scratch.path(), "clinic");
    assert_eq!(Caller::new(&serving, &key).get("/users/list").await.0, 200);
    run_well(&["verify", "--data", data]);
    let copy = tempfile::tempdir().unwrap();
    run_well(&["backup", copy.path().join("copy").to_str().unwrap(), "--data", data]);

    let elsewhere = tempfile::tempdir().unwrap();
    let elsewhere = elsewhere.path().to_str().unwrap();
    let taken = run(&["serve", "--data", elsewhere, "--listen", &serving.address()]);
    let told = "; stop what listens there, or name another address with --listen\n";
    assert!(!taken.status.success() && taken.stderr.ends_with(told), "{}", taken.stderr);

    serving.kill();
    Serving::start(scratch.path());
}

#[tokio::test]
async fn serve_ingest_and_query_end_to_end() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, shop) = (scratch.path().join("data"), scratch.path().join("shop"));
    write_shop(&shop);
    let serving = Serving::start(&data);
    let key = create_key(&data, "shop");
    let memory_id = Caller::new(&serving, &key).create_memory("Shop").await;
    let at = ["--memory", &memory_id, "--url", &serving.url, "--key", &key];

    let ingested = run(&[&["ingest", "nope.txt", shop.to_str().unwrap()], &at[..]].concat());
    assert!(!ingested.status.success(), "a failed file shows in the exit status");
    assert!(ingested.stderr.contains("broken.txt"), "{}", ingested.stderr);
    assert!(ingested.stderr.contains("failed: nope.txt: No such file"), "{}", ingested.stderr);
    assert!(ingested.stderr.contains("2 of 4 files"), "{}", ingested.stderr);

    let question = "Who repairs sewing machines?";
    let raw = run_well(&[&["query", question], &at[..]].concat());
    assert!(raw.stdout.contains("Odile Brand"), "{}", raw.stdout);
    assert!(!raw.stdout.ends_with("\n\n"), "{}", raw.stdout);
    let assisted = run_well(&[&["query", question, "--assisted"], &at[..]].concat());
    assert!(assisted.stdout.contains("Odile Brand"), "{}", assisted.stdout);
    let output =
        run_well(&[&["query", question, "--facts", "--top-k", "2", "--json"], &at[..]].concat());
    let answer: Value = serde_json::from_str(&output.stdout)
        .expect("standard output is the answer and nothing else");
    assert!(!answer["facts"].as_array().unwrap().is_empty(), "{answer}");
    assert_eq!(answer["sources"][0]["name"], "people.md");

    // Again, after a change: the files are refreshed, and there are no more of them.
    let caller = Caller::new(&serving, &key);
    let people = fs::read_to_string(shop.join("people.md")).unwrap();
    fs::write(shop.join("people.md"), people.replace("Odile Brand", "Ines Falk")).unwrap();
    run(&[&["ingest", shop.to_str().unwrap()], &at[..]].concat());
    let listed = caller.get("/files/list").await.1;
    assert_eq!(listed["files"].as_array().unwrap().len(), 3, "{listed}");
    let raw = run_well(&[&["query", question], &at[..]].concat());
    assert!(raw.stdout.contains("Ines Falk") && !raw.stdout.contains("Odile"), "{}", raw.stdout);

    // This machine is not called unless the setting names it.
    for (more, told) in [
        (&[][..], "the site's robots.txt could not be read: the host has no public address"),
        (
            &["--sitemap"],
            "the sitemap could not be fetched: the site's robots.txt could not be read",
        ),
        (&["--crawl"], "no page could be fetched: the site's robots.txt could not be read"),
    ] {
        let web = run(&[&["ingest", "http://localhost:1/a"], more, &at[..]].concat());
        let told = format!("failed: http://localhost:1/a: {told}");
        assert!(!web.status.success() && web.stderr.contains(&told), "{}", web.stderr);
    }
    assert!(raw.stderr.contains("other users of this machine can read the key"), "{}", raw.stderr);
    let file = scratch.path().join("key");
    fs::write(&file, format!("{key}\n")).unwrap();
    let at = ["--memory", &memory_id, "--url", &serving.url, "--key-file", file.to_str().unwrap()];
    let quiet = run_well(&[&["query", question], &at[..]].concat());
    assert_eq!(quiet.stdout, raw.stdout);
    assert!(!quiet.stderr.contains("warning"), "{}", quiet.stderr);

    let forgotten = |files: &[&str]| run(&[&["forget"], files, &at[..]].concat());
    let (people, broken) = (shop.join("people.md"), shop.join("broken.txt"));
    // Also what is no longer on the disk.
    fs::remove_file(&broken).unwrap();
    let both = forgotten(&[people.to_str().unwrap(), broken.to_str().unwrap()]);
    assert!(both.status.success(), "{}", both.stderr);
    assert!(both.stderr.contains("2 of 2 files are out of the memory"), "{}", both.stderr);
    let memory = caller.get(&format!("/memories/get/{memory_id}")).await.1;
    let failed = memory["data"]["progress"]["failed"].as_array().unwrap();
    assert!(failed.iter().all(|it| it["name"] != "broken.txt"), "{memory}");
    let raw = run_well(&[&["query", question], &at[..]].concat());
    assert!(!raw.stdout.contains("Ines Falk"), "{}", raw.stdout);
    let web = forgotten(&["http://localhost:1/a", "nope"]);
    assert!(
        !web.status.success() && web.stderr.contains("failed: nope: File not found"),
        "{}",
        web.stderr
    );
    assert!(web.stderr.contains("1 of 2 files are out of the memory"), "{}", web.stderr);

    let wrong = run(&["query", question, "--memory", "none", "--url", &serving.url, "--key", &key]);
    assert!(
        !wrong.status.success() && wrong.stderr.contains("Memory not found"),
        "{}",
        wrong.stderr
    );
    assert!(wrong.stdout.is_empty(), "{}", wrong.stdout);
}

#[tokio::test]
async fn the_server_ends_at_an_interrupt_and_keeps_its_data() {
    let scratch = tempfile::tempdir().unwrap();
    for signal in ["INT", "TERM"] {
        let serving = Serving::start(scratch.path());
        let key = create_key(scratch.path(), signal);
        let caller = Caller::new(&serving, &key);
        let (status, body) =
            caller.post("/users/create", json!({"firstName": "Ada", "lastName": signal})).await;
        assert_eq!(status, 201, "{body}");
        assert!(serving.signal(signal).success(), "SIG{signal} is a wish to stop, not a failure");

        let again = Serving::start(scratch.path());
        let (_, body) = Caller::new(&again, &key).get("/users/list").await;
        assert_eq!(body["users"][0]["lastName"], signal, "{body}");
    }
}

#[tokio::test]
async fn an_ingestion_survives_kill_9() {
    let scratch = tempfile::tempdir().unwrap();
    let (data, stations) = (scratch.path().join("data"), scratch.path().join("stations"));
    write_stations(&stations);
    let serving = Serving::start(&data);
    let address = serving.address();
    let key = create_key(&data, "railway");
    let caller = Caller::new(&serving, &key);
    let memory_id = caller.create_memory("Stations").await;
    start_ingestion(&caller, &memory_id, &stations).await;

    let before = caller.wait_for(&memory_id, |it| n_done(it) >= 2).await;
    serving.kill();
    assert_eq!(before["status"], "processing", "too late to interrupt: {before}");

    let serving = Serving::start_at(&data, &address);
    let caller = Caller::new(&serving, &key);
    let after = caller
        .wait_for(&memory_id, |it| it["status"] != "processing" && it["status"] != "pending")
        .await;
    assert_eq!(after["status"], "success", "{after}\n{}", serving.log());
    assert_eq!(n_done(&after), N_FILES as u64, "{after}");
    for number in 0..N_FILES * RECORDS_PER_FILE {
        let answer = caller
            .recall(&memory_id, &format!("Who keeps the clock of station {}?", name_of(number)))
            .await;
        let text = answer["payload"][0]["content"].as_str().unwrap();
        assert!(text.contains(&keeper_of(number)), "record {number} is gone: {answer}");
    }
}

#[test]
fn quickstart_answers_three_questions() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().to_str().unwrap();
    let first = run_well(&["quickstart", "--data", data, "--listen", "127.0.0.1:0", "--exit"]);
    assert_eq!(first.stdout.matches(" ms)").count(), 3, "{}", first.stdout);
    for wanted in [
        "25 dollars",
        "without an appointment",
        "Tuesdays and Thursdays",
        "dr-lindqvist.md",
        "conditions.md",
    ] {
        assert!(first.stdout.contains(wanted), "`{wanted}` is not in\n{}", first.stdout);
    }
    assert!(
        first.stdout.contains("curl") && first.stdout.contains("import duohub"),
        "{}",
        first.stdout
    );

    let again = run_well(&["quickstart", "--data", data, "--listen", "127.0.0.1:0", "--exit"]);
    assert_eq!(key_in(&again.stdout), key_in(&first.stdout), "the data directory is used again");
}

fn key_in(stdout: &str) -> &str {
    let start = stdout.find("hb_").expect("the lines to go on with hold the key");
    let len = stdout[start..].find(|it: char| !it.is_ascii_alphanumeric() && it != '_').unwrap();
    &stdout[start..start + len]
}

fn write_shop(dir: &Path) {
    fs::create_dir_all(dir.join("inner")).unwrap();
    let people =
        "# People\n\nOdile Brand repairs sewing machines.\n\nTheo Lund sells buttons and thread.\n";
    fs::write(dir.join("people.md"), people).unwrap();
    fs::write(dir.join("inner/hours.csv"), "day,opens,closes\nMonday,9,17\nSaturday,10,14\n")
        .unwrap();
    fs::write(dir.join("broken.txt"), [0_u8, 159, 146, 150, 0, 1, 2, 3].repeat(64)).unwrap();
}

/// Some hundred records, each with a fact that no other record holds.
fn write_stations(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    for file in 0..N_FILES {
        let lines: String =
            (0..RECORDS_PER_FILE).map(|it| station(file * RECORDS_PER_FILE + it)).collect();
        fs::write(dir.join(format!("stations-{file:02}.jsonl")), lines).unwrap();
    }
}

fn station(number: usize) -> String {
    let (name, keeper) = (name_of(number), keeper_of(number));
    let text = format!(
        "The station {name} has {} platforms and a waiting room with a stove. {keeper} keeps the clock of the station \
         {name}. Trains stop there {} times a day.",
        2 + number % 5,
        4 + number % 9,
    );
    format!(
        "{}\n",
        json!({"_id": format!("station-{number}"), "title": name, "text": text, "metadata": {}})
    )
}

/// A pronounceable name of its own for each number.
fn name_of(number: usize) -> String {
    const HEADS: [&str; 19] = [
        "Bar", "Cor", "Dun", "Fal", "Gar", "Hol", "Kel", "Lam", "Mor", "Nor", "Pel", "Quin", "Ros",
        "Sal", "Tor", "Ul", "Ver", "Wen", "Yar",
    ];
    const TAILS: [&str; 20] = [
        "bridge", "bury", "combe", "dale", "den", "field", "ford", "gate", "ham", "hurst", "leigh",
        "mere", "minster", "mouth", "port", "stead", "thorpe", "ton", "wick", "worth",
    ];
    format!("{}{}", HEADS[number % HEADS.len()], TAILS[number / HEADS.len() % TAILS.len()])
}

fn keeper_of(number: usize) -> String {
    const FIRST: [&str; 20] = [
        "Agnes", "Bruno", "Clara", "Dirk", "Elsa", "Frans", "Greta", "Hugo", "Irma", "Jonas",
        "Karin", "Ludo", "Mina", "Nils", "Olga", "Piet", "Rosa", "Sven", "Tilda", "Wim",
    ];
    format!("{} {}son", FIRST[number % FIRST.len()], name_of(number * 7 % 379))
}

async fn start_ingestion(caller: &Caller, memory_id: &str, dir: &Path) {
    let mut file_ids = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let (_, upload) = caller.post("/files/upload", json!({"fileName": name})).await;
        let url = upload["data"]["uploadUrl"].as_str().unwrap();
        let put =
            reqwest::Client::new().put(url).body(fs::read(&path).unwrap()).send().await.unwrap();
        assert_eq!(put.status(), 200);
        let (status, file) =
            caller.post("/files/create", json!({"name": name, "key": upload["data"]["key"]})).await;
        assert_eq!(status, 201, "{file}");
        file_ids.push(file["data"]["id"].clone());
    }
    let (status, body) =
        caller.post("/memories/add-files", json!({"memoryID": memory_id, "files": file_ids})).await;
    assert_eq!(status, 201, "{body}");
    let (status, body) =
        caller.post("/memories/start-ingestion", json!({"memoryID": memory_id})).await;
    assert_eq!((status, &body["data"]["sampleCount"]), (200, &json!(N_FILES)));
}

fn n_done(memory: &Value) -> u64 {
    memory["progress"]["samples"]["done"].as_u64().unwrap_or(0)
}

#[test]
fn a_secret_in_the_arguments_is_told_of() {
    let nowhere = ["serve", "--config", "/nowhere/harkback.toml"];
    let told = "other users of this machine can read the key";
    let quiet = run(&nowhere);
    assert!(
        quiet.stderr.contains("cannot read the configuration file") && !quiet.stderr.contains(told)
    );
    let shown = run(&[nowhere.as_slice(), &["--transcription-key", "s3cret"]].concat());
    assert!(shown.stderr.contains(told) && !shown.stderr.contains("s3cret"), "{}", shown.stderr);
}
