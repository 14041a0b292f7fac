//! Client secret, authorization code and tokens: values that are redacted by type.
//!
//! None of these types implements `Display` or `Serialize`, and `Debug` prints no content. The one
//! way to the value is [`Secret::expose`], so a search for that word finds every place that uses it.

use std::{fmt, sync::LazyLock};

use memchr::memmem::Finder;
use secrecy::{ExposeSecret, SecretString};

/// A text that must not be printed, logged or serialised by accident. Wiped from memory on drop.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a text into custody.
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The value itself: for the wire and for `tokens.jsonl` only.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The client secret of the Marketplace app.
#[derive(Clone, Debug)]
pub struct ClientSecret(pub Secret);

/// An authorization code. It is not `Clone`: presenting it consumes it, so that no code is
/// presented twice.
#[derive(Debug)]
pub struct AuthorizationCode(pub Secret);

/// Whether a text is a UUID, as client secrets and trace ids are.
pub fn is_uuid(text: &str) -> bool {
    let text = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

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

/// The shortest value behind the name of a secret that is cut out: words are shorter.
const VALUE_CHARS: usize = 10;

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

/// The shortest run of token characters that counts as a token.
const TOKEN_CHARS: usize = 24;

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

/// The tokens that the list still has for an installation. They are used and never kept.
#[derive(Clone, Debug, Default)]
pub struct TokensAtHand {
    /// The access token.
    pub access: Option<Secret>,
    /// The refresh token: it may be spent once.
    pub refresh: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_secret_is_cut_out() {
        let jwt = "eyJhbGciOiJub25lIn0.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2ln";
        for (text, clean) in [
            (format!("token {jwt} is bad"), "token [token] is bad".to_owned()),
            ("eyJ is short".to_owned(), "eyJ is short".to_owned()),
            (
                r#"oops {\"access_token\": \"at.0123456789\", \"scope\": \"s\"}"#.to_owned(),
                r#"oops {\"access_token\": \"[secret]\", \"scope\": \"s\"}"#.to_owned(),
            ),
            ("x?code=0123456789abcdef&y".to_owned(), "x?code=[secret]&y".to_owned()),
            ("access_token is missing".to_owned(), "access_token is missing".to_owned()),
            ("pit-6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f!".to_owned(), "[token]!".to_owned()),
        ] {
            assert_eq!(cut_out_tokens(&text), clean);
        }
    }

    #[test]
    fn debug_prints_no_content() {
        let secret = ClientSecret(Secret::new("hunter2".into()));
        assert_eq!(format!("{secret:?}"), "ClientSecret([secret])");
        let code = AuthorizationCode(Secret::new("hunter2".into()));
        assert_eq!(format!("{code:?}"), "AuthorizationCode([secret])");
    }
}
