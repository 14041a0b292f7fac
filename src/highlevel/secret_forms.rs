//! The forms in which a secret may appear in a text: as it is, JSON-escaped, percent-encoded, as HTML
//! and in base64; and the hash of a form's last bytes, by which many secrets are looked for in one pass.

use base64::{
    Engine,
    engine::general_purpose::{
        GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Bytes of a secret's end that are looked for first. A shorter secret would be found by chance.
pub(crate) const TAIL: usize = 16;

/// As it is, JSON-escaped, URL-encoded, as HTML, and in base64.
pub(crate) fn likely_forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    let mut add = |form: Vec<u8>| {
        if !forms.contains(&form) {
            forms.push(form);
        }
    };
    add(json_escaped(secret).into_bytes());
    add(percent_encoded(secret).into_bytes());
    add(html_escaped(secret).into_bytes());
    add(in_base64(secret, 0, &STANDARD_NO_PAD));
    add(in_base64(secret, 0, &URL_SAFE_NO_PAD));
    forms
}

/// Every form of a secret, to cut out of texts, the longest first: a form that is part of another would
/// leave the rest of that one behind.
pub fn forms(secret: &str) -> Vec<String> {
    let whole = [STANDARD.encode(secret), STANDARD_NO_PAD.encode(secret), URL_SAFE.encode(secret)];
    let forms = every_form(secret).into_iter().filter_map(|form| String::from_utf8(form).ok());
    let mut forms: Vec<String> = forms.chain(whole).collect();
    forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    forms.dedup();
    forms
}

/// The likely forms, and base64 of a longer text that contains the secret, as in `Basic` headers.
pub(crate) fn every_form(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = likely_forms(secret);
    // A program that repeats its input nests JSON in JSON.
    forms.push(json_escaped(&json_escaped(secret)).into_bytes());
    for shift in 1..3 {
        forms.push(in_base64(secret, shift, &STANDARD_NO_PAD));
        forms.push(in_base64(secret, shift, &URL_SAFE_NO_PAD));
    }
    forms
}

/// Base64 of the secret at an offset with this remainder by 3, without the characters that depend on
/// its neighbours.
fn in_base64(secret: &str, shift: usize, engine: &GeneralPurpose) -> Vec<u8> {
    let whole = ((secret.len() + shift) / 3 * 3).saturating_sub(shift);
    let shifted = [&vec![0; shift][..], &secret.as_bytes()[..whole.min(secret.len())]].concat();
    let foreign = [0, 2, 3][shift];
    engine.encode(&shifted).into_bytes().split_off(foreign)
}

/// The text as it is between the quotes of a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// As `report.html` has it.
fn html_escaped(text: &str) -> String {
    text.chars().fold(String::new(), |escaped, c| match c {
        '&' | '<' | '>' | '"' | '\'' => escaped + &format!("&#{};", u32::from(c)),
        c => escaped + c.encode_utf8(&mut [0; 4]),
    })
}

/// As a URL has it, with upper-case digits; searches ignore case.
pub(crate) fn percent_encoded(secret: &str) -> String {
    utf8_percent_encode(secret, ESCAPED_IN_URLS).to_string()
}

/// Everything but RFC 3986's unreserved characters.
const ESCAPED_IN_URLS: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The hashes of a token's likely forms. Nearly every token is a JWT, which needs no escapes, and the
/// last bytes suffice for base64; so no form is built whole.
pub(crate) fn each_tail(token: &str, mut take: impl FnMut(u64)) {
    if !is_plain(token) {
        return likely_forms(token).iter().filter_map(|form| tail_of(form)).for_each(take);
    }
    tail_of(token.as_bytes()).into_iter().for_each(&mut take);
    tails_in_base64(token, 0, take);
}

/// The hashes of every form of a token that needs no escapes; none for others.
pub(crate) fn each_tail_of_plain(token: &str, mut take: impl FnMut(u64)) {
    if is_plain(token) {
        each_tail(token, &mut take);
        (1..3).for_each(|shift| tails_in_base64(token, shift, &mut take));
    }
}

/// Whether no form but base64 escapes any of it.
fn is_plain(token: &str) -> bool {
    token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b))
}

/// The hashes of a token in base64 at an offset with this remainder by 3.
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
    // They differ only if the token has a `~`.
    if encoded && for_url != tail {
        tail_of(&for_url).into_iter().for_each(take);
    }
}

/// The hash of a form's last bytes, whatever their case.
pub(crate) fn tail_of(form: &[u8]) -> Option<u64> {
    let mut tail: [u8; TAIL] = *form.last_chunk()?;
    tail.make_ascii_lowercase();
    Some(hash_of(&tail))
}

/// The same of bytes that are in lower case already.
pub(crate) fn tail_of_lowered(bytes: &[u8]) -> Option<u64> {
    bytes.last_chunk().map(hash_of)
}

/// Multiplies both halves and folds the product: a few cycles, and every bit counts.
fn hash_of(tail: &[u8; TAIL]) -> u64 {
    let value = u128::from_le_bytes(*tail) ^ 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let product = (value >> 64) * (value & u128::from(u64::MAX));
    low_half((product >> 64) ^ product)
}

fn low_half(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";

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
    fn the_page_escapes_a_secret_as_it_is_looked_for() {
        let secret = "a&b<c>d'e\"f+/=\u{e9}";
        let page = askama::filters::escape(secret, askama::filters::Html).unwrap().to_string();
        assert_eq!(html_escaped(secret), page);
    }

    #[test]
    fn a_secret_of_a_few_bytes_has_forms_too() {
        for secret in ["", "a", "ab", "abc", "ä"] {
            assert!(forms(secret).contains(&secret.to_owned()), "{secret}");
        }
    }
}
