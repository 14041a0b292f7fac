//! Looks for the exact secrets of a run in files that must not have any.
//!
//! A run can handle millions of tokens, and its files can have gigabytes; so each secret, in each of
//! the forms in which it might have slipped through, is known by a mark of its last 16 bytes, and one
//! pass over a file looks every 16 bytes of it up. What is found that way is then compared byte for
//! byte.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use serde::Deserialize;

use crate::{
    highlevel::{
        known_secrets::{Kind, KnownSecrets},
        secret_forms::{TAIL, each_tail, every_form, likely_forms, tail_of, tail_of_lowered},
    },
    secret::Secret,
};

/// A secret longer than this is compared by its last part.
const LONGEST: usize = 1 << 14;

/// Bytes of a file that one thread looks through at a time.
const PIECE: u64 = 1 << 20;

/// Threads that look through a file at most: beyond that, the disk is what is waited for.
const THREADS: usize = 4;

/// The token fields of a session document.
#[derive(Deserialize)]
struct Tokens {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// Tokens that stand elsewhere than in the files of the run, as the list has them. They are read anew
/// each time, so that none is kept.
pub type MoreTokens = Arc<dyn Fn(&mut dyn FnMut(&str)) + Send + Sync>;

/// Files of tokens: the only ones that may hold any; and what the list has.
struct TokenFiles(Vec<PathBuf>, Option<MoreTokens>);

impl TokenFiles {
    fn each(&self, mut take: impl FnMut(&str)) -> io::Result<()> {
        for file in self.open() {
            let mut input = BufReader::with_capacity(1 << 17, file?);
            let mut line = Vec::new();
            while input.read_until(b'\n', &mut line)? > 0 {
                if let Ok(tokens) = serde_json::from_slice::<Tokens>(&line) {
                    let both = [tokens.access_token, tokens.refresh_token];
                    both.iter().flatten().for_each(|token| take(token));
                }
                line.clear();
            }
        }
        if let Some(more) = &self.1 {
            more(&mut take);
        }
        Ok(())
    }

    fn count_lines(&self) -> io::Result<usize> {
        let mut lines = 0;
        let mut piece = vec![0; 1 << 17];
        for file in self.open() {
            let mut file = file?;
            loop {
                match file.read(&mut piece)? {
                    0 => break,
                    read => lines += memchr::memchr_iter(b'\n', &piece[..read]).count(),
                }
            }
        }
        Ok(lines)
    }

    fn count_more(&self) -> usize {
        let mut count = 0;
        if let Some(more) = &self.1 {
            more(&mut |_| count += 1);
        }
        count
    }

