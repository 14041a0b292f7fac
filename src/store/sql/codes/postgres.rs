//! The codes of PostgreSQL (SQLSTATE), and of the poolers before it.

use super::super::error::{SqlError, SqlErrorKind};
use crate::text::SafeText;

/// Codes, what is to be done, and what they mean. A code of two characters stands for its class.
const CODES: &[(&str, SqlErrorKind, &str)] = &[
    ("40001", SqlErrorKind::Again, "another transaction was in the way"),
    ("40P01", SqlErrorKind::Again, "deadlock"),
    ("55P03", SqlErrorKind::Again, "a lock was not free in time"),
    ("57014", SqlErrorKind::Again, "cancelled: over the time limit of a statement"),
    ("25P03", SqlErrorKind::Lost, "the server ended an idle transaction"),
    ("57P01", SqlErrorKind::Lost, "the server is shutting down"),
    ("57P02", SqlErrorKind::Lost, "the server crashed"),
    ("57P03", SqlErrorKind::Lost, "the server is starting up or shutting down"),
    ("57P05", SqlErrorKind::Lost, "the server ended an idle session"),
    ("53300", SqlErrorKind::Lost, "too many connections"),
    ("08", SqlErrorKind::Lost, "the connection failed"),
    ("42501", SqlErrorKind::Denied, "no right to do this"),
    ("25006", SqlErrorKind::Denied, "the database is read-only: a replica, or out of space"),
    ("28", SqlErrorKind::Denied, "the user is not let in"),
    ("22001", SqlErrorKind::Refused, "a value is too long for its column"),
    ("22003", SqlErrorKind::Refused, "a number is out of its column's range"),
    ("22007", SqlErrorKind::Refused, "a value is no time in the form of its column"),
    ("22008", SqlErrorKind::Refused, "a time is out of its column's range"),
    ("22021", SqlErrorKind::Refused, "a value has a character that the database cannot keep"),
    ("22P02", SqlErrorKind::Refused, "a value does not have the form of its column's type"),
    ("22P05", SqlErrorKind::Refused, "a value has a character that the database cannot keep"),
    ("22", SqlErrorKind::Refused, "a value does not fit its column"),
    ("23502", SqlErrorKind::Refused, "a column must not be NULL"),
    ("23503", SqlErrorKind::Refused, "a reference to another table is broken"),
    ("23505", SqlErrorKind::Refused, "a value must be unique and is there already"),
    ("23514", SqlErrorKind::Refused, "a check of the table fails"),
    ("23P01", SqlErrorKind::Refused, "an exclusion constraint of the table fails"),
    ("23", SqlErrorKind::Refused, "a constraint of the table fails"),
    ("25P02", SqlErrorKind::Refused, "the transaction failed before"),
    ("26", SqlErrorKind::Refused, "the pooler lost a prepared statement"),
    ("3D000", SqlErrorKind::Refused, "no such database"),
    ("3F000", SqlErrorKind::Refused, "no such schema"),
    ("42601", SqlErrorKind::Refused, "the statement cannot be read"),
    ("42703", SqlErrorKind::Refused, "no such column"),
    ("42704", SqlErrorKind::Refused, "no such type or setting"),
    ("42804", SqlErrorKind::Refused, "a value is not of its column's type"),
    ("42846", SqlErrorKind::Refused, "a value cannot be made into its column's type"),
    ("42883", SqlErrorKind::Refused, "no such function or operator"),
    ("42P01", SqlErrorKind::Refused, "no such table"),
    ("428C9", SqlErrorKind::Refused, "a generated column cannot be written"),
    ("53100", SqlErrorKind::Refused, "the server's disk is full"),
    ("53200", SqlErrorKind::Refused, "the server is out of memory"),
    ("55000", SqlErrorKind::Refused, "the table or view cannot be written"),
    ("58", SqlErrorKind::Refused, "the server's system failed"),
    ("P0001", SqlErrorKind::Refused, "a trigger or function raised an error"),
    ("XX", SqlErrorKind::Refused, "an internal error of the server"),
];

const UNKNOWN: (SqlErrorKind, &str) = (SqlErrorKind::Refused, "the database refuses it");

/// An error of PostgreSQL. Of the message only this is looked at: whether it speaks of row level
/// security, which shares its code with a missing right.
pub fn postgres(code: &str, message: &str, constraint: &str, column: &str) -> SqlError {
    let known = CODES
        .iter()
        .filter(|(known, ..)| code.starts_with(known))
        .max_by_key(|(known, ..)| known.len());
    let (kind, mut meaning) = known.map_or(UNKNOWN, |&(_, kind, meaning)| (kind, meaning));
    if code == "42501" && message.contains("row-level security") {
        meaning = "row level security hides or forbids rows of the table: \
                   connect as its owner or as a role with BYPASSRLS";
    }
    SqlError {
        kind,
        code: SafeText::identifier(code),
        meaning: SafeText::new(meaning),
        constraint: SafeText::identifier(constraint),
        column: SafeText::identifier(column),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_is_to_be_done() {
        use SqlErrorKind::{Again, Denied, Lost, Refused};
        for (code, kind) in [
            ("40001", Again),
            ("40P01", Again),
            ("55P03", Again),
            ("57014", Again),
            ("57P01", Lost),
            ("57P02", Lost),
            ("57P03", Lost),
            ("08006", Lost),
            ("08P01", Lost),
            ("53300", Lost),
            ("25P03", Lost),
            ("42501", Denied),
            ("25006", Denied),
            ("28P01", Denied),
            ("22001", Refused),
            ("22012", Refused),
            ("23505", Refused),
            ("23999", Refused),
            ("42P01", Refused),
            ("53100", Refused),
            ("P0001", Refused),
            ("XX000", Refused),
            ("ZZZZZ", Refused),
            ("", Refused),
        ] {
            assert_eq!(postgres(code, "", "", "").kind, kind, "{code}");
        }
    }

    #[test]
    fn the_sentence_is_not_kept_and_the_names_are() {
        let error = postgres("23505", "Key (id)=(secret) already exists", "uq_location", "id");
        assert_eq!(
            error.to_string(),
            "a value must be unique and is there already (23505), constraint uq_location, column id"
        );
        let table = "query would be affected by row-level security policy for table \"t\"";
        assert!(postgres("42501", table, "", "").to_string().contains("row level security"));
        let denied = "permission denied for table t";
        assert_eq!(postgres("42501", denied, "", "").to_string(), "no right to do this (42501)");
    }
}
