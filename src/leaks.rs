//! Looks for the exact secrets of a run in files that must not have any.
//!
//! A run can handle millions of tokens, and its files can have gigabytes; so each secret, in each of
//! the forms in which it might have slipped through, is known by a hash of its last 16 bytes, and one
//! pass over a file looks at every 16 bytes of it with a rolling hash. What is found that way is then
//! compared byte for byte.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    engine::general_purpose::{
        GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
    },
};
use serde::Deserialize;

use crate::secret::Secret;

/// Bytes of a secret's end that are looked for first. A shorter secret is no secret: it would be
/// found by chance.
const TAIL: usize = 16;

/// A secret longer than this is compared by its last part.
const LONGEST: usize = 1 << 14;

/// Multiplier of the rolling hash: odd, with well-spread bits.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The token fields of a session document.
#[derive(Deserialize)]
struct Tokens {
    access_token: Option<String>,
    refresh_token: Option<String>,
}

/// Files of tokens: the only ones that may hold any.
pub struct TokenFiles<'a> {
    /// `tokens.jsonl`, and `quarantine.jsonl` if there is one.
    pub paths: &'a [PathBuf],
}

impl TokenFiles<'_> {
    fn each(&self, mut take: impl FnMut(&str)) -> io::Result<()> {
        for path in self.paths.iter().filter(|path| path.exists()) {
            let mut input = BufReader::with_capacity(1 << 17, File::open(path)?);
            let mut line = Vec::new();
            while input.read_until(b'\n', &mut line)? > 0 {
                if let Ok(tokens) = serde_json::from_slice::<Tokens>(&line) {
                    [tokens.access_token, tokens.refresh_token]
                        .iter()
                        .flatten()
                        .for_each(|t| take(t));
                }
                line.clear();
            }
        }
        Ok(())
    }
}

/// The files of `suspects` in which one of these secrets, or a token of the token files, stands.
pub fn find<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    tokens: &TokenFiles<'_>,
    suspects: &[PathBuf],
) -> io::Result<Vec<PathBuf>> {
    let app: Vec<_> = secrets.into_iter().flat_map(|secret| every_form(secret.expose())).collect();
    let mut hashes: Vec<u64> = app.iter().filter_map(|form| tail_of(form)).collect();
    tokens.each(|token| add_tails(token, &mut hashes))?;
    let tails = Tails::new(hashes);
    let mut leaks = Vec::new();
    for suspect in suspects {
        let hits = hits_in(suspect, &tails)?;
        if !hits.is_empty() && is_confirmed(&hits, &app, tokens)? {
            leaks.push(suspect.clone());
        }
    }
    Ok(leaks)
}

/// The bytes before each place where a tail matched.
type Hits = HashSet<Vec<u8>>;

/// Compares hits byte for byte with the secrets.
fn is_confirmed(hits: &Hits, app: &[Vec<u8>], tokens: &TokenFiles<'_>) -> io::Result<bool> {
    let stands_in = |form: &[u8]| hits.iter().any(|hit| hit.ends_with(last_part(form)));
    if app.iter().any(|form| form.len() >= TAIL && stands_in(form)) {
        return Ok(true);
    }
    let mut confirmed = false;
    tokens.each(|token| {
        confirmed = confirmed
            || likely_forms(token).iter().any(|form| form.len() >= TAIL && stands_in(form));
    })?;
    Ok(confirmed)
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

/// The tails of a token's likely forms. Nearly every token is a JWT, which nothing escapes, and of
/// base64 the last bytes give the tail; so no form is made whole.
fn add_tails(token: &str, hashes: &mut Vec<u64>) {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    if !token.bytes().all(is_plain) {
        return hashes.extend(likely_forms(token).iter().filter_map(|form| tail_of(form)));
    }
    hashes.extend(tail_of(token.as_bytes()));
    let end = token.len() / 3 * 3;
    let Some(start) = end.checked_sub(TAIL / 4 * 3) else { return };
    let mut tail = [0; TAIL];
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        if engine.encode_slice(&token.as_bytes()[start..end], &mut tail).is_ok() {
            hashes.push(hash_of(&tail));
        }
    }
}

fn tail_of(form: &[u8]) -> Option<u64> {
    form.len().checked_sub(TAIL).map(|start| hash_of(&form[start..]))
}

fn hash_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |hash, byte| roll_in(hash, *byte))
}

fn roll_in(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(u64::from(byte) + 1)
}

/// Hashes of tails, with a bit map before them that turns nearly everything else away.
struct Tails {
    sorted: Vec<u64>,
    map: Vec<u64>,
    shift: u32,
}

impl Tails {
    fn new(mut hashes: Vec<u64>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        // 16 bits of map for each hash, at least 64 in all.
        let bits = (hashes.len() * 16).next_power_of_two().max(64);
        let shift = 64 - bits.trailing_zeros();
        let mut map = vec![0; bits / 64];
        for hash in &hashes {
            let (word, bit) = Self::place(*hash, shift);
            map[word] |= bit;
        }
        Self { sorted: hashes, map, shift }
    }

    fn place(hash: u64, shift: u32) -> (usize, u64) {
        // `shift` leaves at most the bits of an index into the map, which fits into memory.
        let at = usize::try_from(hash.wrapping_mul(BASE) >> shift).unwrap_or_default();
        (at / 64, 1 << (at % 64))
    }

    fn has(&self, hash: u64) -> bool {
        let (word, bit) = Self::place(hash, self.shift);
        self.map[word] & bit != 0 && self.sorted.binary_search(&hash).is_ok()
    }
}

/// Rolls over a file and gives what stands before each place where a tail matches.
fn hits_in(path: &Path, tails: &Tails) -> io::Result<Hits> {
    let mut hits = Hits::new();
    if tails.sorted.is_empty() {
        return Ok(hits);
    }
    let mut file = File::open(path)?;
    let leaving = (0..TAIL).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut buffer: Vec<u8> = Vec::new();
    let mut fresh = 0;
    let mut hash = 0_u64;
    loop {
        let read = (&mut file).take(1 << 18).read_to_end(&mut buffer)?;
        if read == 0 {
            return Ok(hits);
        }
        for at in fresh..buffer.len() {
            hash = roll_in(hash, buffer[at]);
            if at >= TAIL {
                let out = u64::from(buffer[at - TAIL]) + 1;
                hash = hash.wrapping_sub(out.wrapping_mul(leaving));
            }
            if at + 1 >= TAIL && tails.has(hash) {
                hits.insert(buffer[(at + 1).saturating_sub(LONGEST)..=at].to_vec());
            }
        }
        let passed = buffer.len().saturating_sub(LONGEST);
        buffer.drain(..passed);
        fresh = buffer.len();
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
        let files = TokenFiles { paths: std::slice::from_ref(&tokens) };
        !find(Some(&secret), &files, &[suspect]).unwrap().is_empty()
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        let far = "x".repeat(600_000);
        for form in every_form(SECRET).into_iter().chain(likely_forms(TOKEN)) {
            let form = String::from_utf8(form).unwrap();
            assert!(leaks_in(&form), "alone: {form}");
            assert!(leaks_in(&format!("{far}{form}{far}")), "far in: {form}");
        }
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
            add_tails(token, &mut tails);
            for form in likely_forms(token) {
                assert!(tails.contains(&tail_of(&form).unwrap()), "{token}");
            }
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
        let files = TokenFiles { paths: &[tokens] };
        assert!(find(None, &files, &[suspect]).unwrap().is_empty());
        println!("200,000 tokens looked for in 150 MB: {:?}", start.elapsed());
    }
}
