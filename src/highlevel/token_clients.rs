//! The clients to which a list's tokens were given, by their claims. The tokens are not kept.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::client_id::ClientId;

/// The most frequent clients are kept; the rest is not worth naming.
const KEPT: usize = 8;

/// Other clients that are named.
const NAMED: usize = 3;

/// How many installations of a list have a stored token of which client, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoredTokens(Vec<OfClient>);

/// Installations whose stored token was given to one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfClient {
    /// The client, as the tokens say.
    pub client_id: ClientId,
    /// How many.
    pub installations: u32,
}

impl StoredTokens {
    /// Sorts counts.
    pub fn of(counts: BTreeMap<ClientId, u32>) -> Self {
        let counts = counts.into_iter();
        let mut all: Vec<OfClient> = counts
            .map(|(client_id, installations)| OfClient { client_id, installations })
            .collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.installations));
        all.truncate(KEPT);
        Self(all)
    }

    /// Whether no token names its client.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many installations have one of this client.
    pub fn of_client(&self, client_id: &str) -> u32 {
        let own = self.0.iter().filter(|one| one.client_id.as_str() == client_id);
        own.map(|one| one.installations).sum()
    }

    /// The other clients, the most frequent first.
    pub fn of_others(&self, client_id: &str) -> impl Iterator<Item = &OfClient> {
        self.0.iter().filter(move |one| one.client_id.as_str() != client_id)
    }

    /// The same without the tokens of some clients.
    #[must_use]
    pub fn without(&self, is_left_out: impl Fn(&ClientId) -> bool) -> Self {
        Self(self.0.iter().filter(|one| !is_left_out(&one.client_id)).cloned().collect())
    }

    /// In words, relative to a client.
    pub fn seen_from<'a>(&'a self, client_id: &'a str) -> impl fmt::Display {
        SeenFrom { stored: self, client_id }
    }
}

impl OfClient {
    /// Its relation to the client of a run.
    pub fn kinship(&self, client_id: &str) -> Kinship {
        match client_id.split_once('-') {
            Some((app, _)) if app == self.client_id.app() => Kinship::SameApp,
            _ => Kinship::OtherApp,
        }
    }
}

/// The relation of another client to that of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinship {
    /// Another key pair of the same app.
    SameApp,
    /// Another app.
    OtherApp,
}

impl Kinship {
    /// In words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::SameApp => "another key pair of this app",
            Self::OtherApp => "another app",
        }
    }
}

struct SeenFrom<'a> {
    stored: &'a StoredTokens,
    client_id: &'a str,
}

impl fmt::Display for SeenFrom<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of this client id", self.stored.of_client(self.client_id))?;
        for other in self.stored.of_others(self.client_id).take(NAMED) {
            let OfClient { client_id, installations } = other;
            let kinship = other.kinship(self.client_id).in_words();
            write!(f, ", {installations} of {client_id} ({kinship})")?;
        }
        match self.stored.of_others(self.client_id).count().saturating_sub(NAMED) {
            0 => Ok(()),
            _ => f.write_str(", and of others"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_come_first_and_three_others_are_named() {
        let client = |n: u32| ClientId::new(&format!("{n:024}-m1abcdef")).unwrap();
        let own = ClientId::new("000000000000000000000001-m1zzzzzz").unwrap();
        let mut counts: BTreeMap<_, _> = (1..=5).map(|n| (client(n), n)).collect();
        counts.insert(own.clone(), 40);
        let stored = StoredTokens::of(counts);
        assert_eq!(
            stored.seen_from(own.as_str()).to_string(),
            "40 of this client id, 5 of 000000000000000000000005-m1abcdef (another app), \
             4 of 000000000000000000000004-m1abcdef (another app), \
             3 of 000000000000000000000003-m1abcdef (another app), and of others"
        );
        let same = StoredTokens::of(BTreeMap::from([(client(1), 2)]));
        assert_eq!(
            same.seen_from(own.as_str()).to_string(),
            "0 of this client id, 2 of 000000000000000000000001-m1abcdef \
             (another key pair of this app)"
        );
    }
}
