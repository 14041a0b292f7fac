//! Rows of an earlier run's failures that are not due, by what they wait for.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{clock::stamp, failure::Advice};

/// How many rows wait, what for, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotDueRows {
    /// How many, by what has to happen first.
    pub by_advice: BTreeMap<Advice, u32>,
    /// When the last of those is due that time alone helps.
    pub all_due_from: Option<Timestamp>,
}

impl NotDueRows {
    /// Counts a row, and from when on it is due where time is all that it needs.
    pub fn add(&mut self, advice: Advice, due_from: Option<Timestamp>) {
        *self.by_advice.entry(advice).or_default() += 1;
        self.all_due_from = self.all_due_from.max(due_from);
    }

    /// All of them.
    pub fn rows(&self) -> u32 {
        self.by_advice.values().sum()
    }

    /// `3 later (all due from 2026-11-22T10:00:00.000Z on), 2 needs-reinstall`
    pub fn in_words(&self) -> String {
        let words = |(advice, rows): (&Advice, &u32)| match self.all_due_from {
            Some(time) if *advice == Advice::Later => {
                format!("{rows} {advice} (all due from {} on)", stamp(time))
            }
            _ => format!("{rows} {advice}"),
        };
        self.by_advice.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}
