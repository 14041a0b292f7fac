//! Statements that write: compare and swap, and insert.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::{At, Key, Selected, parameter, quoted};
use crate::store::{
    column::{Column, Family},
    sql::Value,
    target::Dialect,
};

/// The change of one row.
#[derive(Clone, PartialEq)]
pub struct Change {
    /// How the row is found.
    pub key: Key,
    /// What stands in the columns that are compared, as text.
    pub old: Vec<Option<String>>,
    /// What comes into each column that is written.
    pub new: Vec<NewValue>,
}

/// What comes into a column.
#[derive(Clone, PartialEq)]
pub enum NewValue {
    /// This.
    Set(Value),
    /// What is there.
    Kept,
}

/// Whether the values of a column are JSON in a statement that takes its rows as JSON.
fn is_json(column: &Column) -> bool {
    matches!(column.family, Family::Json | Family::Array)
}

/// Swaps many rows at once, for PostgreSQL. Gives the index of each change that touched a row. The
/// types are those of the columns, so that the server reads each value by its own rules, and an error
/// tells of one that does not fit.
pub fn update_many(
    at: At<'_>,
    written: &[&Column],
    compared: &[&Column],
    changes: &[Change],
) -> Selected {
    let kept = kept_somewhere(changes);
    let keys = changes.first().map_or(0, |change| change.key.texts().count());
    let names = std::iter::once("n int".to_owned())
        .chain((0..keys).map(|index| format!("k{index} text")))
        .chain((0..compared.len()).map(|index| format!("o{index} text")))
        .chain(written.iter().enumerate().map(|(i, column)| format!("c{i} {}", column.type_name)))
        .chain(kept.iter().map(|index| format!("s{index} boolean")));
    let names = names.collect::<Vec<_>>().join(", ");
    let set = written.iter().enumerate().map(|(index, column)| {
        let name = quoted(at.dialect, &column.name);
        if kept.contains(&index) {
            let old = at.column(&column.name);
            format!("{name} = CASE WHEN r.s{index} THEN r.c{index} ELSE {old} END")
        } else {
            format!("{name} = r.c{index}")
        }
    });
    let set = set.collect::<Vec<_>>().join(", ");
    let key = changes.first().map(|change| change.key.condition_on_record(at)).unwrap_or_default();
    let same = compared.iter().enumerate().map(|(index, column)| {
        format!(" AND {} IS NOT DISTINCT FROM r.o{index}", at.text(&column.name))
    });
    let same: String = same.collect();
    let records: Vec<Json> = changes
        .iter()
        .enumerate()
        .map(|(number, change)| record(number, change, written, &kept))
        .collect();
    let sql = format!(
        "UPDATE {} AS t SET {set} FROM json_to_recordset($1::json) AS r({names}) WHERE {key}{same} \
         RETURNING r.n::text",
        at.name()
    );
    (sql, vec![Value::Text(json!(records).to_string())])
}

/// The columns that some change keeps.
fn kept_somewhere(changes: &[Change]) -> BTreeSet<usize> {
    let kept = |change: &Change| {
        let kept = change.new.iter().enumerate();
        kept.filter(|(_, new)| **new == NewValue::Kept).map(|(index, _)| index).collect::<Vec<_>>()
    };
    changes.iter().flat_map(kept).collect()
}

fn record(number: usize, change: &Change, written: &[&Column], kept: &BTreeSet<usize>) -> Json {
    let mut record = Map::new();
    record.insert("n".into(), number.into());
    for (index, text) in change.key.texts().enumerate() {
        record.insert(format!("k{index}"), text.into());
    }
    for (index, old) in change.old.iter().enumerate() {
        record.insert(format!("o{index}"), old.as_deref().map_or(Json::Null, Into::into));
    }
    for (index, (new, column)) in change.new.iter().zip(written).enumerate() {
        if kept.contains(&index) {
            record.insert(format!("s{index}"), (*new != NewValue::Kept).into());
        }
        if let NewValue::Set(value) = new {
            record.insert(format!("c{index}"), as_json(value, column));
        }
    }
    Json::Object(record)
}

