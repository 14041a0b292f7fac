//! The connection to real databases.

mod mysql;
mod postgres;
mod server;
mod sqlite;

use std::time::Duration;

use super::{Access, Connection, Row, SqlError, SqlErrorKind, Value};
use crate::store::target::SqlTarget;

/// Waits for a server that listens already and is still starting up.
async fn started(target: &SqlTarget) {
    for _ in 0..600 {
        match Connection::open(target).await {
            Err(error) if error.kind == SqlErrorKind::Lost => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            _ => return,
        }
    }
}

/// Executes statements, each in a transaction of its own.
async fn run(target: &SqlTarget, statements: &[&str]) {
    let mut connection = Connection::open(target).await.unwrap();
    for statement in statements {
        connection.begin(Access::Write).await.unwrap();
        connection.execute(statement, &[]).await.unwrap();
        connection.commit().await.unwrap();
    }
    connection.close().await;
}

/// The rows of a statement in a transaction of its own.
async fn rows(
    connection: &mut Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Row>, SqlError> {
    connection.begin(Access::Read).await?;
    let rows = connection.rows(sql, values).await;
    match rows {
        Ok(_) => connection.commit().await?,
        Err(_) => connection.rollback().await?,
    }
    rows
}

/// One row of texts.
fn row(texts: &[&str]) -> Vec<Row> {
    vec![texts.iter().map(|text| Some((*text).to_owned())).collect()]
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
