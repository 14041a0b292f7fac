use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::highlevel::secret_forms;

const SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";

fn knowing(kind: Kind, secret: &str) -> KnownSecrets {
    let known = KnownSecrets::default();
    known.learn(kind, &Secret::new(secret.to_owned()));
    known
}

#[test]
fn a_secret_is_cut_out_in_any_case_place_and_writing() {
    let escaped =
        |text: &str, each: &dyn Fn(char) -> String| -> String { text.chars().map(each).collect() };
    let percent = escaped(SECRET, &|c| format!("%{:02x}", u32::from(c)));
    let json = escaped(SECRET, &|c| format!("\\u{:04X}", u32::from(c)));
    let html = escaped(SECRET, &|c| format!("&#{};", u32::from(c)));
    let twice = percent.replace('%', "%25");
    let known = knowing(Kind::Client, SECRET);
    for form in [
        SECRET,
        &SECRET.to_uppercase(),
        &percent,
        &percent.to_uppercase(),
        &json,
        &html,
        &twice,
        &SECRET.replace('-', "%2D"),
        &STANDARD.encode(SECRET),
        &STANDARD.encode(SECRET).to_lowercase(),
    ] {
        for (before, after) in [("", ""), ("https://", ".evil.example/"), ("ä", "ß")] {
            let text = format!("{before}{form}{after}");
            assert_eq!(known.cut_out(&text), format!("{before}[secret]{after}"), "{text}");
            assert!(known.is_in(&text));
        }
    }
    let two = format!("{SECRET} and {SECRET}");
    assert_eq!(known.cut_out(&two), "[secret] and [secret]");
}

#[test]
fn a_long_token_is_known_by_each_of_its_forms() {
    for length in 32..40 {
        for sign in ['x', '~', '+'] {
            let token: String = (0..length).map(|n| if n % 7 == 3 { sign } else { 'a' }).collect();
            let known = knowing(Kind::Token, &token);
            for form in secret_forms::forms(&token) {
                assert!(known.is_in(&format!("({form})")), "{token}: {form}");
            }
        }
    }
}

#[test]
fn what_is_not_the_whole_secret_stays() {
    let known = knowing(Kind::Code, SECRET);
    for text in ["", "x", &SECRET[1..], "100 % \\ & fine &amp; %zz \\u00", "%", "\\", "&#;"] {
        assert_eq!(known.cut_out(text), text);
    }
}

#[test]
fn a_short_secret_is_cut_out_and_a_word_is_none() {
    assert_eq!(knowing(Kind::Code, "hunter2").cut_out("is HUNTER2 good?"), "is [secret] good?");
    assert_eq!(knowing(Kind::Code, "ab").cut_out("a b ab"), "a b ab");
}

#[test]
fn an_answer_keeps_its_tokens_and_no_code() {
    let known = knowing(Kind::Token, "a-token-of-the-answer");
    known.learn(Kind::Code, &Secret::new("the-code-that-was-presented".into()));
    known.learn(Kind::Client, &Secret::new(SECRET.into()));
    let text = format!("a-token-of-the-answer the-code-that-was-presented {SECRET}");
    let success = "a-token-of-the-answer the-code-that-was-presented [secret]";
    assert_eq!(known.cut_out_of_success(&text), success);
    let mut kept = serde_json::json!({ "x": [text.clone(), 7] });
    known.cut_out_of_kept(&mut kept);
    assert_eq!(kept["x"][0], "a-token-of-the-answer [secret] [secret]");
    assert_eq!(known.cut_out(&text), "[secret] [secret] [secret]");
}
