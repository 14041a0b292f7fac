//! The stores and tables of a run, in the order of its journal.

use crate::{event::StoreBegan, text::SafeText};

/// The store that the pairs go to, as the journal has it by now.
#[derive(Debug, Default)]
pub(super) struct StoreLog {
    latest: Option<Box<StoreBegan>>,
    /// Each table with the place in the journal from which on pairs went to it.
    tables: Vec<(u64, Option<SafeText>)>,
}

impl StoreLog {
    /// Whether the outcomes so far are of another store.
    pub(super) fn begin(&mut self, began: Box<StoreBegan>, at: u64) -> bool {
        let is_another = self.latest.as_ref().is_some_and(|last| !last.is_in_same_store(&began));
        if self.tables.last().is_none_or(|(_, last)| *last != began.table) {
            self.tables.push((at, began.table.clone()));
        }
        self.latest = Some(began);
        is_another
    }

    /// The store that pairs went to last.
    pub(super) fn latest(&self) -> Option<&StoreBegan> {
        self.latest.as_deref()
    }

    /// The table to which a pair went whose event stands at this place.
    pub(super) fn table_at(&self, at: u64) -> Option<&SafeText> {
        let next = self.tables.partition_point(|(from, _)| *from < at);
        self.tables.get(next.checked_sub(1)?)?.1.as_ref()
    }
}
