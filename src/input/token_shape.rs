//! Whether a cell is a token that can be used, told by its shape alone.
//!
//! `HighLevel`'s tokens are JWTs in all that were seen, and documented as opaque. So a JWT is taken,
//! and an opaque text of 20 to 256 token characters that does not look like anything else. In doubt
//! a text is not used: what is left out costs a way back, and is said; what is sent by mistake is
//! somebody's secret in a foreign place.

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

use crate::{highlevel::client_id::ClientId, installation::Id, secret::is_uuid};

use super::judge::clean;

/// Characters of an opaque token: fewer are a word, more are a blob.
const OPAQUE: std::ops::RangeInclusive<usize> = 20..=256;

/// The longest token that is taken, in bytes.
const LONGEST: usize = 16_384;

/// Hexadecimal digits from which on a text is a hash or a blob; authorization servers give 40.
const HEX_BLOB: usize = 64;

/// What a cell for a token holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TokenShape {
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
const CIPHER_STARTS: &[&str] = &[
    "enc:",
    "enc(",
    "enc[",
    "enc_",
    "enc-",
    "{enc",
    "encrypted",
    "aes",
    "gcm:",
    "cipher",
    "vault:",
    "kms:",
    "v1:",
    "v2:",
    "v3:",
    "v4:",
    "v1.local.",
    "v2.local.",
    "v3.local.",
    "v4.local.",
    "k1:",
    "k2:",
    "fe26.",
    "-----begin",
    "age1",
    "$2a$",
    "$2b$",
    "$2y$",
    "$argon2",
    "$pbkdf2",
    "sha256:",
    "sha512:",
    "\\x",
    "0x",
    "arn:",
];

/// The same where upper and lower case count: Fernet, OpenSSL, AWS KMS, age.
const CIPHER_STARTS_EXACT: &[&str] =
    &["gAAAA", "U2FsdGVkX1", "AQICAH", "AQECAH", "AQIDAH", "AQEDAH", "YWdlLWVuY3J5cHRpb24"];

/// Words of which a placeholder is made.
const PLACEHOLDERS: &[&str] = &[
    "your",
    "placeholder",
    "redacted",
    "example",
    "changeme",
    "dummy",
    "todo",
    "hidden",
    "masked",
    "removed",
    "here",
    "null",
    "undefined",
    "none",
];

/// The text of a token without what stands around it: blanks, quotes, `Bearer`. Words for nothing
/// come out empty.
pub(super) fn bare(cell: &str) -> &str {
    let text = clean(cell);
    match text.split_once(' ') {
        Some((word, token)) if word.eq_ignore_ascii_case("bearer") => clean(token),
        _ => text,
    }
}

/// Tells what a bare text is.
pub(super) fn shape(text: &str) -> TokenShape {
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
        |start: &&str| text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    CIPHER_STARTS.iter().any(starts)
        || CIPHER_STARTS_EXACT.iter().any(|start| text.starts_with(start))
        || is_encrypted_json(text)
        || is_encrypted_jwt(text)
        || is_blob(text)
        || are_parts_of_a_cipher(text)
}

