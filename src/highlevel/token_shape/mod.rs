//! What is a token: the one place that tells it by its shape.
//!
//! Two questions are asked. *May it be used?* ([`shape`]): `HighLevel`'s tokens are JWTs in all that
//! were seen, and documented as opaque, so a JWT is taken, and an opaque text that looks like nothing
//! else. In doubt it is not used: a token left out costs a route; one sent by mistake is somebody's
//! secret in a foreign place. *May it be shown?* ([`holds_token`], [`looks_opaque`]): in doubt it may
//! not.

use std::sync::LazyLock;

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use memchr::memmem::Finder;
use serde_json::{Map, Value};

use super::client_id::ClientId;
use crate::{installation::Id, secret::is_uuid};

/// Characters of an opaque token: fewer are a word, more are a blob.
const OPAQUE: std::ops::RangeInclusive<usize> = 20..=256;

/// The longest token that is taken, in bytes.
const LONGEST: usize = 16_384;

/// Hexadecimal digits from which on a text is a hash or a blob; authorization servers give 40.
const HEX_BLOB: usize = 64;

/// Hexadecimal digits of what is as likely a key of a database or an MD5 sum.
const HEX_IN_DOUBT: [usize; 2] = [24, 32];

/// What a cell for a token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenShape {
    /// Nothing.
    Nothing,
    /// A token.
    Token,
    /// A mask, a placeholder, an id, a sentence: nothing that could be presented.
    NoToken,
    /// A token that somebody has encrypted, or its hash.
    Ciphertext,
}

/// How ciphers and key stores begin what they write.
const CIPHER_STARTS: &str = "enc: enc( enc[ enc_ enc- {enc encrypted aes gcm: cipher vault: kms: v1: v2: v3: v4: \
    v1.local. v2.local. v3.local. v4.local. k1: k2: fe26. -----begin age1 $2a$ $2b$ $2y$ $argon2 \
    $pbkdf2 sha256: sha512: \\x 0x arn:";

/// The same where upper and lower case count: Fernet, OpenSSL, AWS KMS, age.
const CIPHER_STARTS_EXACT: &str =
    "gAAAA U2FsdGVkX1 AQICAH AQECAH AQIDAH AQEDAH YWdlLWVuY3J5cHRpb24";

/// Words of which a placeholder is made.
const PLACEHOLDERS: &str = "your placeholder redacted example changeme dummy todo hidden masked removed here null \
    undefined none";

/// Tells what a text is, with nothing around it.
pub fn shape(text: &str) -> TokenShape {
    if text.is_empty() {
        TokenShape::Nothing
    } else if looks_encrypted(text) {
        TokenShape::Ciphertext
    } else if is_jwt(text) || is_opaque(text) {
        TokenShape::Token
    } else {
        TokenShape::NoToken
    }
}

fn looks_encrypted(text: &str) -> bool {
    let starts =
        |start: &str| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    CIPHER_STARTS.split(' ').any(starts)
        || CIPHER_STARTS_EXACT.split(' ').any(|start| text.starts_with(start))
        || is_encrypted_json(text)
        || is_encrypted_jwt(text)
        || is_blob(text)
        || are_parts_of_a_cipher(text)
}

/// `{"iv":…,"content":…}`, a database's binary value, or such an object in base64 as some frameworks
/// write it.
fn is_encrypted_json(text: &str) -> bool {
    const NAMES: &str =
        "iv nonce content ciphertext cipher encrypted encrypteddata tag authtag mac $binary buffer";
    let object = if text.starts_with("eyJ") && !text.contains('.') {
        json_in_base64(text)
    } else {
        serde_json::from_str(text).ok()
    };
    let is_named = |(name, value): (&String, &Value)| {
        let is = |word: &str| is_of(word, NAMES);
        is(&name.replace(['_', '-'], "")) || (name == "type" && value.as_str().is_some_and(is))
    };
    object.is_some_and(|object: Map<String, Value>| object.iter().any(is_named))
}