fn as_json(value: &Value, column: &Column) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Int(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) if is_json(column) => {
            serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())
        }
        Value::Text(text) => text.as_str().into(),
    }
}

/// Swaps one row.
pub fn update_one(
    at: At<'_>,
    written: &[&Column],
    compared: &[&Column],
    change: &Change,
) -> Selected {
    let mut values = Vec::new();
    let mut set = Vec::new();
    for (new, column) in change.new.iter().zip(written) {
        if let NewValue::Set(value) = new {
            values.push(value.clone());
            let sign = parameter(at.dialect, values.len());
            set.push(format!("{} = {sign}", quoted(at.dialect, &column.name)));
        }
    }
    let (key, mut key_values) = change.key.condition(at, values.len() + 1);
    values.append(&mut key_values);
    let mut sql = format!("UPDATE {} AS t SET {} WHERE {key}", at.name(), set.join(", "));
    // Upper and lower case count, whatever the collation.
    for (column, value) in &change.key.parts {
        if let super::KeyValue::Is(text) = value
            && at.dialect == Dialect::MySql
        {
            values.push(Value::Text(text.clone()));
            sql.push_str(&format_exact(at, column));
        }
    }
    for (old, column) in change.old.iter().zip(compared) {
        values.push(old.clone().map_or(Value::Null, Value::Text));
        sql.push_str(&same(at, column));
    }
    (sql, values)
}

/// The condition that a column has the old value, NULL included.
fn same(at: At<'_>, column: &Column) -> String {
    let text = at.text(&column.name);
    match at.dialect {
        Dialect::MySql => format!(" AND CAST({text} AS BINARY) <=> CAST(? AS BINARY)"),
        Dialect::Postgres | Dialect::Sqlite => format!(" AND {text} IS ?"),
    }
}

fn format_exact(at: At<'_>, column: &Column) -> String {
    format!(" AND CAST({} AS BINARY) = CAST(? AS BINARY)", at.text(&column.name))
}

/// Inserts a row unless the key has one.
pub fn insert(at: At<'_>, columns: &[&Column], values: &[Value], key: &Key) -> Selected {
    let names: Vec<String> =
        columns.iter().map(|column| quoted(at.dialect, &column.name)).collect();
    let names = names.join(", ");
    let table = at.name();
    if at.dialect == Dialect::Postgres {
        let types: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| format!("c{index} {}", column.type_name))
            .chain((0..key.texts().count()).map(|index| format!("k{index} text")))
            .collect();
        let list: Vec<String> = (0..columns.len()).map(|index| format!("r.c{index}")).collect();
        let mut record: Map<String, Json> = columns
            .iter()
            .zip(values)
            .enumerate()
            .map(|(index, (column, value))| (format!("c{index}"), as_json(value, column)))
            .collect();
        record.extend(key.texts().enumerate().map(|(i, text)| (format!("k{i}"), text.into())));
        let sql = format!(
            "INSERT INTO {table} ({names}) SELECT {} FROM json_to_recordset($1::json) AS r({}) \
             WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {})",
            list.join(", "),
            types.join(", "),
            key.condition_on_record(at)
        );
        return (sql, vec![Value::Text(json!([record]).to_string())]);
    }
    let signs = vec!["?"; columns.len()].join(", ");
    let from = if at.dialect == Dialect::MySql { " FROM DUAL" } else { "" };
    let (condition, mut more) = key.condition(at, values.len() + 1);
    let mut all = values.to_vec();
    all.append(&mut more);
    let sql = format!(
        "INSERT INTO {table} ({names}) SELECT {signs}{from} \
         WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {condition})"
    );
    (sql, all)
}

