//! Foreign text made safe once, by type: what a server says goes to terminals, logs and tickets.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

/// The most characters that are kept of a foreign text.
pub const MAX_CHARS: usize = 400;

/// The most characters that are kept of an identifier.
pub const IDENTIFIER_CHARS: usize = 128;

/// A text from outside with control, bidirectional and invisible characters replaced, runs of
/// white space folded, and no longer than [`MAX_CHARS`] characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct SafeText(Box<str>);

impl SafeText {
    /// Makes a text safe.
    pub fn new(text: &str) -> Self {
        Self::cut(text, MAX_CHARS)
    }

    /// Makes an identifier safe: like [`SafeText::new`], at most [`IDENTIFIER_CHARS`] characters, and
    /// no blank within, so that several can stand in one cell separated by spaces.
    pub fn identifier(text: &str) -> Self {
        let text = text.trim();
        // Nearly every one is safe as it is.
        if text.len() <= IDENTIFIER_CHARS && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Self(text.into());
        }
        Self::cut(&text.replace(char::is_whitespace, "_"), IDENTIFIER_CHARS)
    }

    fn cut(text: &str, most: usize) -> Self {
        let mut safe = String::new();
        let mut chars = 0;
        for c in text.trim().chars().map(made_visible) {
            if c == ' ' && safe.ends_with(' ') {
                continue;
            }
            if chars == most {
                safe.push('…');
                break;
            }
            safe.push(c);
            chars += 1;
        }
        Self(safe.trim_end().into())
    }

    /// The safe text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SafeText {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Display for SafeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first characters of a text; an ellipsis stands for the rest.
pub fn beginning(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// White space becomes a blank; what a terminal would act on or a reader would not see, `�`.
fn made_visible(c: char) -> char {
    match c {
        c if c.is_whitespace() => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{61c}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_replaced() {
        for (foreign, safe) in [
            ("Location is not active", "Location is not active"),
            ("  two\r\n lines\t ", "two lines"),
            ("\u{1b}[2Jgone", "\u{fffd}[2Jgone"),
            ("abc\u{202e}def", "abc\u{fffd}def"),
            ("", ""),
        ] {
            assert_eq!(SafeText::new(foreign).as_str(), safe);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let safe = SafeText::new(&"x".repeat(10_000));
        assert_eq!(safe.as_str().chars().count(), MAX_CHARS + 1);
        assert!(safe.as_str().ends_with('…'));
        assert_eq!(SafeText::from(safe.to_string()), safe, "reading it back changes nothing");
    }

    #[test]
    fn an_identifier_has_no_blank_within() {
        assert_eq!(SafeText::identifier(" a b\nc ").as_str(), "a_b_c");
    }
}
