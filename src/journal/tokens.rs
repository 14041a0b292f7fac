//! Reads `tokens.jsonl` back: which installations have their tokens on disk.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use serde::Deserialize;

use super::{disk::Disk, ledger::Ledger};
use crate::{
    fingerprint::{Fingerprint, Fingerprints},
    installation::Scope,
};

/// What tells whose a document is; the rest is passed over unread.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(borrow)]
    application_id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    resource_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    user_type: Option<std::borrow::Cow<'a, str>>,
    location_id: Option<serde::de::IgnoredAny>,
    #[serde(borrow, rename = "access_token")]
    access_token: std::borrow::Cow<'a, str>,
}

/// What `tokens.jsonl` holds, whole lines only.
#[derive(Debug, Default)]
pub struct OnDisk {
    /// The installations whose token pairs are there.
    pub installations: HashSet<Fingerprint>,
    /// Lines that have a token pair; more than installations when some stand there twice.
    pub pairs: usize,
}

/// Reads which installations have their token pairs on disk.
pub fn on_disk(tokens: &Path, prints: &Fingerprints) -> io::Result<OnDisk> {
    let mut found = OnDisk::default();
    each_line(tokens, |line| {
        if let Some(print) = print_of(line, prints) {
            found.installations.insert(print);
            found.pairs += 1;
        }
        Ok(())
    })?;
    Ok(found)
}

/// Leaves one line an installation, the last one, as a crash in the midst of saving may have left
/// more. Lines that are no token pairs stay.
pub fn leave_the_last(disk: &Disk, tokens: &Path, prints: &Fingerprints) -> anyhow::Result<()> {
    let mut last: HashMap<Fingerprint, usize> = HashMap::new();
    let mut number = 0;
    each_line(tokens, |line| {
        if let Some(print) = print_of(line, prints) {
            last.insert(print, number);
        }
        number += 1;
        Ok(())
    })?;
    let mut tidy = disk.replace(tokens)?;
    number = 0;
    each_line(tokens, |line| {
        let is_last = print_of(line, prints).is_none_or(|print| last.get(&print) == Some(&number));
        number += 1;
        if is_last { tidy.write_all(line) } else { Ok(()) }
    })?;
    tidy.put_in_place()
}

/// Takes out the lines of installations whose tokens are not to be used.
pub fn leave_out_refused(disk: &Disk, tokens: &Path, ledger: &Ledger) -> anyhow::Result<()> {
    let refused = ledger.refused();
    if refused.is_empty() {
        return Ok(());
    }
    let mut tidy = disk.replace(tokens)?;
    each_line(tokens, |line| {
        let print = print_of(line, ledger.prints());
        let is_refused = print.is_some_and(|print| refused.contains(&print));
        if is_refused { Ok(()) } else { tidy.write_all(line) }
    })?;
    tidy.put_in_place()
}

fn each_line(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut input = BufReader::with_capacity(1 << 17, File::open(path)?);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if line.ends_with(b"\n") {
            take(&line)?;
        }
        line.clear();
    }
    Ok(())
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
    let application = document.application_id.unwrap_or_default();
    Some(prints.of(&application, scope, &document.resource_id))
}