/// A JWT in five parts is an encrypted one, and none of ours.
fn is_encrypted_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.matches('.').count() == 4
}

/// An unbroken run that is too long for a token: hexadecimal, base64 as it is padded or has signs
/// that no token has, or anything beyond the longest opaque token.
fn is_blob(text: &str) -> bool {
    let is_all = |is: fn(u8) -> bool| text.bytes().all(is);
    let is_base64 = is_all(|b| b.is_ascii_alphanumeric() || b"+/=-_".contains(&b));
    let hex = text.len() >= HEX_BLOB && is_all(|b| b.is_ascii_hexdigit());
    let has_signs = text.len() >= *OPAQUE.start() && text.contains(['+', '/', '=']);
    hex || (is_base64 && (has_signs || text.len() > *OPAQUE.end()))
}

/// An initialisation vector, the ciphertext and perhaps a tag, set apart by `:`, `--`, `$`, `|` or dots.
fn are_parts_of_a_cipher(text: &str) -> bool {
    let apart = [":", "--", "$", "|", ";", ","].into_iter().find(|sign| text.contains(sign));
    if let Some(sign) = apart {
        let mut parts = text.split(sign).filter(|part| !part.is_empty());
        return text.len() >= *OPAQUE.start() && parts.all(is_binary);
    }
    let first = text.split('.').next().filter(|first| first.len() < text.len());
    !text.starts_with("eyJ")
        && text.split('.').all(is_binary)
        && first.is_some_and(|vector| matches!(bytes_of(vector), Some(12 | 16)))
}

/// Whether a part of a text is hexadecimal or base64.
fn is_binary(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=-_".contains(&b))
}

/// How many bytes a part stands for.
fn bytes_of(part: &str) -> Option<usize> {
    if part.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(part.len() / 2);
    }
    from_base64(part).map(|bytes| bytes.len())
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    GeneralPurpose::new(&alphabet, LENIENT).decode(text).ok()
}

fn json_in_base64(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&from_base64(text)?).ok()
}

/// Three parts, the first of which is a JSON header.
fn is_jwt(text: &str) -> bool {
    let mut parts = text.split('.');
    let header = parts.next().unwrap_or_default();
    let is_part =
        |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    text.len() <= LONGEST
        && text.starts_with("eyJ")
        && text.matches('.').count() == 2
        && text.split('.').all(|part| !part.is_empty() && is_part(part))
        && json_in_base64(header).is_some()
}

/// A run of the characters that a bearer token may have (RFC 6750), with letters and digits, unless
/// it is something else that has such a shape: an id, a client id, a UUID, a hash, a host name.
fn is_opaque(text: &str) -> bool {
    let is_token_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    OPAQUE.contains(&text.len())
        && text.bytes().all(is_token_byte)
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && !(starts_like(text.as_bytes(), b"eyJ") || starts_like(text.as_bytes(), b"pit-"))
        && !is_known_otherwise(text)
        && !(HEX_IN_DOUBT.contains(&text.len()) && is_hex(text))
        && !is_placeholder(text)
}

