//! What follows an error of the database, by its kind and by what was tried. Pure.

use std::time::Duration;

use crate::store::sql::SqlErrorKind;

/// How often a group of rows is tried while locks stand in the way.
const TRIES: u32 = 4;

/// Waits between them: the first, doubled each time.
const FIRST: Duration = Duration::from_millis(100);

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same rows again, after a wait.
    Again(Duration),
    /// Each row alone: one of them is to blame.
    OneByOne,
    /// The row is given up.
    GiveUp,
    /// A new connection, then the same rows.
    Reconnect,
    /// No row can be written.
    Stop,
}

/// What follows an error after so many tries of so many rows.
pub fn after(kind: SqlErrorKind, tries: u32, rows: usize) -> Next {
    match kind {
        SqlErrorKind::Lost => Next::Reconnect,
        SqlErrorKind::Denied => Next::Stop,
        // Each try has already waited for the lock.
        SqlErrorKind::Again if tries < TRIES => Next::Again(FIRST * 2_u32.pow(tries.min(5))),
        SqlErrorKind::Again | SqlErrorKind::Refused if rows > 1 => Next::OneByOne,
        SqlErrorKind::Again | SqlErrorKind::Refused => Next::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_tried_again_and_one_bad_row_is_given_up_alone() {
        let ms = Duration::from_millis;
        for (kind, tries, rows, expected) in [
            (SqlErrorKind::Again, 0, 500, Next::Again(ms(100))),
            (SqlErrorKind::Again, 3, 500, Next::Again(ms(800))),
            (SqlErrorKind::Again, 4, 500, Next::OneByOne),
            (SqlErrorKind::Again, 4, 1, Next::GiveUp),
            (SqlErrorKind::Refused, 0, 500, Next::OneByOne),
            (SqlErrorKind::Refused, 0, 1, Next::GiveUp),
            (SqlErrorKind::Lost, 9, 500, Next::Reconnect),
            (SqlErrorKind::Denied, 0, 1, Next::Stop),
        ] {
            assert_eq!(after(kind, tries, rows), expected, "{kind:?} {tries} {rows}");
        }
    }
}
