//! Foreign text made safe: what may hold a secret is told by its name and by its look.

use std::borrow::Cow;

use crate::secret::is_uuid;

/// What stands where a token was.
pub(super) const LEFT_OUT: &str = "[token left out]";

/// How much of a rejected value is shown, in characters.
const SHOWN: usize = 80;

/// A single word longer than this is not shown: it may be a key, or an encrypted token.
const LONGEST_WORD: usize = 40;

/// Whether a column of this name (normalised: lower-case letters and digits) holds a secret.
pub(super) fn is_secret_name(name: &str) -> bool {
    const SECRETS: &[&str] = &[
        "secret",
        "password",
        "passwd",
        "passphrase",
        "apikey",
        "privatekey",
        "authorizationcode",
        "authcode",
        "bearer",
        "credential",
        "jwt",
        "otp",
        "cookie",
    ];
    const ABOUT: &[&str] = &["expir", "type", "issued", "status", "count"];
    const WHOLE: &[&str] =
        &["auth", "authorization", "oauth", "pwd", "access", "refresh", "rt", "at"];
    if WHOLE.contains(&name) {
        return true;
    }
    let about = ABOUT.iter().any(|word| name.contains(word)) || name.ends_with("at");
    SECRETS.iter().any(|word| name.contains(word)) || (name.contains("token") && !about)
}

/// A cell as it may be carried on: unchanged, unless a token stands in it.
pub(super) fn carry(cell: Cow<'_, str>) -> String {
    if holds_secret(&cell) { LEFT_OUT.to_owned() } else { cell.into_owned() }
}

/// A quick look at a whole record: whether any cell of it is worth a closer one.
pub(super) fn is_suspicious(record: &str) -> bool {
    let bytes = record.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| match byte {
        b'{' | b'[' | b'=' => true,
        b'e' | b'E' => bytes[at..].starts_with(b"eyJ") || starts_like(&bytes[at..], b"earer"),
        b'p' | b'P' => starts_like(&bytes[at..], b"pit-"),
        _ => false,
    })
}

fn starts_like(bytes: &[u8], start: &[u8]) -> bool {
    bytes.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Whether a token stands anywhere in a text, or in JSON that the text is.
pub(super) fn holds_secret(text: &str) -> bool {
    if !is_suspicious(text) {
        return false;
    }
    let nested = text.trim_start().starts_with(['{', '[']) && json_holds_secret(text);
    nested || holds_token(text)
}

/// Whether a token can be recognised anywhere in a text: a JWT, a private integration token, a
/// bearer header, a `token=` in a query.
fn holds_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    (0..bytes.len()).any(|at| match bytes[at] {
        b'e' => is_jwt(&bytes[at..]),
        b'p' | b'P' => is_private_token(&bytes[at..]),
        b'b' | b'B' => is_bearer(&bytes[at..]),
        b'=' => is_secret_parameter(bytes, at),
        _ => false,
    })
}

/// How many bytes of base64url stand at the beginning.
fn run(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'-' || **b == b'_').count()
}

fn is_jwt(bytes: &[u8]) -> bool {
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

/// Whether JSON text has a key or a value that is a secret. It need not be valid: every string
/// literal is looked at, those before a colon as names.
pub(super) fn json_holds_secret(json: &str) -> bool {
    let mut rest = json;
    while let Some(start) = rest.find('"') {
        let literal = &rest[start..];
        let end = string_end(literal.as_bytes()).unwrap_or(literal.len());
        let text = unquote(&literal[..end]);
        rest = &literal[end..];
        let is_name = rest.trim_start().starts_with(':');
        if holds_token(&text) || (is_name && super::columns::is_left_out(&text)) {
            return true;
        }
    }
    holds_token(json)
}

/// Where a string literal that begins with its quote ends; `None` if it does not.
pub(super) fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// What a JSON string literal says; one that cannot be read, as it stands.
pub(super) fn unquote(literal: &str) -> Cow<'_, str> {
    let inner = literal.get(1..literal.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str::<String>(literal).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// What a rejected value looks like, safe to print and to attach to a ticket: no token, not even in
/// part, no whole e-mail address, no query of a URL, nothing that moves a cursor, 80 characters.
pub(super) fn look(text: &str) -> String {
    let text = text.trim();
    if text.starts_with(['{', '[']) && text.len() > 1 {
        return format!("[JSON, {} characters]", text.chars().count());
    }
    let is_url = text.contains("://") && !text.contains(char::is_whitespace);
    if holds_secret(text) && !is_url {
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
    if holds_token(piece) || piece.starts_with("eyJhbGci") || starts_like(piece.as_bytes(), b"pit-")
    {
        return format!("[token, {count} characters]");
    }
    if is_uuid(piece) {
        return format!("{}… [UUID]", &piece[..4]);
    }
    if let Some((user, host)) = piece.rsplit_once('@') {
        let first: String = user.chars().take(1).collect();
        return format!("{first}…@{}", cap(host));
    }
    let opaque = matches!(count, 32..) && piece.bytes().all(|b| b.is_ascii_hexdigit());
    if opaque || count > LONGEST_WORD {
        return format!("[{count} characters]");
    }
    piece.to_owned()
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
    fn token_columns_are_told_by_their_name() {
        for name in [
            "accesstoken",
            "refreshtoken",
            "token",
            "ghlaccesstoken",
            "clientsecret",
            "apikey",
            "password",
            "authorizationcode",
            "authcode",
            "bearer",
            "credentials",
            "refreshtokenid",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in
            ["tokenexpiresat", "tokentype", "tokenexpiry", "locationid", "expiresat", "code"]
        {
            assert!(!is_secret_name(name), "{name}");
        }
    }

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
        ] {
            assert!(holds_secret(&text), "{text}");
            assert_eq!(carry(Cow::Owned(text)), LEFT_OUT);
        }
        for text in ["", "Acme = Co", "eyJ", "[1,2]", "{\"a\":1}", "pit-stop", "a Bearer bond"] {
            assert!(!holds_secret(text), "{text}");
            assert_eq!(carry(Cow::Borrowed(text)), text);
        }
    }

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
            ("0123456789abcdef0123456789abcdef01234567", "[40 characters]"),
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