/// Whether a text has the shape of an id, a client id, a UUID or a database's own key.
pub fn is_known_otherwise(text: &str) -> bool {
    is_uuid(text)
        || ClientId::new(text).is_some()
        || Id::new(text).is_some_and(|id| id.is_usual())
        || (text.len() == 24 && is_hex(text))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a word is one of a list, in whatever case.
fn is_of(word: &str, list: &str) -> bool {
    list.split(' ').any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether a text stands for a token: made of such words, dotted, or of few different characters.
pub fn is_placeholder(text: &str) -> bool {
    let mut seen: Vec<u8> = text.bytes().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < 8
        || text.contains("..")
        || text.split(['-', '_', '.']).any(|word| is_of(word, PLACEHOLDERS))
}

/// The shortest value behind the name of a secret that counts as one: words are shorter.
const VALUE_CHARS: usize = 10;

/// The shortest run of token characters that counts as a token when it begins like one.
const TOKEN_CHARS: usize = 24;

/// Names under which HighLevel's answers and requests have secrets.
const NAMES: [&str; 8] = [
    "access_token",
    "refresh_token",
    "accessToken",
    "refreshToken",
    "authorizationCode",
    "client_secret",
    "clientSecret",
    "code=",
];

/// How HighLevel's tokens begin.
const BEGINNINGS: [&str; 2] = ["eyJ", "pit-"];

/// Whether a token stands anywhere in a text: a JWT, a private integration token, a bearer header,
/// a `token=` in a query, a password in a URL.
pub fn holds_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    (0..bytes.len()).any(|at| match bytes[at] {
        b'e' => is_jwt_like(&bytes[at..]),
        b'p' | b'P' => is_private_token(&bytes[at..]),
        b'b' | b'B' => is_bearer(&bytes[at..]),
        b'=' => is_secret_parameter(bytes, at),
        b':' => is_password_in_url(&bytes[at..]),
        _ => false,
    })
}

/// Whether a URL continues with a user and a password, as in `postgres://user:password@host`.
fn is_password_in_url(bytes: &[u8]) -> bool {
    let Some(authority) = bytes.strip_prefix(b"://") else { return false };
    let ends = |b: &u8| b.is_ascii_whitespace() || b"/?#\"".contains(b);
    let authority = authority.split(ends).next().unwrap_or_default();
    let Some(at) = authority.iter().rposition(|b| *b == b'@') else { return false };
    let colon = authority[..at].iter().position(|b| *b == b':');
    colon.is_some_and(|colon| colon + 1 < at)
}

fn starts_like(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// How many bytes of base64url stand at the beginning.
fn run(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'-' || **b == b'_').count()
}

fn is_jwt_like(bytes: &[u8]) -> bool {
    if !bytes.starts_with(b"eyJ") {
        return false;
    }
    let head = run(bytes);
    let dotted = bytes.get(head) == Some(&b'.') && run(&bytes[head + 1..]) > 0;
    head > 30 || dotted || (bytes.starts_with(b"eyJhbGci") && head > 8)
}

fn is_private_token(bytes: &[u8]) -> bool {
    starts_like(bytes, b"pit-")
        && bytes[4..].iter().take_while(|b| b.is_ascii_hexdigit() || **b == b'-').count() >= 8
}

fn is_bearer(bytes: &[u8]) -> bool {
    starts_like(bytes, b"bearer ") && run(&bytes[7..]) >= 16
}

fn is_secret_parameter(bytes: &[u8], equals: usize) -> bool {
    const NAMES: [&[u8]; 4] = [b"token", b"secret", b"password", b"code"];
    let before = &bytes[..equals];
    let named = NAMES.iter().any(|name| {
        before.len() >= name.len() && before[before.len() - name.len()..].eq_ignore_ascii_case(name)
    });
    named && run(&bytes[equals + 1..]) >= 16
}

/// How readily an unbroken run of characters counts as a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// Tokens are not expected there: what is long and random, or names itself.
    Usual,
    /// A token may well have slipped there: what is longer than an id, or names itself.
    Strict,
}

/// Whether an opaque token stands anywhere in a text.
pub fn holds_opaque(text: &str, suspicion: Suspicion) -> bool {
    let is_outside = |c: char| !(c.is_ascii_alphanumeric() || "-_~+=.".contains(c));
    text.split(is_outside).any(|run| looks_opaque(run, suspicion))
}

/// Whether an unbroken text looks like a token without a shape of its own: long and random, or
/// beginning as tokens do, or with the word in it.
pub fn looks_opaque(text: &str, suspicion: Suspicion) -> bool {
    let text = text.trim_matches(['.', '=', '-', '_', '~', '+']);
    let least = if suspicion == Suspicion::Strict { 21 } else { 30 };
    if text.len() < 16
        || !text.is_ascii()
        || is_known_otherwise(text)
        || !text.bytes().any(|b| b.is_ascii_digit())
    {
        return false;
    }
    names_itself(text)
        || (text.len() >= least && is_random(text, suspicion) && !is_keyed(text, suspicion))
}

