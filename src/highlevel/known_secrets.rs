//! Secrets that are known while calls go on, to be cut out of whatever a server says: in upper or
//! lower case, in base64, percent-encoded, JSON-escaped or as HTML, and wherever they stand.

use std::{
    borrow::Cow,
    collections::{HashMap, VecDeque},
    fmt,
    hash::{BuildHasherDefault, Hasher},
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use memchr::memmem;
use serde_json::Value;

use super::secret_forms::{self, TAIL};
use crate::secret::Secret;

/// What stands where a secret was.
const CUT: &str = "[secret]";

/// The shortest secret that is cut out, in bytes; a shorter one would be found by chance.
const SHORTEST: usize = 6;

/// Codes and tokens that are known at a time: more than any concurrency has in hand.
const MOST: usize = 8192;

/// The length from which on no form of a secret is too short for a mark.
const LONG: usize = 2 * TAIL;

/// How often a text is decoded: what was escaped, and escaped again by whoever repeated it.
const LEVELS: usize = 3;

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A client secret. It is known for the whole run, and stands in no answer.
    Client,
    /// An authorization code. It stands in the answer that gives it, and in no file.
    Code,
    /// A token. It stands in answers that are to be kept.
    Token,
}

/// The secrets known now. Cheap to clone; all clones know the same.
#[derive(Clone, Default)]
pub struct KnownSecrets(Arc<RwLock<KnownForms>>);

impl fmt::Debug for KnownSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[known secrets]")
    }
}

impl KnownSecrets {
    /// Takes a secret in. Of codes and tokens, the oldest are forgotten.
    pub fn learn(&self, kind: Kind, secret: &Secret) {
        if secret.expose().len() >= SHORTEST {
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.learn(kind, secret);
            // A UUID is as good without its dashes.
            let bare = secret.expose().replace('-', "");
            if kind == Kind::Client && bare.len() >= SHORTEST && bare != secret.expose() {
                known.learn(kind, &Secret::new(bare));
            }
        }
    }

    /// Whether one of them stands in a text.
    pub fn placeholder(&self, text: &str) -> bool {
        !self.places(text, &[Kind::Client, Kind::Code, Kind::Token]).is_empty()
    }

    /// Cuts all of them out of a text.
    pub fn cut_out<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.cut_out_kinds(text, &[Kind::Client, Kind::Code, Kind::Token])
    }

    /// Cuts those out that may stand in no answer at all.
    pub fn cut_out_of_success<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.cut_out_kinds(text, &[Kind::Client])
    }

    /// Cuts out of what is kept with tokens what may stand in no file.
    pub fn cut_out_of_kept(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.cut_out_kinds(text, &[Kind::Client, Kind::Code]) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.cut_out_of_kept(item)),
            Value::Object(object) => {
                object.values_mut().for_each(|item| self.cut_out_of_kept(item));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn cut_out_kinds<'a>(&self, text: &'a str, kinds: &[Kind]) -> Cow<'a, str> {
        let places = self.places(text, kinds);
        if places.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(without(text, places)) }
    }

    fn places(&self, text: &str, kinds: &[Kind]) -> Vec<Range<usize>> {
        let forms_known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if text.len() < SHORTEST || !forms_known.knows_any(kinds) {
            return Vec::new();
        }
        let mut places = Vec::new();
        let mut view = View::of(text);
        for _ in 0..=LEVELS {
            forms_known.find(&view.bytes, kinds, |found| places.push(view.place(found)));
            match view.decoded() {
                Some(decoded) => view = decoded,
                None => break,
            }
        }
        places
    }
}

/// Puts a mark in the places of a text.
fn without(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| place.start);
    let (mut clean, mut done) = (String::with_capacity(text.len()), 0);
    for Range { mut start, mut end } in places {
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        if start >= done {
            clean.push_str(&text[done..start]);
            clean.push_str(CUT);
        }
        done = done.max(end);
    }
    clean.push_str(&text[done..]);
    clean
}

/// The last bytes of a form of a secret are a hash already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[derive(Default)]
struct KnownForms {
    /// Those of a whole run, which are few.
    lasting: Vec<Arc<Entry>>,
    /// The others, the oldest first.
    passing: VecDeque<Arc<Entry>>,
    /// Entries by the last bytes of each of their forms.
    by_tail: HashMap<u64, Vec<Arc<Entry>>, BuildHasherDefault<Same>>,
    /// Entries with a form that is too short for that.
    short: Vec<Arc<Entry>>,
}

