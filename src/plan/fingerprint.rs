//! Installations told apart in 12 bytes each, so that a million of them fit into little memory.

use std::hash::{BuildHasher, Hash, RandomState};

use crate::installation::Scope;

/// 96 bits of keyed hash: of a million installations two share one with odds of 1 in 10^17.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 12]);

/// Makes fingerprints that can be compared with each other, and with no other maker's.
#[derive(Clone, Debug, Default)]
pub struct Fingerprints {
    high: RandomState,
    low: RandomState,
}

impl Fingerprints {
    /// The fingerprint of an installation of an app, by what stands before the dash of its client id.
    pub fn of(&self, application: &str, scope: Scope, id: &str) -> Fingerprint {
        self.print((application, scope, id))
    }

    /// The fingerprint of any text.
    pub fn of_text(&self, text: &str) -> Fingerprint {
        self.print(text)
    }

    fn print(&self, key: impl Hash + Copy) -> Fingerprint {
        let mut print = [0; 12];
        print[..8].copy_from_slice(&self.high.hash_one(key).to_le_bytes());
        print[8..].copy_from_slice(&self.low.hash_one(key).to_le_bytes()[..4]);
        Fingerprint(print)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_has_one_fingerprint() {
        let prints = Fingerprints::default();
        let of = |scope| prints.of("app", scope, "ve9EPM428h8vShlRW1KT");
        assert_eq!(of(Scope::Location), of(Scope::Location));
        assert_ne!(of(Scope::Location), of(Scope::Company));
        assert_ne!(of(Scope::Location), prints.of("app", Scope::Location, "tDtDnQdgm2LXpyiqYvZ6"));
        assert_ne!(
            of(Scope::Location),
            prints.of("other", Scope::Location, "ve9EPM428h8vShlRW1KT")
        );
    }
}
