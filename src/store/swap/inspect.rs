//! A look at what would become of pairs, for a dry run.

use std::collections::BTreeMap;

use super::{
    SqlStore,
    batch::Batch,
    prepared::{Known, stored_row},
    round::read_apart,
};
use crate::{
    event::StoreOutcome,
    installation::Scope,
    store::{
        decide::{Decision, decide},
        fault::StoreFault,
        pair::Pair,
        statement::NewValue,
    },
};

/// What would become of the pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// So many pairs would have each outcome.
    pub outcomes: BTreeMap<StoreOutcome, u32>,
    /// Pairs that are there, in rows that say that their tokens are dead.
    pub marked_bad: u32,
    /// Some ids of those.
    pub marked: Vec<String>,
}

/// Ids that are named.
const NAMED: usize = 3;

impl Inspected {
    /// Takes more pairs in.
    pub fn add(&mut self, more: &Self) {
        for (outcome, count) in &more.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        self.marked_bad += more.marked_bad;
        let room = NAMED.saturating_sub(self.marked.len());
        self.marked.extend(more.marked.iter().take(room).cloned());
    }

    fn count(&mut self, outcome: StoreOutcome) {
        *self.outcomes.entry(outcome).or_default() += 1;
    }
}

impl SqlStore {
    /// Decides about some pairs and writes nothing.
    pub async fn inspect(
        &mut self,
        pairs: &[Pair],
        known: &Known,
        note: &(dyn Fn(&str) + Sync),
    ) -> Result<Inspected, StoreFault> {
        let mut inspected = Inspected::default();
        let batch = Batch::new(self.prepare_plain(pairs));
        for scope in [Scope::Location, Scope::Company] {
            let open = batch.open(scope);
            let keys: Vec<_> =
                open.iter().map(|index| batch.prepared[*index].key.clone()).collect();
            if keys.is_empty() {
                continue;
            }
            let connection = self.link.get(note).await?;
            let rows = read_apart(&self.plan, connection, scope, &keys).await;
            let rows = rows.map_err(|error| StoreFault::Gone(format!("the database: {error}")))?;
            for (index, rows) in open.into_iter().zip(rows) {
                let prepared = &batch.prepared[index];
                let stored: Vec<_> = rows
                    .iter()
                    .map(|row| stored_row(&self.plan, row, prepared.pair, known))
                    .collect();
                let outcome = match decide(&prepared.new_pair(&self.plan), &stored) {
                    Decision::Replace => StoreOutcome::Replaced,
                    Decision::Already => StoreOutcome::Already,
                    Decision::Newer(_) => StoreOutcome::Newer,
                    Decision::Missing if self.plan.insert.is_some() => StoreOutcome::Inserted,
                    Decision::Missing => StoreOutcome::Missing,
                    Decision::Ambiguous(_) => StoreOutcome::Ambiguous,
                    Decision::NotOurs(_) => StoreOutcome::NotOurs,
                };
                inspected.count(outcome);
                let is_marked = |row| {
                    let new = prepared.new_values(&self.plan, row, crate::clock::now());
                    let mut values = self.plan.written.iter().zip(new);
                    values.any(|(w, new)| !w.instead_of.is_empty() && new != NewValue::Kept)
                };
                let is_there = matches!(outcome, StoreOutcome::Already | StoreOutcome::Newer);
                if is_there && rows.iter().any(is_marked) {
                    inspected.marked_bad += 1;
                    if inspected.marked.len() < NAMED {
                        inspected.marked.push(prepared.pair.installation.id.to_string());
                    }
                }
            }
        }
        Ok(inspected)
    }

    /// Pairs without what programs would make of them.
    fn prepare_plain<'a>(&self, pairs: &'a [Pair]) -> Vec<super::prepared::Prepared<'a>> {
        let through = vec![None; self.plan.written.len()];
        let prepared = |pair| super::prepared::Prepared {
            pair,
            key: self.plan.key(pair),
            through: through.clone(),
        };
        pairs.iter().map(prepared).collect()
    }
}