/// `{"iv":…,"content":…}`, a database's binary value, or such an object in base64 as some frameworks
/// write it.
fn is_encrypted_json(text: &str) -> bool {
    const NAMES: &[&str] = &[
        "iv",
        "nonce",
        "content",
        "ciphertext",
        "cipher",
        "encrypted",
        "encrypteddata",
        "tag",
        "authtag",
        "mac",
        "$binary",
        "buffer",
    ];
    let object = if text.starts_with("eyJ") && !text.contains('.') {
        json_in_base64(text)
    } else {
        serde_json::from_str(text).ok()
    };
    let is_named = |(name, value): (&String, &Value)| {
        let is = |word: &str| NAMES.iter().any(|name| name.eq_ignore_ascii_case(word));
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

/// A run of the characters that a bearer token may have (RFC 6750), unless it is something else
/// that has such a shape.
fn is_opaque(text: &str) -> bool {
    let is_token_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let starts =
        |start: &str| text.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
    OPAQUE.contains(&text.len())
        && text.bytes().all(is_token_byte)
        && !(starts("eyJ") || starts("pit-") || is_uuid(text) || ClientId::new(text).is_some())
        && !Id::new(text).is_some_and(|id| id.is_usual())
        && !is_placeholder(text)
}

/// A word that stands for a token: made of such words, dotted, or of few different characters.
fn is_placeholder(text: &str) -> bool {
    let is_word = |word: &str| PLACEHOLDERS.iter().any(|one| one.eq_ignore_ascii_case(word));
    let mut seen: Vec<u8> = text.bytes().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < 8 || text.contains("..") || text.split(['-', '_', '.']).any(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_ciphertext_masks_and_placeholders() {
        use TokenShape::{Ciphertext, NoToken, Nothing, Token};
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2lnbmF0dXJl";
        let long = "kR7_pQ2x".repeat(40);
        for (text, known) in [
            ("", Nothing),
            (" null ", Nothing),
            ("undefined", Nothing),
            ("N/A", Nothing),
            (jwt, Token),
            (&format!("Bearer {jwt}"), Token),
            (&format!("\"{jwt}\""), Token),
            ("0123456789abcdef0123456789abcdef01234567", Token),
            ("rt-4f9Kc2.Qm81_zzTe0~x7Ab", Token),
            ("ac7-this-is-the-old-refresh-token", Token),
            ("wQ2kxFzR8tYvB1nM5cLd7sPa", Token),
            // Ciphertext.
            ("gAAAAABlZm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9v", Ciphertext),
            ("U2FsdGVkX18rZm9vYmFyYmF6cXV4", Ciphertext),
            ("AQICAHhRZm9vYmFyYmF6cXV4Zm9vYmFy", Ciphertext),
            ("enc:v1:Zm9vYmFy", Ciphertext),
            ("ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:cXV4]", Ciphertext),
            ("v1:aGVsbG8gd29ybGQ", Ciphertext),
            ("vault:v1:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w==", Ciphertext),
            (
                "000102030405060708090a0b:a1b2c3d4e5f60718:00112233445566778899aabbccddeeff",
                Ciphertext,
            ),
            ("AAECAwQFBgcICQoL.c29tZXRoaW5nIGxvbmc.ABEiM0RVZneImaq7zN3u_w", Ciphertext),
            ("kZm9vYmFyYmF6cXV4Zm9vYmFy--AAECAwQFBgcICQoL--ABEiM0RVZneImaq7zN3u/w==", Ciphertext),
            ("3q2+7wZm9vYmFyYmF6/XV4Zm9vYmFyYmF6cXV4", Ciphertext),
            ("Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYg==", Ciphertext),
            (&"0123456789abcdef".repeat(4), Ciphertext),
            (&"0123456789abcdef".repeat(40), Ciphertext),
            (&long, Ciphertext),
            (r#"{"iv":"00ff","content":"a1b2"}"#, Ciphertext),
            (r#"{"type":"Buffer","data":[1,2]}"#, Ciphertext),
            (r#"{"$binary":{"base64":"AA==","subType":"00"}}"#, Ciphertext),
            ("eyJpdiI6IkFBPT0iLCJ2YWx1ZSI6IkJCPT0iLCJtYWMiOiIwMCJ9", Ciphertext),
            ("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAECAwQFBgcICQoL.Zm9v.YmFy", Ciphertext),
            (r"\x00ff10", Ciphertext),
            ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", Ciphertext),
            // Neither.
            ("****************abcd", NoToken),
            ("abcd…wxyz", NoToken),
            ("eyJhbGciOi...", NoToken),
            ("xxxxxxxxxxxxxxxxxxxxxxxx", NoToken),
            ("YOUR_REFRESH_TOKEN_GOES_HERE", NoToken),
            ("<refresh_token_of_this_row>", NoToken),
            ("not-a-token", NoToken),
            ("yes", NoToken),
            ("ve9EPM428h8vShlRW1KT", NoToken),
            ("66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef", NoToken),
            ("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", NoToken),
            ("pit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", NoToken),
            ("https://vault.example/secret/data/abc", NoToken),
            ("ask Jane, she has the token", NoToken),
            ("jane.doe.of.accounting@example.com", NoToken),
        ] {
            assert_eq!(shape(bare(text)), known, "{text}");
        }
    }
}
