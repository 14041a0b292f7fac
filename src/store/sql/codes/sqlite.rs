//! The result codes of SQLite.

use super::super::error::{SqlError, SqlErrorKind};
use crate::text::SafeText;

/// Codes, their names, what is to be done, and what they mean. An extended code stands before the
/// code that it belongs to.
const CODES: &[(i32, &str, SqlErrorKind, &str)] = &[
    (275, "SQLITE_CONSTRAINT_CHECK", SqlErrorKind::Refused, "a check of the table fails"),
    (
        787,
        "SQLITE_CONSTRAINT_FOREIGNKEY",
        SqlErrorKind::Refused,
        "a reference to another table is broken",
    ),
    (1299, "SQLITE_CONSTRAINT_NOTNULL", SqlErrorKind::Refused, "a column must not be NULL"),
    (
        1555,
        "SQLITE_CONSTRAINT_PRIMARYKEY",
        SqlErrorKind::Refused,
        "a value must be unique and is there already",
    ),
    (1811, "SQLITE_CONSTRAINT_TRIGGER", SqlErrorKind::Refused, "a trigger raised an error"),
    (
        2067,
        "SQLITE_CONSTRAINT_UNIQUE",
        SqlErrorKind::Refused,
        "a value must be unique and is there already",
    ),
    (
        3091,
        "SQLITE_CONSTRAINT_DATATYPE",
        SqlErrorKind::Refused,
        "a value is not of its column's type",
    ),
    (
        1,
        "SQLITE_ERROR",
        SqlErrorKind::Refused,
        "the statement fails: it names something that is not there, or a trigger needs a function of the app",
    ),
    (3, "SQLITE_PERM", SqlErrorKind::Denied, "no right to open the file"),
    (5, "SQLITE_BUSY", SqlErrorKind::Again, "another program holds the file"),
    (6, "SQLITE_LOCKED", SqlErrorKind::Again, "the table is locked"),
    (7, "SQLITE_NOMEM", SqlErrorKind::Refused, "out of memory"),
    (8, "SQLITE_READONLY", SqlErrorKind::Denied, "the file, or its folder, is read-only"),
    (9, "SQLITE_INTERRUPT", SqlErrorKind::Again, "cancelled"),
    (10, "SQLITE_IOERR", SqlErrorKind::Refused, "the file cannot be read or written"),
    (11, "SQLITE_CORRUPT", SqlErrorKind::Refused, "the file is damaged"),
    (13, "SQLITE_FULL", SqlErrorKind::Refused, "the disk is full"),
    (14, "SQLITE_CANTOPEN", SqlErrorKind::Refused, "the file, or one beside it, cannot be opened"),
    (15, "SQLITE_PROTOCOL", SqlErrorKind::Again, "another program holds the file"),
    (17, "SQLITE_SCHEMA", SqlErrorKind::Again, "the tables were changed meanwhile"),
    (18, "SQLITE_TOOBIG", SqlErrorKind::Refused, "a value is too long"),
    (19, "SQLITE_CONSTRAINT", SqlErrorKind::Refused, "a constraint of the table fails"),
    (20, "SQLITE_MISMATCH", SqlErrorKind::Refused, "a value is not of its column's type"),
    (23, "SQLITE_AUTH", SqlErrorKind::Denied, "no right to do this"),
    (26, "SQLITE_NOTADB", SqlErrorKind::Refused, "the file is no SQLite database, or is encrypted"),
];

/// An error of SQLite. Of the message only the names of columns and of a constraint are read.
pub fn sqlite(code: i32, message: &str) -> SqlError {
    let known = CODES
        .iter()
        .find(|(known, ..)| *known == code)
        .or_else(|| CODES.iter().find(|(known, ..)| *known == (code & 0xff)));
    let (name, kind, meaning) = known.map_or_else(
        || (code.to_string(), SqlErrorKind::Refused, "the database refuses it"),
        |&(_, name, kind, meaning)| (name.to_owned(), kind, meaning),
    );
    let failed = |mark: &str| message.split_once(mark).map(|(_, names)| names).unwrap_or_default();
    let (constraint, column) = match code {
        // "CHECK constraint failed: " has a name, or the words of the check; both are the schema's.
        275 => (failed("CHECK constraint failed: "), ""),
        1299 => ("", failed("NOT NULL constraint failed: ")),
        1555 | 2067 => (failed("UNIQUE constraint failed: "), ""),
        3091 => ("", failed(" column ")),
        _ => ("", ""),
    };
    SqlError {
        kind,
        code: SafeText::identifier(&name),
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
        use SqlErrorKind::{Again, Denied, Refused};
        for (code, name, kind) in [
            (5, "SQLITE_BUSY", Again),
            (517, "SQLITE_BUSY", Again),
            (261, "SQLITE_BUSY", Again),
            (6, "SQLITE_LOCKED", Again),
            (8, "SQLITE_READONLY", Denied),
            (1032, "SQLITE_READONLY", Denied),
            (3, "SQLITE_PERM", Denied),
            (23, "SQLITE_AUTH", Denied),
            (13, "SQLITE_FULL", Refused),
            (778, "SQLITE_IOERR", Refused),
            (2067, "SQLITE_CONSTRAINT_UNIQUE", Refused),
            (99, "99", Refused),
        ] {
            let error = sqlite(code, "");
            assert_eq!((error.kind, error.code.as_str()), (kind, name), "{code}");
        }
    }

    #[test]
    fn names_are_read_and_sentences_are_not() {
        for (code, message, constraint, column) in [
            (2067, "UNIQUE constraint failed: t.a, t.b", "t.a,_t.b", ""),
            (1299, "NOT NULL constraint failed: t.a", "", "t.a"),
            (275, "CHECK constraint failed: ck", "ck", ""),
            (3091, "cannot store TEXT value in INTEGER column t.n", "", "t.n"),
            (1811, "SECRET of a trigger", "", ""),
            (1, "no such column: SECRET", "", ""),
        ] {
            let error = sqlite(code, message);
            assert_eq!(error.constraint.as_str(), constraint, "{message}");
            assert_eq!(error.column.as_str(), column, "{message}");
            assert!(!error.to_string().contains("SECRET"), "{message}");
        }
    }
}
