//! `.env` files: `KEY=VALUE` lines.
//!
//! Nothing is mended and nothing is expanded: a secret with a `$` in it stays as it is, and a stray
//! comma or quote is left for the check that names it. Errors give the line, never its content.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Why a file of variables cannot be used.
#[derive(Debug, Error)]
pub enum EnvFileError {
    /// It cannot be read.
    #[error("--env-file: cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A line is no `KEY=VALUE`.
    #[error("--env-file: {}, line {line}: not KEY=VALUE", path.display())]
    NotAPair {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
}

/// Reads a file of variables.
pub fn read(path: &Path) -> Result<HashMap<String, String>, EnvFileError> {
    let text = fs::read_to_string(path)
        .map_err(|source| EnvFileError::Unreadable { path: path.to_owned(), source })?;
    parse(&text).map_err(|line| EnvFileError::NotAPair { path: path.to_owned(), line })
}

/// What is to be said about a file of secrets that others than its owner can read. A pipe is read by
/// one process alone.
pub fn warning_about(option: &str, path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        let mode = file.permissions().mode();
        let is_open = mode & 0o044 != 0;
        is_open.then(|| {
            let (mode, path) = (mode & 0o777, path.display());
            format!("{option}: others can read {path} (mode {mode:03o}); chmod 600 {path}")
        })
    }
    #[cfg(not(unix))]
    {
        let _ = (option, path);
        None
    }
}

/// Reads the lines; the error is the number of the line that is no `KEY=VALUE`.
fn parse(text: &str) -> Result<HashMap<String, String>, usize> {
    let mut variables = HashMap::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line.split_once('=').ok_or(index + 1)?;
        let key = key.trim();
        let is_name =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name {
            return Err(index + 1);
        }
        variables.insert(key.to_owned(), unquoted(value.trim()).to_owned());
    }
    Ok(variables)
}

/// Takes a pair of quotes off, and a comment after a blank where there are none.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote)
            && let Some((inner, after)) = rest.split_once(quote)
            && (after.trim().is_empty() || after.trim_start().starts_with('#'))
        {
            return inner;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_as_shells_and_frameworks_write_them() {
        let text = "\u{feff}# app\nA=1\nexport B = two \n\nC=\"quoted # not a comment\"\nD='x' # y\nE=a # b\nF=\nG=a$b\nH=\"x\",\n";
        let variables = parse(text).unwrap();
        for (key, value) in [
            ("A", "1"),
            ("B", "two"),
            ("C", "quoted # not a comment"),
            ("D", "x"),
            ("E", "a"),
            ("F", ""),
            ("G", "a$b"),
            ("H", "\"x\","),
        ] {
            assert_eq!(variables[key], value, "{key}");
        }
    }

    #[test]
    fn a_line_that_is_no_pair_is_named_by_its_number() {
        for (text, line) in [("A=1\nnonsense", 2), ("=x", 1), ("a b=1", 1)] {
            assert_eq!(parse(text), Err(line));
        }
    }
}
