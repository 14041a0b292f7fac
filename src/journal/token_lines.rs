//! Reads `tokens.jsonl` back: which installations have their tokens on disk.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    folder::RunFolder,
    line_file::{LineFile, StorageError},
    state::{RunState, TokenLine},
    writer::{TokenFile, Writer},
};
use crate::{
    checksum::Checksum,
    installation::Scope,
    plan::fingerprint::{Fingerprint, Fingerprints},
};

/// The fields that identify the installation of a document; the rest is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentOwner<'a> {
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
    /// The installations whose token pairs are there, each with the checksum of its last line.
    pub pairs: HashMap<Fingerprint, Checksum>,
    /// Lines; more than pairs when some installations stand there twice, or some are no pair.
    pub lines: usize,
}

impl OnDisk {
    /// Whether the file has more than a line an installation, or others than the journal knows.
    pub fn is_untidy(&self, run_state: &RunState) -> bool {
        self.lines > self.pairs.len() || run_state.count_good(&self.pairs) < self.pairs.len()
    }
}

/// Reads which installations have their token pairs on disk.
pub fn on_disk(tokens: &Path, prints: &Fingerprints) -> io::Result<OnDisk> {
    let mut found = OnDisk::default();
    each_line(tokens, |line| {
        found.lines += 1;
        if let Some(print) = print_of(line, prints) {
            found.pairs.insert(print, Checksum::of(line));
        }
        Ok(())
    })?;
    Ok(found)
}

/// What a token line has of its pair besides the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairFacts {
    /// Expiry of the access token.
    pub expires_at: Option<Timestamp>,
    /// Whether there is a refresh token.
    pub has_refresh_token: bool,
}

impl Default for PairFacts {
    /// Nothing is known, and no lack is claimed.
    fn default() -> Self {
        Self { expires_at: None, has_refresh_token: true }
    }
}

impl PairFacts {
    fn of(line: &[u8]) -> Self {
        let Ok(document) = serde_json::from_slice::<Value>(line) else { return Self::default() };
        let expire_at = document["expire_at"].as_i64();
        Self {
            expires_at: expire_at.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            has_refresh_token: document["refresh_token"].as_str().is_some_and(|t| !t.is_empty()),
        }
    }
}

/// Reads some token lines, each known by its checksum.
pub fn facts_of(
    tokens: &Path,
    lines: impl IntoIterator<Item = Checksum>,
) -> io::Result<HashMap<Checksum, PairFacts>> {
    let wanted: HashSet<Checksum> = lines.into_iter().collect();
    let mut facts = HashMap::new();
    if wanted.is_empty() {
        return Ok(facts);
    }
    each_line(tokens, |line| {
        let checksum = Checksum::of(line);
        if wanted.contains(&checksum) {
            facts.insert(checksum, PairFacts::of(line));
        }
        Ok(())
    })?;
    Ok(facts)
}

/// The lines of a token file that are not as they were written, by number; 1 is the first.
pub type Damaged = Vec<u64>;

/// Leaves one good line an installation in `tokens.jsonl`. Lines that are damaged, or of no
/// installation in the list, move to `quarantine.jsonl`, and their numbers are returned; repetitions
/// and tokens that must not be used are dropped.
pub fn tidy(folder: &RunFolder, run_state: &RunState) -> anyhow::Result<Damaged> {
    let mut quarantine = None;
    let mut tidy = folder.disk().replace(&folder.tokens())?;
    let damaged = each_sorted_line(&folder.tokens(), run_state, |line, sorted| match sorted {
        Sorted::Newest => {
            tidy.write_all(line)?;
            tidy.write_all(b"\n")
        }
        Sorted::Damaged(number) => {
            set_apart(folder, &mut quarantine, line, number).map_err(io::Error::other)
        }
    })?;
    // What is damaged is safe in its new place before it goes from the old one.
    quarantine.as_mut().map_or(Ok(()), LineFile::sync)?;
    folder.disk().sync_folder(folder.path())?;
    tidy.put_in_place()?;
    Ok(damaged)
}

/// Appends the newest good line of each installation of one run to the tokens of another, and those that
/// are damaged, or of no installation in the list, to its quarantine; their numbers are returned.
pub fn copy(tokens: &Path, run_state: &RunState, into: &mut Writer) -> anyhow::Result<Damaged> {
    let copied = each_sorted_line(tokens, run_state, |line, sorted| {
        let taken = match sorted {
            Sorted::Newest => into.append_document(TokenFile::Tokens, line),
            Sorted::Damaged(number) => {
                let document = damaged_document(line, number);
                into.append_document(TokenFile::Quarantine, document.as_bytes())
            }
        };
        taken.map_err(io::Error::other)
    });
    Ok(copied?)
}

/// What becomes of a line of `tokens.jsonl`.
enum Sorted {
    /// It is the newest good one of its installation.
    Newest,
    /// It is not as it was written, or of no installation in the list; its number.
    Damaged(u64),
}

