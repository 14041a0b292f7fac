//! Statements that read.

use serde_json::json;

use super::{At, Key, key::equals};
use crate::store::{
    column::{Cell, Column, Family},
    sql::{Row, Value},
    target::Dialect,
};

/// A statement with its parameters.
pub type Selected = (String, Vec<Value>);

/// What is selected of some columns, each as text; SQLite says the type of each value too.
fn list(at: At<'_>, columns: &[&Column]) -> String {
    let each = columns.iter().map(|column| {
        let text = at.text(&column.name);
        match at.dialect {
            Dialect::Sqlite => format!("typeof({}), {text}", at.column(&column.name)),
            Dialect::Postgres | Dialect::MySql => text,
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The cells of a row that was selected.
pub fn cells(dialect: Dialect, columns: &[&Column], row: &Row) -> Vec<Cell> {
    let cell = |(index, column): (usize, &&Column)| {
        if dialect != Dialect::Sqlite {
            let text = row.get(index).cloned().flatten();
            return Cell { text, family: column.family };
        }
        let text = row.get(2 * index + 1).cloned().flatten();
        let family = match row.get(2 * index).and_then(Option::as_deref) {
            Some("integer") => Family::Int,
            Some("real") => Family::Real,
            Some("blob") => Family::Bytes,
            Some("text") => Family::Text,
            _ => column.family,
        };
        Cell { text, family }
    };
    columns.iter().enumerate().map(cell).collect()
}

/// The rows in which one of these ids stands in a column; at most so many.
pub fn by_ids(at: At<'_>, id: &Column, ids: &[&str], columns: &[&Column], most: usize) -> Selected {
    let (list, table) = (list(at, columns), at.name());
    let (condition, values) = match at.dialect {
        Dialect::Postgres => {
            let set = "(SELECT json_array_elements_text($1::json))";
            let condition = equals(at, id, &format!("ANY {set}"));
            (condition, vec![Value::Text(json!(ids).to_string())])
        }
        Dialect::MySql | Dialect::Sqlite => {
            let signs = vec!["?"; ids.len()].join(", ");
            let values = ids.iter().map(|id| Value::Text((*id).to_owned())).collect();
            (format!("{} IN ({signs})", at.column(&id.name)), values)
        }
    };
    (format!("SELECT {list} FROM {table} AS t WHERE {condition} LIMIT {most}"), values)
}

/// The rows of some keys, which have the same columns.
pub fn by_keys(at: At<'_>, keys: &[Key], columns: &[&Column]) -> Selected {
    let (list, table) = (list(at, columns), at.name());
    let Some(first) = keys.first() else {
        return (format!("SELECT {list} FROM {table} AS t WHERE 1 = 0"), Vec::new());
    };
    if at.dialect == Dialect::Postgres {
        let names: Vec<String> =
            (0..first.texts().count()).map(|index| format!("k{index} text")).collect();
        let condition = first.condition_on_record(at);
        let record = |key: &Key| {
            let texts = key.texts().enumerate();
            serde_json::Value::Object(
                texts.map(|(index, text)| (format!("k{index}"), text.into())).collect(),
            )
        };
        let records: Vec<_> = keys.iter().map(record).collect();
        let sql = format!(
            "SELECT {list} FROM json_to_recordset($1::json) AS r({}) JOIN {table} AS t ON {condition}",
            names.join(", ")
        );
        return (sql, vec![Value::Text(json!(records).to_string())]);
    }
    let (mut conditions, mut values) = (Vec::new(), Vec::new());
    for key in keys {
        let (condition, mut more) = key.condition(at, values.len() + 1);
        conditions.push(format!("({condition})"));
        values.append(&mut more);
    }
    (format!("SELECT {list} FROM {table} AS t WHERE {}", conditions.join(" OR ")), values)
}
