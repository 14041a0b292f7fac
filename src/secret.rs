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
    /// Wraps a text.
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
    fn debug_prints_no_content() {
        let secret = ClientSecret(Secret::new("hunter2".into()));
        assert_eq!(format!("{secret:?}"), "ClientSecret([secret])");
        let code = AuthorizationCode(Secret::new("hunter2".into()));
        assert_eq!(format!("{code:?}"), "AuthorizationCode([secret])");
    }
}
