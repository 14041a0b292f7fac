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

use base64::{
    Engine,
    engine::general_purpose::{
        GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
    },
};
use serde::Deserialize;

use crate::{
    highlevel::known_secrets::{Kind, KnownSecrets},
    secret::Secret,
};

/// Bytes of a secret's end that are looked for first. A shorter secret is no secret: it would be
/// found by chance.
pub(crate) const TAIL: usize = 16;

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

/// As it is, JSON-escaped, URL-encoded, and in base64.
fn likely_forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    let mut add = |form: Vec<u8>| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    add(json_escaped(secret).into_bytes());
    add(percent_encoded(secret, "0123456789ABCDEF"));
    add(percent_encoded(secret, "0123456789abcdef"));
    add(in_base64(secret, 0, &STANDARD_NO_PAD));
    add(in_base64(secret, 0, &URL_SAFE_NO_PAD));
    forms
}

/// Every form of a secret, as texts to cut out of others, the longest first: one that is part of
/// another would leave the rest of that standing.
pub fn forms(secret: &str) -> Vec<String> {
    let whole = [STANDARD.encode(secret), STANDARD_NO_PAD.encode(secret), URL_SAFE.encode(secret)];
    let forms = every_form(secret).into_iter().filter_map(|form| String::from_utf8(form).ok());
    let mut forms: Vec<String> = forms.chain(whole).collect();
    forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    forms.dedup();
    forms
}

/// The likely forms, and base64 of a longer text that the secret stands in, as in `Basic` headers.
fn every_form(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = likely_forms(secret);
    // A program that repeats its input writes JSON into JSON.
    forms.push(json_escaped(&json_escaped(secret)).into_bytes());
    for shift in 1..3 {
        forms.push(in_base64(secret, shift, &STANDARD_NO_PAD));
        forms.push(in_base64(secret, shift, &URL_SAFE_NO_PAD));
    }
    forms
}

/// Base64 of the secret when it begins at a place that leaves this remainder by 3; the characters
/// that neighbours would change are left out.
fn in_base64(secret: &str, shift: usize, engine: &GeneralPurpose) -> Vec<u8> {
    let whole = ((secret.len() + shift) / 3 * 3).saturating_sub(shift);
    let shifted = [&vec![0; shift][..], &secret.as_bytes()[..whole.min(secret.len())]].concat();
    let foreign = [0, 2, 3][shift];
    engine.encode(&shifted).into_bytes().split_off(foreign)
}

/// The text as it stands between the quotes of a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn percent_encoded(secret: &str, digits: &str) -> Vec<u8> {
    let digits = digits.as_bytes();
    let mut encoded = Vec::with_capacity(secret.len());
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(byte);
        } else {
            let (high, low) = (digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]);
            encoded.extend([b'%', high, low]);
        }
    }
    encoded
}

/// How many tails a token pair has, if its tokens are plain.
const TAILS_OF_A_PAIR: usize = 2 * TAILS_OF_ONE;

/// How many tails a plain token has.
const TAILS_OF_ONE: usize = 2;

/// The tails of a token's likely forms. Nearly every token is a JWT, which nothing escapes, and of
/// base64 the last bytes give the tail; so no form is made whole.
fn each_tail(token: &str, mut take: impl FnMut(u64)) {
    if !is_plain(token) {
        return likely_forms(token).iter().filter_map(|form| tail_of(form)).for_each(take);
    }
    tail_of(token.as_bytes()).into_iter().for_each(&mut take);
    tails_in_base64(token, 0, take);
}

/// The tails of every form of a token that nothing escapes; of others, none is given.
pub(crate) fn each_tail_of_plain(token: &str, mut take: impl FnMut(u64)) {
    if is_plain(token) {
        each_tail(token, &mut take);
        (1..3).for_each(|shift| tails_in_base64(token, shift, &mut take));
    }
}

/// Whether neither JSON nor a URL escapes any of it.
fn is_plain(token: &str) -> bool {
    token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

/// The tails of a token in base64 when it begins at a place that leaves this remainder by 3.
fn tails_in_base64(token: &str, shift: usize, mut take: impl FnMut(u64)) {
    let end = ((token.len() + shift) / 3 * 3).saturating_sub(shift);
    let Some(start) = end.checked_sub(TAIL / 4 * 3) else { return };
    let (mut tail, mut for_url) = ([0; TAIL], [0; TAIL]);
    let encoded = [(&STANDARD_NO_PAD, &mut tail), (&URL_SAFE_NO_PAD, &mut for_url)]
        .into_iter()
        .all(|(engine, tail)| engine.encode_slice(&token.as_bytes()[start..end], tail).is_ok());
    if encoded {
        tail_of(&tail).into_iter().for_each(&mut take);
    }
    // They differ where the token has a `~` alone.
    if encoded && for_url != tail {
        tail_of(&for_url).into_iter().for_each(take);
    }
}

/// The mark of a form's end, whatever its case.
pub(crate) fn tail_of(form: &[u8]) -> Option<u64> {
    let mut tail: [u8; TAIL] = *form.last_chunk()?;
    tail.make_ascii_lowercase();
    Some(hash_of(&tail))
}

/// The same of bytes that are in lower case already.
pub(crate) fn tail_of_lowered(bytes: &[u8]) -> Option<u64> {
    bytes.last_chunk().map(hash_of)
}

/// Both halves multiplied, and the halves of that folded: a few cycles, and every bit counts.
fn hash_of(tail: &[u8; TAIL]) -> u64 {
    let value = u128::from_le_bytes(*tail) ^ 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let product = (value >> 64) * (value & u128::from(u64::MAX));
    low_half((product >> 64) ^ product)
}

fn low_half(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or_default()
}

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

    use super::*;

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
        assert!(leaks_in(&format!("secret={}", percent_encoded_text())));
    }

    fn percent_encoded_text() -> String {
        String::from_utf8(percent_encoded(TOKEN, "0123456789ABCDEF")).unwrap()
    }

    #[test]
    fn the_tails_of_a_plain_token_are_those_of_its_forms() {
        for token in
            [SECRET, "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl", "0123456789abcdefgh~~~"]
        {
            let mut tails = Vec::new();
            each_tail(token, |tail| tails.push(tail));
            for form in likely_forms(token) {
                assert!(tails.contains(&tail_of(&form).unwrap()), "{token}");
            }
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
    fn a_secret_of_a_few_bytes_has_forms_too() {
        for secret in ["", "a", "ab", "abc", "ä"] {
            assert!(forms(secret).contains(&secret.to_owned()), "{secret}");
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
