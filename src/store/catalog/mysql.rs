//! The catalog of MySQL and MariaDB.

use std::collections::HashMap;

use super::{
    gather, number_in,
    quoted_words::{quoted_words, words_of_checks},
    read, text,
};
use crate::store::{
    column::{Column, Family, Table, TableKind},
    sql::{Connection, Row, SqlError, SqlErrorKind},
};

const QUERY: &str = "
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, t.TABLE_TYPE, c.COLUMN_NAME, CAST(c.COLUMN_TYPE AS CHAR),
       c.IS_NULLABLE, CAST(c.COLUMN_DEFAULT AS CHAR), CAST(c.EXTRA AS CHAR),
       CAST(c.DATA_TYPE AS CHAR), CAST(c.CHARACTER_MAXIMUM_LENGTH AS CHAR),
       CAST(c.DATETIME_PRECISION AS CHAR)
  FROM information_schema.COLUMNS c
  JOIN information_schema.TABLES t
    ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
 WHERE c.TABLE_SCHEMA = DATABASE()
 ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION";

/// MariaDB names the table of a condition; MySQL has it in another view.
const CHECKS: [&str; 2] = [
    "SELECT TABLE_NAME, CAST(CHECK_CLAUSE AS CHAR) FROM information_schema.CHECK_CONSTRAINTS \
      WHERE CONSTRAINT_SCHEMA = DATABASE()",
    "SELECT t.TABLE_NAME, CAST(c.CHECK_CLAUSE AS CHAR) \
       FROM information_schema.TABLE_CONSTRAINTS t \
       JOIN information_schema.CHECK_CONSTRAINTS c \
         ON c.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = t.CONSTRAINT_NAME \
      WHERE t.CONSTRAINT_TYPE = 'CHECK' AND t.CONSTRAINT_SCHEMA = DATABASE()",
];

pub async fn tables(connection: &mut Connection) -> Result<Vec<Table>, SqlError> {
    let rows = read(connection, QUERY).await?;
    let checks = checks(connection).await?;
    Ok(gather(rows.iter().map(|row| of_row(row, &checks))))
}

/// The conditions of each table, as one text. Old servers have none.
async fn checks(connection: &mut Connection) -> Result<HashMap<String, String>, SqlError> {
    let mut checks: HashMap<String, String> = HashMap::new();
    for query in CHECKS {
        match read(connection, query).await {
            Ok(rows) => {
                for row in rows {
                    let condition = format!(" CHECK ({})", text(&row, 1));
                    checks.entry(text(&row, 0)).or_default().push_str(&condition);
                }
                break;
            }
            Err(error) if error.kind == SqlErrorKind::Lost => return Err(error),
            Err(_) => {}
        }
    }
    Ok(checks)
}

fn of_row(row: &Row, checks: &HashMap<String, String>) -> (String, String, TableKind, Column) {
    let (table, name, type_name, data_type) =
        (text(row, 1), text(row, 3), text(row, 4), text(row, 8).to_ascii_lowercase());
    let extra = text(row, 7).to_ascii_lowercase();
    let kind = if text(row, 2) == "BASE TABLE" { TableKind::Table } else { TableKind::View };
    let family = family(&data_type);
    let words = match family {
        Family::Words => quoted_words(&type_name),
        _ => checks.get(&table).map(|sql| words_of_checks(sql, &name)).unwrap_or_default(),
    };
    let column = Column {
        family,
        not_null: text(row, 5) == "NO",
        default: row.get(6).cloned().flatten().filter(|text| text != "NULL"),
        is_generated: extra.contains("auto_increment")
            || extra.contains("virtual")
            || extra.contains("stored")
            || extra.contains("persistent"),
        max_chars: text(row, 9).parse().ok(),
        is_narrow: matches!(data_type.as_str(), "int" | "mediumint" | "smallint" | "tinyint"),
        precision: number_in(&format!("({})", text(row, 10)))
            .and_then(|n| u8::try_from(n).ok())
            .unwrap_or(0),
        words,
        name,
        type_name,
    };
    (text(row, 0), table, kind, column)
}

fn family(data_type: &str) -> Family {
    match data_type {
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Family::Text,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "bit" => Family::Int,
        "decimal" | "float" | "double" => Family::Real,
        "datetime" | "timestamp" => Family::Naive,
        "json" => Family::Json,
        "enum" => Family::Words,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Family::Bytes,
        _ => Family::Other,
    }
}