/// Calls `take` with the lines that are kept in some file. Repetitions and tokens that must not be used
/// are passed over.
fn each_sorted_line(
    tokens: &Path,
    run_state: &RunState,
    mut take: impl FnMut(&[u8], Sorted) -> io::Result<()>,
) -> io::Result<Damaged> {
    let known = run_state.token_lines();
    let mut last: HashMap<Fingerprint, u64> = HashMap::new();
    let mut number = 0;
    each_line(tokens, |line| {
        number += 1;
        if let LineVerdict::Good(print) = verdict(line, run_state.prints(), &known) {
            last.insert(print, number);
        }
        Ok(())
    })?;
    let mut damaged = Damaged::new();
    number = 0;
    each_line(tokens, |line| {
        number += 1;
        match verdict(line, run_state.prints(), &known) {
            LineVerdict::Good(print) if last.get(&print) == Some(&number) => {
                take(line, Sorted::Newest)
            }
            LineVerdict::Good(_) | LineVerdict::Quarantine => Ok(()),
            LineVerdict::Damaged => {
                damaged.push(number);
                take(line, Sorted::Damaged(number))
            }
        }
    })?;
    Ok(damaged)
}

/// What a line of `tokens.jsonl` is.
enum LineVerdict {
    Good(Fingerprint),
    Quarantine,
    Damaged,
}

fn verdict(
    line: &[u8],
    prints: &Fingerprints,
    known: &HashMap<Fingerprint, TokenLine>,
) -> LineVerdict {
    let print = print_of(line, prints);
    match print.and_then(|print| Some((print, *known.get(&print)?))) {
        Some((_, TokenLine::Quarantine)) => LineVerdict::Quarantine,
        Some((print, token_line)) if token_line.allows(Checksum::of(line)) => {
            LineVerdict::Good(print)
        }
        _ => LineVerdict::Damaged,
    }
}

/// Keeps a damaged line in the quarantine as a text: nothing is thrown away.
fn set_apart(
    folder: &RunFolder,
    quarantine: &mut Option<LineFile>,
    line: &[u8],
    number: u64,
) -> Result<(), StorageError> {
    let file = match quarantine.take() {
        Some(file) => file,
        None => LineFile::open(folder.disk(), &folder.quarantine(), None)?,
    };
    quarantine.insert(file).line(damaged_document(line, number).as_bytes())
}

fn damaged_document(line: &[u8], number: u64) -> String {
    let document = json!({
        "quarantined_for": "damaged",
        "reason": format!("line {number} of tokens.jsonl is not as it was written"),
        "line": String::from_utf8_lossy(line),
    });
    document.to_string()
}

/// The lines of `tokens.jsonl` that are not as they were written, or of no installation in the list.
pub fn damaged(tokens: &Path, run_state: &RunState) -> io::Result<Damaged> {
    let known = run_state.token_lines();
    let mut damaged = Damaged::new();
    let mut number = 0;
    each_line(tokens, |line| {
        number += 1;
        if matches!(verdict(line, run_state.prints(), &known), LineVerdict::Damaged) {
            damaged.push(number);
        }
        Ok(())
    })?;
    Ok(damaged)
}

/// The lines of `quarantine.jsonl` that are not as they were written. Nothing depends on them.
pub fn damaged_in_quarantine(quarantine: &Path, run_state: &RunState) -> io::Result<Damaged> {
    let mut damaged = Damaged::new();
    let mut number = 0;
    each_line(quarantine, |line| {
        number += 1;
        if !line.starts_with(SET_APART) && !run_state.has_quarantined(Checksum::of(line)) {
            damaged.push(number);
        }
        Ok(())
    })?;
    Ok(damaged)
}

/// How a line begins that was moved from `tokens.jsonl` to the quarantine.
const SET_APART: &[u8] = br#"{"quarantined_for":"damaged""#;

/// Calls `take` with each whole line, without its end.
pub fn each_line(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut input = BufReader::with_capacity(1 << 17, File::open(path)?);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if line.pop() == Some(b'\n') {
            take(&line)?;
        }
        line.clear();
    }
    Ok(())
}

fn print_of(line: &[u8], prints: &Fingerprints) -> Option<Fingerprint> {
    // As text first: the whole line has to be valid, also what the document does not read.
    let document: DocumentOwner = serde_json::from_str(std::str::from_utf8(line).ok()?).ok()?;
    if document.access_token.is_empty() {
        return None;
    }
    let stated = || document.user_type.as_deref().and_then(Scope::from_user_type);
    let implied = match document.location_id {
        Some(_) => Scope::Location,
        None => Scope::Company,
    };
    let scope = stated().unwrap_or(implied);
    let application = document.application_id.unwrap_or_default();
    Some(prints.of(&application, scope, &document.resource_id))
}
