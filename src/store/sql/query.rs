//! A statement with its parameters, and its rows as text: the same for all databases.

use sqlx::{AssertSqlSafe, ColumnIndex, Database, Decode, Encode, Type, query::Query};

use super::value::{Row, Value};

/// A statement with its parameters. The text of a statement has identifiers and no values, and
/// identifiers are quoted where the text is made.
pub fn query<'q, DB>(sql: &str, values: &'q [Value]) -> Query<'q, DB, <DB as Database>::Arguments>
where
    DB: Database,
    &'q str: Encode<'q, DB> + Type<DB>,
    Option<&'q str>: Encode<'q, DB> + Type<DB>,
    i64: Encode<'q, DB> + Type<DB>,
    f64: Encode<'q, DB> + Type<DB>,
{
    let query = sqlx::query::<DB>(AssertSqlSafe(sql.to_owned()));
    values.iter().fold(query, |query, value| match value {
        Value::Null => query.bind(None::<&str>),
        Value::Text(text) => query.bind(text.as_str()),
        Value::Int(number) => query.bind(*number),
        Value::Real(number) => query.bind(*number),
    })
}

/// A row as text. What a database hands back as bytes is read leniently.
pub fn texts<R>(row: &R) -> Result<Row, sqlx::Error>
where
    R: sqlx::Row,
    usize: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
{
    (0..row.len())
        .map(|at| {
            row.try_get::<Option<String>, _>(at).or_else(|error| {
                let bytes = row.try_get::<Option<Vec<u8>>, _>(at).map_err(|_| error)?;
                Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
            })
        })
        .collect()
}
