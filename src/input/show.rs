//! Foreign text made safe to show.

use super::secrets::{SHORTEST_TOKEN, holds_secret};
use crate::{
    highlevel::token_shape::{Suspicion, holds_token},
    installation::Id,
    secret::is_uuid,
};

/// How much of a rejected value is shown, in characters.
const SHOWN: usize = 80;

/// A single word longer than this is not shown: it may be a key, or an encrypted token.
const LONGEST_WORD: usize = 40;

/// What a rejected value looks like, safe to print and to attach to a ticket: no token, not even in
/// part, no whole e-mail address, no query of a URL, nothing that moves a cursor, 80 characters.
pub fn look(text: &str) -> String {
    let text = text.trim();
    if text.starts_with(['{', '[']) && text.len() > 1 {
        return format!("[JSON, {} characters]", text.chars().count());
    }
    let is_url = text.contains("://") && !text.contains(char::is_whitespace);
    if holds_secret(text, Suspicion::Strict) && !is_url {
        return format!("[token, {} characters]", text.chars().count());
    }
    let words: Vec<_> = text.split_whitespace().take(SHOWN).map(look_of_word).collect();
    cap(&escape(&words.join(" ")))
}

fn look_of_word(word: &str) -> String {
    if let Some((_, host)) = word.split_once("://") {
        let scheme = word.split_once("://").map_or("", |(scheme, _)| scheme);
        return format!("{}://{}", look_of_piece(scheme), look_of_address(host));
    }
    if word.contains('/') {
        return look_of_address(word);
    }
    look_of_piece(word)
}

/// Host and path of a URL: no user, no query, no fragment, no path piece that may be a secret.
fn look_of_address(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let (host, rest) = path.split_once('/').map_or((path, None), |(host, rest)| (host, Some(rest)));
    let host = host.rsplit('@').next().unwrap_or_default();
    let pieces = std::iter::once(host).chain(rest.into_iter().flat_map(|rest| rest.split('/')));
    pieces.map(look_of_piece).collect::<Vec<_>>().join("/")
}

fn look_of_piece(piece: &str) -> String {
    let count = piece.chars().count();
    let starts =
        |start: &str| piece.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start));
    if holds_token(piece) || starts("eyJhbGci") || starts("pit-") {
        return format!("[token, {count} characters]");
    }
    if is_uuid(piece) {
        return format!("{}… [UUID]", &piece[..4]);
    }
    if let Some((user, host)) = piece.rsplit_once('@') {
        let first: String = user.chars().take(1).collect();
        return format!("{first}…@{}", cap(host));
    }
    let has = |is: fn(&u8) -> bool| piece.as_bytes().iter().any(is);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let may_be_token = is_mixed && count >= SHORTEST_TOKEN && !is_usual_id(piece);
    if may_be_token || count > LONGEST_WORD {
        return format!("[{count} characters]");
    }
    piece.to_owned()
}

fn is_usual_id(text: &str) -> bool {
    Id::new(text).is_some_and(|id| id.is_usual())
}

/// Characters that move the cursor, turn the direction of writing or cannot be seen.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with invisible characters written out as `\u{…}`.
pub(super) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        if is_invisible(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
        safe
    })
}

fn cap(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some(_) => text.chars().take(SHOWN - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiJ9.c2lnbmF0dXJl";

    #[test]
    fn a_look_shows_no_secret_and_nothing_that_moves_a_cursor() {
        for (text, shown) in [
            (JWT, "[token, 66 characters]"),
            ("eyJhbGciOiJSUzI1NiIs", "[token, 20 characters]"),
            ("pit-1b9d6bcd", "[token, 12 characters]"),
            ("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "1b9d… [UUID]"),
            ("jane.doe@example.com", "j…@example.com"),
            ("Jane <jane@example.com>", "Jane <…@example.com>"),
            ("https://u:pw@h.example/a/b?code=1234#x", "https://h.example/a/b"),
            ("0-002-230", "0-002-230"),
            ("a\u{202e}b\u{7}c", "a\\u{202e}b\\u{7}c"),
            ("0123456789abcdef0123456789abcdef01234567", "[token, 40 characters]"),
            ("the key-of-acme-2024-01 of it", "the [19 characters] of it"),
            (r#"{"access_token":"x"}"#, "[JSON, 20 characters]"),
        ] {
            assert_eq!(look(text), shown, "{text}");
        }
        assert_eq!(
            look(&format!("https://h.example/{JWT}")),
            "https://h.example/[token, 66 characters]"
        );
        assert!(look(&"word ".repeat(100)).chars().count() <= SHOWN);
    }
}
