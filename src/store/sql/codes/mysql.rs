//! The error numbers of MySQL and MariaDB.

use super::{
    super::error::{SqlError, SqlErrorKind},
    name_between,
};
use crate::text::SafeText;

/// Numbers, what is to be done, and what they mean.
const NUMBERS: &[(&[u16], SqlErrorKind, &str)] = &[
    (&[1213], SqlErrorKind::Again, "deadlock"),
    (&[1205, 3572], SqlErrorKind::Again, "a lock was not free in time"),
    (&[1020], SqlErrorKind::Again, "another transaction changed the row"),
    (&[1317, 1969, 3024], SqlErrorKind::Again, "cancelled: over the time limit of a statement"),
    (&[1040, 1203], SqlErrorKind::Lost, "too many connections"),
    (&[1053], SqlErrorKind::Lost, "the server is shutting down"),
    (&[1927, 3169], SqlErrorKind::Lost, "the connection was ended by the server"),
    (
        &[1158, 1159, 1160, 1161, 2002, 2003, 2006, 2013, 2055, 4031],
        SqlErrorKind::Lost,
        "the connection failed",
    ),
    (&[1142, 1143, 1227, 1370], SqlErrorKind::Denied, "no right to do this"),
    (&[1044, 1045, 1130, 1698], SqlErrorKind::Denied, "the user is not let in"),
    (&[1290, 1792, 1836], SqlErrorKind::Denied, "the database is read-only: a replica perhaps"),
    (&[1406], SqlErrorKind::Refused, "a value is too long for its column"),
    (&[1264], SqlErrorKind::Refused, "a number is out of its column's range"),
    (&[1265], SqlErrorKind::Refused, "a value would be cut to fit its column"),
    (&[1292, 1411], SqlErrorKind::Refused, "a value is no time in the form of its column"),
    (&[1366], SqlErrorKind::Refused, "a value does not have the form of its column's type"),
    (&[1048, 1364], SqlErrorKind::Refused, "a column must not be NULL"),
    (
        &[1022, 1062, 1169, 1586],
        SqlErrorKind::Refused,
        "a value must be unique and is there already",
    ),
    (&[1216, 1217, 1451, 1452], SqlErrorKind::Refused, "a reference to another table is broken"),
    (&[3819, 4025], SqlErrorKind::Refused, "a check of the table fails"),
    (&[3140], SqlErrorKind::Refused, "a value is no JSON"),
    (&[1906, 3105], SqlErrorKind::Refused, "a generated column cannot be written"),
    (&[1049], SqlErrorKind::Refused, "no such database"),
    (&[1146], SqlErrorKind::Refused, "no such table"),
    (&[1054], SqlErrorKind::Refused, "no such column"),
    (&[1305], SqlErrorKind::Refused, "no such function"),
    (&[1064], SqlErrorKind::Refused, "the statement cannot be read"),
    (&[1153], SqlErrorKind::Refused, "a statement is larger than max_allowed_packet"),
    (&[1021, 1114], SqlErrorKind::Refused, "the server's disk, or the table, is full"),
    (&[1037, 1038, 1041], SqlErrorKind::Refused, "the server is out of memory"),
    (&[1644], SqlErrorKind::Refused, "a trigger or function raised an error"),
];

/// An error of MySQL or MariaDB. Of the message only the names of a column and of a constraint are
/// read.
pub fn mysql(number: u16, message: &str) -> SqlError {
    let known = NUMBERS.iter().find(|(numbers, ..)| numbers.contains(&number));
    let (kind, meaning) = known
        .map_or((SqlErrorKind::Refused, "the database refuses it"), |&(_, kind, meaning)| {
            (kind, meaning)
        });
    SqlError {
        kind,
        code: SafeText::identifier(&number.to_string()),
        meaning: SafeText::new(meaning),
        constraint: SafeText::identifier(constraint(number, message).unwrap_or_default()),
        column: SafeText::identifier(column(number, message).unwrap_or_default()),
    }
}

fn column(number: u16, message: &str) -> Option<&str> {
    match number {
        // MariaDB: for column `db`.`table`.`name` at row 1
        1264 | 1265 | 1292 | 1366 | 1406 => name_between(message, " for column '", '\'')
            .or_else(|| name_between(message, " for column `", ' ')),
        1048 => name_between(message, "Column '", '\''),
        1054 => name_between(message, "Unknown column '", '\''),
        1143 => name_between(message, " for column '", '\''),
        1364 => name_between(message, "Field '", '\''),
        1906 | 3105 => name_between(message, " column '", '\''),
        _ => None,
    }
}

fn constraint(number: u16, message: &str) -> Option<&str> {
    match number {
        1062 | 1586 => name_between(message, " for key '", '\''),
        1451 | 1452 | 4025 => name_between(message, "CONSTRAINT `", '`'),
        3819 => name_between(message, "Check constraint '", '\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_say_what_is_to_be_done() {
        use SqlErrorKind::{Again, Denied, Lost, Refused};
        for (number, kind) in [
            (1213, Again),
            (1205, Again),
            (1020, Again),
            (3572, Again),
            (3024, Again),
            (1969, Again),
            (1040, Lost),
            (1053, Lost),
            (1927, Lost),
            (2006, Lost),
            (2013, Lost),
            (1142, Denied),
            (1143, Denied),
            (1044, Denied),
            (1045, Denied),
            (1370, Denied),
            (1290, Denied),
            (1406, Refused),
            (1265, Refused),
            (1366, Refused),
            (9999, Refused),
        ] {
            assert_eq!(mysql(number, "").kind, kind, "{number}");
        }
    }

    #[test]
    fn names_are_read_and_values_are_not() {
        for (number, message, column, constraint) in [
            (1406, "Data too long for column 'access_token' at row 1", "access_token", ""),
            (1265, "Data truncated for column 'expires' at row 3", "expires", ""),
            (1366, "Incorrect integer value: 'SECRET' for column 'n' at row 1", "n", ""),
            (1366, "Incorrect integer value: 'SECRET' for column `d`.`t`.`n` at row 1", "n", ""),
            (1292, "Incorrect datetime value: 'SECRET' for column 'at' at row 1", "at", ""),
            (1292, "Truncated incorrect DOUBLE value: 'SECRET'", "", ""),
            (1048, "Column 'id' cannot be null", "id", ""),
            (1364, "Field 'owner' doesn't have a default value", "owner", ""),
            (1062, "Duplicate entry 'SECRET' for key 'uq_id'", "", "uq_id"),
            (1062, "Duplicate entry 'SECRET' for key 't.uq_id'", "", "uq_id"),
            (1062, "Duplicate entry 'SECRET for key 'SECRET SECRET'", "", ""),
            (1452, "… (`d`.`t`, CONSTRAINT `fk_a` FOREIGN KEY (`a`) …", "", "fk_a"),
            (3819, "Check constraint 'ck' is violated.", "", "ck"),
            (4025, "CONSTRAINT `ck` failed for `d`.`t`", "", "ck"),
            (1644, "SECRET of a trigger", "", ""),
        ] {
            let error = mysql(number, message);
            assert_eq!(error.column.as_str(), column, "{message}");
            assert_eq!(error.constraint.as_str(), constraint, "{message}");
            assert!(!error.to_string().contains("SECRET"), "{message}");
        }
    }
}
