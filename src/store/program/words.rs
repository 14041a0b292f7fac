//! What a program says, made fit to be shown: without the secrets in hand, and without what looks like
//! one.

use std::borrow::Cow;

use crate::{
    highlevel::{
        known_secrets::{Kind, KnownSecrets},
        token_shape::{Suspicion, holds_opaque, holds_token},
    },
    secret::Secret,
    text::SafeText,
};

/// The most characters that are shown of what a program wrote to standard error.
const SHOWN: usize = 200;

/// Stands for a word that is not shown.
const CUT: &str = "[cut]";

/// Knows the secrets that a program was given.
#[derive(Debug, Default)]
pub struct Words {
    known: KnownSecrets,
}

impl Words {
    /// Learns a secret that the program is given. The oldest of thousands are forgotten.
    pub fn learn(&self, secret: &Secret) {
        self.known.learn(Kind::Token, secret);
    }

    /// A message of the program.
    pub fn message(&self, text: &str) -> SafeText {
        SafeText::new(&self.clean(text))
    }

    /// The end of what it wrote to standard error.
    pub fn end_of(&self, text: &str) -> SafeText {
        SafeText::new(&last(&self.clean(text), SHOWN))
    }

    fn clean(&self, text: &str) -> String {
        let known = self.known.cut_out(text);
        known.split_whitespace().map(without_secrets).collect::<Vec<_>>().join(" ")
    }
}

fn last(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().rev().nth(most.saturating_sub(1)) {
        Some((at, _)) if at > 0 => Cow::Owned(format!("…{}", &text[at..])),
        _ => Cow::Borrowed(text),
    }
}

/// In doubt a word is not shown: a program may print its own key as well.
fn without_secrets(word: &str) -> &str {
    let hides = holds_token(word) || holds_opaque(word, Suspicion::Strict);
    if hides { CUT } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let words = Words::default();
        words.learn(&Secret::new("opensesame-0001".into()));
        for (said, shown) in [
            ("no such key ghl:location:ve9EPM428h8vShlRW1KT", None),
            (
                "cannot  connect to\n redis.example.com:6379",
                Some("cannot connect to redis.example.com:6379"),
            ),
            ("got opensesame-0001 back", Some("got [secret] back")),
            ("at /app/encrypt.mjs:12:7", None),
            ("redis://:hunter2@redis.example.com refused", Some("[cut] refused")),
            (
                "key 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                Some("key [cut]"),
            ),
            ("token=eyJhbGciOiJub25lIn0.eyJz", Some("[cut]")),
            ("", None),
        ] {
            assert_eq!(words.message(said).as_str(), shown.unwrap_or(said));
        }
    }

    #[test]
    fn the_end_is_shown_and_no_half_of_a_secret() {
        let words = Words::default();
        let secret = "opensesame".repeat(30);
        words.learn(&Secret::new(secret.clone()));
        let shown = words.end_of(&format!("{} {secret} the end", "word ".repeat(500)));
        assert!(shown.as_str().starts_with('…') && shown.as_str().ends_with("[secret] the end"));
        assert_eq!(shown.as_str().chars().count(), SHOWN + 1);
    }
}