struct Entry {
    kind: Kind,
    secret: Secret,
    /// Marks of the ends of its forms.
    tails: Vec<u64>,
    /// Whether one of its forms is too short for such a mark.
    is_short: bool,
}

impl Entry {
    fn of(kind: Kind, secret: &Secret) -> Self {
        let mut entry = Self { kind, secret: secret.clone(), tails: Vec::new(), is_short: false };
        let mut tails = Vec::new();
        if secret.expose().len() >= LONG {
            // Tokens are long and many, so that their forms are not made before one is met.
            secret_forms::each_tail_of_plain(secret.expose(), |tail| tails.push(tail));
        }
        if tails.is_empty() {
            for form in entry.forms() {
                entry.is_short |= form.len() < TAIL;
                tails.extend(secret_forms::tail_of(&form));
            }
        }
        tails.sort_unstable();
        tails.dedup();
        entry.tails = tails;
        entry
    }

    /// Every form in lower case, the longest first.
    fn forms(&self) -> Vec<Vec<u8>> {
        let secret = self.secret.expose();
        let forms = secret_forms::forms(secret).into_iter();
        let mut forms: Vec<_> = forms.map(String::into_bytes).collect();
        forms.retain(|form| form.len() >= SHORTEST);
        for form in &mut forms {
            form.make_ascii_lowercase();
        }
        forms
    }

    fn is(&self, kind: Kind, secret: &Secret) -> bool {
        self.kind == kind && self.secret.expose() == secret.expose()
    }
}

impl KnownForms {
    fn knows(&self, kind: Kind, secret: &Secret) -> bool {
        let plain = secret_forms::tail_of(secret.expose().as_bytes());
        let alike = plain.map_or(Some(&self.short), |tail| self.by_tail.get(&tail));
        alike.into_iter().flatten().any(|entry| entry.is(kind, secret))
    }

    fn learn(&mut self, kind: Kind, secret: &Secret) {
        if self.knows(kind, secret) {
            return;
        }
        let entry = Arc::new(Entry::of(kind, secret));
        for tail in &entry.tails {
            self.by_tail.entry(*tail).or_default().push(entry.clone());
        }
        if entry.is_short {
            self.short.push(entry.clone());
        }
        if kind == Kind::Client {
            self.lasting.push(entry);
            return;
        }
        self.passing.push_back(entry);
        if self.passing.len() > MOST
            && let Some(oldest) = self.passing.pop_front()
        {
            self.forget(&oldest);
        }
    }

    fn forget(&mut self, entry: &Arc<Entry>) {
        for tail in &entry.tails {
            if let Some(entries) = self.by_tail.get_mut(tail) {
                entries.retain(|other| !Arc::ptr_eq(other, entry));
                if entries.is_empty() {
                    self.by_tail.remove(tail);
                }
            }
        }
        if entry.is_short {
            self.short.retain(|other| !Arc::ptr_eq(other, entry));
        }
    }

    fn knows_any(&self, kinds: &[Kind]) -> bool {
        let client = kinds.contains(&Kind::Client) && !self.lasting.is_empty();
        client || (kinds.len() > 1 && !self.passing.is_empty())
    }

    /// Gives each place in these bytes, all lower case, at which a form of a secret stands.
    fn find(&self, bytes: &[u8], kinds: &[Kind], mut found: impl FnMut(Range<usize>)) {
        // Padding belongs to base64 before it.
        let padded =
            |end: usize| end + bytes[end..].iter().take(2).take_while(|b| **b == b'=').count();
        for (end, window) in (TAIL..).zip(bytes.windows(TAIL)) {
            let entries =
                secret_forms::tail_of_lowered(window).and_then(|tail| self.by_tail.get(&tail));
            for entry in entries.into_iter().flatten().filter(|e| kinds.contains(&e.kind)) {
                let mut forms = entry.forms().into_iter();
                if let Some(form) = forms.find(|form| bytes[..end].ends_with(form)) {
                    found(end - form.len()..padded(end));
                }
            }
        }
        for entry in self.short.iter().filter(|e| kinds.contains(&e.kind)) {
            for form in entry.forms().iter().filter(|form| form.len() < TAIL) {
                for at in memmem::find_iter(bytes, form) {
                    found(at..padded(at + form.len()));
                }
            }
        }
    }
}

/// A text in lower case and perhaps decoded, and which part of the original each byte stands for.
struct View {
    bytes: Vec<u8>,
    /// `None` while each byte stands for itself.
    from: Option<Vec<Range<usize>>>,
}

impl View {
    fn of(text: &str) -> Self {
        Self { bytes: text.to_ascii_lowercase().into_bytes(), from: None }
    }