/// `rt_4f9K…`, `refresh-token-of-…-0001`.
fn names_itself(text: &str) -> bool {
    const STARTS: &str = "rt at tok rtok atok pit sk ghp xoxb opaque";
    const WORDS: &str = "token refresh secret bearer opaque oauth";
    let mut words = text.split(['-', '_', '.', '~']);
    let first = words.clone().next().unwrap_or_default();
    let starts = first.len() < text.len() && is_of(first, STARTS);
    starts || words.any(|word| is_of(word, WORDS))
}

/// Letters and digits of all kinds in no order: a quarter of neighbours are of different kinds, as
/// they are in no word. Hexadecimal runs count by their length: 32 digits are a UUID or an MD5 sum.
fn is_random(text: &str, suspicion: Suspicion) -> bool {
    if is_hex(text) {
        return text.len() >= if suspicion == Suspicion::Strict { 32 } else { 40 };
    }
    let kind = |b: u8| match b {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let kinds: Vec<u8> = text.bytes().map(kind).filter(|kind| *kind != 3).collect();
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    changes * 4 >= kinds.len() && kinds.len() * 5 >= text.len() * 4
}

/// `cus_NffrFeUfNV2Hib`, `sub_1MowQVLkdIwHu7ixeraGi6e`: the key of another service, with its kind.
fn is_keyed(text: &str, suspicion: Suspicion) -> bool {
    let is_kind = |kind: &str| kind.len() >= 2 && kind.bytes().all(|b| b.is_ascii_lowercase());
    suspicion == Suspicion::Usual
        && text.len() <= 40
        && text.split_once('_').is_some_and(|(kind, key)| {
            is_kind(kind) && key.len() <= 30 && key.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

/// Cuts out what has the shape of a HighLevel token (`eyJ…`, `pit-…`), and what stands behind the
/// name of a secret.
pub fn cut_out_tokens(text: &str) -> String {
    static SIGNS: LazyLock<Vec<Finder<'static>>> =
        LazyLock::new(|| BEGINNINGS.iter().chain(&NAMES).map(Finder::new).collect());
    let mut text = text.to_owned();
    if SIGNS.iter().all(|sign| sign.find(text.as_bytes()).is_none()) {
        return text;
    }
    for start in BEGINNINGS {
        text = without_tokens(&text, start);
    }
    for name in NAMES {
        text = without_value_of(&text, name);
    }
    text
}

fn without_value_of(text: &str, name: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at + name.len());
        let is_between = |c: char| c.is_whitespace() || "\"'\\:=".contains(c);
        let (between, value) = from.split_at(from.find(|c| !is_between(c)).unwrap_or(from.len()));
        let ends = |c: char| c.is_whitespace() || "\"'\\,;&<>{}[]()".contains(c);
        let (value, after) = value.split_at(value.find(ends).unwrap_or(value.len()));
        clean.push_str(before);
        clean.push_str(between);
        clean.push_str(if value.len() >= VALUE_CHARS { "[secret]" } else { value });
        rest = after;
    }
    clean + rest
}

fn without_tokens(text: &str, start: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(start) {
        let (before, from) = rest.split_at(at);
        let is_outside = |c: char| !(c.is_ascii_alphanumeric() || "-_.=+/".contains(c));
        let (run, after) = from.split_at(from.find(is_outside).unwrap_or(from.len()));
        clean.push_str(before);
        clean.push_str(if run.len() >= TOKEN_CHARS { "[token]" } else { run });
        rest = after;
    }
    clean + rest
}

/// The text that a text is in base64; `None` where it is none.
pub fn text_in_base64(text: &str) -> Option<String> {
    String::from_utf8(from_base64(text)?).ok()
}

#[cfg(test)]
mod tests;
