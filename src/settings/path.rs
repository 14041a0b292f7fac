//! Paths that outlive the folder that the program was started in.

use std::path::{Path, PathBuf};

/// A path that means the same from everywhere; `-`, for standard input, stays.
pub fn path_in_full(path: &Path) -> PathBuf {
    if path == Path::new("-") {
        return path.to_owned();
    }
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