    fn origin(&self, at: usize) -> Range<usize> {
        self.from.as_ref().map_or(at..at + 1, |from| from[at].clone())
    }

    fn place(&self, found: Range<usize>) -> Range<usize> {
        self.origin(found.start).start..self.origin(found.end - 1).end
    }

    /// The same with its escapes decoded; `None` if there are none.
    fn decoded(&self) -> Option<Self> {
        let is_sign = |byte: &u8| b"%\\&".contains(byte);
        self.bytes.iter().any(is_sign).then_some(())?;
        let (mut bytes, mut from) = (Vec::new(), Vec::new());
        let (mut at, mut has_changed) = (0, false);
        while at < self.bytes.len() {
            let (c, length) = match escape(&self.bytes[at..]) {
                Some((c, length)) => {
                    has_changed = true;
                    (c, length)
                }
                None => (Decoded::Byte(self.bytes[at]), 1),
            };
            let origin = self.origin(at).start..self.origin(at + length - 1).end;
            let mut buffer = [0; 4];
            let decoded = match &c {
                Decoded::Byte(byte) => std::slice::from_ref(byte),
                Decoded::Char(c) => c.encode_utf8(&mut buffer).as_bytes(),
            };
            bytes.extend(decoded.iter().map(u8::to_ascii_lowercase));
            from.extend(decoded.iter().map(|_| origin.clone()));
            at += length;
        }
        has_changed.then_some(Self { bytes, from: Some(from) })
    }
}

enum Decoded {
    Byte(u8),
    Char(char),
}

/// The escape that begins here, in lower case, and how many bytes it has.
fn escape(bytes: &[u8]) -> Option<(Decoded, usize)> {
    match bytes {
        [b'%', high, low, ..] => Some((Decoded::Byte(hex(&[*high, *low])?.try_into().ok()?), 3)),
        [b'\\', b'u', digits @ ..] => {
            let c = char::from_u32(hex(digits.get(..4)?)?)?;
            Some((Decoded::Char(c), 6))
        }
        [b'\\', c, ..] if b"\"\\/".contains(c) => Some((Decoded::Byte(*c), 2)),
        [b'&', rest @ ..] => {
            let end = rest.iter().take(10).position(|b| *b == b';')?;
            let c = match &rest[..end] {
                [b'#', b'x', digits @ ..] => char::from_u32(hex(digits)?)?,
                [b'#', digits @ ..] => char::from_u32(str::from_utf8(digits).ok()?.parse().ok()?)?,
                b"amp" => '&',
                b"lt" => '<',
                b"gt" => '>',
                b"quot" => '"',
                b"apos" => '\'',
                _ => return None,
            };
            Some((Decoded::Char(c), end + 2))
        }
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    const SECRET: &str = "6d3c5a52-6f5e-4a8e-9f3e-1c2b3a4d5e6f";

    fn knowing(kind: Kind, secret: &str) -> KnownSecrets {
        let known = KnownSecrets::default();
        known.learn(kind, &Secret::new(secret.to_owned()));
        known
    }

    #[test]
    fn a_secret_is_cut_out_in_any_case_place_and_writing() {
        let escaped = |text: &str, each: &dyn Fn(char) -> String| -> String {
            text.chars().map(each).collect()
        };
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
                assert!(known.placeholder(&text));
            }
        }
        let two = format!("{SECRET} and {SECRET}");
        assert_eq!(known.cut_out(&two), "[secret] and [secret]");
    }

    #[test]
    fn a_long_token_is_known_by_each_of_its_forms() {
        for length in 32..40 {
            for sign in ['x', '~', '+'] {
                let token: String =
                    (0..length).map(|n| if n % 7 == 3 { sign } else { 'a' }).collect();
                let known = knowing(Kind::Token, &token);
                for form in secret_forms::forms(&token) {
                    assert!(known.placeholder(&format!("({form})")), "{token}: {form}");
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

    #[test]
    fn the_oldest_are_forgotten_and_a_client_secret_never() {
        let known = knowing(Kind::Client, SECRET);
        let code = |n: usize| format!("code-{n:020}");
        for n in 0..=MOST {
            known.learn(Kind::Code, &Secret::new(code(n)));
        }
        assert!(!known.placeholder(&code(0)));
        assert!(
            known.placeholder(&code(1))
                && known.placeholder(&code(MOST))
                && known.placeholder(SECRET)
        );
        let forms_known = known.0.read().unwrap();
        assert_eq!((forms_known.passing.len(), forms_known.short.len()), (MOST, 0));
    }
}
