//! What must hold of whatever comes from outside? One function a fuzz target in `fuzz/`, each over any bytes; a test
//! replays the seeds and every input that once failed.
//!
//! Not part of the interface: only with the feature `fuzzing`. The engine has the targets of what files say.

pub use crate::api::fuzzing::request;
pub use crate::egress::fuzzing::url;
pub use crate::web::fuzzing::{sitemap, web_page};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 4] = [
        ("request", super::request),
        ("sitemap", super::sitemap),
        ("url", super::url),
        ("web_page", super::web_page),
    ];

    #[test]
    fn the_seeds_of_the_fuzz_targets_hold() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
        for (name, target) in TARGETS {
            let mut n_seeds = 0;
            for seed in fs::read_dir(seeds.join(name)).unwrap() {
                let path = seed.unwrap().path();
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
                n_seeds += 1;
            }
            assert!(n_seeds > 0, "{name} has no seeds");
        }
    }
}
