//! Proof by data: in which column of a table the ids of the run stand, and in how many rows.

use std::collections::HashMap;

use super::ids::{Ids, MOST_IDS};
use crate::{
    highlevel::client_id::application,
    installation::Scope,
    store::{
        column::Column,
        field::Field,
        mapping::{KeySource, KeyTerm},
        plan::Seen,
        sql::{Connection, SqlError},
        statement::{At, Key, KeyValue, by_ids, by_keys},
        target::Dialect,
    },
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

/// Counts the rows that the whole key finds for each id of a kind.
pub async fn rows_of_key(
    connection: &mut Connection,
    at: At<'_>,
    key: &[KeyTerm],
    scope: Scope,
    ids: &Ids,
) -> Result<HashMap<String, usize>, SqlError> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let is_id = |term: &&KeyTerm| matches!(term.source, KeySource::Field(f) if f.is_id_of(scope));
    let Some(column) = key.iter().find(is_id).and_then(|term| at.table.column(&term.column)) else {
        return Ok(counts);
    };
    let size = if at.dialect == Dialect::Postgres { AT_ONCE_POSTGRES } else { AT_ONCE / 5 };
    let text = usize::from(at.dialect == Dialect::Sqlite);
    for ids_at_once in ids.some(scope, MOST_IDS).chunks(size) {
        let keys: Vec<Key> =
            ids_at_once.iter().map(|id| key_of(at, key, scope, id, &ids.client_ids)).collect();
        let (sql, values) = by_keys(at, &keys, &[column]);
        for row in connection.rows(&sql, &values).await? {
            if let Some(id) = row.get(text).cloned().flatten() {
                *counts.entry(id).or_default() += 1;
            }
        }
    }
    Ok(counts)
}

/// The key of an id, as far as it can be told without the pair.
fn key_of(at: At<'_>, key: &[KeyTerm], scope: Scope, id: &str, client_ids: &[String]) -> Key {
    let part = |term: &KeyTerm| {
        let column = at.table.column(&term.column)?.clone();
        let text = match &term.source {
            KeySource::Empty => return Some((column, KeyValue::Empty)),
            KeySource::Value(value) => value.clone(),
            KeySource::Field(field) if field.is_id_of(scope) => id.to_owned(),
            KeySource::Field(Field::Kind) => scope.to_string(),
            KeySource::Field(Field::UserType) => scope.user_type().to_owned(),
            KeySource::Field(field) => match (field, client_ids) {
                (Field::ClientId, [client_id]) => client_id.clone(),
                (Field::App, [client_id]) => application(client_id).to_owned(),
                _ => return None,
            },
        };
        Some((column, KeyValue::Is(text)))
    };
    Key { parts: key.iter().filter_map(part).collect() }
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
