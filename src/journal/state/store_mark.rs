//! What became of a row's pair in the store, and where that stands in the journal, in eight bytes.

use crate::event::StoreOutcome;

/// Bits of an outcome; the others are those of a place, enough for 72 petabytes of journal.
const OUTCOME_BITS: u32 = 8;

/// An outcome and the place of its event; by default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StoreMark(u64);

impl StoreMark {
    pub(super) const NONE: Self = Self(0);

    pub(super) fn of(outcome: StoreOutcome, at: u64) -> Self {
        let number = (1..).zip(StoreOutcome::ALL).find(|(_, one)| *one == outcome);
        Self((at << OUTCOME_BITS) | number.map_or(0, |(number, _)| number))
    }

    /// The outcome and the place of its event in the journal.
    pub(super) fn get(self) -> Option<(StoreOutcome, u64)> {
        let number = usize::try_from(self.0 & ((1 << OUTCOME_BITS) - 1)).ok()?;
        let outcome = StoreOutcome::ALL.get(number.checked_sub(1)?)?;
        Some((*outcome, self.0 >> OUTCOME_BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_gives_back_what_it_was_made_of() {
        assert_eq!(StoreMark::NONE.get(), None);
        for outcome in StoreOutcome::ALL {
            for at in [1, 300, 1 << 40, (1 << 56) - 1] {
                assert_eq!(StoreMark::of(outcome, at).get(), Some((outcome, at)));
            }
        }
    }
}
