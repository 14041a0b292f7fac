//! SQLite's catalog. Declared types say little: what a column holds is told by its values.

use super::{gather, quoted_words::words_of_checks, read, text};
use crate::store::{
    column::{Column, Family, Table, TableKind},
    sql::{Connection, Row, SqlError},
};

const QUERY: &str = "
SELECT m.name, m.type, p.name, p.type, CAST(p.\"notnull\" AS TEXT), p.dflt_value,
       CAST(p.hidden AS TEXT), CAST(p.pk AS TEXT), m.sql
  FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) p
 WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
 ORDER BY m.name, p.cid";

pub async fn tables(connection: &mut Connection) -> Result<Vec<Table>, SqlError> {
    let rows = read(connection, QUERY).await?;
    Ok(gather(rows.iter().map(of_row)))
}

fn of_row(row: &Row) -> (String, String, TableKind, Column) {
    let (name, type_name) = (text(row, 2), text(row, 3));
    let is_row_id = text(row, 7) == "1" && type_name.eq_ignore_ascii_case("integer");
    let kind = if text(row, 1) == "table" { TableKind::Table } else { TableKind::View };
    let column = Column {
        family: family(&type_name),
        not_null: text(row, 4) == "1",
        default: row.get(5).cloned().flatten(),
        is_generated: text(row, 6) != "0" || is_row_id,
        max_chars: None,
        is_narrow: false,
        precision: 3,
        words: words_of_checks(&text(row, 8), &name),
        name,
        type_name,
    };
    (String::new(), text(row, 0), kind, column)
}

/// The affinity of a declared type, by SQLite's own rules. A time is none: it is text or a number.
fn family(type_name: &str) -> Family {
    let name = type_name.to_ascii_uppercase();
    let has = |part: &str| name.contains(part);
    if has("INT") {
        Family::Int
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("JSON") {
        Family::Text
    } else if has("BLOB") {
        Family::Bytes
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Family::Real
    } else {
        Family::Other
    }
}
