//! Every form of the secrets that are known, by the last bytes of each: one pass over a text finds
//! them all.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasherDefault, Hasher},
    ops::Range,
    sync::Arc,
};

use memchr::memmem;

use crate::{
    highlevel::secret_forms::{self, TAIL},
    secret::Secret,
};

/// The shortest secret that is cut out, in bytes; a shorter one would be found by chance.
pub(super) const SHORTEST: usize = 6;

/// Codes and tokens that are known at a time: more than any concurrency has in hand.
const MOST: usize = 8192;

/// The length from which on no form of a secret is too short for a hash.
const LONG: usize = 2 * TAIL;

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A client secret: known for the whole run, in no answer.
    Client,
    /// An authorization code: in the answer that grants it, in no file.
    Code,
    /// A token: in answers that are kept.
    Token,
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

/// Every form of every secret that is known.
#[derive(Default)]
pub(super) struct KnownForms {
    /// Client secrets, which are few.
    lasting: Vec<Arc<KnownSecret>>,
    /// The others, the oldest first.
    passing: VecDeque<Arc<KnownSecret>>,
    /// Entries by the last bytes of each of their forms.
    by_tail: HashMap<u64, Vec<Arc<KnownSecret>>, BuildHasherDefault<Same>>,
    /// Entries with a form that is too short for that.
    short: Vec<Arc<KnownSecret>>,
}

struct KnownSecret {
    kind: Kind,
    secret: Secret,
    /// Hashes of the last bytes of its forms.
    tails: Vec<u64>,
    /// Whether one of its forms is too short for such a hash.
    is_short: bool,
}

impl KnownSecret {
    fn of(kind: Kind, secret: &Secret) -> Self {
        let mut entry = Self { kind, secret: secret.clone(), tails: Vec::new(), is_short: false };
        let mut tails = Vec::new();
        if secret.expose().len() >= LONG {
            // Tokens are long and many: their forms are built only when a hash matches.
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

    pub(super) fn learn(&mut self, kind: Kind, secret: &Secret) {
        if self.knows(kind, secret) {
            return;
        }
        let entry = Arc::new(KnownSecret::of(kind, secret));
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

    fn forget(&mut self, entry: &Arc<KnownSecret>) {
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

    pub(super) fn knows_any(&self, kinds: &[Kind]) -> bool {
        let client = kinds.contains(&Kind::Client) && !self.lasting.is_empty();
        client || (kinds.len() > 1 && !self.passing.is_empty())
    }

    /// Reports each place of a secret's form in these bytes, which are lower case.
    pub(super) fn find(&self, bytes: &[u8], kinds: &[Kind], mut found: impl FnMut(Range<usize>)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_a_client_secret_never() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let code = |n: usize| secret(&format!("code-{n:020}"));
        let mut known = KnownForms::default();
        known.learn(Kind::Client, &secret("the-client-secret-of-the-run"));
        for n in 0..=MOST {
            known.learn(Kind::Code, &code(n));
        }
        assert!(!known.knows(Kind::Code, &code(0)));
        assert!(known.knows(Kind::Code, &code(1)) && known.knows(Kind::Code, &code(MOST)));
        assert!(known.knows(Kind::Client, &secret("the-client-secret-of-the-run")));
        assert_eq!((known.passing.len(), known.short.len()), (MOST, 0));
    }
}
