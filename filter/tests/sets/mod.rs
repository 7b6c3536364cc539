//! Finding and unpacking rule sets and header traces (see `hostward_filter::classifier::tuples`); files
//! may be compressed with xz.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several tests and benches, each of which needs a part"
)]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use hostward_filter::classifier::{Key, Pattern, tuples};

/// The folder named by `HOSTWARD_RULES`.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("HOSTWARD_RULES").map(PathBuf::from)
}

/// The names of all sets in the folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|e| {
            let name = e.unwrap().file_name().into_string().ok()?;
            let name = name.strip_suffix(".xz").unwrap_or(&name);
            name.strip_suffix(".rules").map(str::to_owned)
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The text of `NAME.KIND` or `NAME.KIND.xz`.
pub fn read(folder: &Path, name: &str, kind: &str) -> String {
    let plain = folder.join(format!("{name}.{kind}"));
    if plain.exists() {
        return fs::read_to_string(plain).unwrap();
    }
    let packed = fs::read(folder.join(format!("{name}.{kind}.xz"))).unwrap();
    let mut text = String::new();
    lzma_rust2::XzReader::new(packed.as_slice(), true)
        .read_to_string(&mut text)
        .unwrap();
    text
}

pub use tuples::TupleAddress as Text;

/// All rules of a file.
pub fn rules<A: Text>(text: &str) -> Vec<Pattern<A>> {
    tuples::rules(text).unwrap()
}

/// All headers of a file and the position of the first rule each matches.
pub fn headers<A: Text>(text: &str) -> (Vec<Key<A>>, Vec<Option<u32>>) {
    tuples::headers(text).unwrap().into_iter().unzip()
}
