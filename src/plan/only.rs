//! What `--only` names: files with ids, or the ids themselves.

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use crate::{
    input::{self, NotAnId},
    installation::Id,
};

/// Standard input, as a path.
const STDIN: &str = "-";

/// What was typed after `--only`, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Only {
    /// Lists whose ids are taken, by their full paths; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Ids that were typed.
    pub ids: Vec<Id>,
}

/// A word that is neither of both.
#[derive(Debug, Error)]
pub enum OnlyError {
    /// Nothing stands there.
    #[error(
        "--only: \"{0}\" is neither a file nor an id; name a file with ids, or ids separated by commas"
    )]
    Nothing(String),
    /// It has the shape of something else.
    #[error(
        "--only: {0} is neither a file nor an id; check the path, or give ids separated by commas{1}"
    )]
    Word(String, String),
}

impl Only {
    /// Sorts what was typed. A file that is there goes before an id of the same name; what is no file
    /// and has not the shape of an id is a path mistyped.
    pub fn of(typed: &[PathBuf]) -> Result<Self, OnlyError> {
        let mut only = Self::default();
        for word in typed {
            if word == STDIN {
                only.files.push(word.clone());
            } else if is_a_file(word) {
                only.files.push(std::path::absolute(word).unwrap_or_else(|_| word.clone()));
            } else {
                only.ids.extend(ids(&word.to_string_lossy())?);
            }
        }
        Ok(only)
    }
}

/// Whether something is at a path; where that may not even be looked at, reading it says so. Many ids
/// are longer than any name.
fn is_a_file(path: &Path) -> bool {
    path.try_exists().unwrap_or_else(|error| error.kind() != io::ErrorKind::InvalidFilename)
}

fn ids(typed: &str) -> Result<Vec<Id>, OnlyError> {
    let words = typed.split(',').map(str::trim).filter(|word| !word.is_empty());
    let ids: Vec<Id> = words.map(id).collect::<Result<_, _>>()?;
    if ids.is_empty() { Err(OnlyError::Nothing(typed.trim().to_owned())) } else { Ok(ids) }
}

fn id(word: &str) -> Result<Id, OnlyError> {
    input::typed_id(word).map_err(|NotAnId { look, reason }| {
        OnlyError::Word(look, reason.map(|reason| format!(" ({reason})")).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_file_that_is_there_or_ids_or_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ve9EPM428h8vShlRW1KT");
        std::fs::write(&file, "x").unwrap();
        let only = Only::of(&[file.clone(), "tDtDnQdgm2LXpyiqYvZ6, acme-staging-01,".into()]);
        let only = only.unwrap();
        assert_eq!(only.files, [file]);
        let ids: Vec<_> = only.ids.iter().map(Id::as_str).collect();
        assert_eq!(ids, ["tDtDnQdgm2LXpyiqYvZ6", "acme-staging-01"]);
        let many = vec!["tDtDnQdgm2LXpyiqYvZ6"; 300].join(",");
        assert_eq!(Only::of(&[many.into()]).unwrap().ids.len(), 300);
        for (typed, says) in [
            ("ids.csv", "ids.csv is neither a file nor an id"),
            ("tDtDnQdgm2LXpyiqYvZ6,ids.csv", "ids.csv is neither"),
            ("lists/ids", "lists/ids is neither"),
            (" , ", "\",\" is neither a file nor an id"),
            ("a@example.com", "(an e-mail address, not an id)"),
            ("six", "neither a file nor an id"),
        ] {
            let error = Only::of(&[typed.into()]).unwrap_err().to_string();
            assert!(error.contains(says), "{typed}: {error}");
        }
        let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
        let error = Only::of(&[token.into()]).unwrap_err().to_string();
        assert!(error.contains("a token") && !error.contains("c2lnbmF0dXJl"), "{error}");
    }
}