/// An update that touches no row, and fails where the columns may not be written.
pub fn probe(at: At<'_>, written: &[&Column]) -> Selected {
    let set: Vec<String> = written
        .iter()
        .map(|column| {
            let name = quoted(at.dialect, &column.name);
            format!("{name} = {}", at.column(&column.name))
        })
        .collect();
    (format!("UPDATE {} AS t SET {} WHERE 1 = 0", at.name(), set.join(", ")), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        column::{Table, TableKind},
        statement::{KeyValue, by_ids, by_keys},
    };

    fn column(name: &str, type_name: &str, family: Family) -> Column {
        Column { type_name: type_name.into(), family, ..Column::unknown(name) }
    }

    fn table() -> Table {
        let columns = vec![
            column("locationId", "text", Family::Text),
            column("access_token", "character varying(4000)", Family::Text),
            column("status", "conn_status", Family::Words),
        ];
        Table { schema: "public".into(), name: "in\"st".into(), kind: TableKind::Table, columns }
    }

    fn change(table: &Table, status: NewValue) -> Change {
        let key = Key { parts: vec![(table.columns[0].clone(), KeyValue::Is("loc".into()))] };
        let new = vec![NewValue::Set(Value::Text("new".into())), status];
        Change { key, old: vec![None], new }
    }

    #[test]
    fn postgres_swaps_many_rows_by_one_parameter() {
        let table = table();
        let at = At { dialect: Dialect::Postgres, table: &table };
        let written = [&table.columns[1], &table.columns[2]];
        let changes = [
            change(&table, NewValue::Kept),
            change(&table, NewValue::Set(Value::Text("ok".into()))),
        ];
        let (sql, values) = update_many(at, &written, &written[..1], &changes);
        assert_eq!(
            sql,
            "UPDATE \"public\".\"in\"\"st\" AS t SET \"access_token\" = r.c0, \"status\" = CASE WHEN \
             r.s1 THEN r.c1 ELSE t.\"status\" END FROM json_to_recordset($1::json) AS r(n int, k0 \
             text, o0 text, c0 character varying(4000), c1 conn_status, s1 boolean) WHERE \
             t.\"locationId\" = r.k0 AND t.\"access_token\"::text IS NOT DISTINCT FROM r.o0 \
             RETURNING r.n::text"
        );
        let Some(Value::Text(records)) = values.first() else { panic!() };
        assert_eq!(
            *records,
            r#"[{"n":0,"k0":"loc","o0":null,"c0":"new","s1":false},{"n":1,"k0":"loc","o0":null,"c0":"new","s1":true,"c1":"ok"}]"#
        );
    }

    #[test]
    fn others_swap_one_row_with_exact_comparison() {
        let mut table = table();
        table.schema.clear();
        for (dialect, expected) in [
            (
                Dialect::MySql,
                "UPDATE `in\"st` AS t SET `access_token` = ? WHERE t.`locationId` = ? AND \
                 CAST(CAST(t.`locationId` AS CHAR) AS BINARY) = CAST(? AS BINARY) AND \
                 CAST(CAST(t.`access_token` AS CHAR) AS BINARY) <=> CAST(? AS BINARY)",
            ),
            (
                Dialect::Sqlite,
                "UPDATE \"in\"\"st\" AS t SET \"access_token\" = ? WHERE t.\"locationId\" = ? AND \
                 CAST(t.\"access_token\" AS TEXT) IS ?",
            ),
        ] {
            let at = At { dialect, table: &table };
            let written = [&table.columns[1], &table.columns[2]];
            let change = change(&table, NewValue::Kept);
            let (sql, values) = update_one(at, &written, &written[..1], &change);
            assert_eq!(sql, expected);
            assert_eq!(values.len(), expected.matches('?').count());
        }
    }

    #[test]
    fn rows_are_looked_up_by_ids_and_by_keys() {
        let table = table();
        let at = At { dialect: Dialect::Postgres, table: &table };
        let id = &table.columns[0];
        let (sql, _) = by_ids(at, id, &["a", "b"], &[id], 10);
        assert_eq!(
            sql,
            "SELECT t.\"locationId\"::text FROM \"public\".\"in\"\"st\" AS t WHERE t.\"locationId\" = \
             ANY (SELECT json_array_elements_text($1::json)) LIMIT 10"
        );
        let at = At { dialect: Dialect::Sqlite, table: &table };
        let keys = [Key { parts: vec![(id.clone(), KeyValue::Empty)] }];
        let (sql, values) = by_keys(at, &keys, &[id]);
        assert!(sql.ends_with(
            "WHERE ((t.\"locationId\" IS NULL OR CAST(t.\"locationId\" AS TEXT) = ''))"
        ));
        assert!(values.is_empty());
    }
}
