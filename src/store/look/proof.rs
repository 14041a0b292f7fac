//! Proof by data: in which column of a table the ids of the run stand, and in how many rows.

use std::collections::HashMap;

use crate::store::{
    column::Column,
    plan::Seen,
    sql::{Connection, SqlError},
    statement::{At, by_ids},
    target::Dialect,
};

/// Ids in one question.
const AT_ONCE: usize = 500;

/// The same for PostgreSQL, where they are one parameter.
const AT_ONCE_POSTGRES: usize = 20_000;

/// Rows that are looked at for each id, at most: more are as good as two.
const ROWS_EACH: usize = 50;

/// How many ids without a row, or with several, are named.
const NAMED: usize = 3;

/// Counts the rows in which each of these ids stands in a column.
pub async fn rows_of(
    connection: &mut Connection,
    at: At<'_>,
    column: &Column,
    ids: &[&str],
) -> Result<HashMap<String, usize>, SqlError> {
    let size = if at.dialect == Dialect::Postgres { AT_ONCE_POSTGRES } else { AT_ONCE };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for ids in ids.chunks(size) {
        let (sql, values) = by_ids(at, column, ids, &[column], ids.len() * ROWS_EACH);
        let text = usize::from(at.dialect == Dialect::Sqlite);
        for row in connection.rows(&sql, &values).await? {
            // A collation may find what differs in case; that is another id.
            if let Some(id) = row.get(text).cloned().flatten()
                && ids.contains(&id.as_str())
            {
                *counts.entry(id).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

/// The counts as a person is told.
pub fn seen(ids: &[&str], counts: &HashMap<String, usize>) -> Seen {
    let count = |id: &&&str| counts.get(**id).copied().unwrap_or(0);
    let of = |wanted: fn(usize) -> bool| -> Vec<String> {
        ids.iter().filter(|id| wanted(count(id))).map(|id| (*id).to_owned()).collect()
    };
    let (missing, several) = (of(|rows| rows == 0), of(|rows| rows > 1));
    let named = |ids: &[String]| ids.iter().take(NAMED).cloned().collect();
    Seen {
        asked: ids.len(),
        single: ids.len() - missing.len() - several.len(),
        several: named(&several),
        several_count: several.len(),
        missing: named(&missing),
        missing_count: missing.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_by_their_rows() {
        let counts = HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
        let seen = seen(&["a", "b", "c"], &counts);
        assert_eq!((seen.single, seen.several_count, seen.missing_count), (1, 1, 1));
        assert_eq!(seen.to_string(), "2 of 3 ids, 1 of them in several rows");
    }
}
