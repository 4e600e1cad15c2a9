//! How are files that are ZIP packages mutated? One part at a time, unpacked: a byte changed in what is packed breaks the
//! package, and nothing behind the unpacking would ever be reached.

use std::io::{Cursor, Read, Write};

use libfuzzer_sys::fuzzer_mutate;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Parts and bytes of a package that is worth mutating so; others are mutated as they are.
const MAX_PARTS: usize = 200;
const MAX_PART_BYTES: usize = 1 << 20;
/// One mutation in so many is of the package itself.
const OF_THE_PACKAGE: u32 = 16;

/// Has a fuzz target mutate the parts of its packages.
#[macro_export]
macro_rules! mutates_packages {
    () => {
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate_package(data, size, max_size, seed)
        });
    };
}

/// Mutates the first `size` bytes of `data`, which has room for `max_size`. Returns how many there are then.
pub fn mutate_package(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if seed % OF_THE_PACKAGE != 0
        && let Some(mutated) = mutate_part(&data[..size], seed / OF_THE_PACKAGE)
        && mutated.len() <= max_size
    {
        data[..mutated.len()].copy_from_slice(&mutated);
        return mutated.len();
    }
    fuzzer_mutate(data, size, max_size)
}

fn mutate_part(package: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(package)).ok()?;
    if archive.is_empty() || archive.len() > MAX_PARTS {
        return None;
    }
    let chosen = seed as usize % archive.len();
    let mut mutated = ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..archive.len() {
        if at != chosen {
            mutated.raw_copy_file(archive.by_index_raw(at).ok()?).ok()?;
            continue;
        }
        let part = archive.by_index(at).ok()?;
        let name = part.name().ok()?.into_owned();
        let mut bytes = Vec::new();
        part.take(MAX_PART_BYTES as u64).read_to_end(&mut bytes).ok()?;
        let n_bytes = bytes.len();
        // Room to grow, as an empty part may.
        bytes.resize(n_bytes + n_bytes / 4 + 64, 0);
        let n_bytes = fuzzer_mutate(&mut bytes, n_bytes, n_bytes + n_bytes / 4 + 64);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(1));
        mutated.start_file(name, options).ok()?;
        mutated.write_all(&bytes[..n_bytes]).ok()?;
    }
    Some(mutated.finish().ok()?.into_inner())
}
