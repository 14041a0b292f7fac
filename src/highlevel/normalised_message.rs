//! Compares messages of servers loosely: case, blanks, punctuation and ids do not count.

use super::client_id::ClientId;

/// Replaces ids and numbers in a normalised message.
pub const BLANK: &str = "#";

/// A message in a form in which messages with the same meaning are equal: lower case, words separated
/// by single blanks, and [`BLANK`] for ids, numbers and secrets that were cut out.
pub fn normalised(message: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in words_of(message) {
        let word = match word {
            Word::Plain(word) => word,
            Word::Number(_) | Word::Id => BLANK.to_owned(),
        };
        if word != BLANK || words.last().is_none_or(|last| last != BLANK) {
            words.push(word);
        }
    }
    words.join(" ")
}

/// The words of a message without its ids, for a row of the table: messages that differ only in ids
/// have the same words.
pub fn phrase(message: &str) -> String {
    joined(words_of(message).filter_map(|word| match word {
        Word::Plain(word) => Some(word),
        Word::Number(_) | Word::Id => None,
    }))
}

/// A message prepared for comparison with patterns.
#[derive(Clone, Debug)]
pub struct NormalisedMessage {
    with_numbers: String,
    without: String,
}

impl NormalisedMessage {
    /// Splits a message into words.
    pub fn of(message: &str) -> Self {
        let with_numbers = words_of(message).filter_map(|word| match word {
            Word::Plain(word) | Word::Number(word) => Some(word),
            Word::Id => None,
        });
        Self { with_numbers: joined(with_numbers), without: phrase(message) }
    }

    /// Whether it contains the words of a pattern, one after the other. The last may begin a longer
    /// word, and numbers count only if the pattern has some.
    pub fn contains_words(&self, pattern: &Self) -> bool {
        let begins = |text: &str, pattern: &str| {
            text.starts_with(pattern) || text.contains(&format!(" {pattern}"))
        };
        begins(&self.with_numbers, &pattern.with_numbers)
            || pattern.with_numbers == pattern.without && begins(&self.without, &pattern.without)
    }

    /// Whether it has no words.
    pub fn is_empty(&self) -> bool {
        self.with_numbers.is_empty()
    }
}

enum Word {
    Plain(String),
    Number(String),
    Id,
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

/// The marks of secrets that were cut out.
const CUT_OUT: [&str; 2] = ["[secret]", "[token]"];

fn words_of(message: &str) -> impl Iterator<Item = Word> {
    let is_within = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let message = CUT_OUT.iter().fold(message.to_owned(), |text, cut| text.replace(cut, A_UUID));
    let pieces: Vec<_> = message.split(|c| !is_within(c)).flat_map(words_of_piece).collect();
    pieces.into_iter()
}

/// Stands for a cut-out secret; any id would do.
const A_UUID: &str = " 00000000-0000-0000-0000-000000000000 ";

/// A piece of letters, digits, dashes and underscores: an id as a whole, or words.
fn words_of_piece(piece: &str) -> Vec<Word> {
    if is_uuid(piece) || ClientId::new(piece).is_some() {
        return vec![Word::Id];
    }
    piece.split(['-', '_']).filter(|word| !word.is_empty()).map(word_of).collect()
}

fn word_of(word: &str) -> Word {
    if is_like_an_id(word) {
        return Word::Id;
    }
    let lower = word.to_lowercase();
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        Word::Number(lower)
    } else {
        Word::Plain(lower)
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Hexadecimal digits from 16 on, long words with several digits in them, and letters in a mix of
/// cases that no word has: ids, codes, hashes, pieces of tokens.
fn is_like_an_id(word: &str) -> bool {
    if !word.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return false;
    }
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let digits = count(u8::is_ascii_digit);
    let is_hex = word.len() >= 16 && digits > 0 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let has_digits = word.len() >= 12 && digits >= 2 && digits < word.len();
    let is_mixed = word.len() >= 16
        && count(u8::is_ascii_uppercase) >= 5
        && count(u8::is_ascii_lowercase) >= 5;
    is_hex || has_digits || is_mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_ids_numbers_case_and_punctuation_alone_are_equal() {
        for (message, same) in [
            ("Location ve9EPM428h8vShlRW1KT not found", "location # not found"),
            ("LOCATION\n\"tDtDnQdgmRLXpyiqYvZo\" not found.", "location # not found"),
            ("Location 5f9a1b2c3d4e5f6a7b8c9d0e not found!", "location # not found"),
            ("trace 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "trace #"),
            ("client 66c1a6f5e4b0a1b2c3d4e5f6-m1abcdef is off", "client # is off"),
            ("code 0123456789abcdef0123456789abcdef01234567", "code #"),
            ("wait until 2026-11-22T10:00:00.123Z, please", "wait until # please"),
            ("from 192.168.0.1 and 42", "from # and #"),
            ("error code: 1010", "error code #"),
            ("code [secret] is invalid", "code # is invalid"),
            ("invalid_grant", "invalid grant"),
            ("internationalization of UnAuthorized!", "internationalization of unauthorized"),
            ("Größe ÜBER alles", "größe über alles"),
            ("", ""),
        ] {
            assert_eq!(normalised(message), same, "{message}");
        }
    }

    #[test]
    fn a_pattern_is_found_around_ids_and_at_the_beginning_of_words() {
        for (message, pattern, found) in [
            ("Location ve9EPM428h8vShlRW1KT not found", "location not found", true),
            ("Location 42 not found", "location not found", true),
            ("Allocation not found", "location not found", false),
            ("Cloudflare: error code: 1010", "error code 1010", true),
            ("Cloudflare: error code: 1020", "error code 1010", false),
            ("location_id is invalid", "Location ID is invalid", true),
            ("inactiveness", "inactive", true),
            ("not at all active", "not active", false),
            ("", "inactive", false),
        ] {
            let error_text =
                NormalisedMessage::of(message).contains_words(&NormalisedMessage::of(pattern));
            assert_eq!(error_text, found, "{message}: {pattern}");
        }
    }
}
