//! Client secret, authorization code and tokens: values that are redacted by type.
//!
//! None of these types implements `Display` or `Serialize`, and `Debug` prints no content. The one
//! way to the value is [`Secret::expose`], so a search for that word finds every place that uses it.

use std::fmt;

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

/// Cuts exact secret values, and whatever has the shape of a HighLevel token (`eyJ…`, `pit-…`), out
/// of a text that somebody else wrote.
pub fn cut_out(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "[secret]");
    }
    for start in ["eyJ", "pit-"] {
        text = without_tokens(&text, start);
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echoed_secret_is_cut_out() {
        let jwt = "eyJhbGciOiJub25lIn0.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2ln";
        for (text, clean) in [
            ("client hunter2 refused", "client [secret] refused".to_owned()),
            (&format!("token {jwt} is bad"), "token [token] is bad".to_owned()),
            ("eyJ is short", "eyJ is short".to_owned()),
            ("pit-6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f!", "[token]!".to_owned()),
        ] {
            assert_eq!(cut_out(text, &["hunter2", ""]), clean);
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
