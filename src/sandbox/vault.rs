//! The tokens that were there before the first request, and what became of them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::clock::Micros;
use super::ledger::Standing;
use super::stored::{AccessLife, RefreshLife, StoredPair};

/// A stored pair.
pub(super) struct Kept {
    pub(super) pair: StoredPair,
    /// The number of the client that it belongs to; none where any may use it.
    pub(super) client: Option<u32>,
    killed: Option<AccessLife>,
    /// The pair that took its place, and when.
    successor: Option<(u32, Micros)>,
}

/// All stored pairs.
#[derive(Default)]
pub(super) struct Vault {
    kept: Vec<Kept>,
    by_access: HashMap<String, usize>,
    by_refresh: HashMap<String, usize>,
}

impl Vault {
    /// Keeps a pair. What was said before of one of its tokens no longer holds.
    pub(super) fn keep(&mut self, pair: StoredPair, client: Option<u32>) {
        let position = self.kept.len();
        if let Some((token, _)) = &pair.access {
            self.by_access.insert(token.clone(), position);
        }
        if let Some((token, _)) = &pair.refresh {
            self.by_refresh.insert(token.clone(), position);
        }
        self.kept.push(Kept { pair, client, killed: None, successor: None });
    }

    /// Everything as it was when it was stored.
    pub(super) fn reset(&mut self) {
        for kept in &mut self.kept {
            (kept.killed, kept.successor) = (None, None);
        }
    }

    pub(super) fn get(&self, position: usize) -> Option<&Kept> {
        self.kept.get(position)
    }

    pub(super) fn find_refresh(&self, token: &str) -> Option<usize> {
        self.by_refresh.get(token).copied()
    }

    /// The pair with this access token, and what that is worth now.
    pub(super) fn find_access(&self, token: &str, now: Timestamp) -> Option<(&Kept, AccessLife)> {
        let kept = self.kept.get(*self.by_access.get(token)?)?;
        let (_, stored) = kept.pair.access.as_ref()?;
        let old = kept.pair.expires.is_some_and(|expires| expires <= now);
        let life = if old { AccessLife::Dead } else { *stored };
        Some((kept, kept.killed.unwrap_or(life)))
    }

    /// What the refresh token is good for.
    pub(super) fn standing(&self, position: usize) -> Standing {
        let Some(kept) = self.kept.get(position) else { return Standing::Spent };
        match (&kept.pair.refresh, kept.successor) {
            (Some((_, RefreshLife::Good)), None) => Standing::Fresh,
            (Some(_), Some((new, when))) => Standing::Gave(new, when),
            _ => Standing::Spent,
        }
    }

    pub(super) fn succeed(&mut self, position: usize, new: u32, now: Micros) {
        if let Some(kept) = self.kept.get_mut(position) {
            kept.successor = Some((new, now));
        }
    }

    /// Kills the access tokens of an installation.
    pub(super) fn kill(&mut self, id: &str) {
        for kept in self.kept.iter_mut().filter(|kept| kept.pair.id == id) {
            kept.killed = Some(AccessLife::Revoked);
        }
    }
}
