//! The tables that a database has, with their columns.

mod mysql;
mod postgres;
mod quoted_words;
mod sqlite;

use super::{
    column::{Column, Table, TableKind},
    sql::{Access, Connection, Row, SqlError},
    target::Dialect,
};

/// Reads the tables that this user may read, without the system's own.
pub async fn tables(connection: &mut Connection) -> Result<Vec<Table>, SqlError> {
    match connection.dialect() {
        Dialect::Postgres => postgres::tables(connection).await,
        Dialect::MySql => mysql::tables(connection).await,
        Dialect::Sqlite => sqlite::tables(connection).await,
    }
}

/// A statement in a transaction of its own.
async fn read(connection: &mut Connection, sql: &str) -> Result<Vec<Row>, SqlError> {
    connection.begin(Access::Read).await?;
    let rows = connection.rows(sql, &[]).await?;
    connection.commit().await?;
    Ok(rows)
}

/// Rows of one column each, gathered into their tables; they come in the order of the tables.
fn gather(columns: impl Iterator<Item = (String, String, TableKind, Column)>) -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for (schema, name, kind, column) in columns {
        match tables.last_mut().filter(|table| table.schema == schema && table.name == name) {
            Some(table) => table.columns.push(column),
            None => tables.push(Table { schema, name, kind, columns: vec![column] }),
        }
    }
    tables
}

/// A cell of a row, empty where it is NULL.
fn text(row: &Row, index: usize) -> String {
    row.get(index).cloned().flatten().unwrap_or_default()
}

/// The number in parentheses of a type such as `varchar(255)`.
fn number_in(type_name: &str) -> Option<u64> {
    let (_, rest) = type_name.split_once('(')?;
    rest.split([')', ',']).next()?.trim().parse().ok()
}
