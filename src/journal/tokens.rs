//! Reads `tokens.jsonl` back: which installations have their tokens on disk.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use serde::Deserialize;

use crate::{
    fingerprint::{Fingerprint, Fingerprints},
    installation::Scope,
};

/// What tells whose a document is; the rest is passed over unread.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(borrow)]
    resource_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    user_type: Option<std::borrow::Cow<'a, str>>,
    location_id: Option<serde::de::IgnoredAny>,
    #[serde(borrow, rename = "access_token")]
    access_token: std::borrow::Cow<'a, str>,
}

/// The installations whose token pairs are on disk, whole lines only.
pub fn on_disk(tokens: &Path, prints: &Fingerprints) -> io::Result<HashSet<Fingerprint>> {
    let mut found = HashSet::new();
    let mut input = BufReader::with_capacity(1 << 17, File::open(tokens)?);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if line.ends_with(b"\n")
            && let Some(print) = print_of(&line, prints)
        {
            found.insert(print);
        }
        line.clear();
    }
    Ok(found)
}

fn print_of(line: &[u8], prints: &Fingerprints) -> Option<Fingerprint> {
    let document: Document = serde_json::from_slice(line).ok()?;
    if document.access_token.is_empty() {
        return None;
    }
    let said = || document.user_type.as_deref().and_then(Scope::from_user_type);
    let implied = match document.location_id {
        Some(_) => Scope::Location,
        None => Scope::Company,
    };
    let scope = said().unwrap_or(implied);
    Some(prints.of(scope, &document.resource_id))
}
