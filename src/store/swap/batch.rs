//! Some pairs on their way into the store, with what became of each.

use std::collections::HashSet;

use super::prepared::Prepared;
use crate::{event::StoreOutcome, installation::Scope, store::written::Written};

/// How often a row may change between reading and writing.
const CHANGES: u32 = 5;

/// See the module.
pub struct Batch<'a> {
    /// The pairs.
    pub prepared: Vec<Prepared<'a>>,
    /// What became of each; `None` while it is open.
    pub results: Vec<Option<Written>>,
    /// Those for which a commit was sent: where they are found written, it was this program.
    pub sent: HashSet<usize>,
    /// How often each row was found changed at the moment of writing.
    changes: Vec<u32>,
}

impl<'a> Batch<'a> {
    /// Pairs of which nothing is known yet.
    pub fn new(prepared: Vec<Prepared<'a>>) -> Self {
        let (results, changes) = (vec![None; prepared.len()], vec![0; prepared.len()]);
        Self { prepared, results, sent: HashSet::new(), changes }
    }

    /// The open pairs of a kind.
    pub fn open(&self, scope: Scope) -> Vec<usize> {
        let is_open = |index: &usize| {
            self.results[*index].is_none() && self.prepared[*index].pair.installation.scope == scope
        };
        (0..self.prepared.len()).filter(is_open).collect()
    }

    /// Says what became of a pair.
    pub fn settle(&mut self, index: usize, outcome: StoreOutcome, message: &str) {
        self.results[index] = Some(Written::with(outcome, message));
    }

    /// Notes that a row was changed by somebody else between reading and writing.
    pub fn changed(&mut self, index: usize) {
        self.changes[index] += 1;
        if self.changes[index] >= CHANGES {
            let message = "the row changes each time it is about to be written: is the app's own \
                           token refresher at work?";
            self.settle(index, StoreOutcome::Failed, message);
        }
    }
}
