//! `harkback doctor`: can a server run here, and if not, what is to be done?

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Args;
use harkback_engine::{Manifest, ModelState, Store};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;

use super::{DataDir, Outcome, Printer, parse_file};
use crate::clock::Clock;
use crate::models::ModelsDir;

/// Below this a running server would soon fail to store what it is sent.
const LEAST_FREE_BYTES: u64 = 1 << 30;
/// This program was written after that; a clock that says otherwise is wrong.
const EARLIEST: &str = "2026-11-01T00:00:00Z";
/// For the connections that may be open at once by default, the database and the files in work.
const LEAST_OPEN_FILES: u64 = 4096 + 512;
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Arguments of `harkback doctor`.
#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    data: DataDir,
    #[command(flatten)]
    models: ModelsDir,
    /// Address the server is to listen on
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8787")]
    listen: String,
}

/// What one look at the machine found.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    grade: Grade,
    subject: &'static str,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Fine,
    /// The server runs, but not as it should.
    Warning,
    /// The server would not run.
    Problem,
}

/// Runs the command. Fails if there is a problem; warnings are no failure.
///
/// # Errors
/// None: what cannot be looked at is a finding.
pub(super) async fn doctor(args: &DoctorArgs, printer: &Printer) -> Outcome {
    let mut worst_is_problem = false;
    for finding in examine(args).await {
        let grade = match finding.grade {
            Grade::Fine => "ok",
            Grade::Warning => "warning",
            Grade::Problem => "problem",
        };
        worst_is_problem |= finding.grade == Grade::Problem;
        printer.data(&format!("{grade:<8} {:<10} {}", finding.subject, finding.text));
    }
    Ok(if worst_is_problem { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn examine(args: &DoctorArgs) -> Vec<Finding> {
    let dir = &args.data.path;
    let mut findings = vec![data_dir(dir)];
    if findings[0].grade != Grade::Problem {
        findings.extend(privacy(dir));
        findings.extend(free_space(dir));
    }
    findings.push(database(dir).await);
    findings.extend(models(&args.models.path));
    findings.push(pdf_reader());
    findings.push(parser());
    let now = Timestamp::from_microsecond(Clock::System.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    findings.push(clock(now, newest_file_in(dir)));
    findings.push(port(&args.listen).await);
    findings.extend(open_files());
    findings
}

/// Poppler says its version on standard error.
fn pdf_reader() -> Finding {
    let subject = "pdf";
    match Command::new("pdftotext").arg("-v").output() {
        Ok(said) => {
            let said = String::from_utf8_lossy(&said.stderr);
            let version = said.lines().next().unwrap_or("pdftotext").trim();
            fine(subject, format!("PDF files are read by {version}"))
        }
        Err(_) => warning(
            subject,
            "PDF files are read by the built-in reader, which refuses some; install poppler-utils for the better one"
                .to_owned(),
        ),
    }
}

/// A directory that is not there yet is fine if it can be made.
fn data_dir(dir: &Path) -> Finding {
    let subject = "data";
    let Some(existing) = nearest_existing(dir) else {
        return problem(
            subject,
            format!("`{}` cannot be made; name another with --data", dir.display()),
        );
    };
    let probe = existing.join(".harkback-doctor");
    let written = File::create(&probe)
        .and_then(|mut file| file.write_all(b"probe").and_then(|()| file.sync_all()));
    let removed = fs::remove_file(&probe);
    match written.and(removed) {
        Err(error) => problem(
            subject,
            format!(
                "`{}` cannot be written ({error}); give it to the user that runs the server, or name another with \
                 --data",
                existing.display()
            ),
        ),
        Ok(()) if existing == dir => fine(subject, format!("`{}` can be written", dir.display())),
        Ok(()) => {
            fine(subject, format!("`{}` is not there yet; the server makes it", dir.display()))
        }
    }
}

/// Keys are stored as hashes, but documents and messages are plain in the database.
#[cfg(unix)]
fn privacy(dir: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;

    let mode = fs::metadata(dir).ok()?.permissions().mode() & 0o777;
    let subject = "privacy";
    Some(if mode & 0o077 == 0 {
        fine(subject, format!("only its owner can read `{}`", dir.display()))
    } else {
        let advice = format!("run `chmod 700 {}`", dir.display());
        warning(
            subject,
            format!("other users may read `{}` (mode {mode:o}); {advice}", dir.display()),
        )
    })
}

#[cfg(not(unix))]
fn privacy(_dir: &Path) -> Option<Finding> {
    None
}

#[cfg(unix)]
fn free_space(dir: &Path) -> Option<Finding> {
    let subject = "disk";
    let space = match rustix::fs::statvfs(&nearest_existing(dir)?) {
        Ok(space) => space,
        Err(error) => {
            return Some(warning(subject, format!("the free space cannot be told: {error}")));
        }
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let text = format!("{:.1} GB free", free as f64 / 1e9);
    Some(if free >= LEAST_FREE_BYTES {
        fine(subject, text)
    } else {
        problem(
            subject,
            format!("only {text}; make room, or move the data directory to another disk"),
        )
    })
}

#[cfg(not(unix))]
fn free_space(_dir: &Path) -> Option<Finding> {
    None
}

async fn database(dir: &Path) -> Finding {
    let subject = "database";
    let path = dir.join("harkback.db");
    if !path.exists() {
        return fine(subject, "there is none yet; the server makes it".to_owned());
    }
    let restore = "restore the data directory from a backup";
    match Store::defects(dir).await {
        Ok(defects) if defects.is_empty() => {
            fine(subject, format!("`{}` is sound", path.display()))
        }
        Ok(defects) => problem(
            subject,
            format!("`{}` is damaged; {restore}: {}", path.display(), defects.join("; ")),
        ),
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |it| format!(": {it}"));
            problem(
                subject,
                format!("`{}` cannot be read ({error}{cause}); {restore}", path.display()),
            )
        }
    }
}

fn models(dir: &Path) -> Vec<Finding> {
    let subject = "models";
    let finding = |model: &harkback_engine::ModelManifest| match model.check(dir) {
        Ok(ModelState::Verified) => fine(subject, format!("{} is verified", model.id)),
        Ok(ModelState::Missing) => warning(
            subject,
            format!(
                "{} is missing, the server finds words but no meanings; run `harkback models fetch`",
                model.id
            ),
        ),
        Ok(ModelState::Wrong { path, .. }) => problem(
            subject,
            format!(
                "`{}` is not the pinned file; run `harkback models fetch` to replace it",
                path.display()
            ),
        ),
        Err(error) => {
            problem(subject, format!("{error}; run `harkback models fetch` to replace it"))
        }
    };
    Manifest::pinned().models.iter().map(finding).collect()
}

/// Tokens expire by the clock and pages are ordered by it, so a clock in the past does harm.
fn clock(now: Timestamp, newest_file: Option<Timestamp>) -> Finding {
    let subject = "clock";
    let earliest: Timestamp = EARLIEST.parse().expect("a test parses it");
    let advice = "set the clock, best by NTP";
    match newest_file {
        _ if now < earliest => {
            problem(subject, format!("it says {now:.0}, which is long past; {advice}"))
        }
        Some(written) if written > now + SignedDuration::from_mins(5) => problem(
            subject,
            format!("it says {now:.0}, but data was written at {written:.0}; {advice}"),
        ),
        _ => fine(subject, format!("it says {now:.0}")),
    }
}

async fn port(listen: &str) -> Finding {
    let subject = "port";
    match TcpListener::bind(listen).await {
        Ok(_) => fine(subject, format!("{listen} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if answers_as_harkback(listen).await {
                fine(subject, format!("a harkback server is running at {listen}"))
            } else {
                problem(
                    subject,
                    format!("{listen} is taken by another program; name another with --listen"),
                )
            }
        }
        Err(error) => problem(
            subject,
            format!("cannot listen on {listen} ({error}); name another with --listen"),
        ),
    }
}

/// A connection is an open file, and so is one to the database. The server raises its limit to the hard one.
#[cfg(unix)]
fn open_files() -> Option<Finding> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum?;
    Some(enough_files(limit))
}

#[cfg(not(unix))]
fn open_files() -> Option<Finding> {
    None
}

fn enough_files(limit: u64) -> Finding {
    let subject = "files";
    if limit >= LEAST_OPEN_FILES {
        return fine(subject, format!("{limit} may be open at once"));
    }
    warning(
        subject,
        format!(
            "only {limit} may be open at once, a connection each; raise it with `ulimit -n 8192`, or `LimitNOFILE=8192` in \
             a systemd unit"
        ),
    )
}

async fn answers_as_harkback(listen: &str) -> bool {
    let Ok(http) = reqwest::Client::builder().timeout(PROBE_TIMEOUT).no_proxy().build() else {
        return false;
    };
    match http.get(format!("http://{listen}/openapi.json")).send().await {
        Ok(response) => {
            response.text().await.is_ok_and(|text| text.to_lowercase().contains("harkback"))
        }
        Err(_) => false,
    }
}

/// The directory itself, or the nearest one above it that is there.
fn nearest_existing(dir: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(dir).ok()?;
    let found = absolute.ancestors().find(|it| it.exists()).filter(|it| it.is_dir())?;
    Some(if found == absolute { dir.to_owned() } else { found.to_owned() })
}

fn newest_file_in(dir: &Path) -> Option<Timestamp> {
    let written =
        |entry: fs::DirEntry| Timestamp::try_from(entry.metadata().ok()?.modified().ok()?).ok();
    fs::read_dir(dir).ok()?.filter_map(|entry| written(entry.ok()?)).max()
}

/// Files are read in a process that limits itself, as far as this system lets it.
fn parser() -> Finding {
    let subject = "parser";
    let missing = parse_file::process().map_err(Into::into).and_then(|it| it.missing_limits());
    match missing {
        Ok(missing) if missing.is_empty() => fine(
            subject,
            "files are read in a process without network, other files or much memory".to_owned(),
        ),
        Ok(missing) => warning(
            subject,
            format!(
                "the process that reads files lacks {}; ingest only files that you trust",
                missing.join(", ")
            ),
        ),
        Err(error) => {
            problem(subject, format!("the process that reads files does not start ({error})"))
        }
    }
}

fn fine(subject: &'static str, text: String) -> Finding {
    Finding { grade: Grade::Fine, subject, text }
}

fn warning(subject: &'static str, text: String) -> Finding {
    Finding { grade: Grade::Warning, subject, text }
}

fn problem(subject: &'static str, text: String) -> Finding {
    Finding { grade: Grade::Problem, subject, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_can_be_made_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(data_dir(dir.path()).grade, Grade::Fine);
        let deep = dir.path().join("not/there/yet");
        let finding = data_dir(&deep);
        assert_eq!(finding.grade, Grade::Fine);
        assert!(finding.text.ends_with("the server makes it"), "{}", finding.text);
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is left behind");
    }

    #[test]
    fn a_file_where_the_directory_should_be_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let finding = data_dir(&file);
        assert_eq!(finding.grade, Grade::Problem, "{}", finding.text);
    }

    #[cfg(unix)]
    #[test]
    fn an_open_directory_is_a_warning() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        for (mode, grade) in
            [(0o700, Grade::Fine), (0o750, Grade::Warning), (0o755, Grade::Warning)]
        {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(privacy(dir.path()).unwrap().grade, grade);
        }
    }

    #[test]
    fn a_clock_in_the_past_is_a_problem() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let now = at("2027-03-01T12:00:00Z");
        assert_eq!(clock(now, None).grade, Grade::Fine);
        assert_eq!(clock(now, Some(at("2027-03-01T12:04:00Z"))).grade, Grade::Fine);
        assert_eq!(clock(now, Some(at("2027-03-01T12:06:00Z"))).grade, Grade::Problem);
        assert_eq!(clock(at("1970-01-01T00:00:09Z"), None).grade, Grade::Problem);
    }

    #[test]
    fn few_open_files_are_a_warning() {
        assert_eq!(enough_files(8192).grade, Grade::Fine);
        let finding = enough_files(256);
        assert_eq!(finding.grade, Grade::Warning);
        assert!(finding.text.contains("only 256 may be open"), "{}", finding.text);
    }

    #[tokio::test]
    async fn a_damaged_database_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(database(dir.path()).await.grade, Grade::Fine, "none yet");
        fs::write(
            dir.path().join("harkback.db"),
            "this is no database, but it is long enough to look at",
        )
        .unwrap();
        let finding = database(dir.path()).await;
        assert_eq!(finding.grade, Grade::Problem);
        assert!(
            finding.text.contains("restore the data directory from a backup"),
            "{}",
            finding.text
        );
    }

    #[tokio::test]
    async fn a_taken_port_is_a_problem() {
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = other.local_addr().unwrap().to_string();
        let (finding, ()) = tokio::join!(port(&taken), async { drop(other.accept().await) });
        assert_eq!(finding.grade, Grade::Problem);
        assert_eq!(port("127.0.0.1:0").await.grade, Grade::Fine);
        assert_eq!(port("no such host:1").await.grade, Grade::Problem);
    }

    #[test]
    fn a_missing_model_is_a_warning_and_a_wrong_one_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        assert!(models(dir.path()).iter().all(|it| it.grade == Grade::Warning));
        let model = &Manifest::pinned().models[0];
        fs::create_dir(model.dir(dir.path())).unwrap();
        fs::write(model.dir(dir.path()).join("model.onnx"), "x").unwrap();
        assert_eq!(models(dir.path())[0].grade, Grade::Problem);
    }
}
