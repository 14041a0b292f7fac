//! Where secrets stand in foreign text: by their shape, or behind the name of one.

use std::borrow::Cow;

use super::names::{self, Role};
use super::nested::{self, Quoted};
use crate::highlevel::token_shape::{Suspicion, holds_opaque, holds_token};

/// What stands where a token was.
pub(super) const LEFT_OUT: &str = "[token left out]";

/// The shortest secret without a digit.
pub(super) const SHORTEST_WORD: usize = 16;

/// A single word with letters and digits of this length may be a token.
pub(super) const SHORTEST_TOKEN: usize = 16;

/// A quick look at a text: whether it is worth a closer one for secrets.
pub(super) fn may_hold_secrets(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut run = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let is_in_run = byte.is_ascii_alphanumeric() || b"-_~.+/".contains(byte);
        if is_in_run {
            run += 1;
            continue;
        }
        let is_sign = match byte {
            b'{' | b'[' | b'=' | b'%' | b'\\' => true,
            b':' => at > 0 && !bytes[at - 1].is_ascii_digit(),
            b' ' => bytes[..at].ends_with(b"earer") || bytes[..at].ends_with(b"EARER"),
            _ => false,
        };
        if is_sign || is_long(&bytes[at - run..at]) {
            return true;
        }
        run = 0;
    }
    is_long(&bytes[bytes.len() - run..])
}

/// Whether an unbroken run may be a token. An id has 20 characters.
fn is_long(run: &[u8]) -> bool {
    let begins = |start: &[u8]| run.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(start));
    (run.len() >= SHORTEST_TOKEN && run.len() != 20) || run.starts_with(b"eyJ") || begins(b"pit-")
}

/// Whether a secret stands anywhere in a text: a token by its shape, or a value behind the name of
/// one, in JSON or escaped or not.
pub(super) fn holds_secret(text: &str, suspicion: Suspicion) -> bool {
    if !may_hold_secrets(text) {
        return false;
    }
    let mut is_named = false;
    named_secrets(text, |_| is_named = true);
    let holds = |text: &Cow<'_, str>| holds_token(text) || holds_opaque(text, suspicion);
    is_named || nested::readings(text).iter().any(holds)
}

/// Gives each value that stands behind the name of a secret inside a cell: in its JSON, however deep
/// and escaped, in a query, in a note.
pub(super) fn named_secrets(cell: &str, mut take: impl FnMut(&str)) {
    let is_hidden = |name: &str| matches!(names::role(name).0, Role::Hidden(_));
    for text in nested::readings(cell) {
        let leaves = nested::leaves(&text);
        for leaf in &leaves {
            let (own, around) = match &leaf.path[..] {
                [around @ .., own] => (own.as_str(), around),
                [] => continue,
            };
            let below =
                || around.iter().any(|name| is_hidden(name)) && !names::is_beside_secrets(own);
            if !leaf.text.is_empty() && (is_hidden(own) || below()) {
                take(&leaf.text);
            }
        }
        if leaves.is_empty() {
            for (name, value, quoted) in nested::named_values(&text) {
                if (quoted == Quoted::Yes || is_likely(value)) && is_hidden(name) {
                    take(value);
                }
            }
        }
    }
}

/// Whether what stands behind the name of a secret in a free text is one: `token: none` has none.
fn is_likely(value: &str) -> bool {
    value.len() >= SHORTEST_WORD || (value.len() >= 6 && value.bytes().any(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2lnbmF0dXJl";

    #[test]
    fn a_token_is_found_wherever_it_stands() {
        for text in [
            JWT.to_owned(),
            format!("old token was {JWT} I think"),
            format!("xx{JWT}"),
            "pit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed".into(),
            r#"{"access_token": "opaque"}"#.into(),
            r#"[{"a":{"refreshToken":"opaque"}}]"#.into(),
            r#"{"a":"pit-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"}"#.into(),
            r#"{"access\u005ftoken": "opaque"}"#.into(),
            r#"{"broken_token": "opaque"#.into(),
            "Authorization: Bearer abcdefghijklmnop1234".into(),
            "https://x.example/?access_token=abcdefghijklmnop1234".into(),
            "https://x.example/?access%5Ftoken%3Dabcdefghijklmnop1234".into(),
            r"refresh\u005ftoken\u003dabcdefghijklmnop1234".into(),
            r#"{"data":{"ghlRefresh":"opaque"}}"#.into(),
            "rt_4f9Kc2Qm81zzTe0x7Ab".into(),
            "live-refresh-token-01".into(),
            "is 0123456789abcdef0123456789abcdef01234567 ok".into(),
            "cmVmcmVzaF90b2tlbj1hYmNkZWZnaGlqa2xtbm9wMTIzNA==".into(),
        ] {
            assert!(holds_secret(&text, Suspicion::Usual), "{text}");
        }
        for text in [
            "",
            "Acme = Co",
            "eyJ",
            "[1,2]",
            "{\"a\":1}",
            "pit-stop",
            "a Bearer bond",
            "token: none yet",
            "https://acme.example/de/start?utm_source=newsletter",
            "ve9EPM428h8vShlRW1KT",
            "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
            "sub_1MowQVLkdIwHu7ixeraGi6e",
        ] {
            assert!(!holds_secret(text, Suspicion::Usual), "{text}");
        }
    }
}
