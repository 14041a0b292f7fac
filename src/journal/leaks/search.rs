//! The search for secrets in a file.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{
    tails::Tails,
    token_files::{HasTokens, MoreTokens, TokenFiles},
};
use crate::{
    highlevel::{
        known_secrets::{Kind, KnownSecrets},
        secret_forms::{TAIL, each_tail, every_form, likely_forms, tail_of},
    },
    secret::Secret,
};

/// A secret longer than this is compared by its last part.
const LONGEST: usize = 1 << 14;

/// Bytes of a file that one thread searches at a time.
pub(super) const PIECE: u64 = 1 << 20;

/// Threads that search a file at most: with more, the disk is the bottleneck.
const THREADS: usize = 4;

/// The secrets of a run, ready to be looked for.
pub struct Search {
    secrets: Vec<Secret>,
    /// Every form of the app's own secrets.
    app: Vec<Vec<u8>>,
    tokens: TokenFiles,
    tails: Tails,
}

impl Search {
    /// A search for these secrets and for every token of these files, as far as they are there.
    pub fn of<'a>(
        secrets: impl IntoIterator<Item = &'a Secret>,
        token_files: impl IntoIterator<Item = HasTokens>,
        more: Option<MoreTokens>,
    ) -> io::Result<Self> {
        let secrets: Vec<Secret> = secrets.into_iter().cloned().collect();
        let app: Vec<_> = secrets.iter().flat_map(|s| every_form(s.expose())).collect();
        let tokens = TokenFiles::new(token_files, more);
        let mut room = app.len() + tokens.count_tails()?;
        loop {
            let mut tails = Tails::with_room(room);
            app.iter().filter_map(|form| tail_of(form)).for_each(|tail| tails.add(tail));
            tokens.each(|token| each_tail(token, |tail| tails.add(tail)))?;
            if !tails.are_too_many {
                return Ok(Self { secrets, app, tokens, tails });
            }
            // Tokens of an unusual shape have more forms.
            room *= 2;
        }
    }

    /// The files that contain one of the secrets.
    pub fn find(&self, suspects: &[PathBuf]) -> io::Result<Vec<PathBuf>> {
        let mut leaks = Vec::new();
        for suspect in suspects {
            let hits = self.hits_in(suspect)?;
            if !hits.is_empty() && self.is_confirmed(&hits, suspect)? {
                leaks.push(suspect.clone());
            }
        }
        Ok(leaks)
    }

    /// Cuts the secrets out of a text.
    pub fn cut_out(&self, text: &str) -> io::Result<String> {
        let mut hits = HashSet::new();
        self.tails.look_through(text.to_ascii_lowercase().as_bytes(), |_, tail| {
            hits.insert(tail);
        });
        let known = KnownSecrets::default();
        if hits.is_empty() {
            return Ok(text.to_owned());
        }
        for secret in &self.secrets {
            known.learn(Kind::Client, secret);
        }
        self.tokens.each(|token| {
            let mut is_hit = false;
            each_tail(token, |tail| is_hit |= hits.contains(&tail));
            if is_hit {
                known.learn(Kind::Client, &Secret::new(token.to_owned()));
            }
        })?;
        Ok(known.cut_out(text).into_owned())
    }

    /// Searches a file for tails, piece by piece, several at a time.
    fn hits_in(&self, path: &Path) -> io::Result<Hits> {
        let length = path.metadata()?.len();
        let pieces = length.div_ceil(PIECE);
        let next = AtomicU64::new(0);
        let look = || -> io::Result<Vec<Hit>> {
            let mut hits = Vec::new();
            let mut file = File::open(path)?;
            let mut bytes = Vec::new();
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= pieces {
                    return Ok(hits);
                }
                // The windows that end in this piece: the first one begins before it.
                let start = (piece * PIECE).saturating_sub(TAIL as u64 - 1);
                read_piece(&mut file, start, (piece + 1) * PIECE, &mut bytes)?;
                bytes.make_ascii_lowercase();
                self.tails.look_through(&bytes, |at, tail| hits.push((tail, start + at)));
            }
        };
        let threads = if pieces > 1 { threads().min(pieces) } else { 1 };
        let found = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(look)).collect();
            let mut found = vec![look()];
            found.extend(others.into_iter().map(|other| {
                other.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked: a bug")))
            }));
            found
        });
        let mut hits = Hits::new();
        for found in found {
            for (tail, end) in found? {
                hits.entry(tail).or_default().push(end);
            }
        }
        Ok(hits)
    }

    /// Compares hits byte for byte with the secrets.
    fn is_confirmed(&self, hits: &Hits, suspect: &Path) -> io::Result<bool> {
        let mut file = File::open(suspect)?;
        let mut is_there = |form: &[u8]| -> io::Result<bool> {
            let ends = tail_of(form).and_then(|tail| hits.get(&tail)).into_iter().flatten();
            for end in ends {
                if is_before(&mut file, *end, last_part(form))? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        for form in &self.app {
            if is_there(form)? {
                return Ok(true);
            }
        }
        let mut confirmed = Ok(false);
        self.tokens.each(|token| {
            for form in likely_forms(token) {
                if matches!(confirmed, Ok(false)) {
                    confirmed = is_there(&form);
                }
            }
        })?;
        confirmed
    }
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").finish_non_exhaustive()
    }
}

/// Threads that search a large file.
fn threads() -> u64 {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    u64::try_from(cores.min(THREADS)).unwrap_or(1)
}

/// A tail that is a secret's, and where it ends in the file.
type Hit = (u64, u64);

/// Where each of these tails ends.
type Hits = HashMap<u64, Vec<u64>>;

/// Reads a file from one place to another, or to its end.
fn read_piece(file: &mut File, start: u64, end: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    file.seek(SeekFrom::Start(start))?;
    file.take(end - start).read_to_end(bytes).map(drop)
}

/// Whether these bytes end at a place in a file, in whatever case.
fn is_before(file: &mut File, end: u64, bytes: &[u8]) -> io::Result<bool> {
    let Some(start) = end.checked_sub(bytes.len() as u64) else { return Ok(false) };
    let mut there = Vec::new();
    read_piece(file, start, end, &mut there)?;
    Ok(there.eq_ignore_ascii_case(bytes))
}

fn last_part(form: &[u8]) -> &[u8] {
    &form[form.len().saturating_sub(LONGEST)..]
}
