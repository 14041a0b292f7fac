//! Secrets in every form are found, and nothing else is.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

use super::{
    HasTokens::{Documents, OldRows},
    Search,
    search::PIECE,
};
use crate::{highlevel::secret_forms::*, secret::Secret};

const SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl/+\"";

fn leaks_in(text: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let [tokens, suspect] = ["tokens.jsonl", "run.log"].map(|name| folder.path().join(name));
    let document = serde_json::json!({"access_token": TOKEN, "refresh_token": "short"});
    fs::write(&tokens, format!("{document}\n")).unwrap();
    fs::write(&suspect, text).unwrap();
    let secret = Secret::new(SECRET.into());
    let search = Search::of(Some(&secret), [Documents(tokens)], None).unwrap();
    !search.find(&[suspect]).unwrap().is_empty()
}

#[test]
fn a_secret_is_found_in_every_form() {
    let far = "x".repeat(600_000);
    for form in every_form(SECRET).into_iter().chain(likely_forms(TOKEN)) {
        let form = String::from_utf8(form).unwrap();
        assert!(leaks_in(&form), "alone: {form}");
        assert!(leaks_in(&format!("{far}{form}{far}")), "far in: {form}");
    }
    assert!(leaks_in(&SECRET.to_uppercase()) && leaks_in(&TOKEN.to_lowercase()));
    for before in ["", "a", "ab", "abc"] {
        let basic = STANDARD_NO_PAD.encode(format!("{before}:{SECRET}"));
        assert!(leaks_in(&basic), "basic, {before}");
    }
    for form in [percent_encoded(TOKEN), percent_encoded(TOKEN).to_lowercase()] {
        assert!(leaks_in(&format!("secret={form}")));
    }
}

#[test]
fn tokens_of_any_shape_and_number_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let [tokens, suspect] = ["tokens.jsonl", "run.log"].map(|name| folder.path().join(name));
    let token = |number: usize| format!("\"{number}/{TOKEN}/{number:032}\"");
    let line = |number| format!("{}\n", serde_json::json!({"access_token": token(number)}));
    fs::write(&tokens, (0..500).map(line).collect::<String>()).unwrap();
    let search = Search::of(None, [Documents(tokens.clone())], None).unwrap();
    for number in (0..500).step_by(25) {
        fs::write(&suspect, token(number)).unwrap();
        assert_eq!(search.find(std::slice::from_ref(&suspect)).unwrap().len(), 1, "{number}");
    }
    fs::write(&suspect, token(500)).unwrap();
    assert!(search.find(std::slice::from_ref(&suspect)).unwrap().is_empty());
    fs::write(&tokens, line(0).trim_end()).unwrap();
    fs::write(&suspect, token(0)).unwrap();
    let search = Search::of(None, [Documents(tokens)], None).unwrap();
    assert_eq!(search.find(&[suspect]).unwrap().len(), 1, "a last line without its end");
}

#[test]
fn the_tokens_that_the_store_had_are_looked_for_too() {
    let folder = tempfile::tempdir().unwrap();
    let [replaced, suspect] = ["replaced.jsonl", "stored.csv"].map(|name| folder.path().join(name));
    let row = serde_json::json!({ "table": "t", "row": {
        "location_id": "ve9EPM428h8vShlRW1KT", "accessToken": TOKEN,
        "raw": serde_json::json!({ "refresh_token": "live-4f9Kc2Qm81zzTe0x7Ab" }).to_string(),
    }});
    for (lines, text, leaks) in [
        (format!("{row}\n"), TOKEN, 1),
        (row.to_string(), "1,live-4f9Kc2Qm81zzTe0x7Ab,x", 1),
        (format!("{row}\n"), "1,location,ve9EPM428h8vShlRW1KT,replaced,t", 0),
        (format!("{{}}\n{row}\n{{\"row\":{{\"access_t"), TOKEN, 1),
    ] {
        fs::write(&replaced, lines).unwrap();
        fs::write(&suspect, text).unwrap();
        let search = Search::of(None, [OldRows(replaced.clone())], None).unwrap();
        assert_eq!(search.find(std::slice::from_ref(&suspect)).unwrap().len(), leaks, "{text}");
    }
    fs::remove_file(&replaced).unwrap();
    let search = Search::of(None, [OldRows(replaced)], None).unwrap();
    assert!(search.find(&[suspect]).unwrap().is_empty());
}

#[test]
fn a_secret_is_found_wherever_a_piece_of_the_file_ends() {
    let piece = usize::try_from(PIECE).unwrap();
    for end in [1, 16, 35] {
        let before = piece.checked_add_signed(end).unwrap() - SECRET.len();
        assert!(leaks_in(&format!("{}{SECRET}yyy", "x".repeat(before))), "{end}");
    }
}

#[test]
fn what_is_not_the_whole_secret_is_no_leak() {
    for text in [
        "",
        "short",
        &SECRET[1..],
        &SECRET[..SECRET.len() - 1],
        &TOKEN[1..],
        &format!("another-{}", &SECRET[8..]),
    ] {
        assert!(!leaks_in(text), "{text}");
    }
}

/// A measurement: `cargo test --release --lib -- --ignored --nocapture hundred_thousand`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "a measurement is printed")]
fn a_hundred_thousand_installations_cost_little() {
    let folder = tempfile::tempdir().unwrap();
    let [tokens, suspect] = ["tokens.jsonl", "journal.jsonl"].map(|name| folder.path().join(name));
    let mut random = fastrand::Rng::with_seed(1);
    let mut text = |length: usize| -> String {
        std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
    };
    let lines = |make: &mut dyn FnMut() -> String| -> String {
        std::iter::repeat_with(|| make() + "\n").take(100_000).collect()
    };
    let document = |access: String, refresh: String| {
        serde_json::json!({"access_token": access, "refresh_token": refresh}).to_string()
    };
    fs::write(&tokens, lines(&mut || document(text(600), text(600)))).unwrap();
    fs::write(&suspect, lines(&mut || text(1500))).unwrap();
    let start = std::time::Instant::now();
    let search = Search::of(None, [Documents(tokens)], None).unwrap();
    let ready = start.elapsed();
    assert!(search.find(&[suspect]).unwrap().is_empty());
    println!("200,000 tokens made ready: {ready:?}; and looked for: {:?}", start.elapsed());
}