    fn open(&self) -> impl Iterator<Item = io::Result<File>> {
        self.0.iter().filter(|path| path.exists()).map(File::open)
    }
}

/// The secrets of a run, ready to be looked for.
pub struct Search {
    secrets: Vec<Secret>,
    /// Every form of the app's own secrets.
    app: Vec<Vec<u8>>,
    tokens: TokenFiles,
    tails: Tails,
}

impl Search {
    /// Takes these secrets and every token of these files: `tokens.jsonl`, and `quarantine.jsonl`
    /// if there is one.
    pub fn of<'a>(
        secrets: impl IntoIterator<Item = &'a Secret>,
        token_files: impl IntoIterator<Item = PathBuf>,
        more: Option<MoreTokens>,
    ) -> io::Result<Self> {
        let secrets: Vec<Secret> = secrets.into_iter().cloned().collect();
        let app: Vec<_> = secrets.iter().flat_map(|s| every_form(s.expose())).collect();
        let tokens = TokenFiles(token_files.into_iter().collect(), more);
        // A last line without its end is one as well.
        let lines = tokens.count_lines()? + tokens.0.len();
        let mut room = app.len() + lines * TAILS_OF_A_PAIR + tokens.count_more() * TAILS_OF_ONE;
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

    /// Those of the files in which one of the secrets stands.
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

    /// Takes everything out of a text that is one of the secrets.
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

    /// Looks through a file, piece by piece, several at a time.
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
                other.join().unwrap_or_else(|_| Err(io::Error::other("a thread broke off: a bug")))
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
        let mut stands_there = |form: &[u8]| -> io::Result<bool> {
            let ends = tail_of(form).and_then(|tail| hits.get(&tail)).into_iter().flatten();
            for end in ends {
                if is_before(&mut file, *end, last_part(form))? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        for form in &self.app {
            if stands_there(form)? {
                return Ok(true);
            }
        }
        let mut confirmed = Ok(false);
        self.tokens.each(|token| {
            for form in likely_forms(token) {
                if matches!(confirmed, Ok(false)) {
                    confirmed = stands_there(&form);
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

/// Threads that look through a large file.
fn threads() -> u64 {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    u64::try_from(cores.min(THREADS)).unwrap_or(1)
}

/// A tail that is a secret's, and where it ends in the file.
type Hit = (u64, u64);

/// Where each of these tails ends.
type Hits = HashMap<u64, Vec<u64>>;

/// Reads what stands from one place in a file to another, or to its end.
fn read_piece(file: &mut File, start: u64, end: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    file.seek(SeekFrom::Start(start))?;
    file.take(end - start).read_to_end(bytes).map(drop)
}

/// Whether these bytes stand right before a place in a file, in whatever case.
fn is_before(file: &mut File, end: u64, bytes: &[u8]) -> io::Result<bool> {
    let Some(start) = end.checked_sub(bytes.len() as u64) else { return Ok(false) };
    let mut there = Vec::new();
    read_piece(file, start, end, &mut there)?;
    Ok(there.eq_ignore_ascii_case(bytes))
}

fn last_part(form: &[u8]) -> &[u8] {
    &form[form.len().saturating_sub(LONGEST)..]
}

/// How many tails a token pair has, if its tokens are plain.
const TAILS_OF_A_PAIR: usize = 2 * TAILS_OF_ONE;

/// How many tails a plain token has.
const TAILS_OF_ONE: usize = 2;

/// Marks that share a line of the processor's cache.
type Bucket = [u32; 16];

/// Of a bucket's places, so many are meant to be taken.
const TAKEN: usize = 10;

/// The tails of all secrets as marks of 32 bits, in buckets: for a million token pairs, 26 MB.
struct Tails {
    buckets: Vec<Bucket>,
    room: usize,
    are_too_many: bool,
}

impl Tails {
    fn with_room(room: usize) -> Self {
        Self { buckets: vec![[0; 16]; room / TAKEN + 1], room, are_too_many: false }
    }

    /// The bucket in which a tail is looked for first, and its mark, which is never 0.
    fn place(&self, tail: u64) -> (usize, u32) {
        let bucket = (u128::from(tail) * self.buckets.len() as u128) >> 64;
        let mark = u32::try_from(tail & u64::from(u32::MAX)).unwrap_or_default();
        (usize::try_from(bucket).unwrap_or_default(), mark.max(1))
    }

    fn add(&mut self, tail: u64) {
        if self.room == 0 {
            self.are_too_many = true;
            return;
        }
        let (mut at, mark) = self.place(tail);
        loop {
            let bucket = &mut self.buckets[at];
            if let Some(free) = bucket.iter_mut().find(|place| **place == 0 || **place == mark) {
                *free = mark;
                self.room -= 1;
                return;
            }
            at = (at + 1) % self.buckets.len();
        }
    }

    fn has(&self, tail: u64) -> bool {
        let (mut at, mark) = self.place(tail);
        loop {
            let bucket = &self.buckets[at];
            if bucket.contains(&mark) {
                return true;
            }
            // Buckets are filled from the front, and are never all full.
            if bucket[bucket.len() - 1] == 0 {
                return false;
            }
            at = (at + 1) % self.buckets.len();
        }
    }

    /// Gives each tail that stands in these bytes, all in lower case, and where it ends.
    fn look_through(&self, bytes: &[u8], mut hit: impl FnMut(u64, u64)) {
        for (end, window) in (TAIL as u64..).zip(bytes.windows(TAIL)) {
            if let Some(tail) = tail_of_lowered(window).filter(|tail| self.has(*tail)) {
                hit(end, tail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

    use super::*;
    use crate::highlevel::secret_forms::percent_encoded;

    const SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";
    const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl/+\"";

    fn leaks_in(text: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let [tokens, suspect] = ["tokens.jsonl", "run.log"].map(|name| folder.path().join(name));
        let document = serde_json::json!({"access_token": TOKEN, "refresh_token": "short"});
        fs::write(&tokens, format!("{document}\n")).unwrap();
        fs::write(&suspect, text).unwrap();
        let secret = Secret::new(SECRET.into());
        let search = Search::of(Some(&secret), [tokens], None).unwrap();
        !search.find(&[suspect]).unwrap().is_empty()
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let far = "x".repeat(600_000);
        for form in every_form(SECRET).into_iter().chain(likely_forms(TOKEN)) {
            let form = String::from_utf8(form).unwrap();
            assert!(leaks_in(&form), "alone: {form}");
            assert!(leaks_in(&format!("{far}{form}{far}")), "far in: {form}");
        }
        assert!(leaks_in(&SECRET.to_uppercase()) && leaks_in(&TOKEN.to_lowercase()));
        for before in ["", "a", "ab", "abc"] {
            let basic = STANDARD_NO_PAD.encode(format!("{before}:{SECRET}"));
            assert!(leaks_in(&basic), "basic, {before}");
        }
        for form in [percent_encoded(TOKEN), percent_encoded(TOKEN).to_lowercase()] {
            assert!(leaks_in(&format!("secret={form}")));
        }
    }

    #[test]
    fn tokens_of_any_shape_and_number_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let [tokens, suspect] = ["tokens.jsonl", "run.log"].map(|name| folder.path().join(name));
        let token = |number: usize| format!("\"{number}/{TOKEN}/{number:032}\"");
        let line = |number| format!("{}\n", serde_json::json!({"access_token": token(number)}));
        fs::write(&tokens, (0..500).map(line).collect::<String>()).unwrap();
        let search = Search::of(None, [tokens.clone()], None).unwrap();
        for number in (0..500).step_by(25) {
            fs::write(&suspect, token(number)).unwrap();
            assert_eq!(search.find(std::slice::from_ref(&suspect)).unwrap().len(), 1, "{number}");
        }
        fs::write(&suspect, token(500)).unwrap();
        assert!(search.find(std::slice::from_ref(&suspect)).unwrap().is_empty());
        fs::write(&tokens, line(0).trim_end()).unwrap();
        fs::write(&suspect, token(0)).unwrap();
        let search = Search::of(None, [tokens], None).unwrap();
        assert_eq!(search.find(&[suspect]).unwrap().len(), 1, "a last line without its end");
    }

    #[test]
    fn a_secret_is_found_wherever_a_piece_of_the_file_ends() {
        let piece = usize::try_from(PIECE).unwrap();
        for end in [1, 16, 35] {
            let before = piece.checked_add_signed(end).unwrap() - SECRET.len();
            assert!(leaks_in(&format!("{}{SECRET}yyy", "x".repeat(before))), "{end}");
        }
    }

    #[test]
    fn what_is_not_the_whole_secret_is_no_leak() {
        for text in [
            "",
            "short",
            &SECRET[1..],
            &SECRET[..SECRET.len() - 1],
            &TOKEN[1..],
            &format!("another-{}", &SECRET[8..]),
        ] {
            assert!(!leaks_in(text), "{text}");
        }
    }

    /// A measurement: `cargo test --release --lib -- --ignored --nocapture hundred_thousand`.
    #[test]
    #[ignore = "a measurement"]
    #[expect(clippy::print_stdout, reason = "a measurement is printed")]
    fn a_hundred_thousand_installations_cost_little() {
        let folder = tempfile::tempdir().unwrap();
        let [tokens, suspect] =
            ["tokens.jsonl", "journal.jsonl"].map(|name| folder.path().join(name));
        let mut random = fastrand::Rng::with_seed(1);
        let mut text = |length: usize| -> String {
            std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
        };
        let lines = |make: &mut dyn FnMut() -> String| -> String {
            std::iter::repeat_with(|| make() + "\n").take(100_000).collect()
        };
        let document = |access: String, refresh: String| {
            serde_json::json!({"access_token": access, "refresh_token": refresh}).to_string()
        };
        fs::write(&tokens, lines(&mut || document(text(600), text(600)))).unwrap();
        fs::write(&suspect, lines(&mut || text(1500))).unwrap();
        let start = std::time::Instant::now();
        let search = Search::of(None, [tokens], None).unwrap();
        let ready = start.elapsed();
        assert!(search.find(&[suspect]).unwrap().is_empty());
        println!("200,000 tokens made ready: {ready:?}; and looked for: {:?}", start.elapsed());
    }
}
